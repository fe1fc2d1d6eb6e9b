import type { Registry } from 'prom-client';
import type { AccountService } from '../accounts/account-service.js';
import type { DigestAlgorithm } from '../accounts/domain.js';
import type { AdminService } from '../admin/admin-service.js';
import type { AdminStore } from '../admin/admin-store.js';
import type { Clock, Instant } from '../base/clock.js';
import type { Log } from '../base/log.js';
import type { Guard } from '../guard/guard.js';
import type { LocationService } from '../location/location-service.js';

/** What is known about the running server; the answer of GET /v1/server. */
export interface ServerInfo {
  readonly version: string;
  readonly node: string;
  readonly startedAt: Instant;
  readonly listeners: readonly {
    readonly transport: string;
    readonly address: string;
    readonly port: number;
  }[];
  readonly algorithms: readonly DigestAlgorithm[];
  /** Changes when the configuration does; tells nothing of it. */
  readonly configDigest: string;
}

/** Whether the server takes part, and the state of each thing that depends on, by name. */
export interface Readiness {
  readonly ready: boolean;
  readonly checks: Readonly<Record<string, string>>;
}

/** Where answers to repeatable requests are kept; whoever owns the store forgets the expired ones. */
export type IdempotencyStore = Pick<AdminStore, 'idempotentResponse' | 'saveIdempotentResponse'>;

export interface HttpSettings {
  /** Requests an API key may make within a minute. */
  readonly rateLimitPerMinute: number;
  /** Refused API keys one address may present within a minute before it is refused unheard. */
  readonly failedAuthLimitPerMinute: number;
  /** Longest body taken, in bytes, after decompression. */
  readonly maxBodyBytes: number;
  /** Whether /docs is served. */
  readonly swaggerUi: boolean;
  /** Whether PATCH and DELETE of a resource with a revision insist on If-Match. */
  readonly requireIfMatch: boolean;
  /** Whether /metrics is served without a key. */
  readonly publicMetrics: boolean;
  /** Which proxies' X-Forwarded-For is believed: Express's `trust proxy` (false, a hop count, or networks). */
  readonly trustProxy: boolean | number | string;
}

/** What the HTTP face stands on. */
export interface HttpDeps {
  readonly accounts: AccountService;
  readonly admin: AdminService;
  readonly location: LocationService;
  readonly guard: Guard;
  readonly clock: Clock;
  readonly log: Log;
  readonly server: ServerInfo;
  readonly readiness: () => Readiness;
  readonly metrics: Registry;
  /** 32 bytes, kept over restarts: signs list cursors, and keys the hashes of Idempotency-Keys. */
  readonly cursorKey: Uint8Array;
  readonly idempotency: IdempotencyStore;
  readonly settings: HttpSettings;
}
