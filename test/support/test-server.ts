import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.js';
import { parseConfig } from '../../src/config/config.js';
import { type RunningServer, startServer } from '../../src/server.js';
import { Phone, type PhoneIdentity } from './phone.js';
import { TcpWire, UdpWire, type Wire } from './sip-wire.js';

export const API_KEY = 'rk_test_0123456789abcdefghijklmnopqrstuv';
/** Good for every test user: long enough, and without anybody's name in it. */
export const PASSWORD = 'Zx81-open-Sesame';

export interface TestServerOptions {
  /** Settings over those of a test server. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly clock?: Clock;
  /** Address of the SIP sockets. */
  readonly host?: string;
}

/** One line of the log. */
export type LogLine = Readonly<Record<string, unknown>>;

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into bodies of every shape.
  readonly body: any;
}

/** The whole server, running in this process on free ports of loopback, with a data folder of its own. */
export class TestServer {
  readonly logLines: LogLine[] = [];

  private constructor(
    private running: RunningServer,
    private readonly options: TestServerOptions,
    readonly dataDir: string,
    logLines: LogLine[],
  ) {
    this.logLines = logLines;
  }

  /** Starts it; it is closed and its folder removed when the test is finished. */
  static async start(options: TestServerOptions = {}): Promise<TestServer> {
    const dataDir = mkdtempSync(join(tmpdir(), 'sip-registrar-test-'));
    const logLines: LogLine[] = [];
    const server = new TestServer(await start(options, dataDir, logLines), options, dataDir, logLines);
    onTestFinished(async () => {
      await server.stop();
      rmSync(dataDir, { recursive: true, force: true });
    });
    return server;
  }

  get httpUrl(): string {
    return this.running.httpUrl;
  }

  get sipPort(): number {
    return this.running.sip.list[0]?.port ?? 0;
  }

  get sipHost(): string {
    return this.running.sip.list[0]?.address ?? '';
  }

  /** Closes and starts again on the same folder, on other ports. */
  async restart(): Promise<void> {
    await this.running.close();
    this.running = await start(this.options, this.dataDir, this.logLines);
  }

  async stop(): Promise<void> {
    await this.running.close();
  }

  /** Calls the admin API as an operator would. */
  async api(method: string, path: string, body?: unknown): Promise<ApiAnswer> {
    return callApi(this.httpUrl, method, path, body);
  }

  async addDomain(name: string, settings: object = {}): Promise<void> {
    expectStatus(201, await this.api('POST', '/v1/domains', { name, ...settings }));
  }

  async changeDomain(name: string, settings: object): Promise<void> {
    expectStatus(200, await this.api('PATCH', `/v1/domains/${name}`, settings));
  }

  // biome-ignore lint/suspicious/noExplicitAny: the body as the API gives it.
  async addUser(username: string, domain: string, settings: object = {}): Promise<any> {
    const answer = await this.api('POST', '/v1/users', {
      username,
      domain,
      credential: { password: PASSWORD },
      ...settings,
    });
    expectStatus(201, answer);
    return answer.body;
  }

  /** The bindings that the API lists for an address-of-record. */
  // biome-ignore lint/suspicious/noExplicitAny: the body as the API gives it.
  async bindings(aor: string): Promise<readonly any[]> {
    const answer = await this.api('GET', `/v1/bindings?limit=200&aor=${encodeURIComponent(aor)}`);
    expectStatus(200, answer);
    return answer.body.data;
  }

  /** What /metrics says. */
  async metrics(): Promise<string> {
    const response = await fetch(`${this.httpUrl}/metrics`, {
      headers: { Authorization: `Bearer ${API_KEY}` },
    });
    return response.text();
  }

  /** Log lines of one event so far. */
  logged(event: string): readonly LogLine[] {
    return this.logLines.filter((line) => line.event === event);
  }

  async udp(localAddress?: string): Promise<UdpWire> {
    const wire = await UdpWire.open({ host: this.sipHost, port: this.sipPort }, localAddress);
    onTestFinished(() => wire.close());
    return wire;
  }

  async tcp(): Promise<TcpWire> {
    const wire = await TcpWire.open({ host: this.sipHost, port: this.sipPort });
    onTestFinished(() => wire.close());
    return wire;
  }

  /** A phone of a user who exists, with a socket of its own. */
  async phone(
    user: string,
    options: { transport?: 'udp' | 'tcp'; wire?: Wire; domain?: string } = {},
  ): Promise<Phone> {
    const wire = options.wire ?? (options.transport === 'tcp' ? await this.tcp() : await this.udp());
    return new Phone(wire, identity(user, options.domain));
  }
}

/** A server with the domain example.com and its users alice and bob. */
export async function serverWithAlice(
  options: TestServerOptions & { readonly domain?: object; readonly alice?: object } = {},
): Promise<TestServer> {
  const server = await TestServer.start(options);
  await server.addDomain('example.com', options.domain);
  await server.addUser('alice', 'example.com', options.alice);
  await server.addUser('bob', 'example.com');
  return server;
}

/** The settings every test server starts from: loopback, free ports, nothing of the environment. */
export function testSettings(
  dataDir: string,
  over: Readonly<Record<string, string>> = {},
): Record<string, string> {
  return {
    REGISTRAR_SIP_HOST: '127.0.0.1',
    REGISTRAR_SIP_PORT: '0',
    REGISTRAR_HTTP_HOST: '127.0.0.1',
    REGISTRAR_HTTP_PORT: '0',
    REGISTRAR_DATA_DIR: dataDir,
    REGISTRAR_BOOTSTRAP_API_KEY: API_KEY,
    ...over,
  };
}

export async function callApi(
  httpUrl: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<ApiAnswer> {
  const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
  const response = await fetch(`${httpUrl}${path}`, {
    method,
    headers: {
      Authorization: `Bearer ${API_KEY}`,
      ...(body === undefined ? {} : { 'Content-Type': type }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: text === '' ? undefined : JSON.parse(text),
  };
}

export function expectStatus(status: number, answer: ApiAnswer): void {
  if (answer.status !== status) {
    throw new Error(`the API answered ${answer.status}, not ${status}: ${JSON.stringify(answer.body)}`);
  }
}

function identity(user: string, domain = 'example.com'): PhoneIdentity {
  return { user, domain, password: PASSWORD };
}

function start(options: TestServerOptions, dataDir: string, lines: LogLine[]): Promise<RunningServer> {
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      for (const line of chunk.toString('utf8').split('\n')) {
        if (line !== '') lines.push(JSON.parse(line) as LogLine);
      }
      done();
    },
  });
  const log = pino(
    { level: 'debug', base: null, formatters: { level: (label) => ({ level: label }) } },
    sink,
  );
  const sipHost = options.host === undefined ? {} : { REGISTRAR_SIP_HOST: options.host };
  return startServer({
    config: parseConfig(testSettings(dataDir, { ...sipHost, ...options.settings })),
    log,
    clock: options.clock ?? systemClock,
  });
}
