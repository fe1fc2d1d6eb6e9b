import { closeSync, existsSync, fsyncSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';

export type Db = Database.Database;
export type Statement = Database.Statement<unknown[], unknown>;

/** The database can't be used as it is; the message says what an operator does about it. */
export class DatabaseRefused extends Error {
  readonly code = 'database_refused';
}

/** Written into the file's header, so that another program's database is told apart ('SIPR'). */
const APPLICATION_ID = 0x53495052;

/**
 * Opens the database file, alone: a second process on the same file is refused, because two writers would each
 * believe in their own view. The lock is the operating system's and ends with the process, however it ends.
 * @throws DatabaseRefused when another process has it, or it is not ours.
 */
export function openDatabase(path: string): { readonly db: Db; readonly close: () => void } {
  if (path !== ':memory:' && !existsSync(dirname(path))) {
    throw new DatabaseRefused(`the folder of the database ${path} does not exist`);
  }
  const lock = path === ':memory:' ? undefined : takeLock(path);
  let db: Db | undefined;
  try {
    db = new Database(path);
    checkApplication(db, path);
    // NORMAL leaves out one thing that FULL does, the sync of the log after each COMMIT. LogSync does that instead,
    // off the event loop, before anything is acknowledged: see docs/decisions/0002-group-commit.md.
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = NORMAL');
    db.pragma('foreign_keys = ON');
    db.pragma('temp_store = MEMORY');
    db.pragma('cache_size = -65536');
    db.pragma('busy_timeout = 1000');
    const opened = db;
    return {
      db,
      close: () => {
        opened.close();
        lock?.close();
      },
    };
  } catch (error) {
    db?.close();
    lock?.close();
    if (error instanceof DatabaseRefused) throw error;
    throw new DatabaseRefused(`the database ${path} can't be opened: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function takeLock(path: string): Db {
  let lock: Db | undefined;
  try {
    lock = new Database(`${path}.lock`, { timeout: 0 });
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock?.close();
    if ((error as { code?: string }).code === 'SQLITE_BUSY') {
      throw new DatabaseRefused(`another process is using the database ${path}; stop it first`);
    }
    throw new DatabaseRefused(`the lock ${path}.lock can't be taken: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** Makes the names of newly made files durable: without their folder's entry the files are lost with the power. */
export function syncFolderOf(path: string): void {
  if (path === ':memory:') return;
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

function checkApplication(db: Db, path: string): void {
  const found = db.pragma('application_id', { simple: true });
  if (found === APPLICATION_ID) return;
  const tables = db.prepare('SELECT count(*) FROM sqlite_schema').pluck().get();
  if (found !== 0 || tables !== 0) {
    throw new DatabaseRefused(`the file ${path} is a database of another program`);
  }
  db.pragma(`application_id = ${APPLICATION_ID}`);
}
