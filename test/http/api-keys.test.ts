import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Harness } from './support/harness.js';

let api: Harness;
beforeEach(async () => {
  api = await Harness.open();
});
afterEach(() => api.close());

describe('API keys', () => {
  test('a key is shown once and works', async () => {
    const made = await api.post('/v1/api-keys', { label: 'monitoring', scopes: ['server:read'] });
    expect(made.status).toBe(201);
    expect(made.headers['cache-control']).toBe('no-store');
    expect(made.body).toMatchObject({
      label: 'monitoring',
      role: null,
      state: 'active',
      key_shown_once: true,
    });
    expect(made.body.key).toMatch(/^rk_/);
    expect(made.body.key.slice(-4)).toBe(made.body.last_four);
    const read = await api.get(made.headers.location!);
    expect(read.body.key).toBeUndefined();
    expect((await api.get('/v1/me', { key: made.body.key })).body).toMatchObject({
      key_id: made.body.id,
      label: 'monitoring',
      scopes: ['server:read'],
      domains: [],
      expires_at: null,
    });
  });

  test('a key revoked, deleted or expired no longer opens anything', async () => {
    const revoked = await api.post('/v1/api-keys', { label: 'a', role: 'viewer' });
    const patched = await api.patch(`/v1/api-keys/${revoked.body.id}`, { state: 'revoked' });
    expect(patched.body.state).toBe('revoked');
    const deleted = await api.post('/v1/api-keys', { label: 'b', role: 'viewer' });
    expect((await api.delete(`/v1/api-keys/${deleted.body.id}`)).status).toBe(204);
    const expired = await api.post('/v1/api-keys', {
      label: 'c',
      role: 'viewer',
      expires_at: '2026-11-22T10:16:00Z',
    });
    api.clock.advance(60);
    for (const { body } of [revoked, deleted, expired]) {
      const refused = await api.get('/v1/me', { key: body.key });
      expect(refused.status).toBe(401);
      expect(refused.headers['www-authenticate']).toContain('error="invalid_token"');
    }
    const again = await api.patch(`/v1/api-keys/${revoked.body.id}`, { label: 'x' });
    expect(again.body.code).toBe('api_key_revoked');
    expect((await api.get(`/v1/api-keys/${deleted.body.id}`)).body.code).toBe('api_key_not_found');
    expect((await api.delete(`/v1/api-keys/${deleted.body.id}`)).body.code).toBe('api_key_not_found');
  });

  test('a key is held to its networks', async () => {
    const inside = await api.key({ role: 'viewer', allowedCidrs: ['127.0.0.0/8', '::1'] });
    const outside = await api.key({ role: 'viewer', allowedCidrs: ['192.0.2.0/24'] });
    expect((await api.get('/v1/me', { key: inside })).status).toBe(200);
    expect((await api.get('/v1/me', { key: outside })).status).toBe(401);
  });

  test('the last unrestricted admin key stays', async () => {
    const { key_id: id } = (await api.get('/v1/me')).body;
    const url = `/v1/api-keys/${id}`;
    for (const refused of [
      await api.delete(url),
      await api.patch(url, { state: 'revoked' }),
      await api.patch(url, { role: 'viewer' }),
      await api.patch(url, { role: null }),
      await api.patch(url, { domains: ['example.com'] }),
      await api.patch(url, { expires_at: '2026-01-01T00:00:00Z' }),
    ]) {
      expect(refused.status).toBe(409);
      expect(refused.body.code).toBe('last_admin_key');
    }
    await api.post('/v1/api-keys', { label: 'second', role: 'admin' });
    expect((await api.delete(url)).status).toBe(204);
  });

  test('last_used_at changes the ETag, and If-Match does not mind', async () => {
    const made = await api.post('/v1/api-keys', { label: 'a', role: 'viewer' });
    const url = `/v1/api-keys/${made.body.id}`;
    expect(made.headers.etag).toBe('"1"');
    await api.get('/v1/me', { key: made.body.key });
    await api.admin.recordUses();
    const used = await api.get(url, { headers: { 'If-None-Match': '"1"' } });
    expect(used.status).toBe(200);
    expect(used.body.last_used_at).toBe('2026-11-22T10:15:30.000Z');
    expect((await api.patch(url, { label: 'b' }, { headers: { 'If-Match': '"1"' } })).status).toBe(200);
    expect((await api.patch(url, { label: 'c' }, { headers: { 'If-Match': '"1"' } })).status).toBe(412);
    expect((await api.delete(url, { headers: { 'If-Match': '"1"' } })).status).toBe(412);
  });

  test('null clears what can be cleared', async () => {
    const made = await api.post('/v1/api-keys', {
      label: 'a',
      role: 'viewer',
      scopes: ['users:write'],
      domains: ['example.com'],
      allowed_cidrs: ['192.0.2.0/24'],
      expires_at: '2027-01-01T00:00:00Z',
    });
    const cleared = await api.patch(`/v1/api-keys/${made.body.id}`, {
      role: null,
      scopes: null,
      domains: null,
      allowed_cidrs: null,
      expires_at: null,
    });
    expect(cleared.body).toMatchObject({
      role: null,
      scopes: [],
      domains: [],
      allowed_cidrs: [],
      expires_at: null,
    });
    expect((await api.patch(`/v1/api-keys/${made.body.id}`, { label: null })).status).toBe(400);
  });

  test('the list is paged and sorted by label', async () => {
    for (const label of ['c', 'a', 'b']) await api.key({ label, role: 'viewer' });
    const labels = (body: { data: { label: string }[] }) => body.data.map(({ label }) => label);
    const first = await api.get('/v1/api-keys?sort=label&limit=3&include_total=true');
    expect(labels(first.body)).toEqual(['a', 'b', 'c']);
    expect(first.body.page.total).toBe(4);
    const second = await api.get(`/v1/api-keys?sort=label&limit=3&cursor=${first.body.page.next_cursor}`);
    expect(labels(second.body)).toEqual(['first admin key']);
  });

  test('the roles are listed with their scopes', async () => {
    const key = await api.key({});
    const roles = await api.get('/v1/roles', { key });
    expect(roles.body.data.map(({ name }: { name: string }) => name)).toEqual([
      'viewer',
      'helpdesk',
      'provisioner',
      'admin',
    ]);
  });
});

