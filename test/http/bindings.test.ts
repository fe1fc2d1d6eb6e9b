import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Harness } from './support/harness.js';

let api: Harness;
let aliceId: string;
let bobId: string;
beforeEach(async () => {
  api = await Harness.open();
  await api.domain();
  await api.domain('example.net');
  aliceId = await api.user('alice');
  bobId = await api.user('bob', 'example.net');
});
afterEach(() => api.close());

const alicePhone = (changes: object = {}) => ({
  userId: aliceId,
  address: 'alice@example.com',
  contact: 'sip:alice@10.0.0.7:5060',
  ...changes,
});
const bobPhone = (changes: object = {}) => ({
  userId: bobId,
  address: 'bob@example.net',
  contact: 'sip:bob@10.0.0.8',
  ...changes,
});

describe('bindings', () => {
  test('a binding shows where the phone is and how long', async () => {
    const id = await api.register(
      alicePhone({
        flowId: 'flw_1',
        userAgent: 'Phone/1',
        instanceId: 'urn:uuid:1',
        qThousandths: 700,
        ip: '2001:db8::7',
      }),
    );
    api.clock.advance(100);
    const shown = await api.get(`/v1/bindings/${id}`);
    expect(shown.body).toEqual({
      id,
      user_id: aliceId,
      aor: 'sip:alice@example.com',
      contact: 'sip:alice@10.0.0.7:5060',
      display_name: '',
      q: 0.7,
      params: ';q=0.7',
      received: { transport: 'tcp', ip: '2001:db8::7', port: 5061 },
      instance_id: 'urn:uuid:1',
      reg_id: null,
      user_agent: 'Phone/1',
      call_id: 'call-sip:alice@10.0.0.7:5060',
      cseq: 1,
      credential_id: 'crd_unknown',
      flow: { id: 'flw_1' },
      registered_at: '2026-11-22T10:15:30.000Z',
      refreshed_at: '2026-11-22T10:15:30.000Z',
      expires_at: '2026-11-22T11:15:30.000Z',
      expires_in_seconds: 3500,
    });
  });

  test('texts from the wire are read as UTF-8, and a byte a character where they are not', async () => {
    const octets = (text: string) => Buffer.from(text, 'utf8').toString('latin1');
    const id = await api.register(
      alicePhone({ userAgent: octets('Téléphone/1'), displayName: '"\xff\xfe"', instanceId: octets('ü') }),
    );
    expect((await api.get(`/v1/bindings/${id}`)).body).toMatchObject({
      user_agent: 'Téléphone/1',
      display_name: '"ÿþ"',
      instance_id: 'ü',
    });
    for (const query of ['user_agent_prefix=T%C3%A9', 'instance_id=%C3%BC']) {
      expect((await api.get(`/v1/bindings?${query}`)).body.data, query).toHaveLength(1);
    }
  });

  test('an expired binding is gone', async () => {
    const id = await api.register(alicePhone({ seconds: 60 }));
    api.clock.advance(61);
    expect((await api.get(`/v1/bindings/${id}`)).body.code).toBe('binding_not_found');
    expect((await api.get('/v1/bindings')).body.data).toEqual([]);
  });

  test('the ETag changes with a refresh, not with time', async () => {
    const id = await api.register(alicePhone());
    const first = await api.get(`/v1/bindings/${id}`);
    api.clock.advance(10);
    const headers = { 'If-None-Match': first.headers.etag! };
    expect((await api.get(`/v1/bindings/${id}`, { headers })).status).toBe(304);
    await api.register(alicePhone({ cseq: 2 }));
    expect((await api.get(`/v1/bindings/${id}`, { headers })).status).toBe(200);
    const stale = await api.delete(`/v1/bindings/${id}`, { headers: { 'If-Match': first.headers.etag! } });
    expect(stale.status).toBe(412);
    expect((await api.delete(`/v1/bindings/${id}`, { headers: { 'If-Match': '*' } })).status).toBe(200);
  });

  test('filters narrow the list', async () => {
    await api.register(
      alicePhone({
        flowId: 'flw_1',
        userAgent: 'Phone/1',
        instanceId: 'urn:uuid:1',
        ip: '192.0.2.7',
        credentialId: 'crd_1',
      }),
    );
    api.clock.advance(60);
    await api.register(bobPhone({ userAgent: 'Other/1', ip: '198.51.100.9', seconds: 7200 }));
    const found = async (query: string) => (await api.get(`/v1/bindings?${query}`)).body.data;
    expect(await found('')).toHaveLength(2);
    for (const query of [
      'domain=Example.COM',
      `user_id=${aliceId}`,
      'aor=alice@example.com',
      'transport=tcp',
      'source_ip=192.0.2.7',
      'source_ip=192.0.2.0/24',
      'source_ip=192.0.0.0/14',
      'user_agent_prefix=Phone',
      'instance_id=urn:uuid:1',
      'credential_id=crd_1',
      'expires_before=2026-11-22T11:30:00Z',
      'fields=id,aor&aor=sip:alice@example.com',
    ]) {
      const data = await found(query);
      expect(data, query).toHaveLength(1);
      expect(data[0].aor).toBe('sip:alice@example.com');
    }
    const late = await found('registered_after=2026-11-22T10:16:00Z');
    expect(late.map(({ aor }: { aor: string }) => aor)).toEqual(['sip:bob@example.net']);
    for (const query of ['source_ip=300.0.0.1', 'source_ip=192.0.2.0/33', 'aor=nobody', 'transport=tls']) {
      expect((await api.get(`/v1/bindings?${query}`)).status, query).toBe(400);
    }
  });

  test('the pages of a list hold each binding once, in every order', async () => {
    for (let count = 0; count < 7; count++) {
      await api.register(alicePhone({ contact: `sip:${count}@10.0.0.7` }));
      if (count % 3 === 0) api.clock.advance(1);
    }
    for (const sort of ['registered_at', '-refreshed_at', 'expires_at', '-expires_at', 'aor']) {
      const ids = [];
      let next = `/v1/bindings?limit=3&sort=${sort}`;
      while (next !== '') {
        const page = await api.get(next);
        ids.push(...page.body.data.map(({ id }: { id: string }) => id));
        next = /^<(.*)>; rel="next"$/.exec(page.headers.link ?? '')?.[1] ?? '';
      }
      expect(new Set(ids).size, sort).toBe(7);
      expect(ids, sort).toHaveLength(7);
    }
  });

  test('a confined key sees and removes the bindings of its domains only', async () => {
    await api.register(alicePhone());
    const strangerId = await api.register(bobPhone());
    const key = await api.key({ role: 'helpdesk', domains: ['example.com'] });
    expect((await api.get('/v1/bindings', { key })).body.data).toHaveLength(1);
    expect((await api.get('/v1/bindings?domain=example.net', { key })).body.data).toEqual([]);
    expect((await api.get(`/v1/bindings/${strangerId}`, { key })).status).toBe(404);
    expect((await api.delete(`/v1/bindings/${strangerId}`, { key })).status).toBe(404);
  });
});

