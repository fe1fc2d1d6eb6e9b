import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { createLog } from '../../src/base/log.js';
import { StoreFailed, StoreOverloaded } from '../../src/base/store-error.js';
import { type Db, openDatabase } from '../../src/store/sqlite/database.js';
import { GroupCommit, MAX_BATCH } from '../../src/store/sqlite/group-commit.js';
import { LogSync } from '../../src/store/sqlite/log-sync.js';
import { binding } from '../location/commands.js';
import { tempFolder } from './open-store.js';

interface Scene {
  readonly commit: GroupCommit;
  readonly db: Db;
  /** A unit that inserts a row and announces it by its name. */
  insert(name: string): Promise<void>;
  rows(): readonly string[];
  readonly announced: string[];
}

function scene(maxQueued = 10_000): Scene {
  const path = join(tempFolder(), 'test.db');
  const { db, close } = openDatabase(path);
  db.exec('CREATE TABLE rows (name TEXT NOT NULL PRIMARY KEY, filler BLOB)');
  const sync = LogSync.of(path);
  const commit = new GroupCommit(db, sync, { maxQueued, log: createLog('silent') });
  const announced: string[] = [];
  commit.onBindingChanges((changes) => announced.push(...changes.map((change) => change.binding.contact)));
  onTestFinished(async () => {
    await commit.close();
    sync.close();
    close();
  });
  const insertRow = db.prepare('INSERT INTO rows (name) VALUES (?)');
  return {
    commit,
    db,
    announced,
    insert: (name) =>
      commit.run((announce) => {
        announce.bindings.push({ kind: 'created', binding: binding(name) });
        insertRow.run(name);
      }),
    rows: () => db.prepare('SELECT name FROM rows ORDER BY name').pluck().all() as string[],
  };
}

async function codes(work: readonly Promise<unknown>[]): Promise<readonly string[]> {
  const results = await Promise.allSettled(work);
  return results.map((result) =>
    result.status === 'fulfilled'
      ? 'done'
      : String((result.reason as { code?: string }).code ?? result.reason),
  );
}

it('everything queued in one turn is one COMMIT', async () => {
  const { commit, insert, rows } = scene();
  const names = Array.from({ length: 100 }, (_, i) => `row ${String(i).padStart(3, '0')}`);
  await Promise.all(names.map(insert));
  expect(commit.stats).toEqual({ commits: 1, units: 100, failedCommits: 0, overloaded: 0 });
  expect(rows()).toEqual(names);
});

it('units run in the order in which they were queued, and see what those before them did', async () => {
  const { commit, insert, rows } = scene();
  await Promise.all([insert('a'), commit.run(() => expect(rows()).toEqual(['a'])), insert('b')]);
  expect(rows()).toEqual(['a', 'b']);
});

it('a long queue is cut into batches', async () => {
  const { commit, insert } = scene();
  await Promise.all(Array.from({ length: MAX_BATCH * 2 + 1 }, (_, i) => insert(String(i))));
  expect(commit.stats).toMatchObject({ commits: 3, units: MAX_BATCH * 2 + 1 });
});

it('a unit that throws is lost alone: the others of its batch stay, and only they are announced', async () => {
  const { commit, insert, rows, announced } = scene();
  const failing = commit.run((announce) => {
    announce.bindings.push({ kind: 'created', binding: binding('never') });
    throw new Error('a unit at fault');
  });
  const results = await codes([insert('a'), failing, insert('b'), insert('a'), insert('c')]);
  expect(results).toEqual(['done', 'Error: a unit at fault', 'done', 'SQLITE_CONSTRAINT_PRIMARYKEY', 'done']);
  expect(rows()).toEqual(['a', 'b', 'c']);
  expect(announced).toEqual(['a', 'b', 'c']);
  expect(commit.stats.commits).toBe(1);
});

it('what a unit wrote before it threw is undone', async () => {
  const { commit, db, rows } = scene();
  const half = commit.run(() => {
    db.prepare(`INSERT INTO rows (name) VALUES ('half')`).run();
    throw new Error('and then');
  });
  await expect(half).rejects.toThrow('and then');
  expect(rows()).toEqual([]);
});

it('nothing is announced before the promise of nobody has resolved, and it is committed by then', async () => {
  const { commit, db, insert } = scene();
  const order: string[] = [];
  commit.onBindingChanges(() => order.push(`announced, in a transaction: ${db.inTransaction}`));
  await insert('a').then(() => order.push('resolved'));
  expect(order).toEqual(['announced, in a transaction: false', 'resolved']);
});

it('views of accounts forget at the COMMIT, before anything is told to callers', async () => {
  const { commit } = scene();
  const order: string[] = [];
  commit.onAccountChange(() => order.push('account'));
  await commit
    .run((announce) => announce.accounts.push({ kind: 'domain', domain: 'example.com' }))
    .then(() => order.push('resolved'));
  expect(order).toEqual(['account', 'resolved']);
});

