import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SCOPES, type Scope } from '../../src/admin/scope.js';
import { eachOperation } from './support/contract.js';
import { Harness } from './support/harness.js';

let api: Harness;
beforeEach(async () => {
  api = await Harness.open();
});
afterEach(() => api.close());

const operations = eachOperation().map(({ path, method, operation }) => ({
  name: operation.operationId,
  method: method as 'get' | 'post' | 'patch' | 'delete',
  url: path.replace('{domain}', 'example.com').replace('{cid}', 'crd_none').replace('{id}', 'some_none'),
  type: Object.keys(operation.requestBody?.content ?? {})[0],
  isPublic: operation.security.length === 0,
  scope: operation['x-required-scopes'][0] as Scope | undefined,
}));
const protectedOperations = operations.filter(({ isPublic }) => !isPublic);

describe('who may', () => {
  test.each(protectedOperations)('$name needs a key', async ({ method, url }) => {
    const refused = await api.call(method, url, { key: null });
    expect(refused.status).toBe(401);
    expect(refused.body.code).toBe('unauthenticated');
    expect(refused.headers['www-authenticate']).toBe('Bearer realm="sip-registrar"');
  });

  test.each(protectedOperations)('$name needs a key that exists', async ({ method, url }) => {
    const refused = await api.call(method, url, { key: 'rk_nobody' });
    expect(refused.status).toBe(401);
    expect(refused.headers['www-authenticate']).toContain('error="invalid_token"');
  });

  test.each(protectedOperations)('$name needs a key that has not expired', async ({ method, url }) => {
    const key = await api.key({ role: 'admin', expiresAt: api.clock.now() + 1000 });
    api.clock.advance(1);
    expect((await api.call(method, url, { key })).status).toBe(401);
  });

  test.each(protectedOperations.filter(({ scope }) => scope !== undefined))(
    '$name needs the scope $scope',
    async ({ method, url, scope, type }) => {
      const key = await api.key({ scopes: SCOPES.filter((other) => other !== scope) });
      const refused = await api.call(method, url, { key });
      expect(refused.status).toBe(403);
      expect(refused.body.code).toBe('insufficient_scope');
      expect(refused.body.detail).toContain(scope);
      expect(refused.headers['www-authenticate']).toContain(`scope="${scope}"`);
      const alone = await api.key({ scopes: [scope as Scope] });
      const allowed = await api.call(method, url, {
        key: alone,
        ...(type === undefined ? {} : { type, rawBody: '{' }),
      });
      expect([200, 204, 400, 404]).toContain(allowed.status);
    },
  );

  test.each(operations.filter(({ isPublic }) => isPublic))(
    '$name is for everybody',
    async ({ method, url }) => {
      expect((await api.call(method, url, { key: null })).status).toBe(200);
    },
  );

  test.each([
    ['another scheme', { Authorization: 'Basic cmtfOg==' }],
    ['a scheme without a key', { Authorization: 'Bearer' }],
    ['two keys', { Authorization: 'Bearer rk_a, Bearer rk_b' }],
    ['an empty header', { Authorization: '' }],
  ])('%s is no authorization', async (_, headers) => {
    expect((await api.get('/v1/me', { key: null, headers })).status).toBe(401);
  });

  test('a first key given by setting may have any printable characters', async () => {
    const given = await Harness.open({}, () => ({}), 'S3cret!$%&{}~"key');
    expect((await given.get('/v1/me')).status).toBe(200);
    given.close();
  });

  test('a key in the query is not looked at', async () => {
    for (const name of ['access_token', 'api_key', 'key', 'token']) {
      expect((await api.get(`/v1/me?${name}=${api.adminKey}`, { key: null })).status).toBe(401);
    }
    expect(api.logLines.join('')).not.toContain(api.adminKey);
  });

  test('metrics are public when the setting says so', async () => {
    const open = await Harness.open({ publicMetrics: true });
    expect((await open.get('/metrics', { key: null })).status).toBe(200);
    open.close();
  });
});

describe('limits', () => {
  test('a key has so many requests a minute, and is told how many are left', async () => {
    const limited = await Harness.open({ rateLimitPerMinute: 3 });
    const other = await limited.key({ role: 'viewer' });
    const first = await limited.get('/v1/me');
    expect(first.headers['ratelimit-policy']).toMatch(/"api-key"; ?q=3; ?w=60/);
    expect(first.headers.ratelimit).toMatch(/"api-key"; ?r=2; ?t=\d+/);
    await limited.get('/v1/me');
    await limited.get('/v1/me');
    const refused = await limited.get('/v1/me');
    expect(refused.status).toBe(429);
    expect(refused.body.code).toBe('rate_limited');
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect((await limited.get('/v1/me', { key: other })).status).toBe(200);
    expect((await limited.get('/healthz', { key: null })).status).toBe(200);
    limited.close();
  });

  test('an address that presents wrong keys is refused unheard, and one without keys is not', async () => {
    const limited = await Harness.open({ failedAuthLimitPerMinute: 3 });
    for (let count = 0; count < 5; count++)
      expect((await limited.get('/v1/me', { key: null })).status).toBe(401);
    for (let count = 0; count < 3; count++) {
      expect((await limited.get('/v1/me', { key: 'rk_guess' })).status).toBe(401);
    }
    const refused = await limited.get('/v1/me');
    expect(refused.status).toBe(429);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    limited.close();
  });

  test('behind a proxy that is believed, addresses are told apart', async () => {
    const limited = await Harness.open({ failedAuthLimitPerMinute: 1, trustProxy: 1 });
    const from = (ip: string) => ({ headers: { 'X-Forwarded-For': ip } });
    expect((await limited.get('/v1/me', { key: 'rk_guess', ...from('192.0.2.1') })).status).toBe(401);
    expect((await limited.get('/v1/me', from('192.0.2.1'))).status).toBe(429);
    expect((await limited.get('/v1/me', from('192.0.2.2'))).status).toBe(200);
    limited.close();
  });
});
