import type { Instant } from '../../base/clock.js';
import { RecentMap } from '../../base/recent-map.js';
import type { Tally } from '../../base/tally.js';
import { sourceNetwork } from '../transport/source-network.js';

/**
 * Answers over UDP to an address that has shown nothing may be that many times as long as what asked for them, both
 * with their IP and UDP headers. The 401 to the shortest REGISTERs loses the strongest of its challenges for that.
 */
export const MAX_AMPLIFICATION = 2;
/** IPv4 and UDP headers: what travels beside the octets of a message. */
export const DATAGRAM_HEADER_OCTETS = 28;
/** An address that has been silent may get that many seconds' worth of answers at once. */
export const BURST_SECONDS = 5;
/**
 * How much of their time all unproven addresses together may take at once. Phones wait meanwhile, and what comes must fit
 * the socket buffer.
 */
export const BUSY_STRETCH_MS = 50;
/** No datagram takes longer: what more the clock says, this process was kept waiting for a processor. */
const MOST_FOR_ONE_MS = 2;
/** An address counts as proven for at least that long after it last authenticated. */
export const PROVEN_FOR_MS = 600_000;
/** Networks whose answers are counted, and addresses remembered as proven, at most; about 150 bytes each. */
const MAX_REMEMBERED = 100_000;

/** Why an answer was withheld. */
export type WithheldReason = 'too_large' | 'too_many';

export interface StrangerGateOptions {
  /** How much of the time the datagrams of all unproven addresses together may take: more than 0, at most 1. */
  readonly shareOfTime: number;
  /** Answers a second that an unproven network gets; five seconds' worth at once. */
  readonly answersPerSecond: number;
  readonly withheld: Tally<WithheldReason>;
}

/**
 * What strangers get over UDP. The source of a datagram can be forged, and then the answer goes to somebody who never
 * asked. Until an address has authenticated it gets answers of bounded size (RFC 9000 §8.1 has the same rule) and at a
 * bounded rate, by IPv4 address or IPv6 /64. What counts is where the answer goes, which is not where the request came
 * from when its Via has `maddr`. And all strangers together get a bounded part of this server's time: what of a flood
 * is beyond that is dropped before it is looked at, so that those who have authenticated lately are served.
 */
export class StrangerGate {
  private proven = new Set<string>();
  private provenBefore = new Set<string>();
  private provenSince: Instant = 0;
  /** Milliseconds that strangers may take. */
  private readonly time: Bucket = { tokens: 0, filledAt: 0 };
  private readonly answers = new RecentMap<Bucket>(MAX_REMEMBERED);

  constructor(private readonly options: StrangerGateOptions) {}

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

  /** Whether a datagram from an unproven address is to be looked at. */
  hasTime(now: Instant): boolean {
    refill(this.time, this.options.shareOfTime, BUSY_STRETCH_MS, now);
    return this.time.tokens > 0;
  }

  /**
   * Notes how long a datagram of an unproven address took. Whole milliseconds are precise enough: of a thousand
   * datagrams that take 50 µs each, fifty see the clock turn.
   */
  spend(milliseconds: number): void {
    this.time.tokens -= Math.min(milliseconds, MOST_FOR_ONE_MS);
  }

  /** Whether an answer to so many octets is too long for an unproven address. */
  isTooLarge(answerOctets: number, requestOctets: number): boolean {
    const asked = requestOctets + DATAGRAM_HEADER_OCTETS;
    return answerOctets + DATAGRAM_HEADER_OCTETS > asked * MAX_AMPLIFICATION;
  }

  /** Whether an answer may go to an unproven address now; takes it from what the network may have, or counts why not. */
  admitsAnswer(address: string, answerOctets: number, requestOctets: number, now: Instant): boolean {
    const { answersPerSecond, withheld } = this.options;
    if (this.isTooLarge(answerOctets, requestOctets)) {
      withheld.count('too_large');
      return false;
    }
    const network = sourceNetwork(address);
    const burst = answersPerSecond * BURST_SECONDS;
    let bucket = this.answers.get(network);
    if (bucket === undefined) {
      bucket = { tokens: burst, filledAt: now };
      this.answers.set(network, bucket);
    }
    refill(bucket, answersPerSecond / 1000, burst, now);
    if (bucket.tokens < 1) {
      withheld.count('too_many');
      return false;
    }
    bucket.tokens -= 1;
    return true;
  }
}

interface Bucket {
  tokens: number;
  filledAt: Instant;
}

function refill(bucket: Bucket, perMillisecond: number, most: number, now: Instant): void {
  bucket.tokens = Math.min(most, bucket.tokens + (now - bucket.filledAt) * perMillisecond);
  bucket.filledAt = now;
}
