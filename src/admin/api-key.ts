import type { Instant } from '../base/clock.js';
import type { Role, Scope } from './scope.js';

/** A key of the admin API, as it is listed: everything but the key itself, of which only the last four characters stay known. */
export interface ApiKey {
  readonly id: string;
  readonly label: string;
  readonly role: Role | null;
  /** Single grants beside the role's. */
  readonly scopes: readonly Scope[];
  /** Domains the key is confined to; empty means all. */
  readonly domains: readonly string[];
  /** Networks it may be used from, in CIDR notation; empty means any. */
  readonly allowedCidrs: readonly string[];
  readonly lastFour: string;
  readonly state: 'active' | 'revoked';
  readonly expiresAt: Instant | null;
  /** To within a minute. */
  readonly lastUsedAt: Instant | null;
  readonly createdAt: Instant;
  readonly updatedAt: Instant;
  readonly revision: number;
}

export interface ApiKeySettings {
  readonly label: string;
  readonly role: Role | null;
  readonly scopes: readonly Scope[];
  readonly domains: readonly string[];
  readonly allowedCidrs: readonly string[];
  readonly expiresAt: Instant | null;
}

/** A key just made: `key` is shown this once. */
export interface IssuedApiKey {
  readonly apiKey: ApiKey;
  readonly key: string;
}
