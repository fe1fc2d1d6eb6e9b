import type { Clock } from '../../base/clock.js';
import type { Log } from '../../base/log.js';
import { BindingRows } from './binding-rows.js';
import { Checkpointer } from './checkpointer.js';
import { openDatabase, syncFolderOf } from './database.js';
import { GroupCommit, type GroupCommitStats } from './group-commit.js';
import { LogSync } from './log-sync.js';
import { MIGRATIONS_FOLDER, migrate, readMigrations } from './migrate.js';
import { SqliteAccountStore } from './sqlite-account-store.js';
import { SqliteAdminStore } from './sqlite-admin-store.js';
import { SqliteBanStore } from './sqlite-ban-store.js';
import { SqliteLocationStore } from './sqlite-location-store.js';

export interface SqliteOptions {
  /** The database file; `:memory:` for a store that nobody else sees and nothing outlives. */
  readonly path: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Units of work waiting at most; more are refused with StoreOverloaded. */
  readonly maxQueued: number;
  /** Called once when the disk has failed in a way that only a new process can recover from. */
  readonly onLost?: ((error: Error) => void) | undefined;
  /** Another folder of migrations than the program's own; for tests. */
  readonly migrationsFolder?: string | undefined;
}

/** The stores over one database and one writer. */
export interface SqliteStore {
  readonly accounts: SqliteAccountStore;
  readonly location: SqliteLocationStore;
  readonly admin: SqliteAdminStore;
  readonly bans: SqliteBanStore;
  /** Names of the migrations applied at opening. */
  readonly migrated: readonly string[];
  readonly stats: GroupCommitStats;
  /** Units waiting for their transaction. */
  queued(): number;
  /** False once the disk has failed for good: every write is refused. */
  isSound(): boolean;
  /** Commits what is queued, waits for the disk, then closes the file. May be called again. */
  close(): Promise<void>;
}

/**
 * Opens the database, brings its schema up to date and makes the stores.
 * @throws DatabaseRefused when another process has it, it is newer than the program, or a migration was edited.
 */
export function openSqliteStore(options: SqliteOptions): SqliteStore {
  const { db, close } = openDatabase(options.path);
  try {
    const migrations = readMigrations(options.migrationsFolder ?? MIGRATIONS_FOLDER);
    const migrated = migrate(db, migrations, options.clock.now());
    db.pragma('wal_checkpoint(PASSIVE)');
    syncFolderOf(options.path);
    const sync = LogSync.of(options.path);
    const commit = new GroupCommit(db, sync, options);
    const checkpointer = new Checkpointer(
      db,
      options.path,
      options.log,
      () => commit.writtenPages,
      () => {
        commit.writtenPages = 0;
      },
    );
    const rows = new BindingRows(db);
    commit.onUndone(() => rows.forgetAll());
    const closeAll = async (): Promise<void> => {
      await commit.close();
      await checkpointer.close();
      sync.close();
      close();
    };
    let closing: Promise<void> | undefined;
    return {
      accounts: new SqliteAccountStore(db, commit, rows),
      location: new SqliteLocationStore(db, commit, rows),
      admin: new SqliteAdminStore(db, commit),
      bans: new SqliteBanStore(db, commit),
      migrated,
      stats: commit.stats,
      queued: () => commit.queued,
      isSound: () => commit.isSound,
      // Twice would close whatever file has the log's number by then.
      close: () => {
        closing ??= closeAll();
        return closing;
      },
    };
  } catch (error) {
    close();
    throw error;
  }
}
