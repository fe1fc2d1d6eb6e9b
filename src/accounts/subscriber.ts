import type { Instant } from '../base/clock.js';
import type { CredentialSecret } from './credential.js';
import type { ChallengePolicy } from './domain.js';

/** A user as authentication sees it: whom a digest username names, and the secrets to verify against. */
export interface Subscriber {
  readonly userId: string;
  readonly username: string;
  readonly domain: string;
  readonly challenge: ChallengePolicy | null;
  readonly maxBindings: number | null;
  /** Addresses-of-record of others, as printAddressOfRecord gives them, that this user may register. */
  readonly mayRegister: readonly string[];
  readonly expiresAt: Instant | null;
  /** Active credentials with that digest username, at most MAX_ACTIVE_CREDENTIALS; expiry not yet applied. */
  readonly credentials: readonly SubscriberCredential[];
}

export interface SubscriberCredential {
  readonly id: string;
  readonly expiresAt: Instant | null;
  readonly secret: CredentialSecret;
}

/**
 * Finds who may be behind a digest username (without `@domain`) of a domain. Synchronous, because it stands on
 * the way of every REGISTER; implementations keep a bounded view that each commit keeps true.
 */
export interface SubscriberDirectory {
  subscriber(domain: string, authUsername: string): Subscriber | undefined;
  /**
   * The challenge policy for a digest username or the user of a To header; answers alike for users who exist
   * and who don't, so that a policy set on one user does not tell a stranger that the user exists.
   */
  challengePolicy(domain: string, authUsername: string): ChallengePolicy;
}
