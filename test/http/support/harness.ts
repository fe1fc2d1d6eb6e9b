import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import type { Express } from 'express';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import supertest from 'supertest';
import { expect } from 'vitest';
import { AccountService } from '../../../src/accounts/account-service.js';
import { DIGEST_ALGORITHMS } from '../../../src/accounts/domain.js';
import { SecretSeal } from '../../../src/accounts/secret-seal.js';
import { AdminService } from '../../../src/admin/admin-service.js';
import type { ApiKeySettings } from '../../../src/admin/api-key.js';
import { ha1OfText } from '../../../src/auth/digest.js';
import { isRefusal } from '../../../src/base/refusal.js';
import { Tally } from '../../../src/base/tally.js';
import { Guard } from '../../../src/guard/guard.js';
import { createHttpApp } from '../../../src/http/app.js';
import { PROBLEM_TYPES, type ProblemCode } from '../../../src/http/problem.js';
import type { HttpDeps, HttpSettings, Readiness } from '../../../src/http/services.js';
import { LocationService } from '../../../src/location/location-service.js';
import type { RegisterPolicy } from '../../../src/location/register.js';
import { parseUri, type Uri } from '../../../src/sip/grammar/uri.js';
import { openSqliteStore, type SqliteStore } from '../../../src/store/sqlite/sqlite.js';
import { faults, operationAt } from './contract.js';

export const START = Date.parse('2026-11-22T10:15:30.000Z');

const STANDARD_SETTINGS: HttpSettings = {
  rateLimitPerMinute: 100_000,
  failedAuthLimitPerMinute: 1_000,
  maxBodyBytes: 65_536,
  swaggerUi: true,
  requireIfMatch: false,
  publicMetrics: false,
  trustProxy: false,
};

const GUARD_SETTINGS = {
  automatic: true,
  wrongResponsesPerUser: 30,
  usernamesPerSource: 15,
  wrongResponsesPerSource: 200,
  exempt: [],
};

const POLICY: RegisterPolicy = {
  minExpiresSeconds: 60,
  defaultExpiresSeconds: 3600,
  maxExpiresSeconds: 86_400,
  maxBindings: 100,
  overflow: 'reject',
  sequence: 'strict',
};

export interface CallOptions {
  /** The API key; null sends none; left out takes the unrestricted admin key. */
  readonly key?: string | null;
  readonly body?: unknown;
  /** Sent as it is, instead of `body`. */
  readonly rawBody?: string | Buffer;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  // biome-ignore lint/suspicious/noExplicitAny: tests look at what the contract check has let through
  readonly body: any;
  readonly text: string;
}

export interface Phone {
  readonly userId: string;
  readonly address: string;
  readonly contact: string;
  readonly credentialId?: string;
  readonly cseq?: number;
  readonly seconds?: number;
  readonly flowId?: string | null;
  readonly ip?: string;
  readonly userAgent?: string;
  readonly instanceId?: string;
  readonly displayName?: string;
  readonly qThousandths?: number;
}

/** The HTTP face over real services and a real database file, on a clock that stands still. */
export class Harness {
  readonly clock = {
    time: START,
    now() {
      return this.time;
    },
    advance(seconds: number) {
      this.time += seconds * 1000;
    },
  };
  readonly logLines: string[] = [];
  readonly closedFlows: string[] = [];
  readonly metrics = new Registry();
  readonly app: Express;
  readonly accounts: AccountService;
  readonly admin: AdminService;
  readonly location: LocationService;
  readonly guard: Guard;
  readonly store: SqliteStore;
  readiness: Readiness = { ready: true, checks: { store: 'ok' } };
  adminKey = '';
  /** Every secret the answers have shown once; none may turn up a second time. */
  private readonly secrets = new Set<string>();
  private readonly folder = mkdtempSync(join(tmpdir(), 'sip-registrar-http-'));
  private calls = 0;

