import type { AccountsChange } from '../../accounts/account-store.js';
import type { Log } from '../../base/log.js';
import { StoreFailed, StoreOverloaded } from '../../base/store-error.js';
import type { BindingChange } from '../../location/decision.js';
import type { Db } from './database.js';
import type { LogSync } from './log-sync.js';

/** One transaction takes at most that many units, so that a long queue does not make one long silence. */
export const MAX_BATCH = 512;
/** Pages a unit writes, as a rule of thumb for when the log has grown long enough to be looked at. */
const PAGES_A_UNIT = 2;
/** What a caller is told to wait when the queue is full. */
const RETRY_AFTER_SECONDS = 2;

/** What a unit changed, announced to the listeners once it is durable. */
export interface Announcements {
  readonly bindings: BindingChange[];
  readonly accounts: AccountsChange[];
}

/**
 * A piece of work within the batch's transaction: synchronous, reads and writes, returns its result. It may be
 * run a second time, when another unit of its batch failed; it must not have effects beside the database and
 * `announce`.
 */
export type Unit<T> = (announce: Announcements) => T;

interface Queued {
  readonly unit: Unit<unknown>;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
  announce: Announcements;
  result: unknown;
  error: Error | undefined;
}

export interface GroupCommitOptions {
  /** Units waiting at most; more are refused with StoreOverloaded. */
  readonly maxQueued: number;
  readonly log: Log;
  /** Called once when the disk has failed in a way that only a new process can recover from. */
  readonly onLost?: ((error: Error) => void) | undefined;
}

/** Counters of what the committer did since it began. */
export interface GroupCommitStats {
  commits: number;
  units: number;
  failedCommits: number;
  overloaded: number;
}

/**
 * Why a 200 OK is true: all work that has gathered during one turn of the event loop goes into one IMMEDIATE
 * transaction, and no promise resolves before its COMMIT has returned and the log that holds it is on disk. The sync
 * runs on the thread pool: meanwhile the loop takes in the next batch, and batches committed while one sync runs
 * share the next. So batches grow with load and no timer is needed.
 *
 * Units run without savepoints, which is right for nearly every batch. When one throws, the whole batch is
 * rolled back and run again with a savepoint each, so that only the one at fault is lost.
 */
export class GroupCommit {
  readonly stats: GroupCommitStats = { commits: 0, units: 0, failedCommits: 0, overloaded: 0 };
  private queue: Queued[] = [];
  /** Units committed and not yet known to be on disk. */
  private unsynced = 0;
  /** Why nothing can be made durable any more. */
  private lost: StoreFailed | undefined;
  private scheduled = false;
  private closed = false;
  /** Pages put into the log since it was last begun anew, estimated from above. */
  writtenPages = 0;
  private readonly bindingListeners: ((changes: readonly BindingChange[]) => void)[] = [];
  private readonly undoneListeners: (() => void)[] = [];
  private readonly accountListeners: ((change: AccountsChange) => void)[] = [];
  private readonly begin;
  private readonly commit;
  private readonly rollback;

  constructor(
    private readonly db: Db,
    private readonly sync: LogSync,
    private readonly options: GroupCommitOptions,
  ) {
    this.begin = db.prepare('BEGIN IMMEDIATE');
    this.commit = db.prepare('COMMIT');
    this.rollback = db.prepare('ROLLBACK');
  }

  /** How many units wait, for their transaction or for the disk. */
  get queued(): number {
    return this.queue.length + this.unsynced;
  }

  /** Whether what is committed still reaches the disk. */
  get isSound(): boolean {
    return this.lost === undefined;
  }

  onBindingChanges(listener: (changes: readonly BindingChange[]) => void): void {
    this.bindingListeners.push(listener);
  }

  /** Calls `listener` whenever something that units wrote is undone. */
  onUndone(listener: () => void): void {
    this.undoneListeners.push(listener);
  }

  onAccountChange(listener: (change: AccountsChange) => void): void {
    this.accountListeners.push(listener);
  }

  /**
   * Queues a unit; the promise resolves with its result once that is durable, and rejects with whatever the
   * unit threw, StoreOverloaded when too much is queued already, or StoreFailed when the COMMIT failed.
   */
  run<T>(unit: Unit<T>): Promise<T> {
    if (this.closed) return Promise.reject(new StoreFailed('the store is closed'));
    if (this.lost !== undefined) return Promise.reject(this.lost);
    if (this.queued >= this.options.maxQueued) {
      this.stats.overloaded++;
      return Promise.reject(new StoreOverloaded(RETRY_AFTER_SECONDS));
    }
    return new Promise<T>((resolve, reject) => {
      this.queue.push({
        unit,
        resolve: resolve as (result: unknown) => void,
        reject,
        announce: { bindings: [], accounts: [] },
        result: undefined,
        error: undefined,
      });
      this.schedule();
    });
  }