describe('granting', () => {
  test.each([
    [{ role: 'admin' }],
    [{ scopes: ['domains:write'] }],
    [{ role: 'helpdesk', scopes: ['server:read'] }],
  ])('a key that does not hold %j itself does not grant it', async (grant) => {
    const key = await api.key({ role: 'helpdesk', scopes: ['keys:write', 'keys:read'] });
    const refused = await api.post('/v1/api-keys', { label: 'more', ...grant }, { key });
    expect(refused.status).toBe(403);
    expect(refused.body.code).toBe('grant_exceeds_own');
    const lesser = await api.post('/v1/api-keys', { label: 'less', role: 'helpdesk' }, { key });
    expect(lesser.status).toBe(201);
    const raised = await api.patch(lesser.headers.location!, grant, { key });
    expect(raised.status).toBe(403);
  });

  test('a key neither changes nor deletes one that may do more', async () => {
    const strong = await api.post('/v1/api-keys', { label: 'strong', role: 'admin' });
    const key = await api.key({ scopes: ['keys:write', 'keys:read'] });
    for (const refused of [
      await api.patch(strong.headers.location!, { state: 'revoked' }, { key }),
      await api.patch(strong.headers.location!, { role: null, scopes: [] }, { key }),
      await api.delete(strong.headers.location!, { key }),
    ]) {
      expect(refused.status).toBe(403);
      expect(refused.body.code).toBe('grant_exceeds_own');
    }
  });

  test('a confined key grants its own domains only, and knows no other keys', async () => {
    const key = await api.key({ role: 'admin', domains: ['example.com', 'example.net'] });
    for (const domains of [[], ['example.org'], ['example.com', 'example.org']]) {
      const refused = await api.post('/v1/api-keys', { label: 'x', role: 'viewer', domains }, { key });
      expect(refused.body.code, domains.join()).toBe('grant_exceeds_own');
    }
    const own = await api.post(
      '/v1/api-keys',
      { label: 'x', role: 'viewer', domains: ['Example.com'] },
      { key },
    );
    expect(own.status).toBe(201);
    expect((await api.patch(own.headers.location!, { domains: null }, { key })).status).toBe(403);
    const others = await api.post('/v1/api-keys', { label: 'y', role: 'viewer', domains: ['example.org'] });
    expect((await api.get(others.headers.location!, { key })).status).toBe(404);
    expect((await api.patch(others.headers.location!, {}, { key })).status).toBe(404);
    expect((await api.delete(others.headers.location!, { key })).status).toBe(404);
    const seen = await api.get('/v1/api-keys?include_total=true', { key });
    expect(seen.body.data).toHaveLength(2);
    expect(seen.body.page.total).toBeUndefined();
  });
});
