import type { Instant } from '../../base/clock.js';
import { RecentMap } from '../../base/recent-map.js';
import type { Tally } from '../../base/tally.js';
import { sourceNetwork } from '../transport/source-network.js';

/**
 * Answers over UDP to an address that has shown nothing may be that many times as long as what asked for them. A 401
 * with three challenges is 2.1 times the shortest REGISTER that a real client was seen to send.
 */
export const MAX_AMPLIFICATION = 2.5;
/** An address that has been silent may get that many seconds' worth of answers at once. */
export const BURST_SECONDS = 5;
/** An address counts as proven for at least that long after it last authenticated. */
export const PROVEN_FOR_MS = 600_000;
/** Networks whose answers are counted, and addresses remembered as proven, at most; about 150 bytes each. */
const MAX_REMEMBERED = 100_000;

/** Why an answer was withheld. */
export type WithheldReason = 'too_large' | 'too_many';

interface Bucket {
  tokens: number;
  filledAt: Instant;
}

/**
 * Keeps this server from being of use against others: the source of a datagram can be forged, and then the answer
 * goes to somebody who never asked. Until an address has authenticated it gets answers of bounded size (RFC 9000 §8.1
 * has the same rule) and at a bounded rate, by IPv4 address or IPv6 /64. What counts is where the answer goes, which
 * is not where the request came from when its Via has `maddr`.
 */
export class AnswerGate {
  private proven = new Set<string>();
  private provenBefore = new Set<string>();
  private provenSince: Instant = 0;
  private readonly buckets = new RecentMap<Bucket>(MAX_REMEMBERED);

  /** @param answersPerSecond how many answers a second an unproven network gets, beyond a burst of five seconds' worth */
  constructor(
    private readonly answersPerSecond: number,
    private readonly withheld: Tally<WithheldReason>,
  ) {}

  /** The address has sent a request that authenticated: it had received a nonce there. */
  prove(address: string, now: Instant): void {
    if (now - this.provenSince >= PROVEN_FOR_MS || this.proven.size >= MAX_REMEMBERED) {
      this.provenBefore = now - this.provenSince >= 2 * PROVEN_FOR_MS ? new Set() : this.proven;
      this.proven = new Set();
      this.provenSince = now;
    }
    this.proven.add(address);
  }

  /** Whether the address has authenticated lately. */
  isProven(address: string, now: Instant): boolean {
    const age = now - this.provenSince;
    if (age < 2 * PROVEN_FOR_MS && this.proven.has(address)) return true;
    return age < PROVEN_FOR_MS && this.provenBefore.has(address);
  }

  /** Whether an answer to so many octets is too long for an unproven address. */
  isTooLarge(answerOctets: number, requestOctets: number): boolean {
    return answerOctets > requestOctets * MAX_AMPLIFICATION;
  }

  /** Whether an answer may go to an unproven address now; takes it from what the network may have, or counts why not. */
  admits(address: string, answerOctets: number, requestOctets: number, now: Instant): boolean {
    if (this.isTooLarge(answerOctets, requestOctets)) {
      this.withheld.count('too_large');
      return false;
    }
    const bucket = this.bucketOf(sourceNetwork(address), now);
    if (bucket.tokens < 1) {
      this.withheld.count('too_many');
      return false;
    }
    bucket.tokens -= 1;
    return true;
  }

  /** What the network may have by now. One that was forgotten begins full. */
  private bucketOf(network: string, now: Instant): Bucket {
    const burst = this.answersPerSecond * BURST_SECONDS;
    const known = this.buckets.get(network);
    if (known === undefined) {
      const bucket: Bucket = { tokens: burst, filledAt: now };
      this.buckets.set(network, bucket);
      return bucket;
    }
    known.tokens = Math.min(burst, known.tokens + ((now - known.filledAt) * this.answersPerSecond) / 1000);
    known.filledAt = now;
    return known;
  }
}
