import type { Credential } from '../accounts/credential.js';
import {
  type ChallengePolicy,
  DIGEST_ALGORITHMS,
  type DigestAlgorithm,
  type Domain,
} from '../accounts/domain.js';
import type { Subscriber, SubscriberDirectory } from '../accounts/subscriber.js';
import type { Clock, Instant } from '../base/clock.js';
import { type DigestCredentials, parseDigestCredentials } from '../sip/grammar/headers/authorization.js';
import { quote } from '../sip/grammar/params.js';
import { isParseError } from '../sip/grammar/sip-parse-error.js';
import { parseUri, sameUri } from '../sip/grammar/uri.js';
import { claimedUser, matchCredential } from './credential-match.js';
import { ha2, ha2WithBody, isSameResponse, type Protection, parseAlgorithm, response } from './digest.js';
import { NonceMint } from './nonce.js';
import { NonceCounts } from './nonce-counts.js';
import { octetsOf, textOf } from './octets.js';

/** What of a request bears on who sent it. Strings off the wire are octet strings: one character an octet. */
export interface AuthenticationRequest {
  readonly method: string;
  readonly requestUri: string;
  /** The values of all Authorization header fields. */
  readonly authorizations: readonly string[];
  readonly body: string;
  /** The domain of the Request-URI: its realm is ours. */
  readonly domain: Domain;
  /** The user part of To, unescaped: whose challenge policy applies when no credentials came. */
  readonly toUser: string;
}

/** Why a request was challenged. For operators; a client is told no more than `stale`. */
export type ChallengeReason =
  | 'no_credentials'
  | 'malformed_credentials'
  | 'algorithm_not_offered'
  | 'qop_missing'
  | 'qop_unsupported'
  | 'uri_mismatch'
  | 'unknown_user'
  | 'wrong_password'
  /** The user has no HA1 for the algorithm of the response: a password must be set anew. */
  | 'no_secret_for_algorithm'
  /** The password was right, but the account's time is up. */
  | 'account_expired'
  /** The password was right once, but that credential's time is up. */
  | 'credential_expired'
  | 'nonce_foreign'
  | 'nonce_expired'
  | 'nonce_replayed'
  | 'nonce_forgotten';

/** A response that was computed and fits no credential: a wrong password, whoever is or is not behind the name. */
export interface WrongResponse {
  /** The digest username, as text and without `@domain`. */
  readonly username: string;
  /** The response as sent. */
  readonly response: string;
}

export interface Authenticated {
  readonly kind: 'authenticated';
  readonly subscriber: Subscriber;
  /** The digest username, as text and without `@domain`. */
  readonly authUsername: string;
  readonly credentialId: Credential['id'];
  readonly nonceIssuedAt: Instant;
  /** Others in the same request that were wrong: guesses may hide beside a right one. */
  readonly wrongResponses: readonly WrongResponse[];
}

export interface Challenged {
  readonly kind: 'challenge';
  readonly reason: ChallengeReason;
  /** The response was right and only the nonce was not: RFC 7616 §3.3. Not a failed password. */
  readonly stale: boolean;
  /** WWW-Authenticate values, strongest first, to be sent as one header field each (RFC 8760 §2.1). */
  readonly challenges: readonly string[];
  /** The digest username claimed, as text and with its `@domain` if it had one; undefined when there was none. */
  readonly username: string | undefined;
  /** The same without `@domain`. */
  readonly authUsername: string | undefined;
  /** The algorithms offered, strongest first, and what the client named; undefined when it named none. */
  readonly offered: readonly DigestAlgorithm[];
  readonly answered: string | undefined;
  readonly wrongResponses: readonly WrongResponse[];
}

export type AuthenticationResult = Authenticated | Challenged;

export interface AuthenticatorSettings {
  /** 32 octets known to this server alone. */
  readonly nonceSecret: Uint8Array;
  readonly nonceLifetimeSeconds: number;
  /** How many nonces in use are remembered at most; about 200 octets each. */
  readonly maxNonceCounts: number;
}

/**
 * Decides who sent a request, by digest (RFC 3261 §22, RFC 7616, RFC 8760). It decides and returns; sending the
 * 401 is for others. Whatever a client sends, it throws nothing.
 *
 * A stranger learns nothing from it: for an unknown user, a wrong password, an expired credential and an expired
 * account the answer is the same 401 after the same number of hash computations.
 */
export class Authenticator {
  private readonly mint: NonceMint;
  private readonly counts: NonceCounts;

  /** @throws RangeError when the nonce secret is not 32 octets or `maxNonceCounts` not a positive integer */
  constructor(
    private readonly directory: SubscriberDirectory,
    private readonly clock: Clock,
    settings: AuthenticatorSettings,
  ) {
    this.mint = new NonceMint(settings.nonceSecret, settings.nonceLifetimeSeconds);
    // The secret may outlive the process, the counts do not: nonces of an earlier life must not count anew.
    this.counts = new NonceCounts(settings.maxNonceCounts, clock.now());
  }

