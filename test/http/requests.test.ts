import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { StoreOverloaded } from '../../src/base/store-error.js';
import { Harness } from './support/harness.js';

let api: Harness;
beforeEach(async () => {
  api = await Harness.open();
});
afterEach(() => api.close());

const type = 'application/json';

describe('bodies', () => {
  test.each([
    ['no JSON', '{"name":'],
    ['nothing', ''],
    ['JSON in another charset', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
    ['JSON behind a byte order mark', '\ufeff{"name":"example.com"}'],
    ['a key twice', '{"name":"a.com","name":"example.com"}'],
    ['a key twice, written differently', '{"name":"a.com","n\\u0061me":"example.com"}'],
    ['the key __proto__', '{"name":"example.com","__proto__":{}}'],
    ['the key constructor, deep down', '{"name":"example.com","aliases":[{"constructor":1}]}'],
    ['half a surrogate pair', '{"name":"\\ud800"}'],
    ['nesting without end', '['.repeat(40) + ']'.repeat(40)],
  ])('a body with %s is refused', async (_, rawBody) => {
    const refused = await api.post('/v1/domains', undefined, { rawBody, type });
    expect(refused.status).toBe(400);
    expect(refused.body.code).toBe('malformed_json');
  });

  test('a fault in the JSON is pointed at', async () => {
    const refused = await api.post('/v1/domains', undefined, {
      rawBody: '{"name":"example.com","aliases":["a",{"x":1,"x":2}]}',
    });
    expect(refused.body.errors).toEqual([
      { pointer: '/aliases/1/x', code: 'duplicate_key', detail: 'The key occurs twice in its object.' },
    ]);
  });

  test.each([['[]'], ['null'], ['"text"'], ['1']])('the body %s is no object', async (rawBody) => {
    const refused = await api.post('/v1/domains', undefined, { rawBody });
    expect(refused.status).toBe(400);
    expect(refused.body.code).toBe('validation_failed');
  });

  test.each(['text/plain', 'application/merge-patch+json', 'application/json; charset=latin1', ''])(
    'POST does not take %s',
    async (wrong) => {
      const refused = await api.post('/v1/domains', undefined, {
        rawBody: '{"name":"example.com"}',
        type: wrong,
      });
      expect(refused.status).toBe(415);
      expect(refused.headers.accept).toBe('application/json');
    },
  );

  test('PATCH takes merge-patch only, and says so', async () => {
    const refused = await api.patch('/v1/domains/example.com', {}, { type: 'application/json' });
    expect(refused.status).toBe(415);
    expect(refused.headers['accept-patch']).toBe('application/merge-patch+json');
  });

  test('a media type is told by its name, in any case, with charset utf-8', async () => {
    const made = await api.post(
      '/v1/domains',
      { name: 'example.com' },
      { type: 'Application/JSON; charset=UTF-8' },
    );
    expect(made.status).toBe(201);
  });

  test('a body that is too large is refused, also when it is compressed', async () => {
    const large = JSON.stringify({ name: 'a'.repeat(70_000) });
    const plain = await api.post('/v1/domains', undefined, { rawBody: large });
    expect(plain.status).toBe(413);
    expect(plain.body.code).toBe('body_too_large');
    const compressed = await api.post('/v1/domains', undefined, {
      rawBody: gzipSync(large),
      headers: { 'Content-Encoding': 'gzip' },
    });
    expect(compressed.status).toBe(413);
  });

  test('an encoding that is not known, or broken, is refused', async () => {
    const unknown = await api.post(
      '/v1/domains',
      { name: 'a.com' },
      { headers: { 'Content-Encoding': 'zz' } },
    );
    expect(unknown.status).toBe(415);
    const broken = await api.post(
      '/v1/domains',
      { name: 'a.com' },
      { headers: { 'Content-Encoding': 'gzip' } },
    );
    expect(broken.status).toBe(400);
  });

  test('several faults are told at once', async () => {
    const refused = await api.post('/v1/domains', { name: 7, overflow: 'x', extra: 1 });
    expect(refused.body.errors.map(({ pointer }: { pointer: string }) => pointer).sort()).toEqual([
      '/extra',
      '/name',
      '/overflow',
    ]);
  });
});

describe('paths and methods', () => {
  test('an unknown path is 404, with and without a key', async () => {
    for (const key of [null, api.adminKey]) {
      const refused = await api.get('/v1/nothing?x=1', { key });
      expect(refused.status).toBe(404);
      expect(refused.body).toMatchObject({ code: 'route_not_found', instance: '/v1/nothing' });
    }
    expect((await api.get('/V1/users')).status).toBe(404);
  });

  test('a wrong method is 405 and told the right ones', async () => {
    const refused = await api.call('put', '/v1/domains/example.com');
    expect(refused.status).toBe(405);
    expect(refused.body.code).toBe('method_not_allowed');
    expect(refused.headers.allow).toBe('GET, HEAD, PATCH, DELETE');
    expect((await api.call('post', '/healthz')).headers.allow).toBe('GET, HEAD');
  });

  test('OPTIONS tells the methods, HEAD is GET without its body', async () => {
    const options = await api.call('options', '/v1/domains');
    expect(options.status).toBe(204);
    expect(options.headers.allow).toBe('GET, HEAD, POST');
    const head = await api.call('head', '/v1/domains');
    expect(head.status).toBe(200);
    expect(head.text).toBe('');
  });

  test('a path that is no UTF-8 is refused', async () => {
    const refused = await api.get('/v1/users/%ff');
    expect(refused.status).toBe(400);
    expect(refused.body.code).toBe('malformed_url');
  });

  test.each(['%00', '..%2f..', '%F0%9F%98%80', "'; DROP TABLE users;--", 'a@b@c', '@', 'x'.repeat(5000)])(
    'a user called %s is not there',
    async (name) => {
      expect((await api.get(`/v1/users/${encodeURI(name)}`)).status).toBe(404);
    },
  );

  test('entity tags that are none are refused', async () => {
    await api.domain();
    for (const header of ['If-Match', 'If-None-Match']) {
      const refused = await api.get('/v1/domains/example.com', { headers: { [header]: 'abc' } });
      expect(refused.status).toBe(400);
      expect(refused.body.errors[0].header).toBe(header);
    }
  });
});

describe('naming requests', () => {
  test('a fit X-Request-Id comes back, in the header and in problems', async () => {
    const refused = await api.get('/v1/nothing', { headers: { 'X-Request-Id': 'mine-1' } });
    expect(refused.headers['x-request-id']).toBe('mine-1');
    expect(refused.body.request_id).toBe('mine-1');
  });

  test.each(['a b', 'x'.repeat(129), '"', ''])('an unfit one, %s, is replaced', async (unfit) => {
    const answer = await api.get('/healthz', { headers: { 'X-Request-Id': unfit } });
    expect(answer.headers['x-request-id']).toMatch(/^req_/);
  });
});

describe('insisting on If-Match', () => {
  test('with the setting, changes without If-Match are 428', async () => {
    const strict = await Harness.open({ requireIfMatch: true });
    await strict.domain();
    const userId = await strict.user('alice');
    for (const refused of [
      await strict.patch('/v1/domains/example.com', {}),
      await strict.delete(`/v1/users/${userId}`),
    ]) {
      expect(refused.status).toBe(428);
      expect(refused.body.code).toBe('if_match_required');
    }
    const headers = { 'If-Match': '"1"' };
    expect((await strict.patch('/v1/domains/example.com', {}, { headers })).status).toBe(200);
    expect((await strict.delete(`/v1/users/${userId}/bindings`)).status).toBe(200);
    strict.close();
  });
});

describe('failures', () => {
  test('an overloaded store is 503 with Retry-After, and nothing is kept under the Idempotency-Key', async () => {
    let isOverloaded = true;
    const busy = await Harness.open({}, (deps) => ({
      accounts: new Proxy(deps.accounts, {
        get(target, name, receiver) {
          if (name === 'createDomain' && isOverloaded) {
            return () => Promise.reject(new StoreOverloaded(1));
          }
          const member: unknown = Reflect.get(target, name, receiver);
          return typeof member === 'function' ? member.bind(target) : member;
        },
      }),
    }));
    const headers = { 'Idempotency-Key': 'k1' };
    const refused = await busy.post('/v1/domains', { name: 'example.com' }, { headers });
    expect(refused.status).toBe(503);
    expect(refused.headers['retry-after']).toBe('1');
    expect(refused.body.code).toBe('store_overloaded');
    isOverloaded = false;
    const made = await busy.post('/v1/domains', { name: 'example.com' }, { headers });
    expect(made.status).toBe(201);
    expect(made.headers['idempotency-replayed']).toBeUndefined();
    busy.close();
  });

  test('a bug is 500, says nothing of itself, and is in the log under the request id', async () => {
    const broken = await Harness.open({}, () => ({
      readiness: () => {
        throw new Error('the inner workings');
      },
    }));
    const failed = await broken.call('get', '/readyz', { key: null });
    expect(failed.status).toBe(500);
    expect(failed.text).not.toContain('inner workings');
    const line = broken.logLines.map((text) => JSON.parse(text)).find(({ event }) => event === 'http.failed');
    expect(line.request_id).toBe(failed.body.request_id);
    expect(line.err.message).toBe('the inner workings');
    broken.close();
  });
});
