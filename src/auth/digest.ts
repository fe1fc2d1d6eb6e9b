import { hash, timingSafeEqual } from 'node:crypto';
import { DIGEST_ALGORITHMS, type DigestAlgorithm } from '../accounts/domain.js';

/*
 * The computations of digest authentication: RFC 7616 §3.4, with RFC 8760 for SIP and RFC 2069 for the phones
 * that know no qop. Everything that came off the wire is an *octet string*: a string whose character codes are
 * the octets (latin1), because the digest is over octets and a client's charset is anyone's guess. What comes
 * from operators is Unicode text and is hashed as UTF-8.
 */

/** The quality of protection a client applied: RFC 7616 §3.4, values as sent, without quotes. */
export interface Protection {
  readonly qop: string;
  /** Eight hex digits. */
  readonly nc: string;
  readonly cnonce: string;
}

/**
 * The algorithm a token names, letter case ignored (npm sip writes `algorithm=md5`); absent means MD5
 * (RFC 7616 §3.3). Undefined for what this registrar does not offer, which includes the `-sess` variants.
 */
export function parseAlgorithm(token: string | undefined): DigestAlgorithm | undefined {
  if (token === undefined) return 'MD5';
  const upper = token.toUpperCase();
  return DIGEST_ALGORITHMS.find((algorithm) => algorithm === upper);
}

/** HA1 = H(username:realm:password) over octet strings, in lower-case hex (RFC 7616 §3.4.2). */
export function ha1(algorithm: DigestAlgorithm, username: string, realm: string, password: string): string {
  return hashOctets(algorithm, `${username}:${realm}:${password}`);
}

/** The same for Unicode text, such as a password that came over HTTP: hashed as UTF-8 (RFC 7616 §4). */
export function ha1OfText(
  algorithm: DigestAlgorithm,
  username: string,
  realm: string,
  password: string,
): string {
  return hash(OPENSSL_NAMES[algorithm], `${username}:${realm}:${password}`, 'hex');
}

/** HA2 = H(method:uri), for qop=auth and for no qop at all (RFC 7616 §3.4.3). */
export function ha2(algorithm: DigestAlgorithm, method: string, uri: string): string {
  return hashOctets(algorithm, `${method}:${uri}`);
}

/** HA2 = H(method:uri:H(body)), for qop=auth-int (RFC 7616 §3.4.3). `body` is an octet string, possibly empty. */
export function ha2WithBody(algorithm: DigestAlgorithm, method: string, uri: string, body: string): string {
  return hashOctets(algorithm, `${method}:${uri}:${hashOctets(algorithm, body)}`);
}

/**
 * The response a client that knows HA1 sends, in lower-case hex: H(HA1:nonce:nc:cnonce:qop:HA2)
 * (RFC 7616 §3.4.1), or H(HA1:nonce:HA2) without a protection (RFC 2069 §2.1.2).
 */
export function response(
  algorithm: DigestAlgorithm,
  ha1Hex: string,
  nonce: string,
  protection: Protection | undefined,
  ha2Hex: string,
): string {
  return hashOctets(
    algorithm,
    protection === undefined
      ? `${ha1Hex}:${nonce}:${ha2Hex}`
      : `${ha1Hex}:${nonce}:${protection.nc}:${protection.cnonce}:${protection.qop}:${ha2Hex}`,
  );
}

/**
 * Whether a claimed response is the computed one. How long it takes does not depend on where they differ.
 * The claim may be anything; upper-case hex counts, since it gives nothing away and some phones send it.
 */
export function isSameResponse(computed: string, claimed: string): boolean {
  if (claimed.length !== computed.length) return false;
  const [ours, theirs] = computed.length === MD5_HEX_LENGTH ? MD5_SCRATCH : SHA_SCRATCH;
  ours.write(computed, 0, 'latin1');
  theirs.write(claimed.toLowerCase(), 0, 'latin1');
  return timingSafeEqual(ours, theirs);
}

/** An HA1 that belongs to nobody: for doing the work of a verification where there is nothing to verify. */
export function dummyHa1(algorithm: DigestAlgorithm): string {
  return algorithm === 'MD5' ? DUMMY_MD5_HA1 : DUMMY_SHA_HA1;
}

const OPENSSL_NAMES: Readonly<Record<DigestAlgorithm, string>> = {
  MD5: 'md5',
  'SHA-256': 'sha256',
  'SHA-512-256': 'sha512-256',
};

const MD5_HEX_LENGTH = 32;
const SHA_HEX_LENGTH = 64;

// One pair of buffers per length, used within one synchronous call: a fresh pair would cost more than the hash.
const MD5_SCRATCH = [Buffer.alloc(MD5_HEX_LENGTH), Buffer.alloc(MD5_HEX_LENGTH)] as const;
const SHA_SCRATCH = [Buffer.alloc(SHA_HEX_LENGTH), Buffer.alloc(SHA_HEX_LENGTH)] as const;

const DUMMY_MD5_HA1 = '0'.repeat(MD5_HEX_LENGTH);
const DUMMY_SHA_HA1 = '0'.repeat(SHA_HEX_LENGTH);

function hashOctets(algorithm: DigestAlgorithm, octets: string): string {
  // A string is hashed as UTF-8, which for ASCII are the octets themselves, without a copy.
  const isAscii = Buffer.byteLength(octets) === octets.length;
  return hash(OPENSSL_NAMES[algorithm], isAscii ? octets : Buffer.from(octets, 'latin1'), 'hex');
}
