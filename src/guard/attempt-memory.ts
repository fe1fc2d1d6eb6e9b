import type { Instant } from '../base/clock.js';
import { detached } from '../base/detached.js';
import { newId } from '../base/random.js';
import type { Attempt, NewAttempt } from './attempt.js';

/** A refusal like one seen within that time is the same record once more. */
export const COLLAPSE_SECONDS = 600;
/** How often the latest of refusals alike is copied, at most. */
const COPY_INTERVAL_MS = 1_000;

/** A record with its neighbours in the order of when they were seen last. */
interface Slot {
  latest: NewAttempt;
  readonly id: string;
  count: number;
  readonly firstSeenAt: Instant;
  lastSeenAt: Instant;
  readonly key: string;
  readonly group: string;
  newer: Slot | undefined;
  older: Slot | undefined;
}

/**
 * A bounded memory of attempts in groups (a user's, a source's). When a group is full its oldest record makes
 * room, when the memory is full the oldest of all; each step takes the same time however much is kept.
 */
export class AttemptMemory {
  private readonly byKey = new Map<string, Slot>();
  private readonly groups = new Map<string, Slot[]>();
  private newest: Slot | undefined;
  private oldest: Slot | undefined;
  private count = 0;

  constructor(
    private readonly maxAttempts: number,
    private readonly maxPerGroup: number,
  ) {}

  get size(): number {
    return this.count;
  }

  /** Takes a refusal in; `keep` makes the copy that is kept of it, where one is. */
  record(group: string, attempt: NewAttempt, keep: (attempt: NewAttempt) => NewAttempt, now: Instant): void {
    const { ip, transport, reason, username, aor } = attempt;
    const key = `${group}\0${ip}\0${transport}\0${reason}\0${username ?? ''}\0${aor}`;
    const known = this.byKey.get(key);
    if (known !== undefined && now - known.lastSeenAt <= COLLAPSE_SECONDS * 1000) {
      known.count++;
      // In a flood the copies would cost more than all the rest.
      if (now - known.lastSeenAt >= COPY_INTERVAL_MS) known.latest = keep(attempt);
      known.lastSeenAt = now;
      this.unlink(known);
      this.link(known);
      return;
    }
    const latest = keep(attempt);
    const slot: Slot = {
      latest,
      id: newId('att', now),
      count: 1,
      firstSeenAt: now,
      lastSeenAt: now,
      key: detached(key),
      group,
      newer: undefined,
      older: undefined,
    };
    const members = this.groups.get(group);
    const outdated =
      members !== undefined && members.length >= this.maxPerGroup ? oldestOf(members) : undefined;
    if (outdated !== undefined) this.drop(outdated);
    else if (this.count >= this.maxAttempts && this.oldest !== undefined) this.drop(this.oldest);
    this.byKey.set(slot.key, slot);
    this.link(slot);
    this.count++;
    const company = this.groups.get(group);
    if (company === undefined) this.groups.set(group, [slot]);
    else company.push(slot);
  }

  /** All of them, those seen last first. */
  *attempts(): IterableIterator<Attempt> {
    for (let slot = this.newest; slot !== undefined; slot = slot.older) {
      const { latest, id, count, firstSeenAt, lastSeenAt } = slot;
      yield { ...latest, id, count, firstSeenAt, lastSeenAt };
    }
  }

  private drop(slot: Slot): void {
    this.unlink(slot);
    this.count--;
    // The key may stand for a newer record by now.
    if (this.byKey.get(slot.key) === slot) this.byKey.delete(slot.key);
    const members = this.groups.get(slot.group) ?? [];
    if (members.length === 1) this.groups.delete(slot.group);
    else members.splice(members.indexOf(slot), 1);
  }

  private link(slot: Slot): void {
    slot.newer = undefined;
    slot.older = this.newest;
    if (this.newest === undefined) this.oldest = slot;
    else this.newest.newer = slot;
    this.newest = slot;
  }

  private unlink(slot: Slot): void {
    if (slot.newer === undefined) this.newest = slot.older;
    else slot.newer.older = slot.older;
    if (slot.older === undefined) this.oldest = slot.newer;
    else slot.older.newer = slot.newer;
  }
}

function oldestOf(slots: Iterable<Slot>): Slot | undefined {
  let oldest: Slot | undefined;
  for (const slot of slots) {
    if (oldest === undefined || slot.lastSeenAt < oldest.lastSeenAt) oldest = slot;
  }
  return oldest;
}
