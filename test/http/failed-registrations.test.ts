import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ATTEMPT_REASONS, type NewAttempt } from '../../src/guard/attempt.js';
import { Harness } from './support/harness.js';

let api: Harness;
let alice: string;
beforeEach(async () => {
  api = await Harness.open();
  await api.domain();
  await api.domain('example.net');
  alice = await api.user('alice');
});
afterEach(() => api.close());

function refuse(changes: Partial<NewAttempt> = {}): void {
  api.guard.record({
    reason: 'wrong_password',
    status: 401,
    transport: 'udp',
    ip: '203.0.113.66',
    port: 41_822,
    username: 'alice',
    userId: alice,
    aor: 'sip:alice@example.com',
    domain: 'example.com',
    userAgent: 'Phone/1',
    callId: 'c@h',
    facts: {},
    ...changes,
  });
  api.clock.advance(1);
}

async function reasons(query: string, key?: string): Promise<readonly string[]> {
  const answer = await api.get(`/v1/auth-failures?${query}`, key === undefined ? {} : { key });
  return answer.body.data.map(({ reason }: { reason: string }) => reason);
}

describe('refused registrations', () => {
  test('are listed with what is known about them, newest first', async () => {
    refuse();
    refuse();
    refuse({ reason: 'unknown_user', username: 'mallory', userId: null, aor: 'sip:mallory@example.com' });
    const { body } = await api.get('/v1/auth-failures');
    expect(body.data.map(({ reason }: { reason: string }) => reason)).toEqual([
      'unknown_user',
      'wrong_password',
    ]);
    expect(body.data[1]).toMatchObject({
      status: 401,
      source: { transport: 'udp', ip: '203.0.113.66', port: 41_822 },
      username: 'alice',
      user_id: alice,
      aor: 'sip:alice@example.com',
      domain: 'example.com',
      user_agent: 'Phone/1',
      call_id: 'c@h',
      count: 2,
    });
    expect(Date.parse(body.data[1].last_seen_at) - Date.parse(body.data[1].first_seen_at)).toBe(1_000);
  });

  test('are filtered', async () => {
    refuse({ username: 'alice@example.com' });
    refuse({
      reason: 'domain_not_served',
      username: null,
      userId: null,
      domain: 'typo.example',
      ip: '2001:db8::7',
    });
    const since = new Date(api.clock.now()).toISOString();
    refuse({ reason: 'nonce_replayed' });
    refuse({ reason: 'uri_mismatch', domain: 'example.net', aor: 'sip:bob@example.net', userId: null });
    expect(await reasons('')).toEqual(['uri_mismatch', 'domain_not_served', 'wrong_password']);
    expect(await reasons('reason=nonce_replayed')).toEqual(['nonce_replayed']);
    expect(await reasons('source_ip=2001:db8::/32')).toEqual(['domain_not_served']);
    expect(await reasons('source_ip=203.0.113.66')).toEqual(['uri_mismatch', 'wrong_password']);
    expect(await reasons('aor=alice@example.com')).toEqual(['domain_not_served', 'wrong_password']);
    expect(await reasons('username=alice&domain=EXAMPLE.com')).toEqual(['wrong_password']);
    expect(await reasons('domain=example.net')).toEqual(['uri_mismatch']);
    expect(await reasons('domain=typo.example')).toEqual(['domain_not_served']);
    expect(await reasons(`since=${encodeURIComponent(since)}`)).toEqual(['uri_mismatch']);
  });

  test.each(['aor=alice', 'reason=bad_luck', 'source_ip=here', 'since=yesterday', 'reasons=x'])(
    '%s is refused',
    async (query) => {
      const refused = await api.get(`/v1/auth-failures?${query}`);
      expect([refused.status, refused.body.code]).toEqual([400, 'validation_failed']);
    },
  );

  test('are walked page by page, by a cursor that belongs to its filter', async () => {
    for (let i = 0; i < 7; i++) refuse({ ip: `203.0.113.${i}`, userId: null });
    const first = await api.get('/v1/auth-failures?limit=3&include_total=true');
    expect(first.body.page.total).toBe(7);
    const cursor = encodeURIComponent(first.body.page.next_cursor);
    const second = await api.get(`/v1/auth-failures?limit=3&cursor=${cursor}`);
    const third = await api.get(
      `/v1/auth-failures?limit=3&cursor=${encodeURIComponent(second.body.page.next_cursor)}`,
    );
    expect(third.body.page.next_cursor).toBeNull();
    const ips = [first, second, third].flatMap(({ body }) =>
      body.data.map(({ source }: { source: { ip: string } }) => source.ip),
    );
    expect(ips).toEqual([6, 5, 4, 3, 2, 1, 0].map((i) => `203.0.113.${i}`));
    const other = await api.get(`/v1/auth-failures?limit=3&domain=example.com&cursor=${cursor}`);
    expect(other.body.code).toBe('cursor_mismatch');
  });

  test('are shown to a key confined to domains as far as they are about those', async () => {
    refuse();
    refuse({ reason: 'uri_mismatch', domain: 'example.net', aor: 'sip:bob@example.net', userId: null });
    refuse({ reason: 'domain_not_served', domain: 'typo.example', aor: 'sip:bob@example.net', userId: null });
    refuse({ reason: 'domain_not_served', domain: 'typo.example', aor: 'sip:x@typo.example', userId: null });
    const key = await api.key({ role: 'viewer', domains: ['example.net'] });
    expect(await reasons('', key)).toEqual(['domain_not_served', 'uri_mismatch']);
    expect(await reasons('domain=example.com', key)).toEqual([]);
  });

  test('what a stranger wrote comes as text, whatever it is', async () => {
    refuse({
      aor: 'tel:\xc3\xa9\x00"<script>',
      userAgent: '\xff\xfe',
      callId: '"\\',
      username: 'a\nb',
      userId: null,
    });
    const { body } = await api.get('/v1/auth-failures');
    expect(body.data[0]).toMatchObject({ aor: 'tel:é\0"<script>', user_agent: 'ÿþ', call_id: '"\\' });
  });
});