  /** Authenticates the request, or says how to challenge it. A right response uses up its nc. */
  authenticate(request: AuthenticationRequest): AuthenticationResult {
    const now = this.clock.now();
    const realm = octetsOf(request.domain.realm);
    let refusal: Refused | undefined;
    let isMalformed = false;
    let considered = 0;
    let wrong = NONE_WRONG;
    for (const value of request.authorizations) {
      const credentials = parseDigestCredentials(value);
      if (credentials === undefined) continue;
      if (isParseError(credentials)) {
        isMalformed = true;
        continue;
      }
      if (credentials.realm !== realm) continue;
      const verdict = this.verify(request, credentials, now);
      if (verdict.kind === 'authenticated') return { ...verdict, wrongResponses: wrong };
      if (isWrongResponse(verdict.reason)) {
        wrong = [...wrong, { username: verdict.authUsername, response: credentials.response }];
      }
      if (refusal === undefined || (verdict.stale && !refusal.stale)) refusal = verdict;
      considered += 1;
      if (considered === MAX_CREDENTIALS_CONSIDERED) break;
    }
    refusal ??= {
      kind: 'refused',
      reason: isMalformed ? 'malformed_credentials' : 'no_credentials',
      stale: false,
      username: undefined,
      authUsername: textOf(request.toUser),
      answered: undefined,
    };
    return this.challenge(request.domain, refusal, wrong, now);
  }

  /** The digest usernames, without `@domain`, that `authenticate` would look at for this domain; computes nothing. */
  claimedUsers(authorizations: readonly string[], domain: Domain): readonly string[] {
    const realm = octetsOf(domain.realm);
    const claimed: string[] = [];
    for (const value of authorizations) {
      const credentials = parseDigestCredentials(value);
      if (credentials === undefined || isParseError(credentials) || credentials.realm !== realm) continue;
      claimed.push(claimedUser(textOf(credentials.username), domain).authUsername);
      if (claimed.length === MAX_CREDENTIALS_CONSIDERED) break;
    }
    return claimed;
  }

  private challenge(
    domain: Domain,
    refusal: Refused,
    wrongResponses: readonly WrongResponse[],
    now: Instant,
  ): Challenged {
    const policy = this.directory.challengePolicy(domain.name, refusal.authUsername);
    const offered = offeredAlgorithms(policy, domain);
    const nonce = this.mint.mint(now);
    const realm = quote(octetsOf(domain.realm));
    // Several challenges go without blanks: over UDP the answer may not be much longer than the question.
    const comma = offered.length > 1 ? ',' : ', ';
    const stale = refusal.stale ? `${comma}stale=true` : '';
    return {
      kind: 'challenge',
      reason: refusal.reason,
      stale: refusal.stale,
      challenges: offered.map(
        (algorithm) =>
          `Digest realm=${realm}${comma}nonce="${nonce}"${comma}algorithm=${algorithm}${comma}qop="auth"${stale}`,
      ),
      username: refusal.username,
      authUsername: refusal.username === undefined ? undefined : refusal.authUsername,
      offered,
      answered: refusal.answered,
      wrongResponses,
    };
  }

  /** The order matters: nothing that depends on whether the user exists comes before the hashes are computed. */
  private verify(
    request: AuthenticationRequest,
    credentials: DigestCredentials,
    now: Instant,
  ): Omit<Authenticated, 'wrongResponses'> | Refused {
    const { domain } = request;
    const username = textOf(credentials.username);
    const claimed = claimedUser(username, domain);
    const refuse = (reason: ChallengeReason, stale = false): Refused => ({
      kind: 'refused',
      reason,
      stale,
      username,
      authUsername: claimed.authUsername,
      answered: credentials.algorithm,
    });

    const algorithm = parseAlgorithm(credentials.algorithm);
    const policy = this.directory.challengePolicy(domain.name, claimed.authUsername);
    if (algorithm === undefined || !offeredAlgorithms(policy, domain).includes(algorithm)) {
      return refuse('algorithm_not_offered');
    }
    const protection = protectionOf(credentials);
    if (typeof protection === 'string') return refuse(protection);
    if (protection === undefined && !domain.allowNoQop) return refuse('qop_missing');
    if (!isRequestUri(credentials.uri, request.requestUri)) return refuse('uri_mismatch');

    const subscriber = this.directory.subscriber(domain.name, claimed.authUsername);
    const hashed2 = isIntegrityProtected(protection)
      ? ha2WithBody(algorithm, request.method, credentials.uri, request.body)
      : ha2(algorithm, request.method, credentials.uri);
    const isRight = (ha1Hex: string): boolean =>
      isSameResponse(
        response(algorithm, ha1Hex, credentials.nonce, protection, hashed2),
        credentials.response,
      );
    const match = matchCredential(subscriber, claimed, algorithm, isRight, now);
    if (match.kind === 'wrong') return refuse(match.reason);

    const nonce = this.useNonce(credentials.nonce, protection, now);
    if (nonce.kind === 'stale') return refuse(nonce.reason, true);
    return {
      kind: 'authenticated',
      subscriber: match.subscriber,
      authUsername: claimed.authUsername,
      credentialId: match.credential.id,
      nonceIssuedAt: nonce.issuedAt,
    };
  }

