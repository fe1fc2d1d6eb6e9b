import type { Instant } from '../base/clock.js';
import { detached } from '../base/detached.js';

/**
 * Whether an nc may be taken: `replayed` when it does not rise over the last one of its nonce; `forgotten` when
 * that can no longer be told, which the client cures with a new nonce.
 */
export type ClaimResult = 'accepted' | 'replayed' | 'forgotten';

/**
 * The nonce counts seen so far, so that none is taken twice (RFC 7616 §3.4.5, §5.4). Holds at most `maxEntries`
 * nonces and nothing for a nonce that was handed out and never used.
 *
 * When it is full, the nonce that was first used longest ago goes. Nothing can tell a forgotten nonce from one
 * never used, so from then on every unknown nonce issued at or before the forgotten one's time of issue is
 * refused as `forgotten`: this *horizon* only rises, and so an eviction re-admits no replay. A nonce is issued
 * before it is first used, therefore the horizon stays behind the last `maxEntries` first uses, and clients
 * that answer a challenge at once never notice. Entries past the nonce lifetime need no sweep: to evict one
 * moves the horizon to where every nonce has expired anyway.
 */
export class NonceCounts {
  private readonly entries = new Map<string, Entry>();
  // The same entries in a ring, oldest first use at `oldest` once it is full. (Taking the first key of a Map
  // instead walks over everything deleted from its front.)
  private readonly ring: Entry[] = [];
  private readonly maxEntries: number;
  private oldest = 0;
  private horizon: Instant;

  /**
   * @param maxEntries how many nonces to keep count of
   * @param since nonces issued before this instant may have been used in an earlier life of the process, whose
   *   counts are gone: they are `forgotten`
   * @throws RangeError when `maxEntries` is not a positive integer
   */
  constructor(maxEntries: number, since: Instant = 0) {
    if (!Number.isInteger(maxEntries) || maxEntries < 1) {
      throw new RangeError('maxEntries must be a positive integer');
    }
    this.maxEntries = maxEntries;
    // Times of issue are whole milliseconds, so the last one before `since` is a millisecond below it.
    this.horizon = Math.floor(since) - 1;
  }

  /**
   * Takes `nc` of a nonce whose authenticity was checked and whose response was right, and remembers it.
   * Gaps are fine: requests get lost. `nc` is an unsigned 32-bit number.
   */
  claim(nonce: string, issuedAt: Instant, nc: number): ClaimResult {
    const known = this.entries.get(nonce);
    if (known !== undefined) {
      if (nc <= known.highest) return 'replayed';
      known.highest = nc;
      return 'accepted';
    }
    if (issuedAt <= this.horizon) return 'forgotten';
    this.insert({ nonce: detached(nonce), issuedAt, highest: nc });
    return 'accepted';
  }

  /** Whether some nc of this nonce was taken and is remembered. */
  isKnown(nonce: string): boolean {
    return this.entries.has(nonce);
  }

  /** When a known nonce was issued. Only nonces found authentic are ever known, so this spares the check. */
  issuedAt(nonce: string): Instant | undefined {
    return this.entries.get(nonce)?.issuedAt;
  }

  /** How many nonces are remembered. */
  get size(): number {
    return this.entries.size;
  }

  private insert(entry: Entry): void {
    const evicted = this.ring[this.oldest];
    if (this.ring.length < this.maxEntries || evicted === undefined) {
      this.ring.push(entry);
    } else {
      this.entries.delete(evicted.nonce);
      this.horizon = Math.max(this.horizon, evicted.issuedAt);
      this.ring[this.oldest] = entry;
      this.oldest = (this.oldest + 1) % this.maxEntries;
    }
    this.entries.set(entry.nonce, entry);
  }
}

interface Entry {
  readonly nonce: string;
  readonly issuedAt: Instant;
  highest: number;
}
