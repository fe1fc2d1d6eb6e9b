import type { Instant } from '../base/clock.js';
import type { TransportName } from '../location/binding.js';
import type { Network } from './network.js';

/**
 * Why a REGISTER was refused. Every word that the registrar has for it stands here, or it does not compile: an
 * operator who asks why a phone can't register is told in sentences, and each needs its own.
 */
export const ATTEMPT_REASONS = [
  'wrong_password',
  'unknown_user',
  'no_secret_for_algorithm',
  'account_expired',
  'credential_expired',
  'algorithm_not_offered',
  'qop_missing',
  'qop_unsupported',
  'uri_mismatch',
  'malformed_credentials',
  'nonce_expired',
  'nonce_foreign',
  'nonce_forgotten',
  'nonce_replayed',
  'banned',
  'blocked',
  'not_authorized',
  'account_closed',
  'domain_not_served',
  'aor_not_in_domain',
  'interval_too_brief',
  'too_many_bindings',
  'too_many_contacts',
  'contact_loops',
  'unsupported_body',
  'call_script_invalid',
  'out_of_order',
  'extension_required',
  'malformed_request',
  'store_overloaded',
  'store_failed',
] as const;
export type AttemptReason = (typeof ATTEMPT_REASONS)[number];

/** A right password over a nonce that is no longer good: phones try again by themselves, so these are no failures. */
const STALE_REASONS: readonly AttemptReason[] = [
  'nonce_expired',
  'nonce_foreign',
  'nonce_forgotten',
  'nonce_replayed',
];

export function isStaleNonce(reason: AttemptReason): boolean {
  return STALE_REASONS.includes(reason);
}

/** What more there is to say about a reason; each goes with some reasons only. */
export interface AttemptFacts {
  /** Digest algorithms the challenge offers, and the one the phone answered with (`MD5` when it named none). */
  readonly offeredAlgorithms?: readonly string[] | undefined;
  readonly answeredAlgorithm?: string | undefined;
  readonly bindingLimit?: number | undefined;
  readonly minExpiresSeconds?: number | undefined;
  readonly askedSeconds?: number | undefined;
  readonly blockedUntil?: Instant | undefined;
  readonly banId?: string | undefined;
  readonly bannedUntil?: Instant | undefined;
  /** What about the request could not be read. */
  readonly fault?: string | undefined;
}

/** A refused registration as the registrar reports it. Texts off the wire are octet strings of any length. */
export interface NewAttempt {
  readonly reason: AttemptReason;
  /** The status that was answered. */
  readonly status: number;
  readonly transport: TransportName;
  readonly ip: string;
  readonly port: number;
  /** The digest username claimed, as text; null when there was none. */
  readonly username: string | null;
  /** Who is behind that username; null when nobody is, or nobody looked. */
  readonly userId: string | null;
  /** The address-of-record in To, `sip:alice@example.com`, or To as sent when it is none. */
  readonly aor: string;
  /** The served domain of the Request-URI, or its host when that is not served. */
  readonly domain: string;
  readonly userAgent: string | null;
  readonly callId: string;
  readonly facts: AttemptFacts;
}

/** Refusals alike from one source within a short time, as one record: the latest of them, and how many. */
export interface Attempt extends NewAttempt {
  readonly id: string;
  readonly count: number;
  readonly firstSeenAt: Instant;
  readonly lastSeenAt: Instant;
}

/** Which attempts to list; all given conditions hold. */
export interface AttemptFilter {
  readonly from?: Network | undefined;
  readonly aor?: string | undefined;
  /** With or without `@domain`. */
  readonly username?: string | undefined;
  /** The domain asked, or the one of the address-of-record. */
  readonly domain?: string | undefined;
  /** Without it, stale nonces are left out. */
  readonly reason?: AttemptReason | undefined;
  /** Last seen then or later. */
  readonly since?: Instant | undefined;
  /** Only of these domains: what a confined API key may see. */
  readonly confinedTo?: readonly string[] | undefined;
}

/** A user as attempts know one: by whom a username leads to, or by the addresses-of-record. */
export interface AttemptOwner {
  readonly userId: string;
  /** `sip:alice@example.com`, and the same under each alias of the domain. */
  readonly aors: readonly string[];
}
