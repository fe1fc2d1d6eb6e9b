import { closeSync, fdatasync, openSync } from 'node:fs';

/**
 * Makes what was committed durable without holding the event loop: `fdatasync` of the write-ahead log on the thread
 * pool. One runs at a time; whatever is committed while it runs is made durable by the next, all together.
 */
export class LogSync {
  private running = false;
  private waiting: ((error: Error | undefined) => void)[] = [];

  private constructor(private readonly fileDescriptor: number | undefined) {}

  /** `databasePath` has been written to in WAL mode; a database in memory needs no sync. */
  static of(databasePath: string): LogSync {
    return new LogSync(databasePath === ':memory:' ? undefined : openSync(`${databasePath}-wal`, 'r+'));
  }

  /**
   * Calls `done` when everything written to the log before this call is on disk, or with the system's error, after
   * which nobody can tell what is on disk and what is not.
   */
  afterwards(done: (error: Error | undefined) => void): void {
    this.waiting.push(done);
    if (!this.running) this.begin();
  }

  close(): void {
    if (this.fileDescriptor !== undefined) closeSync(this.fileDescriptor);
  }

  private begin(): void {
    const served = this.waiting;
    this.waiting = [];
    if (this.fileDescriptor === undefined) {
      for (const done of served) done(undefined);
      return;
    }
    this.running = true;
    fdatasync(this.fileDescriptor, (error) => {
      this.running = false;
      // The next sync goes first: it runs while the answers of this one are sent.
      if (this.waiting.length > 0) this.begin();
      for (const done of served) done(error ?? undefined);
    });
  }
}
