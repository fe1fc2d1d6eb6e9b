import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Harness } from './support/harness.js';

let api: Harness;
beforeEach(async () => {
  api = await Harness.open();
  await api.domain();
});
afterEach(() => api.close());

const alice = {
  username: 'alice',
  domain: 'example.com',
  display_name: 'Alice',
  tags: ['sales'],
  external_id: 'hr-8841',
  max_bindings: 3,
  expires_at: null,
};

describe('users', () => {
  test('a user is made with the first credential, whose password is shown once', async () => {
    const made = await api.post('/v1/users', { ...alice, credential: { generate: true, label: 'initial' } });
    expect(made.status).toBe(201);
    expect(made.headers.location).toBe(`/v1/users/${made.body.id}`);
    expect(made.headers.etag).toBe('"1"');
    expect(made.headers['cache-control']).toBe('no-store');
    expect(made.body).toMatchObject({
      aor: 'sip:alice@example.com',
      state: 'active',
      registration: { state: 'never_registered', bindings: 0, last_registered_at: null },
      credential: {
        auth_username: 'alice',
        realm: 'example.com',
        state: 'active',
        password_shown_once: true,
      },
    });
    expect(made.body.credential.password.length).toBeGreaterThanOrEqual(24);
    const read = await api.get(`/v1/users/${made.body.id}`);
    expect(read.text).not.toContain(made.body.credential.password);
  });

  test('a user without a credential has none in the answer', async () => {
    const made = await api.post('/v1/users', { username: 'bob', domain: 'EXAMPLE.com' });
    expect(made.status).toBe(201);
    expect(made.body.credential).toBeUndefined();
    expect(made.body.domain).toBe('example.com');
  });

  test('a user is found by id, by address in any case of the host, and by an alias of the domain', async () => {
    await api.patch('/v1/domains/example.com', { aliases: ['sip.example.com'] });
    const id = await api.user('alice');
    for (const name of [
      id,
      'alice@example.com',
      'alice%40EXAMPLE.com',
      'sip:alice@example.com',
      'alice@sip.example.com',
    ]) {
      expect((await api.get(`/v1/users/${name}`)).body.id, name).toBe(id);
    }
    expect((await api.get('/v1/users/Alice@example.com')).status).toBe(404);
  });

  test('a username with a slash can be addressed', async () => {
    const id = await api.user('a/b');
    expect((await api.get('/v1/users/a%2Fb@example.com')).body.id).toBe(id);
  });

  test.each([
    [{ username: 'al ice' }, 422, 'username_invalid', '/username'],
    [{ username: '' }, 400, 'validation_failed', '/username'],
    [{ domain: 'example.net' }, 404, 'domain_not_found', '/domain'],
    [{ credential: { password: 'short' } }, 422, 'password_too_weak', '/credential/password'],
    [{ credential: { password: 'alice-in-wonderland' } }, 422, 'password_too_weak', '/credential/password'],
    [
      { credential: { generate: true, auth_username: 'a b' } },
      422,
      'username_invalid',
      '/credential/auth_username',
    ],
    [{ credential: {} }, 400, 'validation_failed', '/credential'],
    [{ credential: { generate: true, password: 'correct-horse' } }, 400, 'validation_failed', '/credential'],
    [{ credential: { generate: false } }, 400, 'validation_failed', '/credential/generate'],
    [{ credential: { ha1: {} } }, 400, 'validation_failed', '/credential/ha1'],
    [{ credential: { ha1: { md5: 'abc' } } }, 400, 'validation_failed', '/credential/ha1/md5'],
    [
      { credential: { ha1: { sha_256: 'a'.repeat(32) } } },
      400,
      'validation_failed',
      '/credential/ha1/sha_256',
    ],
    [{ tags: ['a', 'a'] }, 400, 'validation_failed', '/tags'],
    [{ max_bindings: 0 }, 400, 'validation_failed', '/max_bindings'],
    [{ max_bindings: 101 }, 400, 'validation_failed', '/max_bindings'],
    [{ expires_at: 'tomorrow' }, 400, 'validation_failed', '/expires_at'],
    [{ expires_at: '2026-02-30T00:00:00Z' }, 400, 'validation_failed', '/expires_at'],
    [{ may_register: ['nobody'] }, 400, 'validation_failed', '/may_register/0'],
    [{ display_name: 'Al\u0000ice' }, 400, 'validation_failed', '/display_name'],
    [{ nickname: 'al' }, 400, 'validation_failed', '/nickname'],
  ])('a user with %j is answered %i', async (change, status, code, pointer) => {
    const refused = await api.post('/v1/users', { ...alice, ...change });
    expect(refused.status).toBe(status);
    expect(refused.body.code).toBe(code);
    expect(refused.body.errors[0].pointer).toBe(pointer);
  });

  test('an address, an external id and a digest username each belong to one user', async () => {
    await api.post('/v1/users', { ...alice, credential: { generate: true } });
    const twice = await api.post('/v1/users', { ...alice, external_id: null });
    expect(twice.body.code).toBe('user_exists');
    const sameId = await api.post('/v1/users', { ...alice, username: 'bob' });
    expect(sameId.body.code).toBe('external_id_in_use');
    const sameDigestName = await api.post('/v1/users', {
      username: 'bob',
      domain: 'example.com',
      credential: { generate: true, auth_username: 'alice' },
    });
    expect(sameDigestName.body.code).toBe('username_in_use');
  });

  test('a full domain takes no more', async () => {
    await api.patch('/v1/domains/example.com', { max_users: 1 });
    await api.user('alice');
    const refused = await api.post('/v1/users', { username: 'bob', domain: 'example.com' });
    expect(refused.status).toBe(409);
    expect(refused.body.code).toBe('user_limit');
  });

  test('a patch changes what it mentions, null clears, and addresses are written one way', async () => {
    const { body } = await api.post('/v1/users', { ...alice, may_register: ['BOB@EXAMPLE.com'] });
    expect(body.may_register).toEqual(['sip:BOB@example.com']);
    const changed = await api.patch(`/v1/users/${body.id}`, {
      display_name: null,
      tags: null,
      may_register: null,
      challenge: 'sha-256',
      expires_at: '2027-01-01T00:00:00+01:00',
    });
    expect(changed.status).toBe(200);
    expect(changed.body).toMatchObject({
      display_name: null,
      tags: [],
      may_register: [],
      external_id: 'hr-8841',
      max_bindings: 3,
      challenge: 'sha-256',
      expires_at: '2026-12-31T23:00:00.000Z',
    });
    expect(changed.headers.etag).toBe('"2"');
  });

  test('username and domain never change', async () => {
    const id = await api.user('alice');
    const refused = await api.patch(`/v1/users/${id}`, { username: 'bob', domain: 'example.net' });
    expect(refused.status).toBe(400);
    expect(refused.body.errors).toMatchObject([
      { pointer: '/username', code: 'unknown_field' },
      { pointer: '/domain', code: 'unknown_field' },
    ]);
  });

  test('a registration changes the ETag, so 304 never hides it, and If-Match does not mind it', async () => {
    const userId = await api.user('alice');
    const before = await api.get(`/v1/users/${userId}`);
    await api.register({ userId, address: 'alice@example.com', contact: 'sip:a@192.0.2.7' });
    const after = await api.get(`/v1/users/${userId}`, {
      headers: { 'If-None-Match': before.headers.etag! },
    });
    expect(after.status).toBe(200);
    expect(after.body.registration).toMatchObject({ state: 'registered', bindings: 1 });
    const same = await api.get(`/v1/users/${userId}`, { headers: { 'If-None-Match': after.headers.etag! } });
    expect(same.status).toBe(304);
    const changed = await api.patch(
      `/v1/users/${userId}`,
      { display_name: 'Alice' },
      { headers: { 'If-Match': before.headers.etag! } },
    );
    expect(changed.status).toBe(200);
  });

  test('If-None-Match is for reading: a change is answered in full', async () => {
    const userId = await api.user('alice');
    const changed = await api.patch(`/v1/users/${userId}`, {}, { headers: { 'If-None-Match': '*' } });
    expect(changed.status).toBe(200);
    expect(changed.body.id).toBe(userId);
  });

  test('a deleted user takes credentials and bindings along', async () => {
    const userId = await api.user('alice');
    const bindingId = await api.register({
      userId,
      address: 'alice@example.com',
      contact: 'sip:a@192.0.2.7',
    });
    const stale = await api.delete(`/v1/users/${userId}`, { headers: { 'If-Match': '"9"' } });
    expect(stale.status).toBe(412);
    expect((await api.delete('/v1/users/alice@example.com')).status).toBe(204);
    expect((await api.get(`/v1/bindings/${bindingId}`)).status).toBe(404);
    expect((await api.delete(`/v1/users/${userId}`)).status).toBe(404);
    expect((await api.patch(`/v1/users/${userId}`, {})).status).toBe(404);
  });

  test('filters narrow the list', async () => {
    const made = await api.post('/v1/users', { ...alice, expires_at: '2027-01-01T00:00:00Z' });
    await api.domain('example.net');
    await api.user('bob', 'example.net');
    await api.register({ userId: made.body.id, address: 'alice@example.com', contact: 'sip:a@192.0.2.7' });
    const names = async (query: string) =>
      (await api.get(`/v1/users?${query}`)).body.data.map(({ username }: { username: string }) => username);
    expect(await names('')).toEqual(['alice', 'bob']);
    expect(await names('sort=-username')).toEqual(['bob', 'alice']);
    for (const query of [
      'domain=EXAMPLE.com',
      'aor=sip:alice@example.com',
      'aor=alice%40example.com',
      'username_prefix=al',
      'registered=true',
      'tag=sales',
      'external_id=hr-8841',
      'expires_before=2027-06-01T00:00:00Z',
      'q=hr-',
    ]) {
      expect(await names(query), query).toEqual(['alice']);
    }
    expect(await names('registered=false')).toEqual(['bob']);
    const invalid = await api.get('/v1/users?aor=alice');
    expect(invalid.body.errors[0].parameter).toBe('aor');
  });

  test('include=bindings shows where the user is, in lists, with fields, and alone', async () => {
    const userId = await api.user('alice');
    await api.register({ userId, address: 'alice@example.com', contact: 'sip:a@192.0.2.7' });
    const list = await api.get('/v1/users?include=bindings');
    expect(list.body.data[0].bindings[0].contact).toBe('sip:a@192.0.2.7');
    const fields = await api.get('/v1/users?include=bindings&fields=username');
    expect(Object.keys(fields.body.data[0])).toEqual(['username', 'bindings']);
    const single = await api.get(`/v1/users/${userId}?include=bindings`);
    expect(single.body.bindings).toHaveLength(1);
    expect((await api.get(`/v1/users/${userId}`)).body.bindings).toBeUndefined();
  });

  test('the users of other domains do not exist for a confined key', async () => {
    await api.domain('example.net');
    await api.user('alice');
    const strangerId = await api.user('bob', 'example.net');
    const key = await api.key({ role: 'admin', domains: ['example.com'] });
    const list = await api.get('/v1/users?include_total=true', { key });
    expect(list.body.data).toHaveLength(1);
    expect(list.body.page.total).toBe(1);
    expect((await api.get('/v1/users?domain=example.net', { key })).body.data).toEqual([]);
    for (const name of [strangerId, 'bob@example.net']) {
      expect((await api.get(`/v1/users/${name}`, { key })).status).toBe(404);
      expect((await api.patch(`/v1/users/${name}`, {}, { key })).status).toBe(404);
      expect((await api.delete(`/v1/users/${name}`, { key })).status).toBe(404);
      expect((await api.get(`/v1/users/${name}/credentials`, { key })).status).toBe(404);
      expect((await api.post(`/v1/users/${name}/credentials`, { generate: true }, { key })).status).toBe(404);
      expect((await api.get(`/v1/users/${name}/bindings`, { key })).status).toBe(404);
      expect((await api.delete(`/v1/users/${name}/bindings`, { key })).status).toBe(404);
    }
    const made = await api.post('/v1/users', { username: 'carol', domain: 'example.net' }, { key });
    expect(made.body.code).toBe('domain_not_found');
  });

  test('a confined key hands out no right to register addresses of other domains', async () => {
    await api.domain('example.net');
    const userId = await api.user('alice');
    const key = await api.key({ role: 'provisioner', domains: ['example.com'] });
    const body = { may_register: ['sip:bob@example.com', 'sip:bob@example.net'] };
    for (const refused of [
      await api.patch(`/v1/users/${userId}`, body, { key }),
      await api.post('/v1/users', { username: 'carol', domain: 'example.com', ...body }, { key }),
    ]) {
      expect(refused.status).toBe(403);
      expect(refused.body).toMatchObject({
        code: 'domain_not_granted',
        errors: [{ pointer: '/may_register/1' }],
      });
    }
  });
});