  private constructor(settings: Partial<HttpSettings>, replace: (deps: HttpDeps) => Partial<HttpDeps>) {
    const { clock } = this;
    const lines = this.logLines;
    const log = pino(
      { level: 'info' },
      new Writable({
        write(chunk, _encoding, done) {
          lines.push(String(chunk));
          done();
        },
      }),
    );
    this.store = openSqliteStore({ path: join(this.folder, 'test.db'), clock, log, maxQueued: 10_000 });
    this.accounts = new AccountService(
      this.store.accounts,
      new SecretSeal(Buffer.alloc(32, 1)),
      ha1OfText,
      clock,
      Buffer.alloc(32, 2),
    );
    this.admin = new AdminService(this.store.admin, Buffer.alloc(32, 3), clock);
    const flows = { close: (flowId: string) => this.closedFlows.push(flowId) > 0 };
    this.location = new LocationService(this.store.location, flows, clock, log);
    this.guard = new Guard({
      store: this.store.bans,
      clock,
      log,
      settings: GUARD_SETTINGS,
      banEvents: new Tally(),
      suppressed: new Tally(),
    });
    const deps: HttpDeps = {
      accounts: this.accounts,
      admin: this.admin,
      location: this.location,
      guard: this.guard,
      clock,
      log,
      server: {
        version: '1.2.3',
        node: 'test-1',
        startedAt: START - 60_000,
        listeners: [{ transport: 'udp', address: '127.0.0.1', port: 5060 }],
        algorithms: DIGEST_ALGORITHMS,
        configDigest: 'abcdef',
      },
      readiness: () => this.readiness,
      metrics: this.metrics,
      cursorKey: Buffer.alloc(32, 4),
      idempotency: this.store.admin,
      settings: { ...STANDARD_SETTINGS, ...settings },
    };
    this.app = createHttpApp({ ...deps, ...replace(deps) });
  }

  static async open(
    settings: Partial<HttpSettings> = {},
    replace: (deps: HttpDeps) => Partial<HttpDeps> = () => ({}),
    givenKey?: string,
  ): Promise<Harness> {
    const harness = new Harness(settings, replace);
    const first = await harness.admin.bootstrap(givenKey);
    harness.adminKey = first!.key;
    return harness;
  }

