import { createHash } from 'node:crypto';
import type { CredentialSecret } from '../../src/accounts/credential.js';
import {
  type ChallengePolicy,
  type DigestAlgorithm,
  type Domain,
  type DomainSettings,
  defaultDomainSettings,
} from '../../src/accounts/domain.js';
import type { Subscriber, SubscriberCredential, SubscriberDirectory } from '../../src/accounts/subscriber.js';
import {
  type AuthenticationRequest,
  type AuthenticationResult,
  Authenticator,
  type AuthenticatorSettings,
  type Challenged,
} from '../../src/auth/authenticator.js';
import type { Clock, Instant } from '../../src/base/clock.js';

/*
 * A registrar's authentication with its surroundings: a clock that is set by hand, a directory of users with real
 * HA1s, and a client that computes its responses itself, by none of the code under test.
 */

export const START: Instant = 1_760_000_000_000;
export const REALM = 'example.com';
export const LIFETIME_SECONDS = 300;

export class VirtualClock implements Clock {
  constructor(public at: Instant = START) {}
  now(): Instant {
    return this.at;
  }
  advanceSeconds(seconds: number): void {
    this.at += seconds * 1000;
  }
}

const OPENSSL_NAMES = { MD5: 'md5', 'SHA-256': 'sha256', 'SHA-512-256': 'sha512-256' } as const;
const ALGORITHMS = ['SHA-512-256', 'SHA-256', 'MD5'] as const;

/** H over the octets of latin1 strings, joined by colons. */
export function h(algorithm: DigestAlgorithm, ...parts: readonly string[]): string {
  return createHash(OPENSSL_NAMES[algorithm])
    .update(Buffer.from(parts.join(':'), 'latin1'))
    .digest('hex');
}

export function utf8(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

export function secretOf(
  username: string,
  password: string,
  algorithms: readonly DigestAlgorithm[] = ALGORITHMS,
): CredentialSecret {
  const of = (name: string) =>
    Object.fromEntries(algorithms.map((a) => [a, h(a, utf8(name), REALM, utf8(password))]));
  return { ha1: of(username), ha1WithDomain: of(`${username}@example.com`) };
}

export function credentialOf(
  username: string,
  password: string,
  options: { id?: string; expiresAt?: Instant; algorithms?: readonly DigestAlgorithm[] } = {},
): SubscriberCredential {
  return {
    id: options.id ?? `crd_${username}`,
    expiresAt: options.expiresAt ?? null,
    secret: secretOf(username, password, options.algorithms),
  };
}

export function subscriberOf(
  username: string,
  credentials: readonly SubscriberCredential[],
  options: { expiresAt?: Instant } = {},
): Subscriber {
  return {
    userId: `usr_${username}`,
    username,
    domain: 'example.com',
    challenge: null,
    maxBindings: null,
    mayRegister: [],
    expiresAt: options.expiresAt ?? null,
    credentials,
  };
}

export function domainOf(settings: Partial<DomainSettings> = {}): Domain {
  return {
    ...defaultDomainSettings('example.com'),
    name: 'example.com',
    createdAt: START,
    updatedAt: START,
    revision: 1,
    ...settings,
  };
}

export interface Scene {
  readonly clock: VirtualClock;
  readonly domain: Domain;
  readonly authenticator: Authenticator;
  /** A REGISTER with these Authorization values. */
  register(authorizations: readonly string[], request?: Partial<AuthenticationRequest>): AuthenticationResult;
  /** The nonce of a fresh challenge. */
  nonce(): string;
}

export function scene(
  options: {
    subscribers?: readonly Subscriber[];
    policy?: ChallengePolicy | ((user: string) => ChallengePolicy);
    domain?: Partial<DomainSettings>;
    settings?: Partial<AuthenticatorSettings>;
    clock?: VirtualClock;
  } = {},
): Scene {
  const subscribers = options.subscribers ?? [subscriberOf('alice', [credentialOf('alice', 'open sesame')])];
  const byName = new Map(subscribers.map((subscriber) => [subscriber.username, subscriber]));
  const policy = options.policy ?? 'md5';
  const directory: SubscriberDirectory = {
    subscriber: (domain, user) => (domain === 'example.com' ? byName.get(user) : undefined),
    challengePolicy: (_domain, user) => (typeof policy === 'string' ? policy : policy(user)),
  };
  const clock = options.clock ?? new VirtualClock();
  const domain = domainOf(options.domain);
  const authenticator = new Authenticator(directory, clock, {
    nonceSecret: Buffer.alloc(32, 1),
    nonceLifetimeSeconds: LIFETIME_SECONDS,
    maxNonceCounts: 1000,
    ...options.settings,
  });
  const register: Scene['register'] = (authorizations, request = {}) =>
    authenticator.authenticate({
      method: 'REGISTER',
      requestUri: 'sip:example.com',
      authorizations,
      body: '',
      domain,
      toUser: 'alice',
      ...request,
    });
  return {
    clock,
    domain,
    authenticator,
    register,
    nonce: () => nonceOf(challenged(register([]))),
  };
}

export interface Answer {
  username: string;
  password: string;
  nonce: string;
  realm?: string;
  uri?: string;
  method?: string;
  algorithm?: DigestAlgorithm;
  /** null: no qop, nc and cnonce at all (RFC 2069). */
  qop?: string | null;
  nc?: string;
  cnonce?: string;
  body?: string;
  /** Replaces parameters by what is given, verbatim; undefined leaves one out. */
  written?: Readonly<Record<string, string | undefined>>;
}

/** The Authorization value of a client that has this password. */
export function answer(a: Answer): string {
  const algorithm = a.algorithm ?? 'MD5';
  const {
    realm = REALM,
    uri = 'sip:example.com',
    method = 'REGISTER',
    nc = '00000001',
    cnonce = '0a4f113b',
  } = a;
  const qop = a.qop === undefined ? 'auth' : a.qop;
  const ha1 = h(algorithm, utf8(a.username), realm, utf8(a.password));
  const ha2 =
    qop === 'auth-int' ? h(algorithm, method, uri, h(algorithm, a.body ?? '')) : h(algorithm, method, uri);
  const response =
    qop === null ? h(algorithm, ha1, a.nonce, ha2) : h(algorithm, ha1, a.nonce, nc, cnonce, qop, ha2);
  const parameters: Record<string, string | undefined> = {
    username: `"${utf8(a.username)}"`,
    realm: `"${realm}"`,
    nonce: `"${a.nonce}"`,
    uri: `"${uri}"`,
    response: `"${response}"`,
    algorithm,
    ...(qop === null ? {} : { qop, nc, cnonce: `"${cnonce}"` }),
    ...a.written,
  };
  const written = Object.entries(parameters).filter(([, value]) => value !== undefined);
  return `Digest ${written.map(([name, value]) => `${name}=${value}`).join(', ')}`;
}

export function challenged(result: AuthenticationResult): Challenged {
  if (result.kind !== 'challenge') throw new Error(`expected a challenge, got ${result.kind}`);
  return result;
}

export function nonceOf(result: Challenged): string {
  return /nonce="([^"]*)"/.exec(result.challenges[0] ?? '')?.[1] ?? '';
}

/** What a test usually asks: `authenticated` with the credential, or the reason, with `stale` when it is so. */
export function verdict(result: AuthenticationResult): string {
  if (result.kind === 'authenticated') return `authenticated ${result.credentialId}`;
  return result.stale ? `${result.reason} stale` : result.reason;
}
