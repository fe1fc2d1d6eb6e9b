import type { Instant } from '../base/clock.js';

/** Digest algorithms in the order of strength, strongest first (RFC 8760 §2.3 lets the client pick the first it knows). */
export const DIGEST_ALGORITHMS = ['SHA-512-256', 'SHA-256', 'MD5'] as const;
export type DigestAlgorithm = (typeof DIGEST_ALGORITHMS)[number];

/**
 * Which challenge a 401 carries. One at a time by default, since no order of two suits every client; `all`
 * sends one WWW-Authenticate an algorithm, strongest first (RFC 8760).
 */
export const CHALLENGE_POLICIES = ['md5', 'sha-256', 'sha-512-256', 'all'] as const;
export type ChallengePolicy = (typeof CHALLENGE_POLICIES)[number];

/** What happens when a REGISTER would exceed the binding limit: 503 to the newcomer, or the oldest binding goes. */
export const OVERFLOW_POLICIES = ['reject', 'evict_oldest'] as const;
export type OverflowPolicy = (typeof OVERFLOW_POLICIES)[number];

/**
 * What a lower or equal CSeq under a known Call-ID means: always a late copy (`strict`), or a restarted phone
 * when its nonce is younger than the binding's last update (`fresh_nonce`).
 */
export const SEQUENCE_POLICIES = ['strict', 'fresh_nonce'] as const;
export type SequencePolicy = (typeof SEQUENCE_POLICIES)[number];

/**
 * What requests other than REGISTER to an address of the domain get: nothing but a 405, or the way to the user's
 * phones (302, RFC 3261 §8.3).
 */
export const ROUTING_POLICIES = ['off', 'redirect'] as const;
export type RoutingPolicy = (typeof ROUTING_POLICIES)[number];

/** A served SIP domain with the rules its registrations live by. Addressed by its immutable lower-case name. */
export interface Domain {
  readonly name: string;
  /** Other host names that count as this domain in a Request-URI, To or From. */
  readonly aliases: readonly string[];
  readonly realm: string;
  /** For which algorithms new credentials store an HA1. */
  readonly algorithms: readonly DigestAlgorithm[];
  readonly challenge: ChallengePolicy;
  /** Whether a response without qop (RFC 2069) is taken. */
  readonly allowNoQop: boolean;
  readonly minExpiresSeconds: number;
  readonly defaultExpiresSeconds: number;
  readonly maxExpiresSeconds: number;
  readonly maxBindingsPerUser: number;
  readonly overflow: OverflowPolicy;
  readonly sequence: SequencePolicy;
  readonly routing: RoutingPolicy;
  /** How many users the domain may have; null is no limit. */
  readonly maxUsers: number | null;
  readonly createdAt: Instant;
  readonly updatedAt: Instant;
  /** Rises by one with each change; the ETag. */
  readonly revision: number;
}

export type DomainSettings = Omit<Domain, 'name' | 'createdAt' | 'updatedAt' | 'revision'>;

/** The settings of a domain that says nothing but its name (REGISTRAR.md R2–R4). */
export function defaultDomainSettings(name: string): DomainSettings {
  return {
    aliases: [],
    realm: name,
    algorithms: DIGEST_ALGORITHMS,
    challenge: 'md5',
    allowNoQop: false,
    minExpiresSeconds: 60,
    defaultExpiresSeconds: 3600,
    maxExpiresSeconds: 86_400,
    maxBindingsPerUser: 10,
    overflow: 'reject',
    sequence: 'strict',
    routing: 'off',
    maxUsers: null,
  };
}

export interface DomainFilter {
  /** Prefix search over the name. */
  readonly q?: string | undefined;
  /** Only these domains: what a confined API key may see. */
  readonly confinedTo?: readonly string[] | undefined;
}

export const DOMAIN_SORT_FIELDS = ['name', 'created_at'] as const;
export type DomainSortField = (typeof DOMAIN_SORT_FIELDS)[number];
