import type { Instant } from '../base/clock.js';
import type { ChallengePolicy } from './domain.js';

/** An account in a domain: the owner of one address-of-record, `sip:username@domain`. */
export interface User {
  readonly id: string;
  readonly username: string;
  readonly domain: string;
  readonly displayName: string | null;
  readonly state: 'active';
  readonly tags: readonly string[];
  readonly externalId: string | null;
  /** Binding limit of this user over the domain's; null takes the domain's. */
  readonly maxBindings: number | null;
  /** Challenge policy of this user over the domain's; null takes the domain's. */
  readonly challenge: ChallengePolicy | null;
  /** Addresses-of-record of others that this user may register (third-party registration, RFC 3261 §10.2). */
  readonly mayRegister: readonly string[];
  /** From then on the account no longer authenticates; null is never. */
  readonly expiresAt: Instant | null;
  /** Until then every REGISTER for this user is refused with 403 (forced deregistration, mode `block`). */
  readonly blockedUntil: Instant | null;
  readonly registration: RegistrationSummary;
  readonly createdAt: Instant;
  readonly updatedAt: Instant;
  readonly revision: number;
}

export interface RegistrationSummary {
  readonly state: 'registered' | 'not_registered' | 'never_registered';
  /** Current bindings, expired ones not counted. */
  readonly bindings: number;
  readonly lastRegisteredAt: Instant | null;
}

/** What an operator may set on a user, at creation and later. */
export interface UserSettings {
  readonly displayName: string | null;
  readonly tags: readonly string[];
  readonly externalId: string | null;
  readonly maxBindings: number | null;
  readonly challenge: ChallengePolicy | null;
  readonly mayRegister: readonly string[];
  readonly expiresAt: Instant | null;
}

export const DEFAULT_USER_SETTINGS: UserSettings = {
  displayName: null,
  tags: [],
  externalId: null,
  maxBindings: null,
  challenge: null,
  mayRegister: [],
  expiresAt: null,
};

export interface UserFilter {
  /** Only in these domains: what a confined API key may see. */
  readonly confinedTo?: readonly string[] | undefined;
  readonly domain?: string | undefined;
  /** `sip:alice@example.com` or `alice@example.com`. */
  readonly aor?: string | undefined;
  readonly usernamePrefix?: string | undefined;
  readonly registered?: boolean | undefined;
  readonly tag?: string | undefined;
  readonly externalId?: string | undefined;
  readonly expiresBefore?: Instant | undefined;
  /** Prefix search over username, display name and external id. */
  readonly q?: string | undefined;
}

export const USER_SORT_FIELDS = ['username', 'created_at', 'updated_at'] as const;
export type UserSortField = (typeof USER_SORT_FIELDS)[number];