describe('deregistrations', () => {
  test('DELETE on a binding tells what was done, and /v1/locations agrees at once', async () => {
    const id = await api.register(alicePhone({ flowId: 'flw_1' }));
    const removed = await api.delete(`/v1/bindings/${id}?close_flow=true&reason=stuck`);
    expect(removed.status).toBe(200);
    expect(removed.body).toMatchObject({
      state: 'completed',
      mode: 'kick',
      reason: 'stuck',
      filter: { binding_id: id },
      matched: 1,
      removed: 1,
      effects: { users_blocked: 0, flows_closed: 1, flows_kept_shared: 0 },
      sample: [id],
    });
    expect(api.closedFlows).toEqual(['flw_1']);
    expect((await api.get('/v1/locations?aor=sip:alice@example.com')).body.contacts).toEqual([]);
    expect((await api.delete(`/v1/bindings/${id}`)).body.code).toBe('binding_not_found');
    await api.register(alicePhone({ cseq: 2 }));
  });

  test('a connection that another binding uses stays open', async () => {
    const id = await api.register(alicePhone({ flowId: 'flw_1' }));
    await api.register(bobPhone({ flowId: 'flw_1' }));
    const removed = await api.delete(`/v1/bindings/${id}?close_flow=true`);
    expect(removed.body.effects).toEqual({ users_blocked: 0, flows_closed: 0, flows_kept_shared: 1 });
    expect(api.closedFlows).toEqual([]);
  });

  test('mode block keeps the user off, also one who is not registered, and the user shows until when', async () => {
    const removed = await api.delete(`/v1/users/alice@example.com/bindings?mode=block`);
    expect(removed.body).toMatchObject({
      matched: 0,
      block_seconds: 3600,
      blocked_until: '2026-11-22T11:15:30.000Z',
      effects: { users_blocked: 1 },
    });
    await expect(api.register(alicePhone())).rejects.toThrow('blocked');
    const user = await api.get(`/v1/users/${aliceId}`);
    expect(user.body.blocked_until).toBe('2026-11-22T11:15:30.000Z');
    api.clock.advance(3601);
    await api.register(alicePhone());
  });

  test('a user without bindings gets matched: 0', async () => {
    const removed = await api.delete(`/v1/users/${aliceId}/bindings`);
    expect(removed.body).toMatchObject({ state: 'completed', matched: 0, removed: 0 });
  });

  test('a filter removes what it matches, and the deregistration can be read again', async () => {
    await api.register(alicePhone({ userAgent: 'OldPhone/1.0' }));
    await api.register(alicePhone({ contact: 'sip:a@10.0.0.9', userAgent: 'NewPhone/2.0' }));
    const done = await api.post('/v1/deregistrations', {
      filter: { domain: 'example.com', user_agent_prefix: 'OldPhone/1.' },
      reason: 'firmware CVE',
      expected_count: 1,
    });
    expect(done.status).toBe(201);
    expect(done.body).toMatchObject({
      state: 'completed',
      matched: 1,
      removed: 1,
      close_flows: false,
      filter: { domain: 'example.com', user_agent_prefix: 'OldPhone/1.' },
    });
    const read = await api.get(done.headers.location!);
    expect(read.body).toEqual(done.body);
    expect((await api.get('/v1/deregistrations')).body.data).toEqual([done.body]);
    expect((await api.get(`/v1/users/${aliceId}/bindings`)).body.data).toHaveLength(1);
  });

  test('a dry run tells what matches and changes nothing', async () => {
    const id = await api.register(alicePhone());
    const preview = await api.post('/v1/deregistrations', { filter: { all: true }, dry_run: true });
    expect(preview.status).toBe(200);
    expect(preview.body).toEqual({ dry_run: true, matched: 1, sample: [id] });
    expect((await api.get(`/v1/bindings/${id}`)).status).toBe(200);
    expect((await api.get('/v1/deregistrations')).body.data).toEqual([]);
  });

  test('an unexpected number of matches stops it', async () => {
    const id = await api.register(alicePhone());
    const refused = await api.post('/v1/deregistrations', { filter: { all: true }, expected_count: 2 });
    expect(refused.status).toBe(409);
    expect(refused.body.code).toBe('expected_count_mismatch');
    expect((await api.get(`/v1/bindings/${id}`)).status).toBe(200);
  });

  test.each([
    [{ filter: {} }, 400, 'filter_required'],
    [{ filter: { all: false } }, 400, 'validation_failed'],
    [{}, 400, 'validation_failed'],
    [{ filter: { all: true }, mode: 'kick', block_seconds: 60 }, 400, 'validation_failed'],
    [{ filter: { all: true }, mode: 'probation' }, 400, 'validation_failed'],
    [{ filter: { aor: 'nobody' } }, 400, 'validation_failed'],
    [{ filter: { source_ip: 'here' } }, 400, 'validation_failed'],
    [{ filter: { node: 'a' } }, 400, 'validation_failed'],
    [{ filter: { user_id: 'usr_none' } }, 404, 'user_not_found'],
    [{ filter: { aor: 'sip:nobody@example.com' } }, 404, 'user_not_found'],
    [{ filter: { binding_id: 'bnd_none' } }, 404, 'binding_not_found'],
  ])('the request %j is answered %i %s', async (body, status, code) => {
    const refused = await api.post('/v1/deregistrations', body);
    expect(refused.status).toBe(status);
    expect(refused.body.code).toBe(code);
  });

  test('block_seconds without mode block is refused in the shorthands too', async () => {
    const refused = await api.delete(`/v1/users/${aliceId}/bindings?block_seconds=5`);
    expect(refused.status).toBe(400);
    expect(refused.body.errors[0].parameter).toBe('block_seconds');
  });

  test('more than a thousand matches run in the background, and are followed', async () => {
    for (let count = 0; count < 1001; count += 91) {
      await Promise.all(
        Array.from({ length: Math.min(91, 1001 - count) }, async (_, index) => {
          const name = `u${count + index}`;
          const userId = await api.user(name);
          await api.register({ userId, address: `${name}@example.com`, contact: `sip:${name}@10.0.0.1` });
        }),
      );
    }
    const begun = await api.post('/v1/deregistrations', { filter: { domain: 'example.com' } });
    expect(begun.status).toBe(202);
    expect(begun.body).toMatchObject({ state: 'running', matched: 1001, completed_at: null });
    let followed = await api.get(begun.headers.location!);
    for (let polls = 0; followed.body.state === 'running' && polls < 500; polls++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      followed = await api.get(begun.headers.location!);
    }
    expect(followed.body).toMatchObject({ state: 'completed', removed: 1001 });
  });

  test('a confined key reaches no binding and no user of another domain, by whatever filter', async () => {
    await api.register(alicePhone());
    const strangerId = await api.register(bobPhone());
    const key = await api.key({ role: 'helpdesk', domains: ['example.com'] });
    for (const filter of [{ user_id: bobId }, { aor: 'sip:bob@example.net' }, { binding_id: strangerId }]) {
      const refused = await api.post('/v1/deregistrations', { filter, mode: 'block' }, { key });
      expect(refused.status, JSON.stringify(filter)).toBe(404);
    }
    const other = await api.post('/v1/deregistrations', { filter: { domain: 'example.net' } }, { key });
    expect(other.body.matched).toBe(0);
    const all = await api.post('/v1/deregistrations', { filter: { all: true }, mode: 'block' }, { key });
    expect(all.body).toMatchObject({ matched: 1, removed: 1, filter: { all: true } });
    expect((await api.get(`/v1/bindings/${strangerId}`)).status).toBe(200);
    expect((await api.get(`/v1/users/${bobId}`)).body.blocked_until).toBeNull();
  });

  test('a confined key sees only the deregistrations of its domains, page by page', async () => {
    const key = await api.key({ role: 'helpdesk', domains: ['example.com'] });
    for (let count = 0; count < 3; count++) {
      api.clock.advance(1);
      await api.post('/v1/deregistrations', { filter: { all: true } });
      await api.post('/v1/deregistrations', { filter: { all: true } }, { key });
    }
    const hidden = (await api.post('/v1/deregistrations', { filter: { domain: 'example.net' } })).body.id;
    expect((await api.get('/v1/deregistrations?include_total=true')).body.page.total).toBe(7);
    const first = await api.get('/v1/deregistrations?limit=2', { key });
    expect(first.body.data).toHaveLength(2);
    const second = await api.get(`/v1/deregistrations?limit=2&cursor=${first.body.page.next_cursor}`, {
      key,
    });
    expect(second.body.data).toHaveLength(1);
    const ids = [...first.body.data, ...second.body.data].map(({ id }) => id);
    expect(new Set(ids).size).toBe(3);
    expect((await api.get(`/v1/deregistrations/${hidden}`, { key })).body.code).toBe(
      'deregistration_not_found',
    );
    expect((await api.get(`/v1/deregistrations/${hidden}`)).status).toBe(200);
  });
});

