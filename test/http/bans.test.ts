import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Harness } from './support/harness.js';

let api: Harness;
beforeEach(async () => {
  api = await Harness.open();
  await api.domain();
  await api.domain('example.net');
});
afterEach(() => api.close());

/** Wrong responses for one user from one address, until the server bans it. */
function guess(ip: string, username = 'alice', domain = 'example.com'): void {
  for (let i = 0; i < 31; i++) {
    api.guard.wrong({ transport: 'udp', ip, port: 5060, domain }, [
      { username, response: i.toString(16).padStart(12, '0') },
    ]);
  }
}

function admitted(ip: string, username = 'alice', domain = 'example.com'): string {
  return api.guard.admit({ transport: 'udp', ip, port: 5060, domain }, () => [username]).kind;
}

describe('a ban', () => {
  test('is made, in force at once, shown, and lifted', async () => {
    const made = await api.post('/v1/bans', { network: '203.0.113.66', seconds: 86_400, reason: 'scanner' });
    expect(made.status).toBe(201);
    expect(made.headers.location).toBe(`/v1/bans/${made.body.id}`);
    expect(made.body).toMatchObject({
      kind: 'manual',
      network: '203.0.113.66',
      domain: null,
      username: null,
      reason: 'scanner',
      refused_requests: 0,
      expires_in_seconds: 86_400,
    });
    expect(admitted('203.0.113.66')).toBe('refused');

    const shown = await api.get(`/v1/bans/${made.body.id}`);
    expect(shown.body.refused_requests).toBe(1);
    expect(
      (await api.get(`/v1/bans/${made.body.id}`, { headers: { 'If-None-Match': shown.headers.etag! } }))
        .status,
    ).toBe(304);
    admitted('203.0.113.66');
    expect(
      (await api.get(`/v1/bans/${made.body.id}`, { headers: { 'If-None-Match': shown.headers.etag! } }))
        .status,
    ).toBe(200);

    expect((await api.delete(`/v1/bans/${made.body.id}`)).status).toBe(204);
    expect(admitted('203.0.113.66')).toBe('open');
    expect((await api.get(`/v1/bans/${made.body.id}`)).body.code).toBe('ban_not_found');
    expect((await api.delete(`/v1/bans/${made.body.id}`)).body.code).toBe('ban_not_found');
  });

  test('has its network written in one way, whichever way it came', async () => {
    const made = await api.post('/v1/bans', { network: '2001:DB8:0:0:1::1/64' });
    expect(made.body.network).toBe('2001:db8::/64');
    expect(made.body.expires_in_seconds).toBe(3_600);
    const again = await api.post('/v1/bans', { network: '2001:db8::/64' });
    expect([again.status, again.body.code]).toEqual([409, 'ban_exists']);
  });

  test('ends by itself', async () => {
    const { body } = await api.post('/v1/bans', { network: '203.0.113.66', seconds: 10 });
    api.clock.advance(10);
    expect((await api.get(`/v1/bans/${body.id}`)).status).toBe(404);
    expect((await api.get('/v1/bans')).body.data).toEqual([]);
    expect((await api.post('/v1/bans', { network: '203.0.113.66' })).status).toBe(201);
  });

  test('may be for one user, by an alias of the domain too', async () => {
    await api.patch('/v1/domains/example.com', { aliases: ['sip.example.com'] });
    const made = await api.post('/v1/bans', {
      network: '198.51.100.0/24',
      domain: 'SIP.example.com',
      username: 'alice',
    });
    expect(made.body).toMatchObject({ domain: 'example.com', username: 'alice' });
    expect(admitted('198.51.100.9')).toBe('refused');
    expect(admitted('198.51.100.9', 'bob')).toBe('open');
  });

  test.each<[object, number, string]>([
    [{}, 400, 'validation_failed'],
    [{ network: 'example.com' }, 400, 'validation_failed'],
    [{ network: '203.0.113.0/33' }, 400, 'validation_failed'],
    [{ network: '203.0.113.1', seconds: 0 }, 400, 'validation_failed'],
    [{ network: '203.0.113.1', seconds: 31_536_001 }, 400, 'validation_failed'],
    [{ network: '203.0.113.1', username: 'alice' }, 400, 'validation_failed'],
    [{ network: '203.0.113.1', kind: 'manual' }, 400, 'validation_failed'],
    [{ network: '203.0.113.1', domain: 'nowhere.example' }, 404, 'domain_not_found'],
    [{ network: '0.0.0.0/0' }, 422, 'network_too_wide'],
    [{ network: '::/0' }, 422, 'network_too_wide'],
  ])('%j is refused with %i %s', async (body, status, code) => {
    const refused = await api.post('/v1/bans', body);
    expect([refused.status, refused.body.code]).toEqual([status, code]);
  });

  test('is made once when the request is repeated', async () => {
    const headers = { 'Idempotency-Key': 'one' };
    const first = await api.post('/v1/bans', { network: '203.0.113.1' }, { headers });
    const second = await api.post('/v1/bans', { network: '203.0.113.1' }, { headers });
    expect(second.status).toBe(201);
    expect(second.body).toEqual(first.body);
  });
});

