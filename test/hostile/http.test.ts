import { connect, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { HTTP_LIMITS, HTTP_MAX_CONNECTIONS } from '../../src/server.js';
import { API_KEY, serverWithAlice, TestServer } from '../support/test-server.js';

/** How long something that happens at once is waited for on a busy machine. */
const PATIENTLY = { timeout: 5_000 };

/** A connection to the admin API that says exactly what it is told to. */
class RawHttp {
  received = '';
  isClosed = false;

  private constructor(readonly socket: Socket) {
    socket.on('data', (chunk) => {
      this.received += chunk.toString('latin1');
    });
    socket.on('close', () => {
      this.isClosed = true;
    });
    socket.on('error', () => undefined);
  }

  static async open(server: TestServer): Promise<RawHttp> {
    const { hostname, port } = new URL(server.httpUrl);
    const socket = connect({ host: hostname, port: Number(port) });
    onTestFinished(() => {
      socket.destroy();
    });
    const http = new RawHttp(socket);
    await new Promise((resolve) => socket.once('connect', resolve));
    return http;
  }

  send(octets: string): boolean {
    return this.socket.write(Buffer.from(octets, 'latin1'));
  }

  async status(timeoutMs = 5_000): Promise<number> {
    await expect.poll(() => this.received, { timeout: timeoutMs }).toMatch(/^HTTP\/1\.1 \d{3} /);
    return Number(this.received.slice(9, 12));
  }

  async closed(timeoutMs = 5_000): Promise<void> {
    await expect.poll(() => this.isClosed, { timeout: timeoutMs }).toBe(true);
  }
}

const head = (method: string, path: string, ...lines: readonly string[]) =>
  `${[
    `${method} ${path} HTTP/1.1`,
    'Host: registrar',
    `Authorization: Bearer ${API_KEY}`,
    'Content-Type: application/json',
    ...lines,
  ].join('\r\n')}\r\n\r\n`;

async function post(server: TestServer, text: string): Promise<{ status: number; body: string }> {
  const response = await fetch(`${server.httpUrl}/v1/users`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${API_KEY}`, 'Content-Type': 'application/json' },
    body: text,
  });
  return { status: response.status, body: await response.text() };
}

describe('A body', () => {
  test('of 10 MB is refused; one that is announced, before it comes', async () => {
    const server = await TestServer.start();
    const large = JSON.stringify({ username: 'x'.repeat(10 * 1024 * 1024), domain: 'example.com' });
    expect((await post(server, large)).status).toBe(413);

    const announced = await RawHttp.open(server);
    announced.send(head('POST', '/v1/users', 'Content-Length: 10485760'));
    expect(await announced.status()).toBe(413);

    const unannounced = await RawHttp.open(server);
    unannounced.send(head('POST', '/v1/users', 'Transfer-Encoding: chunked'));
    for (let n = 0; n < 160; n++) unannounced.send(`10000\r\n${'x'.repeat(0x10000)}\r\n`);
    unannounced.send('0\r\n\r\n');
    expect(await unannounced.status()).toBe(413);
  });

  test.each([
    '{"username":"a","domain":"example.com","__proto__":{"polluted":1}}',
    '{"username":"a","domain":"example.com","constructor":{"prototype":{"polluted":1}}}',
    '{"username":"a","domain":"example.com","attributes":{"__proto__":{"polluted":1}}}',
    '{"username":"a","domain":"example.com","credential":{"\\u005f_proto__":{"polluted":1}}}',
    '{"username":"a","domain":"example.com","username":"b"}',
    '{"username":"a","domain":"example.com","user\\u006eame":"b"}',
    '{"username":"a","credential":{"password":"Zx81-open-Sesame","password":"x"},"domain":"example.com"}',
  ])('%s is refused, and leaves nothing behind', async (text) => {
    const server = await serverWithAlice();

    const { status, body } = await post(server, text);

    expect(status).toBe(400);
    expect(JSON.parse(body)).toMatchObject({ code: 'malformed_json' });
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    expect((await server.api('GET', '/v1/users?limit=200')).body.data).toHaveLength(2);
  });

  test('nested 100,000 deep is refused', async () => {
    const server = await TestServer.start();
    expect((await post(server, '['.repeat(100_000) + ']'.repeat(100_000))).status).toBe(400);
  });
});

test.each(['/v1/users?__proto__[polluted]=1', '/v1/users?constructor.prototype.polluted=1&limit=1'])(
  '%s pollutes nothing',
  async (path) => {
    const server = await TestServer.start();
    expect((await server.api('GET', path)).status).toBeLessThan(500);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  },
);

test('of forty changes at the same time from the same revision exactly one is made', async () => {
  const server = await serverWithAlice();
  const path = `/v1/users/${encodeURIComponent('alice@example.com')}`;
  for (let round = 0; round < 2; round++) {
    const etag = (await server.api('GET', path)).headers.get('etag') ?? '';

    const statuses = await Promise.all(
      Array.from({ length: 40 }, async (_, n) => {
        const response = await fetch(`${server.httpUrl}${path}`, {
          method: 'PATCH',
          headers: {
            Authorization: `Bearer ${API_KEY}`,
            'Content-Type': 'application/merge-patch+json',
            'If-Match': etag,
          },
          body: JSON.stringify({ max_bindings: round * 40 + n + 1 }),
        });
        await response.arrayBuffer();
        return response.status;
      }),
    );

    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
    expect(statuses.filter((status) => status === 412)).toHaveLength(39);
    const made = statuses.indexOf(200);
    expect((await server.api('GET', path)).body.max_bindings).toBe(round * 40 + made + 1);
  }
});

describe('A request', () => {
  test('with two lengths is refused, so that nothing behind a proxy can be slipped in', async () => {
    const server = await TestServer.start();
    for (const lines of [
      ['Content-Length: 4', 'Transfer-Encoding: chunked'],
      ['Content-Length: 4', 'Content-Length: 5'],
      ['Transfer-Encoding: x, chunked', 'Content-Length: 4'],
    ]) {
      const http = await RawHttp.open(server);
      http.send(`${head('POST', '/v1/users', ...lines)}0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n`);
      expect(await http.status(), lines.join()).toBe(400);
      await http.closed();
      expect(http.received.match(/HTTP\/1\.1/g)).toHaveLength(1);
    }
  });

  test('with more header than is taken is a 431', async () => {
    const server = await TestServer.start();
    const http = await RawHttp.open(server);
    http.send(head('GET', '/healthz', `X: ${'x'.repeat(HTTP_LIMITS.maxHeaderSize)}`));
    expect(await http.status()).toBe(431);
    await http.closed();
  });
});

test('a client that dawdles over its header section or its body is let go with 408, one that says nothing without', async () => {
  const server = await TestServer.start();
  const [headers, body, silent] = [
    await RawHttp.open(server),
    await RawHttp.open(server),
    await RawHttp.open(server),
  ];
  headers.send('GET /healthz HTTP/1.1\r\nHost: x\r\n');
  body.send(head('POST', '/v1/users', 'Content-Length: 10000'));
  const drip = setInterval(() => {
    headers.send('X-Y: z\r\n');
    body.send('x');
  }, 500);
  onTestFinished(() => clearInterval(drip));

  await Promise.all([
    headers.closed(HTTP_LIMITS.headersTimeout + 5_000),
    silent.closed(HTTP_LIMITS.headersTimeout + 5_000),
    body.closed(HTTP_LIMITS.requestTimeout + 5_000),
  ]);
  expect([await headers.status(), await body.status()]).toEqual([408, 408]);
}, 40_000);

test('more connections than are taken are closed, phones are served meanwhile, and room comes back', async () => {
  const server = await serverWithAlice();
  const open: RawHttp[] = [];
  for (let n = 0; n < HTTP_MAX_CONNECTIONS; n += 100) {
    open.push(...(await Promise.all(Array.from({ length: 100 }, () => RawHttp.open(server)))));
  }

  const refused = await RawHttp.open(server);

  await refused.closed();
  const phone = await server.phone('alice');
  expect((await phone.register({ contacts: [`<${phone.contact}>`] })).status).toBe(200);
  for (const http of open) http.socket.destroy();
  await expect
    .poll(() => server.api('GET', '/v1/domains').catch(() => undefined), PATIENTLY)
    .toMatchObject({ status: 200 });
}, 30_000);
