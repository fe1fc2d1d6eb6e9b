import { randomBytes, randomFillSync } from 'node:crypto';
import { ulid } from 'ulid';
import type { Instant } from './clock.js';

/** The kinds of opaque id, by prefix (REST resource ids: `usr_01J…`). */
export type IdPrefix = 'usr' | 'crd' | 'bnd' | 'drg' | 'key' | 'req' | 'flw' | 'ban' | 'att';

/** A ULID with the resource's prefix; sorts by time of creation. Never contains `@`. */
export function newId(prefix: IdPrefix, now: Instant): string {
  return `${prefix}_${ulid(now, nextFraction)}`;
}

// A ULID draws sixteen times. Drawn one by one from the system that costs 80 µs, from a pool next to nothing.
const POOL_BYTES = 8_192;
const pool = Buffer.alloc(POOL_BYTES);
let drawn = POOL_BYTES;

function nextFraction(): number {
  if (drawn === POOL_BYTES) {
    randomFillSync(pool);
    drawn = 0;
  }
  const byte = pool[drawn] ?? 0;
  drawn++;
  return byte / 256;
}

// Letters and digits that are told apart on paper and on the phone: no 0 O 1 l I.
const UNAMBIGUOUS = '23456789abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ';

/**
 * A secret of at least 128 bits in an unambiguous alphabet: 24 characters of log2(56) = 5.8 bits each,
 * in groups of six for reading aloud.
 */
export function newSecret(): string {
  const groups: string[] = [];
  for (let group = 0; group < 4; group++) groups.push(randomText(6));
  return groups.join('-');
}

/** `length` characters drawn evenly from the unambiguous alphabet. */
export function randomText(length: number): string {
  let text = '';
  while (text.length < length) {
    for (const byte of randomBytes(length * 2)) {
      // Rejection keeps the draw even: 224 is the largest multiple of 56 within a byte.
      if (byte < 224 && text.length < length) text += UNAMBIGUOUS.charAt(byte % UNAMBIGUOUS.length);
    }
  }
  return text;
}

/** `byteCount` unpredictable bytes. */
export function secretBytes(byteCount: number): Buffer {
  return randomBytes(byteCount);
}
