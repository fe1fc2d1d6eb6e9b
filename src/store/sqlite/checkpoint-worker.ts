import { parentPort, workerData } from 'node:worker_threads';
import Database from 'better-sqlite3';

/** How much of the log a checkpoint found and how much of it is in the database now, in pages. */
export interface CheckpointResult {
  readonly log: number;
  readonly checkpointed: number;
}

// Runs in a worker thread: copies the log into the database on a connection of its own, whenever asked. PASSIVE waits
// for nobody and holds up nobody.
const { path } = workerData as { readonly path: string };
const db = new Database(path);
db.pragma('synchronous = NORMAL');
parentPort?.on('message', (message: 'checkpoint' | 'close') => {
  if (message === 'close') {
    db.close();
    parentPort?.close();
    return;
  }
  const [result] = db.pragma('wal_checkpoint(PASSIVE)') as CheckpointResult[];
  parentPort?.postMessage(result ?? { log: 0, checkpointed: 0 });
});