  /** Commits what is queued, waits for the disk, and takes nothing more. */
  async close(): Promise<void> {
    while (this.queue.length > 0) this.flush();
    this.closed = true;
    await new Promise<void>((resolve) => this.sync.afterwards(() => resolve()));
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      if (this.queue.length > 0) this.flush();
      if (this.queue.length > 0) this.schedule();
    });
  }

  private flush(): void {
    const batch = this.queue.length <= MAX_BATCH ? this.queue : this.queue.slice(0, MAX_BATCH);
    this.queue = batch === this.queue ? [] : this.queue.slice(MAX_BATCH);
    try {
      if (!this.tryWithoutSavepoints(batch)) this.runWithSavepoints(batch);
      this.stats.commits++;
      this.stats.units += batch.length;
      this.writtenPages += batch.length * PAGES_A_UNIT;
    } catch (cause) {
      this.stats.failedCommits++;
      this.undo();
      this.options.log.error({ event: 'store.commit_failed', units: batch.length, err: cause });
      const error = new StoreFailed(`the transaction failed: ${(cause as Error).message}`, { cause });
      for (const queued of batch) queued.reject(error);
      return;
    }
    // Readers see it from now on, so views must forget what they knew before it.
    for (const queued of batch) if (queued.error === undefined) this.announceAccounts(queued.announce);
    this.unsynced += batch.length;
    this.sync.afterwards((error) => this.settle(batch, error));
  }

  private settle(batch: readonly Queued[], error: Error | undefined): void {
    this.unsynced -= batch.length;
    if (error !== undefined) {
      this.lose(error);
      for (const queued of batch) queued.reject(this.lost ?? error);
      return;
    }
    for (const queued of batch) {
      if (queued.error === undefined) this.announceBindings(queued.announce);
    }
    for (const queued of batch) {
      if (queued.error === undefined) queued.resolve(queued.result);
      else queued.reject(queued.error);
    }
  }

  /**
   * A sync that fails leaves the kernel free to forget what it could not write, so a later one proves nothing. No
   * answer is given from then on; the owner ends the process, and the next one reads what the disk really has.
   */
  private lose(cause: Error): void {
    if (this.lost !== undefined) return;
    this.lost = new StoreFailed(`the disk failed: ${cause.message}`, { cause });
    this.options.log.fatal({ event: 'store.sync_failed', err: cause });
    this.options.onLost?.(this.lost);
  }

  /** False when a unit threw and everything was rolled back. */
  private tryWithoutSavepoints(batch: readonly Queued[]): boolean {
    this.begin.run();
    try {
      for (const queued of batch) queued.result = queued.unit(queued.announce);
    } catch {
      this.undo();
      return false;
    }
    this.commit.run();
    return true;
  }

  private undo(): void {
    // Some failures (disk full, I/O error) make SQLite roll back by itself.
    if (this.db.inTransaction) this.rollback.run();
    for (const listener of this.undoneListeners) listener();
  }

  private runWithSavepoints(batch: readonly Queued[]): void {
    this.begin.run();
    for (const queued of batch) {
      queued.announce = { bindings: [], accounts: [] };
      this.db.exec('SAVEPOINT unit');
      try {
        queued.result = queued.unit(queued.announce);
        this.db.exec('RELEASE unit');
      } catch (error) {
        // Without a transaction the disk is at fault, not the unit, and with it the whole batch.
        if (!this.db.inTransaction || isDiskFailure(error)) throw error;
        this.db.exec('ROLLBACK TO unit; RELEASE unit');
        for (const listener of this.undoneListeners) listener();
        queued.error = error as Error;
      }
    }
    this.commit.run();
  }

  private announceAccounts({ accounts }: Announcements): void {
    for (const change of accounts) {
      for (const listener of this.accountListeners) this.tell(() => listener(change));
    }
  }

  private announceBindings({ bindings }: Announcements): void {
    if (bindings.length === 0) return;
    for (const listener of this.bindingListeners) this.tell(() => listener(bindings));
  }

  /** What is durable stays true, whatever a listener makes of it. */
  private tell(listener: () => void): void {
    try {
      listener();
    } catch (error) {
      this.options.log.error({ event: 'store.listener_failed', err: error });
    }
  }
}

function isDiskFailure(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' && /^SQLITE_(FULL|IOERR|CORRUPT|NOTADB|READONLY|CANTOPEN|NOMEM)/.test(code);
}
