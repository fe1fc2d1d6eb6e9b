import type { Instant } from '../../base/clock.js';
import { RecentMap } from '../../base/recent-map.js';
import type { Binding } from '../../location/binding.js';

/** Addresses-of-record whose state is remembered at most; about 1 KB each. */
export const MAX_VIEWED_AORS = 100_000;

/** A binding with the row it stands in. */
export interface BindingInRow {
  readonly seq: number;
  readonly binding: Binding;
}

/** What the rows of one address-of-record say; expired bindings that were not swept yet are among them. */
export interface ViewedAor {
  readonly blockedUntil: Instant | null;
  readonly rows: readonly BindingInRow[];
}

/**
 * What the writer has read or written lately, so that a refresh need not read it again. Never a second truth: only
 * the writer fills it, a plain refresh replaces what it wrote, every other change makes it forget, and so does
 * every transaction that is undone.
 */
export class AorView {
  private readonly aors = new RecentMap<ViewedAor>(MAX_VIEWED_AORS);

  get(userId: string): ViewedAor | undefined {
    return this.aors.get(userId);
  }

  set(userId: string, aor: ViewedAor): void {
    this.aors.set(userId, aor);
  }

  /** Notes a plain refresh of the binding in one row. */
  refresh(userId: string, aor: ViewedAor, refreshed: BindingInRow): void {
    this.aors.set(userId, {
      blockedUntil: aor.blockedUntil,
      rows:
        aor.rows.length === 1
          ? [refreshed]
          : aor.rows.map((row) => (row.seq === refreshed.seq ? refreshed : row)),
    });
  }

  forget(userId: string): void {
    this.aors.delete(userId);
  }

  forgetAll(): void {
    this.aors.clear();
  }
}
