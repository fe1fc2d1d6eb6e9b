import { randomBytes } from 'node:crypto';
import type { Instant } from '../../base/clock.js';
import { TIMER_J_MS } from './server-transaction.js';

/** A response that is kept, and until when. */
export interface KeptResponse {
  readonly response: Buffer;
  readonly endsAt: Instant;
}

/** Key length and response length, 32 bits each. */
const ENTRY_HEADER_BYTES = 8;
/** What an entry has in the index: hash, offset, end. */
const INDEX_BYTES_A_SLOT = 16;
/** A table this much smaller than the room it indexes is half empty even when every response is a short one. */
const BYTES_A_SLOT = 128;
/** An entry that finds no place that near its own is not kept: a stranger can't make look-ups long. */
const MAX_PROBES = 16;

/**
 * Responses by transaction key, within a bound of bytes, for at least timer J unless the bound comes first. Two
 * generations, of which the older is dropped whole when the younger has filled half the room or lived for timer J.
 *
 * The octets of keys and responses lie in one buffer a generation, found through a table of numbers: hundreds of
 * thousands of them are no objects that the garbage collector would have to visit again and again.
 */
export class ResponseMemory {
  private young: Generation;
  private old: Generation;

  /** @param maxBytes for keys, responses and index together */
  constructor(maxBytes: number) {
    const share = Math.floor(maxBytes / 2);
    this.young = new Generation(share);
    this.old = new Generation(share);
  }

  /** Bytes that entries take now. */
  get bytes(): number {
    return this.young.bytes + this.old.bytes;
  }

  find(key: string, hash: number, now: Instant): KeptResponse | undefined {
    const kept = this.young.find(key, hash) ?? this.old.find(key, hash);
    return kept === undefined || kept.endsAt <= now ? undefined : kept;
  }

  /** `key` is an octet string; `hash` is its keyHash. A response larger than a generation is not kept. */
  keep(key: string, hash: number, response: Buffer, now: Instant): void {
    this.rotateIfAged(now);
    if (this.young.keep(key, hash, response, now + TIMER_J_MS)) return;
    this.rotate(now);
    this.young.keep(key, hash, response, now + TIMER_J_MS);
  }

  /** Lets go of what is certainly over; for idle times. */
  rotateIfAged(now: Instant): void {
    if (now - this.young.since >= TIMER_J_MS) this.rotate(now);
  }

  private rotate(now: Instant): void {
    const emptied = this.old;
    this.old = this.young;
    emptied.clear(now);
    this.young = emptied;
  }
}

/** A number for a key, unlike from one process to the next. */
export function keyHash(key: string): number {
  let hash = HASH_SEED;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  // Zero marks a free slot.
  return (hash ^ (hash >>> 15)) >>> 0 || 1;
}

const HASH_SEED = randomBytes(4).readUInt32LE();

class Generation {
  since: Instant = 0;
  private room: Buffer | undefined;
  private hashes = new Uint32Array(0);
  private offsets = new Uint32Array(0);
  private ends = new Float64Array(0);
  private used = 0;
  private entries = 0;

  constructor(private readonly maxBytes: number) {}

  get bytes(): number {
    return this.used + this.entries * INDEX_BYTES_A_SLOT;
  }

  find(key: string, hash: number): KeptResponse | undefined {
    if (this.entries === 0 || this.room === undefined) return undefined;
    const mask = this.hashes.length - 1;
    for (let probe = 0; probe < MAX_PROBES; probe++) {
      const slot = (hash + probe) & mask;
      const found = this.hashes[slot];
      if (found === 0) return undefined;
      if (found !== hash) continue;
      const offset = this.offsets[slot] ?? 0;
      const keyStart = offset + ENTRY_HEADER_BYTES;
      const keyEnd = keyStart + this.room.readUInt32LE(offset);
      if (this.room.toString('latin1', keyStart, keyEnd) !== key) continue;
      const response = this.room.subarray(keyEnd, keyEnd + this.room.readUInt32LE(offset + 4));
      // A copy: the room may be used again before the network has taken it.
      return { response: Buffer.from(response), endsAt: this.ends[slot] ?? 0 };
    }
    return undefined;
  }

  /** False when there is no room for it. */
  keep(key: string, hash: number, response: Buffer, endsAt: Instant): boolean {
    const size = ENTRY_HEADER_BYTES + key.length + response.length;
    if (this.bytes + size + INDEX_BYTES_A_SLOT > this.maxBytes) return false;
    const room = this.open();
    const mask = this.hashes.length - 1;
    for (let probe = 0; probe < MAX_PROBES; probe++) {
      const slot = (hash + probe) & mask;
      if (this.hashes[slot] !== 0) continue;
      const offset = this.used;
      room.writeUInt32LE(key.length, offset);
      room.writeUInt32LE(response.length, offset + 4);
      room.write(key, offset + ENTRY_HEADER_BYTES, 'latin1');
      response.copy(room, offset + ENTRY_HEADER_BYTES + key.length);
      this.hashes[slot] = hash;
      this.offsets[slot] = offset;
      this.ends[slot] = endsAt;
      this.used += size;
      this.entries++;
      return true;
    }
    return true;
  }

  clear(since: Instant): void {
    this.since = since;
    this.hashes.fill(0);
    this.used = 0;
    this.entries = 0;
  }

  /** The room is taken from the system when there is something to put in, and page by page as it fills. */
  private open(): Buffer {
    if (this.room === undefined) {
      this.room = Buffer.allocUnsafeSlow(this.maxBytes);
      const slots = 2 ** Math.ceil(Math.log2(Math.max(16, this.maxBytes / BYTES_A_SLOT)));
      this.hashes = new Uint32Array(slots);
      this.offsets = new Uint32Array(slots);
      this.ends = new Float64Array(slots);
    }
    return this.room;
  }
}
