// Ours and Kamailio side by side, in turn, in one run: npm run bench:peers [-- --rounds 3 --seconds 8 --users 10000].
// Debian only: installs Kamailio, sqlite3 and a C compiler when they are missing. Each server gets the first core, the
// generator the second; numbers are medians over the rounds, and only their ratios mean much on another machine.
// Writes bench/results/peers.json and bench/peers.svg.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { drawBars } from './chart.mjs';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '8' },
    users: { type: 'string', default: '10000' },
    window: { type: 'string', default: '64' },
  },
});
const MODES = ['refresh', 'initial'];
const PORT = 15_060;
const root = resolve(import.meta.dirname, '..');
const shared = resolve(root, '../shared/bench');
const work = join(root, 'bench/.work/peers');

const KAMAILIO = [
  { name: 'Kamailio, memory only, 1 worker', variant: 'mem', promise: 'gone at a crash' },
  { name: 'Kamailio, SQLite write-through, 1 worker', variant: 'sqlite-wt', promise: 'survives a crash' },
];

install();
const results = new Map();
for (let round = 0; round < Number(values.rounds); round++) {
  for (const peer of KAMAILIO) note(peer.name, peer.promise, kamailio(peer.variant));
  note('sip-registrar, 1 process', 'survives power loss', ours());
}
report();

function install() {
  if (!existsSync(shared)) throw new Error(`the set-up of the peers is not there: ${shared}`);
  const packages = ['kamailio', 'kamailio-sqlite-modules', 'sqlite3', 'gcc', 'make'];
  const missing = packages.filter(
    (name) =>
      !spawnSync('dpkg-query', ['-W', `-f=\${Status}`, name]).stdout?.toString().includes('ok installed'),
  );
  if (missing.length > 0) {
    execFileSync('apt-get', ['update', '-qq'], { stdio: 'inherit' });
    execFileSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], {
      stdio: 'inherit',
    });
  }
  mkdirSync(join(work, 'run'), { recursive: true });
  cpSync(shared, work, { recursive: true });
  execFileSync('chmod', ['-R', 'u+w', work]);
  execFileSync('make', ['-s', 'regload', 'quiet'], { cwd: work });
}

function kamailio(variant) {
  const env = {
    ...process.env,
    CHILDREN: '1',
    AUTH: 'htable',
    NC: variant === 'mem' ? '1' : '0',
    TASKSET: 'taskset -c 0',
    USERS: values.users,
    PORT: String(PORT),
  };
  execFileSync(join(work, 'kam.sh'), ['start', variant], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  try {
    const pid = readFileSync(join(work, 'run/kam.root'), 'utf8').trim();
    return Object.fromEntries(MODES.map((mode) => [mode, load(mode, '127.0.0.1', pid)]));
  } finally {
    execFileSync(join(work, 'kam.sh'), ['stop'], { env });
  }
}

function load(mode, domain, pid) {
  const args = [
    ...['-c', '1', join(work, 'regload'), '--host', '127.0.0.1', '--port', String(PORT), '--domain', domain],
    ...['--users', values.users, '--window', values.window, '--seconds', values.seconds, '--mode', mode],
    ...['--server-pid', pid],
  ];
  const output = execFileSync('taskset', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  return JSON.parse(output.trim().split('\n').at(-1));
}

/** One round of bench/udp.mjs, which starts the built server by itself. */
function ours() {
  const json = join(work, 'run/ours.json');
  const args = [
    '--rounds',
    '1',
    '--seconds',
    values.seconds,
    '--users',
    values.users,
    '--window',
    values.window,
  ];
  execFileSync(
    process.execPath,
    [join(root, 'bench/udp.mjs'), ...args, '--modes', MODES.join(','), '--json', json],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const runs = JSON.parse(readFileSync(json, 'utf8'));
  return Object.fromEntries(MODES.map((mode) => [mode, runs[mode][0]]));
}

function note(name, promise, runs) {
  const entry = results.get(name) ?? { name, promise, runs: [] };
  entry.runs.push(runs);
  results.set(name, entry);
  const { refresh, initial } = runs;
  console.log(
    `${name.padEnd(44)} refresh ${String(Math.round(refresh.regs_per_s)).padStart(6)}/s  ` +
      `with challenge ${String(Math.round(initial.regs_per_s)).padStart(6)}/s  (foreign CPU ${Math.round(refresh.foreign_cpu_pct)} %)`,
  );
}

function report() {
  const rows = [...results.values()].map(({ name, promise, runs }) => ({
    name,
    promise,
    refresh: median(runs.map((run) => run.refresh.regs_per_s)),
    challenge: median(runs.map((run) => run.initial.regs_per_s)),
    p99: median(runs.map((run) => run.refresh.reg_lat_us.p99)) / 1000,
  }));
  console.log(
    '\n| registrar | promise of a 200 | refresh/s | with challenge/s | p99 refresh |\n|---|---|---|---|---|',
  );
  for (const row of rows) {
    console.log(
      `| ${row.name} | ${row.promise} | ${Math.round(row.refresh)} | ${Math.round(row.challenge)} | ${row.p99.toFixed(1)} ms |`,
    );
  }
  mkdirSync(join(root, 'bench/results'), { recursive: true });
  writeFileSync(join(root, 'bench/results/peers.json'), JSON.stringify([...results.values()], null, 1));
  writeFileSync(
    join(root, 'bench/peers.svg'),
    drawBars(
      'Refresh REGISTERs a second, digest, one core',
      rows.map(({ name, promise, refresh }) => ({ label: name, note: promise, value: refresh })),
    ),
  );
}

function median(numbers) {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
}