describe('locations', () => {
  test('contacts come by falling q, then newest first', async () => {
    await api.register(alicePhone({ contact: 'sip:low@10.0.0.1', qThousandths: 100 }));
    await api.register(alicePhone({ contact: 'sip:old@10.0.0.1' }));
    api.clock.advance(1);
    await api.register(alicePhone({ contact: 'sip:new@10.0.0.1' }));
    const found = await api.get('/v1/locations?aor=alice@example.com');
    expect(found.body.aor).toBe('sip:alice@example.com');
    expect(found.body.contacts.map(({ contact }: { contact: string }) => contact)).toEqual([
      'sip:new@10.0.0.1',
      'sip:old@10.0.0.1',
      'sip:low@10.0.0.1',
    ]);
  });

  test('an alias of the domain leads to the same place', async () => {
    await api.patch('/v1/domains/example.com', { aliases: ['sip.example.com'] });
    await api.register(alicePhone());
    const found = await api.get('/v1/locations?aor=sip:alice@SIP.example.com');
    expect(found.body).toMatchObject({ aor: 'sip:alice@example.com', contacts: [{}] });
  });

  test('nobody there is an empty list, a foreign domain is 404, no address is 400', async () => {
    expect((await api.get('/v1/locations?aor=nobody@example.com')).body.contacts).toEqual([]);
    expect((await api.get('/v1/locations?aor=alice@example.org')).body.code).toBe('domain_not_found');
    expect((await api.get('/v1/locations?aor=alice')).status).toBe(400);
    expect((await api.get('/v1/locations')).body.errors[0].parameter).toBe('aor');
    const key = await api.key({ role: 'viewer', domains: ['example.com'] });
    expect((await api.get('/v1/locations?aor=bob@example.net', { key })).status).toBe(404);
  });
});