describe('credentials', () => {
  let userId: string;
  let url: string;
  beforeEach(async () => {
    userId = await api.user('alice');
    url = `/v1/users/${userId}/credentials`;
  });

  test('a credential may be drawn, given as password, or given as HA1', async () => {
    const drawn = await api.post(url, { generate: true });
    expect(drawn.status).toBe(201);
    expect(drawn.headers.location).toBe(`${url}/${drawn.body.id}`);
    expect(drawn.body.password_shown_once).toBe(true);
    const given = await api.post(url, { password: 'correct-horse-battery', label: 'mine' });
    expect(given.status).toBe(201);
    expect(given.text).not.toContain('correct-horse');
    expect(given.headers['cache-control']).toBe('private, no-cache');
    const moved = await api.post(url, { ha1: { md5: 'A'.repeat(32), sha_512_256: 'b'.repeat(64) } });
    expect(moved.body.algorithms).toEqual(['SHA-512-256', 'MD5']);
    expect(moved.text).not.toMatch(/aaaa|bbbb/i);
    const list = await api.get(`${url}?sort=created_at&include_total=true`);
    expect(list.body.data).toHaveLength(3);
    expect(list.body.page.total).toBe(3);
  });

  test('the HA1 that came in is the one that verifies', async () => {
    await api.post(url, { ha1: { md5: 'AB'.repeat(16) } });
    const subscriber = api.accounts.subscriber('example.com', 'alice');
    expect(subscriber?.credentials[0]?.secret.ha1).toEqual({ MD5: 'ab'.repeat(16) });
  });

  test('an algorithm the domain does not use is refused', async () => {
    await api.patch('/v1/domains/example.com', { algorithms: ['MD5'] });
    const refused = await api.post(url, { ha1: { sha_256: 'a'.repeat(64) } });
    expect(refused.status).toBe(422);
    expect(refused.body.code).toBe('algorithm_not_enabled');
  });

  test('the fifth active credential is refused, until one is revoked', async () => {
    const made = [];
    for (let count = 0; count < 4; count++) made.push(await api.post(url, { generate: true }));
    const fifth = await api.post(url, { generate: true });
    expect(fifth.status).toBe(409);
    expect(fifth.body.code).toBe('credential_limit');
    await api.delete(`${url}/${made[0]!.body.id}`);
    expect((await api.post(url, { generate: true })).status).toBe(201);
  });

  test('the pages of a long list hold each credential once', async () => {
    for (let count = 0; count < 5; count++) {
      api.clock.advance(1);
      const made = await api.post(url, { generate: true });
      await api.delete(`${url}/${made.body.id}`);
    }
    for (const sort of ['created_at', '-created_at']) {
      const ids = [];
      let next = `${url}?limit=2&sort=${sort}`;
      while (next !== '') {
        const page = await api.get(next);
        ids.push(...page.body.data.map(({ id }: { id: string }) => id));
        next = /^<(.*)>; rel="next"$/.exec(page.headers.link ?? '')?.[1] ?? '';
      }
      expect(new Set(ids).size).toBe(5);
      expect(ids).toHaveLength(5);
    }
  });

  test('label and expiry change, the secret does not', async () => {
    const { body } = await api.post(url, { generate: true, label: 'desk' });
    const changed = await api.patch(`${url}/${body.id}`, { label: null, expires_at: '2027-01-01T00:00:00Z' });
    expect(changed.status).toBe(200);
    expect(changed.body).toMatchObject({ label: null, expires_at: '2027-01-01T00:00:00.000Z' });
    for (const patch of [{ password: 'correct-horse-battery' }, { realm: 'x' }, { state: 'active' }]) {
      expect((await api.patch(`${url}/${body.id}`, patch)).status).toBe(400);
    }
    const stale = await api.patch(`${url}/${body.id}`, { label: 'x' }, { headers: { 'If-Match': '"1"' } });
    expect(stale.status).toBe(412);
    expect((await api.get(`${url}/${body.id}`)).headers.etag).toBe('"2"');
  });

  test('revoking with deregister takes the bindings along, and is for good', async () => {
    const { body } = await api.post(url, { generate: true });
    const other = await api.post(url, { generate: true });
    const phone = { userId, address: 'alice@example.com' };
    await api.register({ ...phone, contact: 'sip:a@192.0.2.7', credentialId: body.id });
    await api.register({ ...phone, contact: 'sip:b@192.0.2.7', credentialId: other.body.id });
    const revoked = await api.delete(`${url}/${body.id}?deregister=true`);
    expect(revoked.status).toBe(200);
    expect(revoked.body).toMatchObject({ state: 'revoked', bindings_removed: 1 });
    expect((await api.get(`/v1/users/${userId}/bindings`)).body.data).toHaveLength(1);
    const again = await api.delete(`${url}/${body.id}`);
    expect(again.body).toMatchObject({ state: 'revoked', bindings_removed: 0 });
    const changed = await api.patch(`${url}/${body.id}`, { label: 'x' });
    expect(changed.status).toBe(409);
    expect(changed.body.code).toBe('credential_revoked');
  });

  test('a patch may revoke, and leaves the bindings', async () => {
    const { body } = await api.post(url, { generate: true });
    await api.register({
      userId,
      address: 'alice@example.com',
      contact: 'sip:a@192.0.2.7',
      credentialId: body.id,
    });
    const revoked = await api.patch(`${url}/${body.id}`, { state: 'revoked' });
    expect(revoked.body.state).toBe('revoked');
    expect((await api.get(`/v1/users/${userId}/bindings`)).body.data).toHaveLength(1);
  });

  test('a credential of another user is not there', async () => {
    const { body } = await api.post(url, { generate: true });
    const other = `/v1/users/${await api.user('bob')}/credentials/${body.id}`;
    expect((await api.get(other)).body.code).toBe('credential_not_found');
    expect((await api.patch(other, {})).body.code).toBe('credential_not_found');
    expect((await api.delete(other)).body.code).toBe('credential_not_found');
    expect((await api.get('/v1/users/usr_none/credentials')).body.code).toBe('user_not_found');
  });
});
