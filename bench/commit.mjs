// What group commit alone costs: rows a second that are on disk, and how long one waits, for batches of one turn.
// Reads the compiled code from dist/, or from $DIST; writes to a folder in $DIR, or in the system's for temporary
// files, which is a disk or is not:
//   npm run build && DIR=/var/tmp node bench/commit.mjs
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const dist = resolve(process.env.DIST ?? new URL('../dist', import.meta.url).pathname);
const load = (path) => import(pathToFileURL(`${dist}/${path}`).href);
const { createLog } = await load('base/log.js');
const { openDatabase } = await load('store/sqlite/database.js');
const { GroupCommit } = await load('store/sqlite/group-commit.js');
const { LogSync } = await load('store/sqlite/log-sync.js');

const MEASURE_MS = Number(process.env.MEASURE_MS ?? 2_000);
const BATCHES = [1, 32, 100];

const folder = mkdtempSync(join(process.env.DIR ?? tmpdir(), 'sip-registrar-commit-'));
const path = join(folder, 'bench.db');
const { db, close } = openDatabase(path);
// A row the size of a binding, updated in place as a refresh does.
const ROWS = 10_000;
db.exec(
  'CREATE TABLE rows (seq INTEGER PRIMARY KEY, cseq INTEGER NOT NULL, expires_at INTEGER NOT NULL, filler BLOB)',
);
db.prepare(
  `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS})
   INSERT INTO rows SELECT i, 0, 0, zeroblob(300) FROM n`,
).run();
const refresh = db.prepare('UPDATE rows SET cseq = ?, expires_at = ? WHERE seq = ?');
const sync = LogSync.of(path);
const commit = new GroupCommit(db, sync, { maxQueued: 100_000, log: createLog('silent') });

try {
  console.log(
    `${path}, synchronous=${db.pragma('synchronous', { simple: true })}, log synced before each answer`,
  );
  let turn = 0;
  for (const batch of BATCHES) {
    const waits = [];
    const { commits } = commit.stats;
    const began = performance.now();
    let rows = 0;
    while (performance.now() - began < MEASURE_MS) {
      const start = performance.now();
      const work = [];
      for (let i = 0; i < batch; i++) {
        const seq = 1 + ((++turn * 7919) % ROWS);
        work.push(commit.run(() => refresh.run(turn, turn, seq)));
      }
      await Promise.all(work);
      waits.push(performance.now() - start);
      rows += batch;
    }
    const seconds = (performance.now() - began) / 1000;
    waits.sort((a, b) => a - b);
    const at = (share) => waits[Math.min(waits.length - 1, Math.floor(waits.length * share))].toFixed(2);
    console.log(
      [
        `batch ${String(batch).padStart(3)}`,
        `${Math.round(rows / seconds).toLocaleString('en')} rows/s`.padStart(16),
        `${Math.round((commit.stats.commits - commits) / seconds).toLocaleString('en')} commits/s`.padStart(
          17,
        ),
        `wait ${at(0.5)} ms (p50) ${at(0.99)} ms (p99)`,
      ].join('  '),
    );
  }
} finally {
  await commit.close();
  sync.close();
  close();
  rmSync(folder, { recursive: true, force: true });
}
