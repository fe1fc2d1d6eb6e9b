import supertest from 'supertest';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Harness } from './support/harness.js';

let api: Harness;
beforeEach(async () => {
  api = await Harness.open();
});
afterEach(() => api.close());

describe('the request log', () => {
  test('one line a request, with what happened and who asked, without query, headers or body', async () => {
    await api.domain();
    const made = await api.post(
      '/v1/users',
      { username: 'alice', domain: 'example.com', credential: { password: 'correct-horse-battery' } },
      { headers: { 'X-Request-Id': 'mine', 'Idempotency-Key': 'idem-secret' } },
    );
    expect(made.status).toBe(201);
    await api.get('/v1/users?q=alice');
    const lines = api.logLines
      .map((text) => JSON.parse(text))
      .filter(({ event }) => event === 'http.request');
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatchObject({ method: 'POST', path: '/v1/users', status: 201, request_id: 'mine' });
    expect(lines[0].key_id).toMatch(/^key_/);
    expect(lines[0].duration_ms).toBeGreaterThanOrEqual(0);
    expect(lines[1].path).toBe('/v1/users');
    for (const secret of ['correct-horse', 'idem-secret', api.adminKey]) {
      expect(api.logLines.join('')).not.toContain(secret);
    }
  });
});

describe('metrics', () => {
  test('requests are counted by method, route template and status', async () => {
    await api.get('/v1/domains/none');
    await api.get('/v1/domains/other');
    await api.get('/nowhere');
    const { text, headers } = await api.get('/metrics');
    expect(headers['content-type']).toContain('text/plain');
    expect(text).toContain(
      'http_request_duration_seconds_count{method="GET",route="/v1/domains/{domain}",status="404"} 2',
    );
    expect(text).toContain('http_request_duration_seconds_count{method="GET",route="none",status="404"} 1');
    expect(text).toContain('process_cpu_seconds_total');
  });
});

describe('health', () => {
  test('healthz answers as long as the process does', async () => {
    api.readiness = { ready: false, checks: { store: 'failing' } };
    expect((await api.get('/healthz', { key: null })).body).toEqual({ status: 'ok' });
  });

  test('readyz says whether the server takes part, and why not', async () => {
    expect((await api.get('/readyz', { key: null })).body).toEqual({ ready: true, checks: { store: 'ok' } });
    api.readiness = { ready: false, checks: { store: 'failing' } };
    const refused = await api.get('/readyz', { key: null });
    expect(refused.status).toBe(503);
    expect(refused.body).toEqual({ ready: false, checks: { store: 'failing' } });
  });

  test('the server tells what it is', async () => {
    api.clock.advance(30);
    const { body } = await api.get('/v1/server');
    expect(body).toEqual({
      version: '1.2.3',
      node: 'test-1',
      started_at: '2026-11-22T10:14:30.000Z',
      uptime_seconds: 90,
      listeners: [{ transport: 'udp', address: '127.0.0.1', port: 5060 }],
      algorithms: ['SHA-512-256', 'SHA-256', 'MD5'],
      config_digest: 'abcdef',
    });
  });
});

describe('Swagger UI', () => {
  test('the page and all it loads come from this server, under a policy that lets it work', async () => {
    const page = await supertest(api.app).get('/docs/');
    expect(page.status).toBe(200);
    const policy = page.headers['content-security-policy'] ?? '';
    expect(policy).toContain("script-src 'self'");
    expect(policy).toContain("connect-src 'self'");
    expect(policy).not.toContain('upgrade-insecure-requests');
    expect(policy.match(/https?:/)).toBeNull();
    expect(page.text).not.toMatch(/<script>(?!\s*<\/script>)|(?:src|href)="(?:https?:)?\/\//);
    const loaded = [...page.text.matchAll(/(?:src|href)="\.\/([^"]+)"/g)].map((match) => match[1]);
    expect(loaded).toContain('swagger-ui-bundle.js');
    for (const file of loaded) {
      const asset = await supertest(api.app).get(`/docs/${file}`);
      expect(asset.status, file).toBe(200);
    }
  });

  test('it shows this contract, with the settings that make it useful', async () => {
    const init = await supertest(api.app).get('/docs/swagger-ui-init.js');
    for (const setting of [
      'persistAuthorization',
      'tryItOutEnabled',
      'deepLinking',
      'displayRequestDuration',
    ]) {
      expect(init.text).toMatch(new RegExp(`"${setting}": true`));
    }
    expect(init.text).toContain('"url": "../openapi.json"');
  });

  test('without the slash it leads there, and with the setting it is gone', async () => {
    const moved = await supertest(api.app).get('/docs');
    expect(moved.status).toBe(308);
    expect(moved.headers.location).toBe('/docs/');
    const plain = await Harness.open({ swaggerUi: false });
    expect((await plain.get('/docs/')).status).toBe(404);
    plain.close();
  });
});

test('answers carry headers that keep browsers from making anything of them', async () => {
  const { headers } = await api.get('/v1/me');
  expect(headers['x-content-type-options']).toBe('nosniff');
  expect(headers['content-security-policy']).toContain("default-src 'none'");
  expect(headers['x-powered-by']).toBeUndefined();
  expect(headers['cache-control']).toBe('private, no-cache');
});