it('a listener that throws harms neither the work nor the next listener', async () => {
  const { commit, insert, rows } = scene();
  const heard: string[] = [];
  commit.onBindingChanges(() => {
    throw new Error('a listener at fault');
  });
  commit.onBindingChanges(() => heard.push('second'));
  commit.onAccountChange(() => {
    throw new Error('another');
  });
  await insert('a');
  await commit.run((announce) => announce.accounts.push({ kind: 'domain', domain: 'example.com' }));
  expect([rows(), heard]).toEqual([['a'], ['second']]);
});

it('a full disk rejects the whole batch, announces nothing, and the store works again when there is room', async () => {
  const { commit, db, insert, rows, announced } = scene();
  await insert('before');
  const pages = db.pragma('page_count', { simple: true }) as number;
  db.pragma(`max_page_count = ${pages + 1}`);
  const big = (name: string) =>
    commit.run((announce) => {
      announce.bindings.push({ kind: 'created', binding: binding(name) });
      db.prepare('INSERT INTO rows (name, filler) VALUES (?, zeroblob(100000))').run(name);
    });
  expect(await codes([insert('small'), big('big'), insert('other')])).toEqual([
    'store_failed',
    'store_failed',
    'store_failed',
  ]);
  expect([rows(), announced, db.inTransaction]).toEqual([['before'], ['before'], false]);
  expect(commit.stats.failedCommits).toBe(1);

  db.pragma('max_page_count = 100000');
  expect(await codes([big('big'), insert('after')])).toEqual(['done', 'done']);
  expect([rows(), announced]).toEqual([
    ['after', 'before', 'big'],
    ['before', 'big', 'after'],
  ]);
});

it('a COMMIT that fails itself rejects its batch and leaves no transaction open', async () => {
  const { commit, db, insert, rows, announced } = scene();
  db.exec('CREATE TABLE parents (id INTEGER PRIMARY KEY)');
  db.exec('CREATE TABLE children (id INTEGER REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)');
  const orphan = commit.run(() => db.prepare('INSERT INTO children VALUES (1)').run());
  expect(await codes([insert('a'), orphan])).toEqual(['store_failed', 'store_failed']);
  expect([rows(), announced, db.inTransaction]).toEqual([[], [], false]);
  await insert('b');
  expect(rows()).toEqual(['b']);
});

it('the reason of a failed transaction goes with it', async () => {
  const { commit, db } = scene();
  db.pragma(`max_page_count = ${db.pragma('page_count', { simple: true })}`);
  const failing = commit.run(() => db.prepare(`INSERT INTO rows VALUES ('x', zeroblob(100000))`).run());
  const error = await failing.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(StoreFailed);
  expect((error as Error).cause).toMatchObject({ code: 'SQLITE_FULL' });
});

it('56: more than may be queued is refused at once, and nothing of it runs', async () => {
  const { commit, insert, rows } = scene(2);
  const results = await Promise.allSettled([insert('a'), insert('b'), insert('c')]);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
  const { reason } = results[2] as PromiseRejectedResult;
  expect(reason).toBeInstanceOf(StoreOverloaded);
  expect((reason as StoreOverloaded).retryAfterSeconds).toBeGreaterThan(0);
  expect(rows()).toEqual(['a', 'b']);
  expect(commit.stats.overloaded).toBe(1);
  await insert('c');
  expect(commit.queued).toBe(0);
});

it('close commits what is queued, and takes nothing more', async () => {
  const { commit, insert, rows } = scene();
  const work = Promise.all(Array.from({ length: MAX_BATCH + 5 }, (_, i) => insert(String(i))));
  const closed = commit.close();
  expect(await codes([insert('late')])).toEqual(['store_failed']);
  await closed;
  await work;
  expect(rows()).toHaveLength(MAX_BATCH + 5);
});

it('a unit queued by the answer to another runs in the next transaction', async () => {
  const { commit, insert } = scene();
  await insert('a').then(() => insert('b'));
  expect(commit.stats.commits).toBe(2);
});

it('a sync that fails ends it: nothing is announced, nobody gets an answer any more, and the owner is told once', async () => {
  const { db, close } = openDatabase(join(tempFolder(), 'test.db'));
  onTestFinished(close);
  const disk = { fails: false };
  const sync = {
    afterwards: (done: (error: Error | undefined) => void) =>
      setImmediate(() => done(disk.fails ? new Error('EIO') : undefined)),
  } as unknown as LogSync;
  const lost: Error[] = [];
  const commit = new GroupCommit(db, sync, {
    maxQueued: 10,
    log: createLog('silent'),
    onLost: (error) => lost.push(error),
  });
  const announced: unknown[] = [];
  commit.onBindingChanges((changes) => announced.push(changes));
  const unit = () =>
    commit.run((announce) => announce.bindings.push({ kind: 'created', binding: binding('a') }));
  expect(await codes([unit()])).toEqual(['done']);
  disk.fails = true;
  expect(await codes([unit(), unit()])).toEqual(['store_failed', 'store_failed']);
  disk.fails = false;
  expect(await codes([unit()])).toEqual(['store_failed']);
  expect([announced.length, lost.length, commit.isSound, commit.queued]).toEqual([1, 1, false, 0]);
});
