import type { Clock, Instant } from '../base/clock.js';
import type { Log } from '../base/log.js';
import { newId } from '../base/random.js';
import { Refusal } from '../base/refusal.js';
import type { Tally } from '../base/tally.js';
import type { TransportName } from '../location/binding.js';
import type { Attempt, AttemptFilter, AttemptOwner, NewAttempt } from './attempt.js';
import { AttemptLog } from './attempt-log.js';
import {
  type Ban,
  type BanFilter,
  type BanRefusalCode,
  type BanScope,
  type CountedBan,
  MAX_AUTOMATIC_BANS,
  MAX_MANUAL_BANS,
  MIN_PREFIX,
  type NewBan,
} from './ban.js';
import { BanList } from './ban-list.js';
import type { BanStore } from './ban-store.js';
import { LogLimiter } from './log-limiter.js';
import { contains, type Network, parseNetwork, printNetwork, sourceOf } from './network.js';
import { Proofs } from './proofs.js';
import {
  countedName,
  Throttle,
  type ThrottleLimits,
  type Trip,
  WINDOW_SECONDS,
  type WrongResponse,
} from './throttle.js';

/** Lines about refused registrations a second, and a minute for each source. */
export const REJECTION_LINES_PER_SECOND = 100;
export const REJECTION_LINES_PER_SOURCE_A_MINUTE = 60;
/** Lines a second about bans that were made and ended by themselves. */
const BAN_LINES_PER_SECOND = 20;
/** When there are as many automatic bans as may be, this share of them, those that end soonest, makes room. */
const MAKE_ROOM = 16;
/** What a refused phone is told to wait at most: a ban that is lifted early must not go on in the phone. */
const MAX_RETRY_AFTER_SECONDS = 600;

export interface GuardSettings extends ThrottleLimits {
  /** Whether the guard bans by itself; bans by operators hold in any case. */
  readonly automatic: boolean;
  /** Addresses and networks that are never banned automatically: proxies that many phones come through. */
  readonly exempt: readonly string[];
}

/** What became of bans, for the counters. */
export type BanEvent = 'added_automatic' | 'added_manual' | 'lifted' | 'expired' | 'dropped';

export interface GuardOptions {
  readonly store: BanStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: GuardSettings;
  readonly banEvents: Tally<BanEvent>;
  /** Log lines left out, by event. */
  readonly suppressed: Tally<string>;
}

/** Who is at the door: where a request came from, and for which domain. */
export interface Knock {
  readonly transport: TransportName;
  readonly ip: string;
  readonly port: number;
  readonly domain: string;
}

/** Whether a request is heard. */
export type Admission =
  | { readonly kind: 'open' }
  /** Refused unheard. */
  | { readonly kind: 'refused'; readonly ban: Ban }
  /**
   * Heard, since others behind the address are in good standing; but only a right password of somebody who gave
   * it from there before (`isProven`) may be answered as such. Everybody else is refused whatever the password,
   * or the answer would tell who is and who guessed right.
   */
  | { readonly kind: 'proven_only'; readonly ban: Ban };

const OPEN: Admission = { kind: 'open' };

/**
 * Stands before authentication (REGISTRAR.md R5): remembers who was refused and why, counts wrong passwords, and
 * bans sources, by itself and on an operator's word. A user is never locked out, only a source, or a user at a
 * source; what it does is the same for users who exist and who don't. Asking it never waits and never touches the
 * disk. docs/decisions/0010-bans-answer-503.md
 */
export class Guard {
  private readonly bans = new BanList();
  private readonly attempts = new AttemptLog();
  private readonly throttle: Throttle;
  private readonly proofs = new Proofs();
  private readonly exempt: readonly Network[];
  private readonly rejectionLines = new LogLimiter({
    linesPerSecond: REJECTION_LINES_PER_SECOND,
    linesPerSourceAMinute: REJECTION_LINES_PER_SOURCE_A_MINUTE,
  });
  private readonly banLines = new LogLimiter({
    linesPerSecond: BAN_LINES_PER_SECOND,
    linesPerSourceAMinute: Number.POSITIVE_INFINITY,
  });

  constructor(private readonly options: GuardOptions) {
    const { settings, store, clock } = options;
    this.throttle = new Throttle(settings);
    this.exempt = settings.exempt.flatMap((text) => parseNetwork(text.trim()) ?? []);
    for (const ban of store.loadBans(clock.now())) this.bans.add(ban);
  }

  // --- on the way of every REGISTER ---