describe('the list', () => {
  test('shows what the server banned by itself, and why', async () => {
    guess('203.0.113.66');
    expect((await api.get('/v1/bans')).body.data).toMatchObject([
      {
        kind: 'automatic',
        network: '203.0.113.66',
        domain: 'example.com',
        username: 'alice',
        reason: '31 different wrong responses for alice@example.com within 10 minutes',
        created_by: null,
        expires_in_seconds: 300,
      },
    ]);
  });

  test('is filtered by address, kind and domain', async () => {
    guess('203.0.113.66');
    await api.post('/v1/bans', { network: '203.0.113.0/24' });
    await api.post('/v1/bans', { network: '198.51.100.1', domain: 'example.net' });
    const networks = async (query: string) =>
      (await api.get(`/v1/bans?sort=created_at&${query}`)).body.data
        .map(({ network }: { network: string }) => network)
        .sort();
    expect(await networks('')).toEqual(['198.51.100.1', '203.0.113.0/24', '203.0.113.66']);
    expect(await networks('ip=203.0.113.66')).toEqual(['203.0.113.0/24', '203.0.113.66']);
    expect(await networks('ip=203.0.113.65')).toEqual(['203.0.113.0/24']);
    expect(await networks('ip=203.0.0.0/16')).toEqual(['203.0.113.0/24', '203.0.113.66']);
    expect(await networks('kind=automatic')).toEqual(['203.0.113.66']);
    expect(await networks('domain=example.net')).toEqual(['198.51.100.1']);
  });

  test.each(['created_at', '-created_at', 'expires_at', '-expires_at'])(
    'is walked page by page by %s',
    async (sort) => {
      for (let i = 0; i < 5; i++) {
        await api.post('/v1/bans', { network: `203.0.113.${i}`, seconds: 100 + ((i * 7) % 5) });
        if (i % 2 === 0) api.clock.advance(1);
      }
      const seen: string[] = [];
      let url: string | undefined = `/v1/bans?limit=2&sort=${sort}`;
      while (url !== undefined) {
        const answer: Awaited<ReturnType<Harness['get']>> = await api.get(url);
        seen.push(...answer.body.data.map(({ network }: { network: string }) => network));
        url = /<([^>]+)>; rel="next"/.exec(answer.headers.link ?? '')?.[1];
      }
      expect(new Set(seen).size).toBe(5);
      expect(seen).toHaveLength(5);
      expect((await api.get('/v1/bans?include_total=true&limit=1')).body.page.total).toBe(5);
    },
  );
});

describe('who may', () => {
  test('a key confined to domains bans within those, and sees those bans alone', async () => {
    const key = await api.key({ role: 'helpdesk', domains: ['example.net'] });
    await api.post('/v1/bans', { network: '203.0.113.1' });
    await api.post('/v1/bans', { network: '203.0.113.1', domain: 'example.com' });
    guess('203.0.113.66', 'alice', 'example.com');
    const everywhere = await api.post('/v1/bans', { network: '203.0.113.2' }, { key });
    expect([everywhere.status, everywhere.body.code]).toEqual([403, 'domain_not_granted']);
    const elsewhere = await api.post('/v1/bans', { network: '203.0.113.2', domain: 'example.com' }, { key });
    expect([elsewhere.status, elsewhere.body.code]).toEqual([404, 'domain_not_found']);
    const own = await api.post('/v1/bans', { network: '203.0.113.2', domain: 'example.net' }, { key });
    expect(own.status).toBe(201);

    expect((await api.get('/v1/bans?include_total=true', { key })).body).toMatchObject({
      data: [{ id: own.body.id }],
      page: { total: 1 },
    });
    for (const { id } of (await api.get('/v1/bans')).body.data) {
      const expected = id === own.body.id ? 200 : 404;
      expect((await api.get(`/v1/bans/${id}`, { key })).status).toBe(expected);
      if (expected === 404) expect((await api.delete(`/v1/bans/${id}`, { key })).status).toBe(404);
    }
    expect((await api.delete(`/v1/bans/${own.body.id}`, { key })).status).toBe(204);
    expect((await api.get('/v1/bans')).body.data).toHaveLength(3);
  });

  test.each([
    ['viewer', 200, 403],
    ['helpdesk', 200, 201],
    ['provisioner', 200, 403],
    ['admin', 200, 201],
  ] as const)('a %s reads with %i and bans with %i', async (role, read, write) => {
    const key = await api.key({ role });
    expect((await api.get('/v1/bans', { key })).status).toBe(read);
    expect((await api.get('/v1/auth-failures', { key })).status).toBe(read);
    expect((await api.post('/v1/bans', { network: '203.0.113.9' }, { key })).status).toBe(write);
  });
});