  close(): void {
    this.store.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A key with these settings. */
  async key(settings: Partial<ApiKeySettings>): Promise<string> {
    const issued = await this.admin.createApiKey({
      label: 'test',
      role: null,
      scopes: [],
      domains: [],
      allowedCidrs: [],
      expiresAt: null,
      ...settings,
    });
    if (isRefusal(issued)) throw new Error(issued.detail);
    return issued.key;
  }

  async domain(name = 'example.com'): Promise<void> {
    const made = await this.accounts.createDomain(name, {});
    if (isRefusal(made)) throw new Error(made.detail);
  }

  /** A user without credential; returns the id. */
  async user(username: string, domain = 'example.com'): Promise<string> {
    const made = await this.accounts.createUser({ username, domain, settings: {} });
    if (isRefusal(made)) throw new Error(made.detail);
    return made.user.id;
  }

  /** Registers a phone; returns the id of its binding. */
  async register(phone: Phone): Promise<string> {
    const [user = '', domain = ''] = phone.address.split('@');
    const flowId = phone.flowId ?? null;
    const outcome = await this.location.register(
      {
        aor: { user, domain },
        userId: phone.userId,
        credentialId: phone.credentialId ?? 'crd_unknown',
        nonceIssuedAt: this.clock.now(),
        callId: `call-${phone.contact}`,
        cseq: phone.cseq ?? 1,
        userAgent: phone.userAgent ?? null,
        received: {
          transport: flowId === null ? 'udp' : 'tcp',
          ip: phone.ip ?? '192.0.2.7',
          port: 5061,
          flowId,
        },
        action: {
          kind: 'update',
          contacts: [
            {
              uri: parseUri(phone.contact) as Uri,
              contact: phone.contact,
              displayName: phone.displayName ?? '',
              contactParams: phone.qThousandths === undefined ? '' : `;q=${phone.qThousandths / 1000}`,
              qThousandths: phone.qThousandths ?? null,
              instanceId: phone.instanceId ?? null,
              regId: null,
              requestedSeconds: phone.seconds ?? 3600,
            },
          ],
        },
      },
      POLICY,
    );
    if (outcome.kind !== 'registered') throw new Error(outcome.kind);
    return outcome.bindings.find(({ contact }) => contact === phone.contact)!.id;
  }

  get(url: string, options: CallOptions = {}): Promise<Answer> {
    return this.call('get', url, options);
  }

  post(url: string, body?: unknown, options: CallOptions = {}): Promise<Answer> {
    return this.call('post', url, { type: 'application/json', body, ...options });
  }

  patch(url: string, body?: unknown, options: CallOptions = {}): Promise<Answer> {
    return this.call('patch', url, { type: 'application/merge-patch+json', body, ...options });
  }

  delete(url: string, options: CallOptions = {}): Promise<Answer> {
    return this.call('delete', url, options);
  }

  /** Sends a request, and holds its answer to the contract. */
  async call(
    method: 'get' | 'post' | 'patch' | 'delete' | 'put' | 'head' | 'options',
    url: string,
    options: CallOptions = {},
  ): Promise<Answer> {
    const requestId = `test-${++this.calls}`;
    let request = supertest(this.app)[method](url).set('X-Request-Id', requestId);
    const key = options.key === undefined ? this.adminKey : options.key;
    if (key !== null) request = request.set('Authorization', `Bearer ${key}`);
    if (options.type !== undefined) request = request.type(options.type);
    for (const [name, value] of Object.entries(options.headers ?? {})) request = request.set(name, value);
    const raw = options.rawBody ?? (options.body === undefined ? undefined : JSON.stringify(options.body));
    const response = await request
      .serialize((body: unknown) => body as string)
      .send(raw as string | undefined);
    const text = response.text ?? '';
    const isJson = /json/.test(String(response.headers['content-type'] ?? ''));
    const answer: Answer = {
      status: response.status,
      headers: response.headers as Record<string, string>,
      body: isJson && text !== '' ? JSON.parse(text) : undefined,
      text,
    };
    expect(answer.headers['x-request-id']).toBeDefined();
    this.holdToContract(method, url, answer);
    return answer;
  }

  private holdToContract(method: string, url: string, answer: Answer): void {
    const [path = '', query = ''] = url.split('?');
    if (answer.status >= 400 && answer.headers['content-type']?.includes('problem') === true) {
      expect(faults(['components', 'schemas', 'Problem'], answer.body), `${method} ${url}`).toEqual([]);
      expect(answer.body.status).toBe(answer.status);
      expect(answer.body.title).toBe(PROBLEM_TYPES[answer.body.code as ProblemCode].title);
      expect(answer.headers['cache-control']).toBe('no-store');
    } else {
      expect(answer.status === 503 || answer.status < 400, `${method} ${url}: ${answer.text}`).toBe(true);
    }
    this.holdBackSecrets(method, path, answer);
    const found = operationAt(method, path);
    if (found === undefined) return;
    const { template, operation } = found;
    const response = operation.responses[answer.status];
    expect(
      response,
      `${operation.operationId} is not said to answer ${answer.status}: ${answer.text}`,
    ).toBeDefined();
    if (answer.headers['content-type'] === undefined) {
      expect(response?.content, `${operation.operationId} ${answer.status} has no body`).toBeUndefined();
      return;
    }
    const mediaType = answer.headers['content-type'].split(';')[0]!;
    const content = response?.content?.[mediaType];
    expect(content, `${operation.operationId} ${answer.status} ${mediaType}`).toBeDefined();
    for (const header of ['location', 'etag', 'link', 'idempotency-replayed']) {
      const isSaid = Object.keys(response?.headers ?? {}).some((name) => name.toLowerCase() === header);
      if (answer.headers[header] !== undefined)
        expect(isSaid, `${operation.operationId} ${header}`).toBe(true);
    }
    if (answer.body === undefined) return;
    if (mediaType === 'application/problem+json') {
      expect(Object.keys(content?.examples ?? {}), operation.operationId).toContain(answer.body.code);
    }
    const pointer = [
      'paths',
      template,
      method,
      'responses',
      String(answer.status),
      'content',
      mediaType,
      'schema',
    ];
    const variant = /(^|&)fields=/.test(query) ? 'partial' : 'strict';
    expect(faults(pointer, answer.body, variant), `${operation.operationId} ${answer.text}`).toEqual([]);
  }

  /** Secrets are shown in three answers, once each, and out of caches; else nothing even has such a name. */
  private holdBackSecrets(method: string, path: string, answer: Answer): void {
    if (path.startsWith('/openapi')) return;
    const showsOnce =
      method === 'post' &&
      answer.status === 201 &&
      /^\/v1\/(users|api-keys|users\/[^/]+\/credentials)$/.test(path);
    const found = secretsIn(answer.body);
    const isReplay = answer.headers['idempotency-replayed'] === 'true';
    if (!showsOnce) expect(found.names, `${method} ${path}`).toEqual([]);
    if (found.values.length > 0) expect(answer.headers['cache-control']).toBe('no-store');
    if (!isReplay) {
      for (const secret of this.secrets) expect(answer.text).not.toContain(secret);
    }
    for (const value of found.values) this.secrets.add(value);
  }
}

const SECRET_NAME = /password|ha1|secret|token|^key$/i;

function secretsIn(node: unknown): { names: string[]; values: string[] } {
  const names: string[] = [];
  const values: string[] = [];
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [name, member] of Object.entries(value)) {
      if (SECRET_NAME.test(name)) {
        names.push(name);
        if (typeof member === 'string') values.push(member);
      }
      visit(member);
    }
  };
  visit(node);
  return { names, values };
}
