import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { networkInterfaces } from 'node:os';
import { Registry } from 'prom-client';
import { AccountService } from './accounts/account-service.js';
import { DIGEST_ALGORITHMS } from './accounts/domain.js';
import { deriveKey, SecretSeal } from './accounts/secret-seal.js';
import { AdminService } from './admin/admin-service.js';
import type { IssuedApiKey } from './admin/api-key.js';
import { Authenticator } from './auth/authenticator.js';
import { ha1OfText } from './auth/digest.js';
import type { Clock } from './base/clock.js';
import type { Log } from './base/log.js';
import { Tally } from './base/tally.js';
import { type Config, ConfigError } from './config/config.js';
import { loadMasterKey, prepareDataDir } from './config/load.js';
import { type BanEvent, Guard } from './guard/guard.js';
import { createHttpApp } from './http/app.js';
import type { BindingChange } from './location/decision.js';
import { LocationService } from './location/location-service.js';
import { logBindingChanges } from './observe/binding-log.js';
import { registerSipMetrics } from './observe/sip-metrics.js';
import { Redirector } from './redirect/redirector.js';
import { Registrar, type RegistrationRejection } from './registrar/registrar.js';
import type { MessageBound } from './sip/grammar/sip-parse-error.js';
import { ServerTransactions } from './sip/transaction/server-transactions.js';
import { ListenRefused, listenSip, type SipListeners } from './sip/transport/listeners.js';
import { OwnAddresses } from './sip/transport/own-addresses.js';
import type { TransportEvent } from './sip/transport/udp.js';
import { StrangerGate, type WithheldReason } from './sip/uas/stranger-gate.js';
import { type MessageFate, UserAgentServer } from './sip/uas/user-agent-server.js';
import { DatabaseRefused } from './store/sqlite/database.js';
import { openSqliteStore, type SqliteStore } from './store/sqlite/sqlite.js';

/** A running server. */
export interface RunningServer {
  /** Where the admin API is, without a trailing slash: `http://127.0.0.1:8080`. */
  readonly httpUrl: string;
  readonly sip: SipListeners;
  /** The first admin key, when this start made it. */
  readonly firstApiKey: IssuedApiKey | undefined;
  /** Answers what is in flight, makes it durable, and lets go of everything. */
  close(): Promise<void>;
}

export interface ServerParts {
  readonly config: Config;
  readonly log: Log;
  readonly clock: Clock;
  /** Called once when the disk has failed in a way that only a new process can recover from. */
  readonly onStoreLost?: ((error: Error) => void) | undefined;
}

const SWEEP_INTERVAL_MS = 1_000;
const TRANSACTION_SWEEP_INTERVAL_MS = 5_000;
const USES_INTERVAL_MS = 60_000;
const SUPPRESSED_INTERVAL_MS = 10_000;
const IDEMPOTENCY_SWEEP_INTERVAL_MS = 600_000;
/** One eighth of the room for kept responses is for requests that did not authenticate. */
const UNVERIFIED_SHARE = 8;
const MAX_IN_PROGRESS = 50_000;
const HTTP_CLOSE_GRACE_MS = 3_000;
/** Open HTTP connections; beyond, new ones are closed. */
export const HTTP_MAX_CONNECTIONS = 2_000;
/** How slow an HTTP client may be, in milliseconds, and how many header fields a request may have. */
export const HTTP_LIMITS = {
  headersTimeout: 10_000,
  requestTimeout: 20_000,
  keepAliveTimeout: 10_000,
  /** How often the two first are looked at. */
  connectionsCheckingInterval: 1_000,
  maxHeaderSize: 16_384,
} as const;

/** The version of the program, from its package.json. */
export const VERSION: string = (
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
).version;

/**
 * Puts the rooms together and opens for business: store, services, SIP, HTTP. Resolves when all of it listens.
 * @throws ConfigError when a setting can't be used (a taken port, an unwritable folder, a lost key file).
 */
