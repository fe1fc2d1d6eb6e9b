import { Worker } from 'node:worker_threads';
import type { Log } from '../../base/log.js';
import type { CheckpointResult } from './checkpoint-worker.js';
import type { Db } from './database.js';

/** How often the log is looked at. */
const INTERVAL_MS = 250;
/** A log shorter than that is left alone: 4,000 pages are 16 MB. */
const WORTHWHILE_PAGES = 4_000;

/**
 * Keeps the write-ahead log short without holding up the writer. A worker thread copies it into the database; since
 * the writer goes on meanwhile, what came in between is copied on the writer's own connection right after, which is
 * little. Then nothing in the log is needed any more and the next write begins it anew.
 *
 * Run from TypeScript sources, as tests do, there is no worker to load; SQLite then checkpoints by itself within a
 * COMMIT, as it does by default.
 */
export class Checkpointer {
  private readonly worker: Worker | undefined;
  /** Resolves when the worker is gone, also when it went by itself before anybody asked it to. */
  private readonly ended: Promise<void> = Promise.resolve();
  private readonly timer: NodeJS.Timeout | undefined;
  private busy = false;

  constructor(
    private readonly db: Db,
    path: string,
    private readonly log: Log,
    /** How many pages the writer may have put into the log since it was last empty, at most. */
    private readonly writtenPages: () => number,
    private readonly reset: () => void,
  ) {
    if (path === ':memory:' || !import.meta.url.endsWith('.js')) return;
    db.pragma('wal_autocheckpoint = 0');
    this.worker = new Worker(new URL('./checkpoint-worker.js', import.meta.url), { workerData: { path } });
    this.worker.on('message', (result: CheckpointResult) => this.finish(result));
    this.worker.on('error', (error) => {
      // Without the worker SQLite's own way has to do; it costs latency, not truth.
      log.error({ event: 'store.checkpointer_failed', err: error });
      this.busy = true;
      db.pragma('wal_autocheckpoint = 1000');
    });
    const { worker } = this;
    this.ended = new Promise((resolve) => worker.once('exit', () => resolve()));
    worker.unref();
    this.timer = setInterval(() => this.begin(), INTERVAL_MS);
    this.timer.unref();
  }

  /** Ends the worker; its connection is closed when this resolves. */
  async close(): Promise<void> {
    clearInterval(this.timer);
    // It kept nobody waiting while it ran; now its end is what is waited for.
    this.worker?.ref();
    this.worker?.postMessage('close');
    await this.ended;
  }

  private begin(): void {
    if (this.busy || this.writtenPages() < WORTHWHILE_PAGES) return;
    this.busy = true;
    this.worker?.postMessage('checkpoint');
  }

  private finish({ log, checkpointed }: CheckpointResult): void {
    this.busy = false;
    // Somebody reads an old state (a backup, a shell): the rest has to wait for them.
    if (checkpointed < log) return;
    try {
      const [rest] = this.db.pragma('wal_checkpoint(PASSIVE)') as CheckpointResult[];
      if (rest !== undefined && rest.checkpointed === rest.log) this.reset();
    } catch (error) {
      this.log.error({ event: 'store.checkpoint_failed', err: error });
    }
  }
}
