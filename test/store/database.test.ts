import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it, onTestFinished } from 'vitest';
import { DatabaseRefused, openDatabase } from '../../src/store/sqlite/database.js';
import { MIGRATIONS_FOLDER, migrate, readMigrations } from '../../src/store/sqlite/migrate.js';
import { openStore, tempFolder } from './open-store.js';

const DRIVER = createRequire(import.meta.url).resolve('better-sqlite3');

/** Takes the lock as another process would, and holds it until it is killed. */
const HOLD = `
  const db = new (require(${JSON.stringify(DRIVER)}))(process.argv[1] + '.lock', { timeout: 0 });
  db.exec('BEGIN EXCLUSIVE');
  console.log('held');
  setInterval(() => {}, 1000);
`;
/** Tries the lock once. */
const TRY = `
  const db = new (require(${JSON.stringify(DRIVER)}))(process.argv[1] + '.lock', { timeout: 0 });
  try { db.exec('BEGIN EXCLUSIVE'); console.log('taken'); } catch (error) { console.log(error.code); }
`;

function openedDatabase(path: string) {
  const opened = openDatabase(path);
  onTestFinished(() => opened.close());
  return opened;
}

function refusalOf(open: () => unknown): string {
  try {
    open();
  } catch (error) {
    expect(error).toBeInstanceOf(DatabaseRefused);
    return (error as Error).message;
  }
  return 'opened';
}

