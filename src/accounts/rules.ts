import { Refusal } from '../base/refusal.js';
import type { AccountRefusal } from './account-store.js';
import type { ChallengePolicy, Domain } from './domain.js';

/** Longest host name a domain can have (RFC 1035 §2.3.4). */
export const MAX_HOST_LENGTH = 255;
/** Longest username and digest username, in characters. */
export const MAX_USERNAME_LENGTH = 64;
export const MIN_PASSWORD_LENGTH = 12;
export const MAX_PASSWORD_LENGTH = 256;
/** No domain may allow more bindings a user than that: it bounds the work and the size of one 200 OK. */
export const MAX_BINDINGS_LIMIT = 100;

// The unreserved and user-unreserved characters of RFC 3261 §25.1 that no phone's input mask gets wrong.
const USERNAME = /^[A-Za-z0-9\-_.!~*'()&=+$,;?/]+$/;

/** Undefined when the name can be the user part of an address-of-record and a digest username. */
export function checkUsername(username: string, pointer = '/username'): AccountRefusal | undefined {
  if (username.length > MAX_USERNAME_LENGTH || !USERNAME.test(username)) {
    return new Refusal(
      'username_invalid',
      `A username has 1 to ${MAX_USERNAME_LENGTH} of the characters A-Z a-z 0-9 - _ . ! ~ * ' ( ) & = + $ , ; ? /`,
      pointer,
    );
  }
  return undefined;
}

/** Undefined when the password is long enough and not the username over again. */
export function checkPassword(password: string, authUsername: string): AccountRefusal | undefined {
  if (password.length < MIN_PASSWORD_LENGTH || password.length > MAX_PASSWORD_LENGTH) {
    return new Refusal(
      'password_too_weak',
      `A password has ${MIN_PASSWORD_LENGTH} to ${MAX_PASSWORD_LENGTH} characters.`,
      '/password',
    );
  }
  if (password.toLowerCase().includes(authUsername.toLowerCase()) && authUsername.length >= 4) {
    return new Refusal('password_too_weak', 'The password contains the username.', '/password');
  }
  return undefined;
}

/** Undefined when the settings of a domain agree with each other. */
export function checkDomainSettings(domain: Domain): AccountRefusal | undefined {
  const { minExpiresSeconds: min, defaultExpiresSeconds: standard, maxExpiresSeconds: max } = domain;
  if (min > standard || standard > max) {
    return new Refusal(
      'domain_settings_invalid',
      `min_expires_seconds (${min}) ≤ default_expires_seconds (${standard}) ≤ max_expires_seconds (${max}) does not hold.`,
      '/default_expires_seconds',
    );
  }
  if (!canChallenge(domain, domain.challenge)) {
    return new Refusal(
      'domain_settings_invalid',
      `The challenge ${domain.challenge} needs an algorithm that is not among the domain's.`,
      '/challenge',
    );
  }
  if (domain.aliases.includes(domain.name)) {
    return new Refusal('domain_alias_in_use', 'A domain is no alias of itself.', '/aliases');
  }
  return undefined;
}

/** Undefined when the domain has what a user's own challenge policy needs; otherwise no phone could answer it. */
export function checkUserChallenge(
  domain: Domain,
  challenge: ChallengePolicy | null,
): AccountRefusal | undefined {
  if (challenge === null || canChallenge(domain, challenge)) return undefined;
  return new Refusal(
    'algorithm_not_enabled',
    `The challenge ${challenge} needs an algorithm that is not among the domain's.`,
    '/challenge',
  );
}

function canChallenge(domain: Domain, challenge: ChallengePolicy): boolean {
  if (domain.algorithms.length === 0) return false;
  const needed = { md5: 'MD5', 'sha-256': 'SHA-256', 'sha-512-256': 'SHA-512-256', all: undefined } as const;
  const algorithm = needed[challenge];
  return algorithm === undefined || domain.algorithms.includes(algorithm);
}
