import { MAX_ACTIVE_CREDENTIALS } from '../accounts/credential.js';
import type { DigestAlgorithm, Domain } from '../accounts/domain.js';
import type { Subscriber, SubscriberCredential } from '../accounts/subscriber.js';
import type { Instant } from '../base/clock.js';
import { dummyHa1 } from './digest.js';

/** Whom a digest username names, within a domain. */
export interface ClaimedUser {
  readonly authUsername: string;
  /** The client put `@domain` into the digest username, and therefore into its HA1. */
  readonly isWithDomain: boolean;
}

/** Why no credential is behind a response. */
export type MismatchReason =
  | 'unknown_user'
  | 'wrong_password'
  | 'no_secret_for_algorithm'
  | 'account_expired'
  | 'credential_expired';

export type Match =
  | { readonly kind: 'right'; readonly subscriber: Subscriber; readonly credential: SubscriberCredential }
  | { readonly kind: 'wrong'; readonly reason: MismatchReason };

/** Whom `alice`, `alice@example.com` or `alice@alias.example.com` names; letter case matters in the user part only. */
export function claimedUser(username: string, domain: Domain): ClaimedUser {
  const at = username.lastIndexOf('@');
  if (at === -1) return { authUsername: username, isWithDomain: false };
  const host = username.slice(at + 1).toLowerCase();
  if (host === domain.name || domain.aliases.includes(host)) {
    return { authUsername: username.slice(0, at), isWithDomain: true };
  }
  return { authUsername: username, isWithDomain: false };
}

/**
 * Looks for the credential that a response was made with. A response that fits none costs exactly
 * MAX_ACTIVE_CREDENTIALS computations, whoever is or is not behind the username: what is missing is done with an
 * HA1 of nobody. Anything less would tell by its time who exists, or how many credentials somebody has. A right
 * response stops at once, which tells no more than its answer does.
 */
export function matchCredential(
  subscriber: Subscriber | undefined,
  claimed: ClaimedUser,
  algorithm: DigestAlgorithm,
  isRight: (ha1Hex: string) => boolean,
  now: Instant,
): Match {
  let computed = 0;
  let reason: MismatchReason | undefined;
  if (subscriber !== undefined) {
    for (const credential of subscriber.credentials) {
      const { ha1, ha1WithDomain } = credential.secret;
      const ha1Hex = (claimed.isWithDomain ? ha1WithDomain : ha1)[algorithm];
      if (ha1Hex === undefined) continue;
      if (computed === MAX_ACTIVE_CREDENTIALS) break;
      computed += 1;
      if (!isRight(ha1Hex)) continue;
      if (isPast(subscriber.expiresAt, now)) reason = 'account_expired';
      else if (isPast(credential.expiresAt, now)) reason ??= 'credential_expired';
      else return { kind: 'right', subscriber, credential };
    }
    reason ??= computed === 0 ? 'no_secret_for_algorithm' : 'wrong_password';
  }
  for (; computed < MAX_ACTIVE_CREDENTIALS; computed++) isRight(dummyHa1(algorithm));
  return { kind: 'wrong', reason: reason ?? 'unknown_user' };
}

function isPast(expiresAt: Instant | null, now: Instant): boolean {
  return expiresAt !== null && expiresAt <= now;
}