  /** Whether to hear a request at all. `names` gives the users it claims to be; asked only when a ban is near. */
  admit(knock: Knock, names: () => readonly string[]): Admission {
    if (this.bans.size === 0) return OPEN;
    const now = this.options.clock.now();
    let claimed: readonly string[] | undefined;
    const claim = (): readonly string[] => {
      claimed ??= names().map(countedName);
      return claimed;
    };
    const met = this.bans.matching(knock.ip, knock.domain, claim, now);
    if (met.length === 0) return OPEN;
    const source = sourceOf(knock.ip);
    let provenOnly: Ban | undefined;
    for (const ban of met) {
      if (ban.kind === 'automatic') {
        // The phone that has been right from this very port is not the one that guesses for its account.
        if (ban.username !== null && this.isProvenAt(source, knock, claim(), now)) continue;
        if (ban.username === null && this.proofs.anyAt(source, now)) {
          provenOnly = ban;
          continue;
        }
      }
      this.bans.countRefusal(ban.id);
      return { kind: 'refused', ban };
    }
    return provenOnly === undefined ? OPEN : { kind: 'proven_only', ban: provenOnly };
  }

  /** Whether the user gave the right password from that source lately. `username` is without `@domain`. */
  isProven({ ip, domain }: Knock, username: string): boolean {
    return this.proofs.holds(sourceOf(ip), domain, username, this.options.clock.now());
  }

  /** Notes a right password. */
  right(knock: Knock, username: string): void {
    const now = this.options.clock.now();
    this.proofs.note(sourceOf(knock.ip), knock.domain, username, endpointOf(knock), now);
  }

  /** Counts wrong passwords, and bans when they are too many. */
  wrong(knock: Knock, responses: readonly WrongResponse[]): void {
    if (responses.length === 0 || !this.options.settings.automatic) return;
    if (this.isExempt(knock.ip)) return;
    const now = this.options.clock.now();
    const source = sourceOf(knock.ip);
    for (const response of responses) {
      this.proofs.withdraw(source, knock.domain, response.username, endpointOf(knock));
      for (const trip of this.throttle.wrong(source, knock.domain, response, now)) {
        this.banAutomatically(source, knock.domain, countedName(response.username), trip, now);
      }
    }
  }

  /** Notes that a request heard under `proven_only` was refused after all. */
  countRefusal(ban: Ban): void {
    this.bans.countRefusal(ban.id);
  }

  /** Keeps a refusal for operators. Says whether it may have its log line, too: a flood may not. */
  record(attempt: NewAttempt): boolean {
    const now = this.options.clock.now();
    this.attempts.record(attempt, now);
    const isLogged = this.rejectionLines.take(sourceOf(attempt.ip), attempt.reason, now);
    if (!isLogged) this.options.suppressed.count('registration.rejected');
    return isLogged;
  }

  // --- for operators ---

  /** Refused registrations that the filter lets through, in no order. */
  listAttempts(filter: AttemptFilter): readonly Attempt[] {
    return this.attempts.list(filter);
  }

  attemptsOf(owner: AttemptOwner): readonly Attempt[] {
    return this.attempts.ofUser(owner);
  }

  /** Bans in force that the filter lets through, in no order. */
  listBans(filter: BanFilter): readonly CountedBan[] {
    return this.bans.list(filter, this.options.clock.now());
  }

  getBan(id: string): CountedBan | undefined {
    const ban = this.bans.get(id);
    return ban === undefined || ban.expiresAt <= this.options.clock.now() ? undefined : ban;
  }

  /** Bans that a request from one of `ips` in the name of one of `usernames` would meet now. */
  bansOn(ips: readonly string[], domain: string, usernames: readonly string[]): readonly Ban[] {
    const now = this.options.clock.now();
    const found = new Set(ips.flatMap((ip) => this.bans.matching(ip, domain, () => usernames, now)));
    return [...found];
  }

  /**
   * Bans a network, on disk when the promise resolves and in force before. An automatic ban of the same network and
   * scope gives way to it.
   */
  async addBan(given: NewBan): Promise<CountedBan | Refusal<BanRefusalCode>> {
    const { network, domain, username, seconds, reason, createdBy } = given;
    if (network.prefix < MIN_PREFIX[network.family]) {
      const detail = `A ban reaches no further than /${MIN_PREFIX[network.family]}.`;
      return new Refusal('network_too_wide', detail, '/network');
    }
    const now = this.options.clock.now();
    const before = this.bans.at(network, given);
    if (before?.kind === 'manual' && before.expiresAt > now) {
      return new Refusal('ban_exists', `${before.id} bans that already; lift it first.`);
    }
    if (this.bans.count('manual') >= MAX_MANUAL_BANS) {
      return new Refusal('ban_limit', `There are at most ${MAX_MANUAL_BANS} bans by operators.`);
    }
    const ban: Ban = {
      id: newId('ban', now),
      kind: 'manual',
      network,
      domain,
      username,
      reason,
      createdAt: now,
      expiresAt: now + seconds * 1000,
      createdBy,
    };
    this.bans.add(ban);
    try {
      await this.options.store.insertBan(ban);
    } catch (error) {
      this.bans.remove(ban.id);
      throw error;
    }
    this.options.banEvents.count('added_manual');
    this.options.log.info({ event: 'ban.added', ...describe(ban), seconds, created_by: createdBy });
    return { ...ban, refusedRequests: 0 };
  }

