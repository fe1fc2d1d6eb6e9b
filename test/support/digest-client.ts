import { createHash } from 'node:crypto';

/*
 * The client's side of digest authentication, written from RFC 7616 for the tests alone: a second opinion on what
 * the server computes. Texts are octet strings, except user and password, which are hashed as UTF-8.
 */

export type ClientAlgorithm = 'MD5' | 'SHA-256' | 'SHA-512-256';

/** The parameters of a WWW-Authenticate value, names in lower case, quotes taken off. */
export type Challenge = Readonly<Record<string, string>>;

export interface DigestAnswer {
  readonly username: string;
  readonly password: string;
  readonly method?: string;
  /** The digest uri; mostly the Request-URI. */
  readonly uri: string;
  readonly challenge: Challenge;
  readonly nc?: number;
  /** `undefined` leaves qop, nc and cnonce out (RFC 2069). */
  readonly qop?: 'auth' | 'auth-int' | undefined;
  readonly body?: string;
  /** Another algorithm than the challenge's. */
  readonly algorithm?: ClientAlgorithm;
  readonly cnonce?: string;
}

const HASHES: Readonly<Record<string, string>> = {
  md5: 'md5',
  'sha-256': 'sha256',
  'sha-512-256': 'sha512-256',
};

export function readChallenge(value: string): Challenge {
  if (!value.startsWith('Digest ')) throw new Error(`no digest challenge: ${value}`);
  const params: Record<string, string> = {};
  for (const [, name = '', quoted, bare] of value
    .slice('Digest '.length)
    .matchAll(/([a-z-]+)=(?:"((?:[^"\\]|\\.)*)"|([^,\s]+))/gi)) {
    params[name.toLowerCase()] = quoted ?? bare ?? '';
  }
  return params;
}

/** The value of an Authorization header field. `change` edits its parameters before they are printed. */
export function authorize(
  given: DigestAnswer,
  change: Readonly<Record<string, string | undefined>> = {},
): string {
  const { username, password, uri, challenge } = given;
  const method = given.method ?? 'REGISTER';
  const algorithm = given.algorithm ?? (challenge.algorithm as ClientAlgorithm | undefined) ?? 'MD5';
  const realm = challenge.realm ?? '';
  const nonce = challenge.nonce ?? '';
  const qop = 'qop' in given ? given.qop : 'auth';
  const nc = (given.nc ?? 1).toString(16).padStart(8, '0');
  const cnonce = given.cnonce ?? '0a4f113b';
  const h = (...parts: readonly string[]): string => hash(algorithm, parts.join(':'));
  const ha1 = h(utf8(username), realm, utf8(password));
  const ha2 = qop === 'auth-int' ? h(method, uri, hash(algorithm, given.body ?? '')) : h(method, uri);
  const response = qop === undefined ? h(ha1, nonce, ha2) : h(ha1, nonce, nc, cnonce, qop, ha2);
  const params: Record<string, string | undefined> = {
    username: `"${utf8(username)}"`,
    realm: `"${realm}"`,
    nonce: `"${nonce}"`,
    uri: `"${uri}"`,
    response: `"${response}"`,
    algorithm,
    ...(qop === undefined ? {} : { qop, nc, cnonce: `"${cnonce}"` }),
    ...change,
  };
  return `Digest ${Object.entries(params)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${value}`)
    .join(', ')}`;
}

function hash(algorithm: string, octets: string): string {
  const name = HASHES[algorithm.toLowerCase()];
  if (name === undefined) throw new Error(`no hash for ${algorithm}`);
  return createHash(name).update(Buffer.from(octets, 'latin1')).digest('hex');
}

function utf8(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
