import type { Instant } from '../base/clock.js';
import type { Network } from './network.js';

/** How long a ban by an operator may last: one year. What is to be kept out for good belongs in a firewall. */
export const MAX_BAN_SECONDS = 31_536_000;
/** Wider networks than these are slips of the pen. */
export const MIN_PREFIX: Readonly<Record<Network['family'], number>> = { 4: 8, 6: 16 };
/** Bans by operators there may be at a time, and bans by the guard itself. */
export const MAX_MANUAL_BANS = 10_000;
export const MAX_AUTOMATIC_BANS = 10_000;

/** What a ban holds for: everything, one domain, or one user (or whom a stranger takes for one) of a domain. */
export interface BanScope {
  readonly domain: string | null;
  /** As claimed in the digest username, without `@domain`, or in To; only with a domain. */
  readonly username: string | null;
}

/** A network that is refused until then. */
export interface Ban extends BanScope {
  readonly id: string;
  /** `manual` ones are on disk; `automatic` ones live in memory and end with the process. */
  readonly kind: 'manual' | 'automatic';
  readonly network: Network;
  /** Why, for people. */
  readonly reason: string | null;
  readonly createdAt: Instant;
  readonly expiresAt: Instant;
  /** The API key that asked for it; null for automatic ones. */
  readonly createdBy: string | null;
}

/** A ban with what it has done since it was made, or since the server started. */
export interface CountedBan extends Ban {
  readonly refusedRequests: number;
}

/** What an operator asks for. */
export interface NewBan extends BanScope {
  readonly network: Network;
  readonly seconds: number;
  readonly reason: string | null;
  readonly createdBy: string;
}

export type BanRefusalCode = 'ban_exists' | 'ban_limit' | 'ban_not_found' | 'network_too_wide';

/** Which bans to list; all given conditions hold. */
export interface BanFilter {
  readonly kind?: Ban['kind'] | undefined;
  /** Bans that an address within this network would meet. */
  readonly covering?: Network | undefined;
  readonly domain?: string | undefined;
  /** Only bans that hold within these domains alone: what a confined API key may see. */
  readonly confinedTo?: readonly string[] | undefined;
}