describe('one process at a time', () => {
  it('a second opener in the same process is refused', () => {
    const { path } = openStore();
    expect(refusalOf(() => openDatabase(path))).toMatch(/another process is using/);
  });

  it('a second opener in another process is refused', () => {
    const { path } = openStore();
    expect(spawnSync(process.execPath, ['-e', TRY, path], { encoding: 'utf8' }).stdout.trim()).toBe(
      'SQLITE_BUSY',
    );
  });

  it('the lock of a process that was killed is free', async () => {
    const path = join(tempFolder(), 'registrar.db');
    const holder = spawn(process.execPath, ['-e', HOLD, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(holder.stdout, 'data');
    expect(refusalOf(() => openDatabase(path))).toMatch(/another process is using/);
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    expect(refusalOf(() => openedDatabase(path))).toBe('opened');
  });

  it('closing frees the lock', async () => {
    const { path, store } = openStore();
    await store.close();
    expect(refusalOf(() => openedDatabase(path))).toBe('opened');
  });
});

describe('what is refused, in words', () => {
  it("another program's database", () => {
    const path = join(tempFolder(), 'registrar.db');
    const other = new Database(path);
    other.exec('CREATE TABLE theirs (a)');
    other.close();
    expect(refusalOf(() => openDatabase(path))).toMatch(/database of another program/);
  });

  it('a database of another program that has no tables yet, by its mark', () => {
    const path = join(tempFolder(), 'registrar.db');
    const other = new Database(path);
    other.pragma('application_id = 42');
    other.close();
    expect(refusalOf(() => openDatabase(path))).toMatch(/database of another program/);
  });

  it('a file that is no database', () => {
    const path = join(tempFolder(), 'registrar.db');
    writeFileSync(path, 'not a database, but long enough to be looked at as one'.repeat(100));
    expect(refusalOf(() => openDatabase(path))).toMatch(/can't be opened/);
  });

  it('a folder that is not there', () => {
    expect(refusalOf(() => openDatabase(join(tempFolder(), 'no', 'registrar.db')))).toMatch(/does not exist/);
  });

  it('a lock file that can not be made', () => {
    const path = join(tempFolder(), 'registrar.db');
    mkdirSync(`${path}.lock`);
    expect(refusalOf(() => openDatabase(path))).toMatch(/can't be taken/);
  });

  it('a folder that can not be written to, not even by root', () => {
    expect(refusalOf(() => openDatabase('/proc/registrar.db'))).toMatch(/can't be/);
  });

  it('an empty file is a new database', () => {
    const path = join(tempFolder(), 'registrar.db');
    writeFileSync(path, '');
    expect(refusalOf(() => openedDatabase(path))).toBe('opened');
  });
});

describe('migrations', () => {
  const NAMES = readMigrations(MIGRATIONS_FOLDER).map(({ name }) => name);

  function folderOf(files: Readonly<Record<string, string>>): string {
    const folder = tempFolder();
    for (const [name, sql] of Object.entries(files)) writeFileSync(join(folder, name), sql);
    return folder;
  }
  const FIRST = 'CREATE TABLE first (a);';
  const SECOND = 'CREATE TABLE second (a);';

  it('a new database gets all of them, an old one none again', async () => {
    const opened = openStore();
    expect(opened.store.migrated).toEqual(NAMES);
    expect((await opened.reopen()).migrated).toEqual([]);
  });

  it('a database gets those it lacks', () => {
    const { db } = openedDatabase(join(tempFolder(), 'test.db'));
    expect(migrate(db, readMigrations(folderOf({ '0001_first.sql': FIRST })), 1)).toEqual(['first']);
    const both = readMigrations(folderOf({ '0001_first.sql': FIRST, '0002_second.sql': SECOND }));
    expect(migrate(db, both, 2)).toEqual(['second']);
    expect(db.prepare('SELECT version, applied_at FROM schema_migrations').raw().all()).toEqual([
      [1, 1],
      [2, 2],
    ]);
  });

  it.each<[string, Readonly<Record<string, string>>, RegExp]>([
    [
      'one that was edited after it was applied',
      { '0001_first.sql': `${FIRST} ` },
      /edited after it was applied/,
    ],
    ['a database that is newer than the program', {}, /made by a newer version/],
  ])('refuses %s', (_, files, message) => {
    const { db } = openedDatabase(join(tempFolder(), 'test.db'));
    migrate(db, readMigrations(folderOf({ '0001_first.sql': FIRST })), 1);
    expect(refusalOf(() => migrate(db, readMigrations(folderOf(files)), 2))).toMatch(message);
  });

  it.each<[string, Readonly<Record<string, string>>, RegExp]>([
    [
      'a number is missing',
      { '0001_a.sql': FIRST, '0003_c.sql': SECOND },
      /migration 2 is missing or double/,
    ],
    ['a number is double', { '0001_a.sql': FIRST, '0001_b.sql': SECOND }, /migration 2 is missing or double/],
    ['they do not begin with 1', { '0002_b.sql': SECOND }, /migration 1 is missing or double/],
    ['a name is none', { '0001_a.sql': FIRST, '0002-b.sql': SECOND }, /is no NNNN_name\.sql/],
  ])('refuses a folder in which %s', (_, files, message) => {
    expect(refusalOf(() => readMigrations(folderOf(files)))).toMatch(message);
  });

  it('one that fails leaves nothing of those before it', () => {
    const { db } = openedDatabase(join(tempFolder(), 'test.db'));
    const broken = readMigrations(folderOf({ '0001_first.sql': FIRST, '0002_broken.sql': 'CREATE TABLE (' }));
    expect(() => migrate(db, broken, 1)).toThrow();
    expect(db.prepare(`SELECT name FROM sqlite_schema WHERE type = 'table'`).pluck().all()).toEqual([]);
  });

  it('other files in the folder do not matter', () => {
    expect(readMigrations(folderOf({ '0001_a.sql': FIRST, 'README.md': 'words' }))).toHaveLength(1);
  });
});

it('a store that is refused lets go of the file', async () => {
  const { path, store } = openStore();
  await store.close();
  const empty = tempFolder();
  expect(refusalOf(() => openStore({ path, migrationsFolder: empty }))).toMatch(/newer version/);
  expect(refusalOf(() => openedDatabase(path))).toBe('opened');
});
