import { hash, timingSafeEqual } from 'node:crypto';
import type { Instant } from '../base/clock.js';
import { secretBytes } from '../base/random.js';

/** What a nonce that a client sent back turns out to be. */
export type OpenedNonce =
  | { readonly kind: 'valid'; readonly issuedAt: Instant }
  | { readonly kind: 'expired'; readonly issuedAt: Instant }
  | { readonly kind: 'foreign' };

/**
 * Makes nonces and recognises its own without remembering them (RFC 7616 §3.3, §5.4). A nonce is 32 characters
 * of base64url: 6 octets time of issue (ms since the epoch), 6 octets that never repeat within a process, and
 * 12 octets (96 bits) of HMAC-SHA-256 over the text of the first twelve.
 */
export class NonceMint {
  private readonly lifetimeMs: number;
  // HMAC (RFC 2104) as two one-shot hashes: half the time of createHmac. Each block starts with the padded key.
  private readonly inner = Buffer.alloc(BLOCK_OCTETS + HEAD_CHARS);
  private readonly outer = Buffer.alloc(BLOCK_OCTETS + SHA256_OCTETS);
  private readonly head = Buffer.alloc(HEAD_OCTETS);
  private readonly ourMac = Buffer.alloc(MAC_CHARS);
  private readonly theirMac = Buffer.alloc(MAC_CHARS);
  private serial = secretBytes(SERIAL_OCTETS).readUIntBE(0, SERIAL_OCTETS);

  /**
   * @param secret 32 octets known to this server alone
   * @param lifetimeSeconds how long a nonce is good for
   * @throws RangeError when the secret has another length
   */
  constructor(secret: Uint8Array, lifetimeSeconds: number) {
    if (secret.length !== SECRET_OCTETS) throw new RangeError(`nonce secret must be ${SECRET_OCTETS} octets`);
    this.lifetimeMs = lifetimeSeconds * 1000;
    this.inner.set(secret);
    this.outer.set(secret);
    for (let i = 0; i < BLOCK_OCTETS; i++) {
      this.inner[i] = (this.inner[i] ?? 0) ^ 0x36;
      this.outer[i] = (this.outer[i] ?? 0) ^ 0x5c;
    }
  }

  /** A new nonce, unlike all before it. `now` is whole milliseconds afterwards: fractions are cut off. */
  mint(now: Instant): string {
    this.serial = (this.serial + 1) % SERIAL_LIMIT;
    this.head.writeUIntBE(Math.floor(now), 0, TIME_OCTETS);
    this.head.writeUIntBE(this.serial, TIME_OCTETS, SERIAL_OCTETS);
    const head = this.head.toString('base64url');
    return head + this.macOf(head);
  }

  /** Whether a nonce is of this mint and still good at `now`. Takes any text; one from the future is foreign. */
  open(nonce: string, now: Instant): OpenedNonce {
    // Both lengths, so that nothing but ASCII reaches the buffers, which keep a character's low octet only.
    if (nonce.length !== NONCE_CHARS || Buffer.byteLength(nonce) !== NONCE_CHARS) return FOREIGN;
    const head = nonce.slice(0, HEAD_CHARS);
    // The MAC is over the text, not over what it decodes to, so a nonce has exactly one spelling.
    this.ourMac.write(this.macOf(head), 0, 'latin1');
    this.theirMac.write(nonce.slice(HEAD_CHARS), 0, 'latin1');
    if (!timingSafeEqual(this.ourMac, this.theirMac)) return FOREIGN;
    const issuedAt = Buffer.from(head, 'base64url').readUIntBE(0, TIME_OCTETS);
    if (issuedAt > now) return FOREIGN;
    return { kind: this.isExpired(issuedAt, now) ? 'expired' : 'valid', issuedAt };
  }

  /** Whether a nonce of this mint issued then is past its lifetime now. */
  isExpired(issuedAt: Instant, now: Instant): boolean {
    return now - issuedAt > this.lifetimeMs;
  }

  private macOf(head: string): string {
    this.inner.write(head, BLOCK_OCTETS, 'latin1');
    this.outer.write(hash('sha256', this.inner, 'binary'), BLOCK_OCTETS, 'latin1');
    return hash('sha256', this.outer, 'base64url').slice(0, MAC_CHARS);
  }
}

const FOREIGN: OpenedNonce = { kind: 'foreign' };

const SECRET_OCTETS = 32;
const TIME_OCTETS = 6;
const SERIAL_OCTETS = 6;
const SERIAL_LIMIT = 2 ** (8 * SERIAL_OCTETS);
const HEAD_OCTETS = TIME_OCTETS + SERIAL_OCTETS;
// Multiples of three octets are multiples of four characters, with no spare bits in the last one.
const HEAD_CHARS = 16;
const MAC_CHARS = 16;
const NONCE_CHARS = HEAD_CHARS + MAC_CHARS;
const BLOCK_OCTETS = 64;
const SHA256_OCTETS = 32;
