import type { DigestAlgorithm } from '../../accounts/domain.js';
import { ha1, ha2, ha2WithBody, parseAlgorithm, response } from '../../auth/digest.js';
import { unquote } from '../../sip/grammar/params.js';

/** What a `WWW-Authenticate: Digest …` asks for (RFC 7616 §3.3), unquoted. Texts are octet strings. */
export interface Challenge {
  readonly realm: string;
  readonly nonce: string;
  readonly opaque: string | undefined;
  /** As sent; undefined means MD5. */
  readonly algorithm: string | undefined;
  /** What is offered, in lower case; empty for the challenges of RFC 2069. */
  readonly qop: readonly string[];
  readonly isStale: boolean;
}

/** The parameters of `Authorization: Digest …` in order, values quoted where the grammar wants it. */
export type DigestAnswer = readonly (readonly [name: string, value: string])[];

/** Who answers. Octet strings. */
export interface DigestIdentity {
  readonly username: string;
  readonly password: string;
}

/** Reads a challenge from its parameters as sent, quotes included; undefined when realm or nonce is missing. */
export function readChallenge(
  params: Iterable<readonly [name: string, value: string]>,
): Challenge | undefined {
  const values = new Map<string, string>();
  for (const [name, value] of params) values.set(name.toLowerCase(), unquote(value));
  const realm = values.get('realm');
  const nonce = values.get('nonce');
  if (realm === undefined || nonce === undefined) return undefined;
  const qop = values.get('qop') ?? '';
  return {
    realm,
    nonce,
    opaque: values.get('opaque'),
    algorithm: values.get('algorithm'),
    qop: qop
      .toLowerCase()
      .split(',')
      .map((token) => token.trim())
      .filter((token) => token !== ''),
    isStale: values.get('stale')?.toLowerCase() === 'true',
  };
}

/**
 * Answers one challenge, and further requests with the same nonce at a rising count (RFC 7616 §3.4), for every
 * algorithm that the registrar knows.
 */
export class DigestSession {
  private count = 0;

  private constructor(
    private readonly challenge: Challenge,
    private readonly algorithm: DigestAlgorithm,
    private readonly qop: string | undefined,
    private readonly identity: DigestIdentity,
    private readonly cnonce: string,
  ) {}

  /**
   * For the first challenge that can be answered, as RFC 8760 §2.4 has it: the server lists them by preference.
   * Undefined when there is none.
   * @param cnonce unpredictable, one token
   */
  static answering(
    challenges: readonly Challenge[],
    identity: DigestIdentity,
    cnonce: string,
  ): DigestSession | undefined {
    for (const challenge of challenges) {
      const algorithm = parseAlgorithm(challenge.algorithm);
      const qop = ['auth', 'auth-int'].find((name) => challenge.qop.includes(name));
      if (algorithm === undefined || (qop === undefined && challenge.qop.length > 0)) continue;
      return new DigestSession(challenge, algorithm, qop, identity, cnonce);
    }
    return undefined;
  }

  /** The answer for one more request, which has no body. */
  answer(method: string, uri: string): DigestAnswer {
    const { challenge, algorithm, qop, cnonce } = this;
    const { username, password } = this.identity;
    this.count++;
    const nc = this.count.toString(16).padStart(8, '0');
    const protection = qop === undefined ? undefined : { qop, nc, cnonce };
    const hashedRequest =
      qop === 'auth-int' ? ha2WithBody(algorithm, method, uri, '') : ha2(algorithm, method, uri);
    const hashedIdentity = ha1(algorithm, username, challenge.realm, password);
    const answer: (readonly [string, string])[] = [
      ['username', quote(username)],
      ['realm', quote(challenge.realm)],
      ['nonce', quote(challenge.nonce)],
      ['uri', quote(uri)],
      ['response', quote(response(algorithm, hashedIdentity, challenge.nonce, protection, hashedRequest))],
    ];
    if (challenge.algorithm !== undefined) answer.push(['algorithm', algorithm]);
    if (qop !== undefined) answer.push(['cnonce', quote(cnonce)], ['qop', qop], ['nc', nc]);
    if (challenge.opaque !== undefined) answer.push(['opaque', quote(challenge.opaque)]);
    return answer;
  }
}

function quote(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}
