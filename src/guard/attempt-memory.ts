import type { Instant } from '../base/clock.js';
import { newId } from '../base/random.js';
import type { Attempt, NewAttempt } from './attempt.js';

/** A refusal like one seen within that time is the same record once more. */
export const COLLAPSE_SECONDS = 600;

/** A record with its neighbours in the order of when they were seen last. */
interface Slot {
  attempt: Attempt;
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
  private readonly groups = new Map<string, Set<Slot>>();
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

  record(group: string, attempt: NewAttempt, now: Instant): void {
    const key = [group, attempt.ip, attempt.transport, attempt.reason, attempt.username, attempt.aor].join(
      '\0',
    );
    const known = this.byKey.get(key);
    if (known !== undefined && now - known.attempt.lastSeenAt <= COLLAPSE_SECONDS * 1000) {
      const { id, count, firstSeenAt } = known.attempt;
      known.attempt = { ...attempt, id, count: count + 1, firstSeenAt, lastSeenAt: now };
      this.unlink(known);
      this.link(known);
      return;
    }
    const slot: Slot = {
      attempt: { ...attempt, id: newId('att', now), count: 1, firstSeenAt: now, lastSeenAt: now },
      key,
      group,
      newer: undefined,
      older: undefined,
    };
    const members = this.groups.get(group);
    const outdated =
      members !== undefined && members.size >= this.maxPerGroup ? oldestOf(members) : undefined;
    if (outdated !== undefined) this.drop(outdated);
    else if (this.count >= this.maxAttempts && this.oldest !== undefined) this.drop(this.oldest);
    this.byKey.set(key, slot);
    this.link(slot);
    this.count++;
    const company = this.groups.get(group);
    if (company === undefined) this.groups.set(group, new Set([slot]));
    else company.add(slot);
  }

  /** All of them, those seen last first. */
  *attempts(): IterableIterator<Attempt> {
    for (let slot = this.newest; slot !== undefined; slot = slot.older) yield slot.attempt;
  }

  private drop(slot: Slot): void {
    this.unlink(slot);
    this.count--;
    // The key may stand for a newer record by now.
    if (this.byKey.get(slot.key) === slot) this.byKey.delete(slot.key);
    const members = this.groups.get(slot.group);
    members?.delete(slot);
    if (members?.size === 0) this.groups.delete(slot.group);
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
    if (oldest === undefined || slot.attempt.lastSeenAt < oldest.attempt.lastSeenAt) oldest = slot;
  }
  return oldest;
}