export async function startServer({ config, log, clock, onStoreLost }: ServerParts): Promise<RunningServer> {
  const startedAt = clock.now();
  prepareDataDir(config.dataDir);
  const store = openStore(config, log, clock, onStoreLost);
  const opened: (() => Promise<void> | void)[] = [() => store.close()];
  try {
    const masterKey = unlock(config, store);
    const accounts = new AccountService(
      store.accounts,
      new SecretSeal(masterKey),
      ha1OfText,
      clock,
      deriveKey(masterKey, 'challenge-disguise'),
    );
    const admin = new AdminService(store.admin, deriveKey(masterKey, 'api-key-pepper'), clock);
    if (!admin.knowsStoredKeys()) throw wrongKey(config);
    const tallies = {
      fates: new Tally<MessageFate>(),
      responses: new Tally<string>(),
      rejections: new Tally<RegistrationRejection>(),
      transportEvents: new Tally<TransportEvent>(),
      bindingChanges: new Tally<string>(),
      banEvents: new Tally<BanEvent>(),
      suppressedLines: new Tally<string>(),
      bounds: new Tally<MessageBound>(),
      withheld: new Tally<WithheldReason>(),
    };
    const listeners: { sip?: SipListeners; own?: OwnAddresses } = {};
    const location = new LocationService(
      store.location,
      { close: (flowId) => listeners.sip?.closeFlow(flowId) ?? false },
      clock,
      log,
    );
    store.location.onChanges((changes) => {
      logBindingChanges(log, changes);
      countChanges(tallies.bindingChanges, changes);
    });
    opened.push(() => location.close());

    const authenticator = new Authenticator(accounts, clock, {
      nonceSecret: randomBytes(32),
      nonceLifetimeSeconds: config.auth.nonceLifetimeSeconds,
      maxNonceCounts: config.auth.maxNonceCounts,
    });
    const guard = new Guard({
      store: store.bans,
      clock,
      log,
      settings: config.guard,
      banEvents: tallies.banEvents,
      suppressed: tallies.suppressedLines,
    });
    const registrar = new Registrar({
      accounts,
      authenticator,
      location,
      guard,
      own: {
        has: (host, port) => listeners.own?.has(host, port) ?? false,
        hasPort: (port) => listeners.own?.hasPort(port) ?? false,
      },
      clock,
      log,
      rejections: tallies.rejections,
    });
    const transactions = new ServerTransactions({
      maxVerifiedBytes: config.sip.retransmissionBytes,
      maxUnverifiedBytes: config.sip.retransmissionBytes / UNVERIFIED_SHARE,
      maxInProgress: MAX_IN_PROGRESS,
    });
    const redirector = new Redirector({ accounts, location });
    const uas = new UserAgentServer({
      handlers: {
        REGISTER: (request) => registrar.handle(request),
      },
      others: (request) => redirector.handle(request),
      serverHeader: config.sip.serverHeader,
      transactions,
      clock,
      log,
      fates: tallies.fates,
      responses: tallies.responses,
      bounds: tallies.bounds,
      gate: new StrangerGate({
        shareOfTime: config.sip.unverifiedTimePercent / 100,
        answersPerSecond: config.sip.unverifiedAnswersPerSecond,
        withheld: tallies.withheld,
      }),
    });
    const sip = await listenSip({
      ...config.sip,
      receiver: uas,
      tally: tallies.transportEvents,
      clock,
      log,
    }).catch((error: unknown) => {
      throw error instanceof ListenRefused ? new ConfigError(error.setting, error.message) : error;
    });
    listeners.sip = sip;
    listeners.own = new OwnAddresses(sip.list, networkInterfaces());
    opened.push(async () => {
      await uas.close();
      await sip.close();
    });

    const state = { closing: false };
    const metrics = new Registry();
    registerSipMetrics(metrics, {
      ...tallies,
      store: () => ({
        commits: store.stats.commits,
        units: store.stats.units,
        failed_commits: store.stats.failedCommits,
        overloaded: store.stats.overloaded,
      }),
      gauges: () => ({
        bindings: store.location.countCurrent(clock.now()),
        bans: guard.banCount,
        tcpConnections: sip.tcpConnections(),
        transactionsInProgress: transactions.inProgressCount,
        keptResponseBytes: transactions.keptBytes,
        queuedWrites: store.queued(),
      }),
    });
    const http = createHttpServer(
      HTTP_LIMITS,
      createHttpApp({
        accounts,
        admin,
        location,
        guard,
        clock,
        log,
        server: {
          version: VERSION,
          node: config.nodeName,
          startedAt,
          listeners: sip.list,
          algorithms: DIGEST_ALGORITHMS,
          configDigest: digestOf(config),
        },
        readiness: () => readiness(state.closing, store, config),
        metrics,
        cursorKey: deriveKey(masterKey, 'http-cursors'),
        idempotency: store.admin,
        settings: config.http,
      }),
    );
    http.maxConnections = HTTP_MAX_CONNECTIONS;
    const httpUrl = await listenHttp(http, config.http);
    opened.push(() => closeHttp(http));

    const timers = [
      repeat(log, SWEEP_INTERVAL_MS, () => location.removeExpired()),
      repeat(log, TRANSACTION_SWEEP_INTERVAL_MS, () => transactions.sweep(clock.now())),
      repeat(log, SWEEP_INTERVAL_MS, () => guard.sweep()),
      repeat(log, SUPPRESSED_INTERVAL_MS, () => guard.tellSuppressed()),
      repeat(log, USES_INTERVAL_MS, () => admin.recordUses()),
      repeat(log, IDEMPOTENCY_SWEEP_INTERVAL_MS, () =>
        store.admin.deleteExpiredIdempotentResponses(clock.now()),
      ),
    ];
    opened.push(async () => {
      for (const timer of timers) timer.stop();
      await Promise.all(timers.map((timer) => timer.idle()));
      await admin.recordUses();
      guard.tellSuppressed();
    });
    const resumed = await location.resumeDeregistrations();
    // Last of all: a start that fails must not use up the one showing of the first key.
    const firstApiKey = await admin.bootstrap(config.bootstrapApiKey);
    log.info({
      event: 'server.started',
      version: VERSION,
      http: httpUrl,
      sip: sip.list.map(({ transport, address, port }) => `${transport}:${address}:${port}`),
      migrated: store.migrated,
      deregistrations_resumed: resumed,
    });
    return {
      httpUrl,
      sip,
      firstApiKey,
      close: async () => {
        state.closing = true;
        await closeAll(opened);
        log.info({ event: 'server.stopped' });
      },
    };
  } catch (error) {
    await closeAll(opened);
    throw error;
  }
}