  /** Lifts a ban, and forgets what led to it: the phone may try as if nothing had been. */
  async liftBan(id: string, liftedBy: string): Promise<'lifted' | Refusal<BanRefusalCode>> {
    const found = this.getBan(id);
    if (found === undefined) return new Refusal('ban_not_found', `There is no ban ${id}.`);
    if (found.kind === 'manual') await this.options.store.deleteBan(id);
    this.bans.remove(id);
    this.throttle.forgive(printNetwork(found.network), found.domain, found.username);
    this.options.banEvents.count('lifted');
    this.options.log.info({ event: 'ban.lifted', ...describe(found), lifted_by: liftedBy });
    return 'lifted';
  }

  // --- now and then ---

  /** How many bans there are, for the gauge. */
  get banCount(): number {
    return this.bans.size;
  }

  /** Takes off the bans that have ended; call it about once a second. */
  async sweep(): Promise<void> {
    const now = this.options.clock.now();
    let hasManual = false;
    for (const ban of this.bans.expired(now)) {
      this.bans.remove(ban.id);
      hasManual ||= ban.kind === 'manual';
      this.options.banEvents.count('expired');
      this.tell('ban.expired', ban, {}, now);
    }
    if (hasManual) await this.options.store.deleteExpiredBans(now);
  }

  /** Tells in one line which lines were left out since the last call; call it every few seconds and at the end. */
  tellSuppressed(): void {
    const rejections = this.rejectionLines.drain();
    if (rejections !== undefined) {
      const { total, byName } = rejections;
      this.options.log.warn({ event: 'registration.rejected_suppressed', lines: total, by_reason: byName });
    }
    const bans = this.banLines.drain();
    if (bans !== undefined) {
      this.options.log.warn({ event: 'ban.lines_suppressed', lines: bans.total, by_event: bans.byName });
    }
  }

  private isProvenAt(source: string, knock: Knock, names: readonly string[], now: Instant): boolean {
    const endpoint = endpointOf(knock);
    return names.some((name) => this.proofs.holdsAt(source, knock.domain, name, endpoint, now));
  }

  private isExempt(ip: string): boolean {
    if (this.exempt.length === 0) return false;
    const address = parseNetwork(ip);
    return address !== undefined && this.exempt.some((network) => contains(network, address));
  }

  private banAutomatically(source: string, domain: string, username: string, trip: Trip, now: Instant): void {
    const network = parseNetwork(source);
    if (network === undefined) return;
    const scope: BanScope = trip.kind === 'pair' ? { domain, username } : { domain: null, username: null };
    if (this.bans.at(network, scope)?.kind === 'manual') return;
    if (this.bans.count('automatic') >= MAX_AUTOMATIC_BANS) this.makeRoom();
    const ban: Ban = {
      id: newId('ban', now),
      kind: 'automatic',
      network,
      ...scope,
      reason: wordsOf(trip, domain, username),
      createdAt: now,
      expiresAt: now + trip.seconds * 1000,
      createdBy: null,
    };
    this.bans.add(ban);
    this.options.banEvents.count('added_automatic');
    this.tell('ban.added', ban, { seconds: trip.seconds }, now);
  }

  private makeRoom(): void {
    for (const ban of this.bans.soonestEnding(Math.ceil(MAX_AUTOMATIC_BANS / MAKE_ROOM))) {
      this.bans.remove(ban.id);
      this.options.banEvents.count('dropped');
    }
  }

  private tell(event: 'ban.added' | 'ban.expired', ban: Ban, more: object, now: Instant): void {
    if (this.banLines.take('', event, now)) {
      this.options.log[ban.kind === 'automatic' ? 'warn' : 'info']({ event, ...describe(ban), ...more });
    } else {
      this.options.suppressed.count(event);
    }
  }
}

/** What a phone refused by a ban is told to wait, in seconds. */
export function retryAfterSeconds(ban: Ban, now: Instant): number {
  return Math.min(MAX_RETRY_AFTER_SECONDS, Math.max(1, Math.ceil((ban.expiresAt - now) / 1000)));
}

function endpointOf({ transport, port }: Knock): string {
  return `${transport}:${port}`;
}

function describe(ban: Ban) {
  return {
    ban_id: ban.id,
    kind: ban.kind,
    network: printNetwork(ban.network),
    domain: ban.domain,
    username: ban.username,
    reason: ban.reason,
    expires_at: new Date(ban.expiresAt).toISOString(),
  };
}

function wordsOf({ kind, count }: Trip, domain: string, username: string): string {
  const within = `within ${WINDOW_SECONDS / 60} minutes`;
  switch (kind) {
    case 'pair':
      return `${count} different wrong responses for ${username}@${domain} ${within}`;
    case 'usernames':
      return `wrong responses for ${count} usernames ${within}`;
    case 'responses':
      return `${count} different wrong responses ${within}`;
  }
}
