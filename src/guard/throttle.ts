import type { Instant } from '../base/clock.js';
import { detached } from '../base/detached.js';
import { RecentMap } from '../base/recent-map.js';

/** Within that time wrong responses add up. */
export const WINDOW_SECONDS = 600;
/** For how long a pair of source and user is refused at first, and at most, after doubling. */
export const PAIR_BAN_SECONDS = 300;
export const MAX_PAIR_BAN_SECONDS = 3_600;
/** The same for a source as a whole. */
export const SOURCE_BAN_SECONDS = 600;
export const MAX_SOURCE_BAN_SECONDS = 86_400;
/** For how long after its end a ban makes the next one twice as long. */
export const STRIKE_MEMORY_SECONDS = 86_400;

/** Pairs and sources whose wrong responses are counted; about 700 octets each at the worst. */
export const MAX_PAIRS = 20_000;
export const MAX_SOURCES = 10_000;
/** Pairs and sources whose past bans are remembered. */
export const MAX_STRIKES = 20_000;
/** How much of a claimed username counts: no longer one exists. */
const MAX_NAME_LENGTH = 64;
/** Hex digits of a response that tell it from others: 48 bits, as many as a number keeps exactly. */
const FINGERPRINT_DIGITS = 12;

/** How many it takes: one more than that trips. */
export interface ThrottleLimits {
  /** Distinct wrong responses for one user, from one source. */
  readonly wrongResponsesPerUser: number;
  /** Usernames with a wrong response, from one source, known or not. */
  readonly usernamesPerSource: number;
  /** Distinct wrong responses in all, from one source. */
  readonly wrongResponsesPerSource: number;
}

/** A digest response that fits no password. */
export interface WrongResponse {
  /** The digest username without `@domain`. */
  readonly username: string;
  /** The `response` value as sent. */
  readonly response: string;
}

/** Enough is enough: whom to refuse, for how long, and what it was that tripped. */
export interface Trip {
  readonly kind: 'pair' | 'usernames' | 'responses';
  readonly seconds: number;
  /** How many there were within the window. */
  readonly count: number;
}

/**
 * Counts wrong passwords by source, and by source and user (REGISTRAR.md R5). What counts is distinct response
 * values: a retransmission, or a phone that sends the same once more, counts once. It counts alike for users who
 * exist and who don't, and never for a user alone: whoever guesses elsewhere locks nobody out here. Bounded; time
 * is passed in.
 */
export class Throttle {
  private readonly pairs = new RecentMap<PairWindow>(MAX_PAIRS);
  private readonly sources = new RecentMap<SourceWindow>(MAX_SOURCES);
  private readonly strikes = new RecentMap<Strike>(MAX_STRIKES);

  constructor(private readonly limits: ThrottleLimits) {}

  /** How many pairs and sources are remembered; for the test of the bounds. */
  get size(): number {
    return this.pairs.size + this.sources.size + this.strikes.size;
  }

  /** Counts one wrong response from a source; says what it trips, mostly nothing. */
  wrong(source: string, domain: string, wrong: WrongResponse, now: Instant): readonly Trip[] {
    const name = countedName(wrong.username);
    const key = pairKey(source, domain, name);
    const since = now - WINDOW_SECONDS * 1000;
    let pair = this.pairs.get(key);
    if (pair === undefined) {
      pair = { prints: [], times: [] };
      this.pairs.set(key, pair);
    }
    forgetBefore(since, pair.times, pair.prints);
    const print = Number.parseInt(wrong.response.slice(0, FINGERPRINT_DIGITS), 16) || 0;
    if (pair.prints.includes(print)) return NONE;
    pair.prints.push(print);
    pair.times.push(now);

    let of = this.sources.get(source);
    if (of === undefined) {
      of = { names: new Map(), times: [] };
      this.sources.set(source, of);
    }
    forgetBefore(since, of.times);
    of.times.push(now);
    for (const [other, at] of of.names) if (at <= since) of.names.delete(other);
    of.names.set(`${domain}\0${name}`, now);

    const trips: Trip[] = [];
    const count = pair.times.length;
    if (count > this.limits.wrongResponsesPerUser) {
      this.pairs.delete(key);
      const seconds = this.strike(key, PAIR_BAN_SECONDS, MAX_PAIR_BAN_SECONDS, now);
      trips.push({ kind: 'pair', seconds, count });
    }
    const tooManyNames = of.names.size > this.limits.usernamesPerSource;
    if (tooManyNames || of.times.length > this.limits.wrongResponsesPerSource) {
      this.sources.delete(source);
      const seconds = this.strike(source, SOURCE_BAN_SECONDS, MAX_SOURCE_BAN_SECONDS, now);
      trips.push(
        tooManyNames
          ? { kind: 'usernames', seconds, count: of.names.size }
          : { kind: 'responses', seconds, count: of.times.length },
      );
    }
    return trips;
  }

  /** Begins anew for a source, or for one user there: an operator has lifted its ban. */
  forgive(source: string, domain: string | null, username: string | null): void {
    if (domain !== null && username !== null) {
      const key = pairKey(source, domain, username);
      this.pairs.delete(key);
      this.strikes.delete(key);
    }
    this.sources.delete(source);
    this.strikes.delete(source);
  }

  /** The length of this ban: twice the last one's, when that is not long ago. */
  private strike(key: string, firstSeconds: number, maxSeconds: number, now: Instant): number {
    const before = this.strikes.get(key);
    const seconds =
      before === undefined || before.until <= now ? firstSeconds : Math.min(maxSeconds, before.seconds * 2);
    this.strikes.set(key, { seconds, until: now + (seconds + STRIKE_MEMORY_SECONDS) * 1000 });
    return seconds;
  }
}

/** The name that a claimed username counts under: itself, cut where no user's can go on. */
export function countedName(username: string): string {
  return detached(username.slice(0, MAX_NAME_LENGTH));
}

/** Distinct wrong responses within the window, oldest first. */
interface PairWindow {
  readonly prints: number[];
  readonly times: Instant[];
}

interface SourceWindow {
  /** Domain and username, with the time of the last wrong response for it. */
  readonly names: Map<string, Instant>;
  /** One for each distinct wrong response. */
  readonly times: Instant[];
}

interface Strike {
  readonly seconds: number;
  readonly until: Instant;
}

const NONE: readonly Trip[] = [];

function pairKey(source: string, domain: string, username: string): string {
  return `${source}\0${domain}\0${username}`;
}

/** Drops what is not within the window any more; `beside` has an entry for each time. */
function forgetBefore(since: Instant, times: Instant[], beside: number[] = []): void {
  let old = 0;
  while ((times[old] ?? Number.POSITIVE_INFINITY) <= since) old++;
  if (old === 0) return;
  times.splice(0, old);
  beside.splice(0, old);
}
