import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Harness } from './support/harness.js';

let api: Harness;
beforeEach(async () => {
  api = await Harness.open();
  await api.domain();
});
afterEach(() => api.close());

const headers = { 'Idempotency-Key': '5f0c3a52-8a3e-4c1c-9a55-0a3f6d9c7e21' };
const alice = { username: 'alice', domain: 'example.com', credential: { generate: true } };

describe('Idempotency-Key', () => {
  test('a repeated POST gets the first answer, the password too, and does nothing', async () => {
    const first = await api.post('/v1/users', alice, { headers });
    api.clock.advance(3600);
    const second = await api.post('/v1/users', alice, { headers });
    expect(second.status).toBe(201);
    expect(second.body).toEqual(first.body);
    expect(second.headers.location).toBe(first.headers.location);
    expect(second.headers.etag).toBe(first.headers.etag);
    expect(second.headers['cache-control']).toBe('no-store');
    expect(second.headers['idempotency-replayed']).toBe('true');
    expect(first.headers['idempotency-replayed']).toBeUndefined();
    expect((await api.get('/v1/users')).body.data).toHaveLength(1);
  });

  test('a kept answer is not readable in the database', async () => {
    const made = await api.post('/v1/users', alice, { headers });
    const { readFileSync, readdirSync } = await import('node:fs');
    const folder = Reflect.get(api, 'folder') as string;
    const files = readdirSync(folder).map((name) => readFileSync(`${folder}/${name}`).toString('latin1'));
    expect(files.join('')).toContain(made.body.id);
    for (const secret of [made.body.credential.password, headers['Idempotency-Key'], api.adminKey]) {
      expect(files.join('')).not.toContain(secret);
    }
  });

  test('another body under the same key is refused', async () => {
    await api.post('/v1/users', alice, { headers });
    const refused = await api.post('/v1/users', { ...alice, username: 'bob' }, { headers });
    expect(refused.status).toBe(422);
    expect(refused.body.code).toBe('idempotency_key_reused');
  });

  test('the key stands alone on another path, and for another API key', async () => {
    const made = await api.post('/v1/users', alice, { headers });
    const credential = await api.post(
      `/v1/users/${made.body.id}/credentials`,
      { generate: true },
      { headers },
    );
    expect(credential.status).toBe(201);
    const key = await api.key({ role: 'admin' });
    const other = await api.post('/v1/users', alice, { headers, key });
    expect(other.body.code).toBe('user_exists');
  });

  test('after 24 hours the key is free again', async () => {
    await api.post('/v1/users', alice, { headers });
    api.clock.advance(24 * 3600);
    const again = await api.post('/v1/users', alice, { headers });
    expect(again.body.code).toBe('user_exists');
    expect(again.headers['idempotency-replayed']).toBeUndefined();
  });

  test('a refusal that tells what became of the request is repeated too', async () => {
    const userId = await api.user('alice');
    const refused = await api.post('/v1/users', alice, { headers });
    expect(refused.status).toBe(409);
    await api.delete(`/v1/users/${userId}`);
    const again = await api.post('/v1/users', alice, { headers });
    expect(again.status).toBe(409);
    expect(again.headers['idempotency-replayed']).toBe('true');
    expect(again.headers['content-type']).toContain('application/problem+json');
  });

  test('a request that was not understood leaves the key free', async () => {
    expect((await api.post('/v1/users', { ...alice, extra: 1 }, { headers })).status).toBe(400);
    expect((await api.post('/v1/users', undefined, { headers, rawBody: '{' })).status).toBe(400);
    expect((await api.post('/v1/users', alice, { headers })).status).toBe(201);
  });

  test('of requests at the same time one is carried out, and the others are told to wait', async () => {
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => api.post('/v1/users', alice, { headers })),
    );
    const statuses = answers.map(({ status, headers: sent }) =>
      sent['idempotency-replayed'] ? 'replay' : status,
    );
    expect(statuses.filter((status) => status === 201)).toHaveLength(1);
    expect(statuses.every((status) => status === 201 || status === 409 || status === 'replay')).toBe(true);
    for (const { status, body } of answers)
      if (status === 409) expect(body.code).toBe('idempotency_in_flight');
    expect((await api.get('/v1/users')).body.data).toHaveLength(1);
    expect((await api.post('/v1/users', alice, { headers })).headers['idempotency-replayed']).toBe('true');
  });

  test.each([
    ['a blank', 'a b'],
    ['too much', 'x'.repeat(256)],
    ['nothing', ''],
  ])('a key with %s is refused', async (_, unfit) => {
    const refused = await api.post('/v1/users', alice, { headers: { 'Idempotency-Key': unfit } });
    expect(refused.status).toBe(400);
    expect(refused.body.errors[0].header).toBe('Idempotency-Key');
  });

  test('a deregistration is carried out once', async () => {
    const userId = await api.user('alice');
    await api.register({ userId, address: 'alice@example.com', contact: 'sip:a@192.0.2.7' });
    const body = { filter: { user_id: userId } };
    const first = await api.post('/v1/deregistrations', body, { headers });
    await api.register({ userId, address: 'alice@example.com', contact: 'sip:b@192.0.2.7' });
    const second = await api.post('/v1/deregistrations', body, { headers });
    expect(second.body).toEqual(first.body);
    expect((await api.get('/v1/bindings')).body.data).toHaveLength(1);
  });

  test('an answer that could not be kept is given all the same', async () => {
    const forgetful = await Harness.open({}, (deps) => ({
      idempotency: {
        idempotentResponse: deps.idempotency.idempotentResponse.bind(deps.idempotency),
        saveIdempotentResponse: () => Promise.reject(new Error('disk full')),
      },
    }));
    await forgetful.domain();
    expect((await forgetful.post('/v1/users', alice, { headers })).status).toBe(201);
    expect(forgetful.logLines.join('')).toContain('http.idempotent_response_not_kept');
    forgetful.close();
  });
});
