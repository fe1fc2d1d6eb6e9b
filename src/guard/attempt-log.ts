import type { Instant } from '../base/clock.js';
import { detached } from '../base/detached.js';
import {
  type Attempt,
  type AttemptFilter,
  type AttemptOwner,
  isStaleNonce,
  type NewAttempt,
} from './attempt.js';
import { AttemptMemory } from './attempt-memory.js';
import { contains, parseNetwork } from './network.js';

/** Records kept of one user, of one stranger's source, and of one user's stale nonces. */
export const MAX_ATTEMPTS_A_USER = 20;
export const MAX_ATTEMPTS_A_SOURCE = 20;
export const MAX_STALE_A_USER = 4;
/** Records kept in all: of users who exist, of strangers, of stale nonces. At most about 2 KB each, mostly 700 bytes. */
export const MAX_ATTEMPTS_OF_USERS = 10_000;
export const MAX_ATTEMPTS_OF_STRANGERS = 5_000;
export const MAX_STALE = 5_000;
/** How much is kept of a text off the wire. */
export const MAX_TEXT_LENGTH = 256;

/**
 * Refused registrations, for operators: why can this phone not register? In memory only, since what a stranger
 * can send without a password must not reach the disk; a restart forgets it. Bounded, in three memories: what
 * names nobody pushes out nothing of those who exist, and neither do the stale nonces of a restart.
 */
export class AttemptLog {
  private readonly ofUsers = new AttemptMemory(MAX_ATTEMPTS_OF_USERS, MAX_ATTEMPTS_A_USER);
  private readonly ofStrangers = new AttemptMemory(MAX_ATTEMPTS_OF_STRANGERS, MAX_ATTEMPTS_A_SOURCE);
  private readonly stale = new AttemptMemory(MAX_STALE, MAX_STALE_A_USER);

  get size(): number {
    return this.ofUsers.size + this.ofStrangers.size + this.stale.size;
  }

  record(attempt: NewAttempt, now: Instant): void {
    // What tells records apart is cut first: texts that differ beyond that are alike.
    const { username, aor } = attempt;
    const told = { ...attempt, username: username === null ? null : cut(username), aor: cut(aor) };
    if (isStaleNonce(attempt.reason)) this.stale.record(attempt.userId ?? attempt.ip, told, keep, now);
    else if (attempt.userId !== null) this.ofUsers.record(attempt.userId, told, keep, now);
    else this.ofStrangers.record(attempt.ip, told, keep, now);
  }

  /** Those that the filter lets through, in no order. */
  list(filter: AttemptFilter): readonly Attempt[] {
    const found: Attempt[] = [];
    const memories = filter.reason === undefined ? [this.ofUsers, this.ofStrangers] : this.all();
    for (const memory of memories) {
      for (const attempt of memory.attempts()) if (matches(attempt, filter)) found.push(attempt);
    }
    return found;
  }

  /** What concerns a user: refusals of whom a username of the user was claimed, or whose address was in To. */
  ofUser({ userId, aors }: AttemptOwner): readonly Attempt[] {
    const found: Attempt[] = [];
    for (const memory of this.all()) {
      for (const attempt of memory.attempts()) {
        if (attempt.userId === userId || aors.includes(attempt.aor)) found.push(attempt);
      }
    }
    return found;
  }

  private all(): readonly AttemptMemory[] {
    return [this.ofUsers, this.ofStrangers, this.stale];
  }
}

/** A copy of which each text is short and stands alone. */
function keep(attempt: NewAttempt): NewAttempt {
  const { username, userAgent, facts } = attempt;
  return {
    ...attempt,
    username: username === null ? null : keepText(username),
    aor: keepText(attempt.aor),
    domain: keepText(attempt.domain),
    userAgent: userAgent === null ? null : keepText(userAgent),
    callId: keepText(attempt.callId),
    facts: {
      ...facts,
      answeredAlgorithm:
        facts.answeredAlgorithm === undefined ? undefined : keepText(facts.answeredAlgorithm),
      fault: facts.fault === undefined ? undefined : keepText(facts.fault),
    },
  };
}

function keepText(text: string): string {
  return detached(cut(text));
}

function cut(text: string): string {
  return text.length <= MAX_TEXT_LENGTH ? text : text.slice(0, MAX_TEXT_LENGTH);
}

function matches(attempt: Attempt, filter: AttemptFilter): boolean {
  const { from, aor, username, domain, reason, since, confinedTo } = filter;
  const domains = [attempt.domain, attempt.aor.slice(attempt.aor.lastIndexOf('@') + 1)];
  return (
    (reason === undefined || attempt.reason === reason) &&
    (since === undefined || attempt.lastSeenAt >= since) &&
    (aor === undefined || attempt.aor === aor) &&
    (username === undefined ||
      attempt.username === username ||
      attempt.username?.slice(0, attempt.username.lastIndexOf('@')) === username) &&
    (domain === undefined || domains.includes(domain)) &&
    (confinedTo === undefined || domains.some((name) => confinedTo.includes(name))) &&
    (from === undefined || isFrom(attempt.ip, from))
  );
}

function isFrom(ip: string, network: NonNullable<AttemptFilter['from']>): boolean {
  const address = parseNetwork(ip);
  return address !== undefined && contains(network, address);
}