describe('why a phone can’t register', () => {
  const attempts = async (key?: string) =>
    (await api.get('/v1/users/alice@example.com/attempts', key === undefined ? {} : { key })).body;

  test.each(ATTEMPT_REASONS)('%s is explained in sentences', async (reason) => {
    refuse({ reason });
    const { data } = await attempts();
    expect(data[0].explanation).toMatch(/^\S.*[.]$/);
    expect(data[0].explanation).not.toMatch(/undefined|null|\[object/);
  });

  test.each<[Partial<NewAttempt>, RegExp, object]>([
    [
      {
        reason: 'algorithm_not_offered',
        facts: { offeredAlgorithms: ['SHA-512-256', 'SHA-256'], answeredAlgorithm: 'MD5' },
      },
      /answered with MD5; offered is SHA-512-256, SHA-256\./,
      { offered_algorithms: ['SHA-512-256', 'SHA-256'], answered_algorithm: 'MD5' },
    ],
    [{ reason: 'too_many_bindings', facts: { bindingLimit: 3 } }, /as allowed \(3\)/, { max_bindings: 3 }],
    [
      { reason: 'interval_too_brief', facts: { minExpiresSeconds: 60, askedSeconds: 30 } },
      /30 seconds.* 60 seconds/,
      { min_expires_seconds: 60, asked_expires_seconds: 30 },
    ],
    [
      { reason: 'blocked', facts: { blockedUntil: Date.UTC(2027, 0, 1) } },
      /blocked until 2027-01-01T00:00:00\.000Z/,
      { blocked_until: '2027-01-01T00:00:00.000Z' },
    ],
    [
      { reason: 'banned', facts: { bannedUntil: Date.UTC(2027, 0, 1), banId: 'ban_1' } },
      /203\.0\.113\.66 is banned until 2027-01-01T00:00:00\.000Z by ban_1/,
      { banned_until: '2027-01-01T00:00:00.000Z', ban_id: 'ban_1' },
    ],
    [
      { reason: 'malformed_request', facts: { fault: 'malformed URI' } },
      /: malformed URI\./,
      { fault: 'malformed URI' },
    ],
    [
      { reason: 'domain_not_served', domain: 'typo.example' },
      /asked for typo\.example, which is not served/,
      {},
    ],
    [
      { reason: 'unknown_user', username: 'alicia', userId: null },
      /Nobody in example\.com authenticates as “alicia”/,
      {},
    ],
    [
      { reason: 'not_authorized', aor: 'sip:bob@example.com' },
      /“alice” .* may not register sip:bob@example\.com/,
      {},
    ],
  ])('%j', async (given, explanation, details) => {
    refuse(given);
    const { data } = await attempts();
    expect(data).toHaveLength(1);
    expect(data[0].explanation).toMatch(explanation);
    expect(data[0].details).toEqual(details);
  });

  test('is told of what concerns the user, under an alias of the domain too, and of nothing else', async () => {
    await api.patch('/v1/domains/example.com', { aliases: ['sip.example.com'] });
    refuse({ reason: 'domain_not_served', userId: null, username: null, aor: 'sip:alice@sip.example.com' });
    refuse({ userId: 'usr_bob', username: 'bob', aor: 'sip:bob@example.com' });
    expect((await attempts()).data.map(({ reason }: { reason: string }) => reason)).toEqual([
      'domain_not_served',
    ]);
  });

  test('says what is in the way now', async () => {
    const codes = async () => (await attempts()).summary.obstacles.map(({ code }: { code: string }) => code);
    expect(await codes()).toEqual(['no_credential']);
    const made = await api.post(`/v1/users/${alice}/credentials`, { ha1: { sha_256: 'a'.repeat(64) } });
    expect(await codes()).toEqual(['missing_algorithm']);
    await api.patch(`/v1/users/${alice}`, { challenge: 'sha-256' });
    expect(await codes()).toEqual([]);
    const soon = new Date(api.clock.now() + 1_000).toISOString();
    await api.patch(`/v1/users/${alice}/credentials/${made.body.id}`, { expires_at: soon });
    await api.patch(`/v1/users/${alice}`, { expires_at: soon, max_bindings: 1 });
    expect(await codes()).toEqual([]);
    await api.register({
      userId: alice,
      address: 'alice@example.com',
      contact: 'sip:a@192.0.2.7',
      ip: '192.0.2.7',
    });
    api.clock.advance(1);
    expect(await codes()).toEqual(['account_expired', 'credentials_expired', 'binding_limit']);
    await api.post('/v1/bans', { network: '192.0.2.0/24' });
    await api.post('/v1/bans', { network: '198.51.100.0/24' });
    expect((await codes()).at(-1)).toBe('banned');
    expect((await attempts()).summary).toMatchObject({ state: 'registered', bindings: 1 });
    await api.post('/v1/deregistrations', { filter: { user_id: alice }, mode: 'block', block_seconds: 5 });
    expect(await codes()).toEqual(['account_expired', 'blocked', 'credentials_expired']);
  });

  test('is for who may see the user', async () => {
    refuse();
    const key = await api.key({ role: 'viewer', domains: ['example.net'] });
    expect((await api.get('/v1/users/alice@example.com/attempts', { key })).body.code).toBe('user_not_found');
    const own = await api.key({ role: 'viewer', domains: ['example.com'] });
    expect((await attempts(own)).data).toHaveLength(1);
    expect((await api.get('/v1/users/usr_none/attempts')).status).toBe(404);
  });
});
