import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Harness } from './support/harness.js';

let api: Harness;
beforeEach(async () => {
  api = await Harness.open();
});
afterEach(() => api.close());

describe('domains', () => {
  test('a domain that says nothing but its name gets the defaults', async () => {
    const made = await api.post('/v1/domains', { name: 'Example.COM' });
    expect(made.status).toBe(201);
    expect(made.headers.location).toBe('/v1/domains/example.com');
    expect(made.headers.etag).toBe('"1"');
    expect(made.body).toMatchObject({
      name: 'example.com',
      realm: 'example.com',
      algorithms: ['SHA-512-256', 'SHA-256', 'MD5'],
      challenge: 'md5',
      min_expires_seconds: 60,
      default_expires_seconds: 3600,
      max_expires_seconds: 86_400,
      overflow: 'reject',
      max_users: null,
      created_at: '2026-11-22T10:15:30.000Z',
    });
    expect((await api.get('/v1/domains/example.com')).body).toEqual(made.body);
  });

  test('a domain exists once', async () => {
    await api.domain();
    const again = await api.post('/v1/domains', { name: 'example.com' });
    expect(again.status).toBe(409);
    expect(again.body.code).toBe('domain_exists');
  });

  test('settings that contradict each other are impossible', async () => {
    const refused = await api.post('/v1/domains', {
      name: 'example.com',
      min_expires_seconds: 600,
      default_expires_seconds: 300,
    });
    expect(refused.status).toBe(422);
    expect(refused.body).toMatchObject({
      code: 'domain_settings_invalid',
      instance: '/v1/domains',
      errors: [{ pointer: '/default_expires_seconds' }],
    });
  });

  test.each([
    ['a blank', 'exa mple.com'],
    ['a label that ends in a hyphen', 'example-.com'],
    ['four numbers that are no address', '300.1.1.1'],
    ['nothing', ''],
    ['an address in brackets that is none', '[::zz]'],
  ])('a name with %s is no domain', async (_, name) => {
    const refused = await api.post('/v1/domains', { name });
    expect(refused.status).toBe(400);
    expect(refused.body.errors[0].pointer).toBe('/name');
  });

  test('an IPv6 address in brackets is a domain, and its URL works', async () => {
    const made = await api.post('/v1/domains', { name: '[2001:db8::1]' });
    expect(made.status).toBe(201);
    expect((await api.get(made.headers.location!)).body.name).toBe('[2001:db8::1]');
  });

  test('an alias that another domain has is refused', async () => {
    await api.post('/v1/domains', { name: 'example.com', aliases: ['sip.example.com'] });
    const refused = await api.post('/v1/domains', { name: 'example.net', aliases: ['sip.example.com'] });
    expect(refused.status).toBe(409);
    expect(refused.body.code).toBe('domain_alias_in_use');
  });

  test('a patch changes what it mentions, and null takes the default back', async () => {
    await api.post('/v1/domains', { name: 'example.com', overflow: 'evict_oldest', max_users: 5 });
    const changed = await api.patch('/v1/domains/example.com', {
      overflow: null,
      max_users: null,
      challenge: 'all',
    });
    expect(changed.status).toBe(200);
    expect(changed.headers.etag).toBe('"2"');
    expect(changed.body).toMatchObject({ overflow: 'reject', max_users: null, challenge: 'all' });
  });

  test('a patch from an older revision is refused', async () => {
    await api.domain();
    await api.patch('/v1/domains/example.com', { challenge: 'all' });
    const stale = await api.patch(
      '/v1/domains/example.com',
      { challenge: 'md5' },
      { headers: { 'If-Match': '"1"' } },
    );
    expect(stale.status).toBe(412);
    expect(stale.body.code).toBe('revision_mismatch');
    const fresh = await api.patch(
      '/v1/domains/example.com',
      { challenge: 'md5' },
      { headers: { 'If-Match': '"1", "2"' } },
    );
    expect(fresh.status).toBe(200);
  });

  test('of two changes made from the same revision one is refused', async () => {
    await api.domain();
    const headers = { 'If-Match': '"1"' };
    const answers = await Promise.all(
      ['md5', 'all', 'md5', 'all'].map((challenge) =>
        api.patch('/v1/domains/example.com', { challenge }, { headers }),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412, 412, 412]);
  });

  test('the realm is fixed while there are credentials', async () => {
    await api.domain();
    await api.post('/v1/users', { username: 'alice', domain: 'example.com', credential: { generate: true } });
    const refused = await api.patch('/v1/domains/example.com', { realm: 'other' });
    expect(refused.status).toBe(409);
    expect(refused.body.code).toBe('realm_immutable_with_credentials');
  });

  test('a domain with users goes only with cascade, which needs the ETag', async () => {
    await api.domain();
    const userId = await api.user('alice');
    const bindingId = await api.register({
      userId,
      address: 'alice@example.com',
      contact: 'sip:a@192.0.2.7',
    });
    const plain = await api.delete('/v1/domains/example.com');
    expect(plain.status).toBe(409);
    expect(plain.body.code).toBe('domain_not_empty');
    for (const headers of [undefined, { 'If-Match': '*' }]) {
      const refused = await api.delete(
        '/v1/domains/example.com?cascade=true',
        headers === undefined ? {} : { headers },
      );
      expect(refused.status).toBe(428);
    }
    const gone = await api.delete('/v1/domains/example.com?cascade=true', { headers: { 'If-Match': '"1"' } });
    expect(gone.status).toBe(204);
    expect(gone.text).toBe('');
    expect((await api.get('/v1/domains/example.com')).status).toBe(404);
    expect((await api.get(`/v1/users/${userId}`)).status).toBe(404);
    expect((await api.get(`/v1/bindings/${bindingId}`)).status).toBe(404);
  });

  test('a domain that is not there can be neither changed nor deleted', async () => {
    expect((await api.patch('/v1/domains/example.com', {})).body.code).toBe('domain_not_found');
    expect((await api.delete('/v1/domains/example.com')).body.code).toBe('domain_not_found');
  });

  test('If-None-Match saves the body of what is known', async () => {
    await api.domain();
    const known = await api.get('/v1/domains/example.com', { headers: { 'If-None-Match': '"1"' } });
    expect(known.status).toBe(304);
    expect(known.text).toBe('');
    expect(known.headers.etag).toBe('"1"');
    const weak = await api.get('/v1/domains/example.com', { headers: { 'If-None-Match': 'W/"1"' } });
    expect(weak.status).toBe(304);
    const other = await api.get('/v1/domains/example.com', { headers: { 'If-None-Match': '"7"' } });
    expect(other.status).toBe(200);
  });

  test('a key confined to domains sees those only, and makes none', async () => {
    await api.domain('example.com');
    await api.domain('example.net');
    const key = await api.key({ role: 'admin', domains: ['example.com'] });
    const list = await api.get('/v1/domains', { key });
    expect(list.body.data.map(({ name }: { name: string }) => name)).toEqual(['example.com']);
    expect((await api.get('/v1/domains/example.net', { key })).status).toBe(404);
    expect((await api.patch('/v1/domains/example.net', {}, { key })).status).toBe(404);
    expect((await api.delete('/v1/domains/example.net', { key })).status).toBe(404);
    const refused = await api.post('/v1/domains', { name: 'example.org' }, { key });
    expect(refused.status).toBe(403);
    expect(refused.body.code).toBe('domain_not_granted');
  });
});

