import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { DatabaseRefused, type Db } from './database.js';

/** One step of the schema, as a file `NNNN_name.sql`. */
export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly sql: string;
  /** SHA-256 of the file, hex. */
  readonly checksum: string;
}

/** The folder that comes with the program. */
export const MIGRATIONS_FOLDER = fileURLToPath(new URL('../../../migrations/', import.meta.url));

/**
 * Reads the migrations of a folder, in order.
 * @throws DatabaseRefused when numbers are missing or double, or a file's name is none of a migration.
 */
export function readMigrations(folder: string): readonly Migration[] {
  const migrations = readdirSync(folder)
    .filter((file) => file.endsWith('.sql'))
    .sort()
    .map((file) => {
      // Left out in silence, a misnamed migration would be missed by the code that needs it.
      if (!/^\d{4}_\w+\.sql$/.test(file)) throw new DatabaseRefused(`${folder}/${file} is no NNNN_name.sql`);
      const sql = readFileSync(`${folder}/${file}`, 'utf8');
      return {
        version: Number(file.slice(0, 4)),
        name: file.slice(5, -'.sql'.length),
        sql,
        checksum: createHash('sha256').update(sql).digest('hex'),
      };
    });
  for (const [index, { version }] of migrations.entries()) {
    if (version !== index + 1)
      throw new DatabaseRefused(`migration ${index + 1} is missing or double in ${folder}`);
  }
  return migrations;
}

interface Applied {
  readonly version: number;
  readonly name: string;
  readonly checksum: string;
}

/**
 * Brings the schema up to date: all missing migrations in one transaction, forward only. Returns the names of
 * those applied now.
 * @throws DatabaseRefused when the database is newer than the program, or a migration that it has already
 * applied has been edited since; nothing is changed then.
 */
export function migrate(db: Db, migrations: readonly Migration[], now: number): readonly string[] {
  return db
    .transaction(() => {
      db.exec(
        `CREATE TABLE IF NOT EXISTS schema_migrations (
           version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at INTEGER NOT NULL
         ) STRICT`,
      );
      const applied = db
        .prepare('SELECT version, name, checksum FROM schema_migrations ORDER BY version')
        .all() as Applied[];
      for (const { version, name, checksum } of applied) {
        const known = migrations[version - 1];
        if (known === undefined) {
          throw new DatabaseRefused(
            `the database was made by a newer version (it has migration ${version}, ${name}); run that one`,
          );
        }
        if (known.checksum !== checksum) {
          throw new DatabaseRefused(
            `migration ${version} (${known.name}) was edited after it was applied; restore the file`,
          );
        }
      }
      const missing = migrations.slice(applied.length);
      const record = db.prepare(
        'INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES (?, ?, ?, ?)',
      );
      for (const { version, name, sql, checksum } of missing) {
        db.exec(sql);
        record.run(version, name, checksum, now);
      }
      return missing.map(({ name }) => name);
    })
    .exclusive();
}