function openStore(config: Config, log: Log, clock: Clock, onLost: ServerParts['onStoreLost']): SqliteStore {
  try {
    return openSqliteStore({ ...config.store, clock, log, onLost });
  } catch (error) {
    if (error instanceof DatabaseRefused) throw new ConfigError('REGISTRAR_DATA_DIR', error.message);
    throw error;
  }
}

/** The master key; refused when the database holds secrets that it does not open. */
function unlock(config: Config, store: SqliteStore): Buffer {
  const keyIds = store.accounts.keyIdsInUse();
  const isNew = keyIds.length === 0 && store.admin.countApiKeys() === 0;
  const masterKey = loadMasterKey(config.encryption, isNew);
  const { keyId } = new SecretSeal(masterKey);
  if (keyIds.some((used) => used !== keyId)) throw wrongKey(config);
  return masterKey;
}

function wrongKey(config: Config): ConfigError {
  const setting = config.encryption.key === undefined ? 'REGISTRAR_KEY_FILE' : 'REGISTRAR_ENCRYPTION_KEY';
  return new ConfigError(setting, 'the database was made with another key; give it that one');
}

function countChanges(tally: Tally<string>, changes: readonly BindingChange[]): void {
  for (const change of changes) {
    tally.count(change.kind === 'removed' ? `removed_${change.cause}` : change.kind);
  }
}

function readiness(closing: boolean, store: SqliteStore, config: Config) {
  const checks = {
    shutdown: closing ? 'closing' : 'ok',
    database: existsSync(config.store.path) ? 'ok' : 'the database file is gone',
    disk: store.isSound() ? 'ok' : 'the disk has failed',
    writer: store.queued() < config.store.maxQueued ? 'ok' : 'the queue of writes is full',
  };
  return { ready: Object.values(checks).every((state) => state === 'ok'), checks };
}

/** Tells one configuration from another without telling what is in it. */
function digestOf(config: Config): string {
  const { bootstrapApiKey: _, encryption: __, ...shown } = config;
  return createHash('sha256').update(JSON.stringify(shown)).digest('hex').slice(0, 16);
}

async function listenHttp(server: HttpServer, { address, port }: Config['http']): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') {
        reject(new ConfigError('REGISTRAR_HTTP_PORT', `port ${port} on ${address} is taken`));
      } else if (error.code === 'EACCES') {
        reject(
          new ConfigError('REGISTRAR_HTTP_PORT', `port ${port} needs rights that this user does not have`),
        );
      } else {
        reject(new ConfigError('REGISTRAR_HTTP_HOST', `can't listen on ${address}: ${error.message}`));
      }
    });
    server.listen({ host: address, port }, () => resolve());
  });
  const bound = server.address();
  const boundPort = bound !== null && typeof bound === 'object' ? bound.port : port;
  return `http://${address.includes(':') ? `[${address}]` : address}:${boundPort}`;
}

async function closeHttp(server: HttpServer): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const forced = setTimeout(() => server.closeAllConnections(), HTTP_CLOSE_GRACE_MS);
  await closed;
  clearTimeout(forced);
}

/** Runs work again and again, never twice at a time; a failure is logged and the next turn tries anew. */
function repeat(log: Log, intervalMs: number, work: () => unknown) {
  let running: Promise<void> | undefined;
  const timer = setInterval(() => {
    running ??= Promise.resolve()
      .then(work)
      .then(
        () => undefined,
        (error: unknown) => log.error({ event: 'background.failed', err: error }),
      )
      .finally(() => {
        running = undefined;
      });
  }, intervalMs);
  timer.unref();
  return { stop: () => clearInterval(timer), idle: () => running ?? Promise.resolve() };
}

/** Closes in the reverse order of opening. */
async function closeAll(opened: (() => Promise<void> | void)[]): Promise<void> {
  for (let close = opened.pop(); close !== undefined; close = opened.pop()) await close();
}