describe('lists', () => {
  beforeEach(async () => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) await api.domain(`${name}.example.com`);
  });

  async function walk(url: string): Promise<string[]> {
    const names: string[] = [];
    let next: string | undefined = url;
    for (let pages = 0; next !== undefined && pages < 20; pages++) {
      const page = await api.get(next);
      expect(page.status).toBe(200);
      names.push(...page.body.data.map(({ name }: { name: string }) => name[0]));
      next = /^<(.*)>; rel="next"$/.exec(page.headers.link ?? '')?.[1];
      expect(next === undefined).toBe(page.body.page.next_cursor === null);
    }
    return names;
  }

  test.each([
    ['name', 'abcde'],
    ['-name', 'edcba'],
    ['created_at', 'abcde'],
    ['-created_at', 'edcba'],
  ])('sorted by %s, the pages hold each domain once', async (sort, expected) => {
    expect((await walk(`/v1/domains?limit=2&sort=${sort}`)).join('')).toHaveLength(5);
    if (sort.endsWith('name'))
      expect((await walk(`/v1/domains?limit=2&sort=${sort}`)).join('')).toBe(expected);
  });

  test('the total is counted when asked for', async () => {
    const page = await api.get('/v1/domains?limit=2&include_total=true');
    expect(page.body.page).toMatchObject({ limit: 2, total: 5 });
    expect((await api.get('/v1/domains?limit=2')).body.page.total).toBeUndefined();
  });

  test('fields leaves only those', async () => {
    const page = await api.get('/v1/domains?fields=name,realm&limit=1');
    expect(page.body.data).toEqual([{ name: 'a.example.com', realm: 'a.example.com' }]);
  });

  test('q finds by prefix', async () => {
    expect((await api.get('/v1/domains?q=b.ex')).body.data).toHaveLength(1);
  });

  test('a cursor survives neither damage nor another filter, order or path', async () => {
    const cursor: string = (await api.get('/v1/domains?limit=2')).body.page.next_cursor;
    for (let at = 0; at < cursor.length; at += 7) {
      const other = cursor[at] === 'A' ? 'B' : 'A';
      const damaged = cursor.slice(0, at) + other + cursor.slice(at + 1);
      expect((await api.get(`/v1/domains?limit=2&cursor=${damaged}`)).body.code).toBe('cursor_invalid');
    }
    for (const rest of ['', '.', '..', `${cursor}.`, `${cursor}A`]) {
      const refused = await api.get(`/v1/domains?limit=2&cursor=${rest}`);
      expect(refused.status).toBe(400);
    }
    expect((await api.get(`/v1/domains?q=a&cursor=${cursor}`)).body.code).toBe('cursor_mismatch');
    expect((await api.get(`/v1/domains?sort=-name&cursor=${cursor}`)).body.code).toBe('cursor_mismatch');
    expect((await api.get(`/v1/users?cursor=${cursor}`)).body.code).toBe('cursor_mismatch');
    const confined = await api.key({ role: 'viewer', domains: ['a.example.com'] });
    const borrowed = await api.get(`/v1/domains?cursor=${cursor}`, { key: confined });
    expect(borrowed.body.code).toBe('cursor_mismatch');
    expect((await api.get(`/v1/domains?limit=4&sort=name&cursor=${cursor}`)).status).toBe(200);
  });

  test.each([
    ['limit=0', 'limit'],
    ['limit=201', 'limit'],
    ['limit=ten', 'limit'],
    ['limit=1.5', 'limit'],
    ['limit=1&limit=2', 'limit'],
    ['sort=realm', 'sort'],
    ['include_total=yes', 'include_total'],
    ['fields=name,secret', 'fields'],
    ['nothing=1', 'nothing'],
    ['__proto__=1', '__proto__'],
    ['q=%00', 'q'],
  ])('the query %s is refused, naming %s', async (query, parameter) => {
    const refused = await api.get(`/v1/domains?${query}`);
    expect(refused.status).toBe(400);
    expect(refused.body.code).toBe('validation_failed');
    expect(refused.body.errors[0].parameter).toBe(parameter);
  });
});