  /** Takes the nc of a response that is right; nothing else may, or a stranger could use up others' nonces. */
  private useNonce(nonce: string, protection: Protection | undefined, now: Instant): NonceUse {
    // A nonce that has a count was authentic when it got it, so only its age is left to check.
    let issuedAt = this.counts.issuedAt(nonce);
    if (issuedAt === undefined) {
      const opened = this.mint.open(nonce, now);
      if (opened.kind === 'foreign') return { kind: 'stale', reason: 'nonce_foreign' };
      issuedAt = opened.issuedAt;
    }
    if (this.mint.isExpired(issuedAt, now)) return { kind: 'stale', reason: 'nonce_expired' };
    if (protection === undefined && this.counts.isKnown(nonce)) {
      return { kind: 'stale', reason: 'nonce_replayed' };
    }
    // Without qop there is no count to rise, so the nonce serves once and is used up to its last nc.
    const nc = protection === undefined ? MAX_NC : Number.parseInt(protection.nc, 16);
    switch (this.counts.claim(nonce, issuedAt, nc)) {
      case 'replayed':
        return { kind: 'stale', reason: 'nonce_replayed' };
      case 'forgotten':
        return { kind: 'stale', reason: 'nonce_forgotten' };
      case 'accepted':
        return { kind: 'used', issuedAt };
    }
  }
}

interface Refused {
  readonly kind: 'refused';
  readonly reason: ChallengeReason;
  readonly stale: boolean;
  readonly username: string | undefined;
  /** Whose policy the next challenge follows: the user claimed, or the one in To when none was. */
  readonly authUsername: string;
  readonly answered: string | undefined;
}

type NonceUse =
  | { readonly kind: 'used'; readonly issuedAt: Instant }
  | {
      readonly kind: 'stale';
      readonly reason: 'nonce_foreign' | 'nonce_expired' | 'nonce_replayed' | 'nonce_forgotten';
    };

const NONE_WRONG: readonly WrongResponse[] = [];

/** Whether a response was computed and fits no credential; to a stranger these three look alike. */
function isWrongResponse(reason: ChallengeReason): boolean {
  return reason === 'wrong_password' || reason === 'unknown_user' || reason === 'no_secret_for_algorithm';
}

/** One for each algorithm a client may have been offered; more from one request are not worth the work. */
const MAX_CREDENTIALS_CONSIDERED = DIGEST_ALGORITHMS.length;
const MAX_NC = 0xffff_ffff;
const NC = /^[0-9a-f]{8}$/i;

const SINGLE_OFFERS: Readonly<Record<Exclude<ChallengePolicy, 'all'>, readonly DigestAlgorithm[]>> = {
  md5: ['MD5'],
  'sha-256': ['SHA-256'],
  'sha-512-256': ['SHA-512-256'],
};

function offeredAlgorithms(policy: ChallengePolicy, domain: Domain): readonly DigestAlgorithm[] {
  if (policy !== 'all') return SINGLE_OFFERS[policy];
  return DIGEST_ALGORITHMS.filter((algorithm) => domain.algorithms.includes(algorithm));
}

/** The protection of a response, undefined when it has none (RFC 2069), or what is wrong with it. */
function protectionOf(
  credentials: DigestCredentials,
): Protection | undefined | 'qop_unsupported' | 'malformed_credentials' {
  const { qop, nc, cnonce } = credentials;
  if (qop === undefined) return undefined;
  const kind = qop.toLowerCase();
  if (kind !== 'auth' && kind !== 'auth-int') return 'qop_unsupported';
  if (cnonce === undefined || nc === undefined || !NC.test(nc)) return 'malformed_credentials';
  return { qop, nc, cnonce };
}

function isIntegrityProtected(protection: Protection | undefined): boolean {
  return protection !== undefined && protection.qop.toLowerCase() === 'auth-int';
}

/** Whether a response was made for this Request-URI: RFC 7616 §3.4.6, with the equality of RFC 3261 §19.1.4. */
function isRequestUri(digestUri: string, requestUri: string): boolean {
  if (digestUri === requestUri) return true;
  const claimed = parseUri(digestUri);
  const actual = parseUri(requestUri);
  return !isParseError(claimed) && !isParseError(actual) && sameUri(claimed, actual);
}
