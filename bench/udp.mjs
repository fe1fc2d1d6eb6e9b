// The whole server over UDP, measured from outside: node bench/udp.mjs [--users 10000] [--seconds 8] [--rounds 3]
// [--window 64] [--modes refresh,initial] [--json file]. Needs the built program and a C compiler; the load generator
// is regload of ../shared/bench. With two cores or more, server and generator each get one of their own.
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    users: { type: 'string', default: '10000' },
    seconds: { type: 'string', default: '8' },
    rounds: { type: 'string', default: '3' },
    window: { type: 'string', default: '64' },
    modes: { type: 'string', default: 'refresh,initial' },
    json: { type: 'string' },
  },
});
const root = resolve(import.meta.dirname, '..');
const dist = process.env.DIST ?? join(root, 'dist');
const isPinned = availableParallelism() > 1;

const generator = buildGenerator();
const server = await startServer();
try {
  await provision(server, Number(values.users));
  const results = {};
  for (const mode of values.modes.split(',')) {
    const runs = [];
    for (let round = 0; round < Number(values.rounds); round++) runs.push(load(server, mode));
    results[mode] = runs;
    const rates = runs.map((run) => Math.round(run.regs_per_s)).join(' ');
    const middle = median(runs);
    console.log(
      `${mode.padEnd(8)} ${String(Math.round(middle.regs_per_s)).padStart(7)} registrations/s [${rates}]  ` +
        `p50 ${ms(middle.reg_lat_us.p50)} p99 ${ms(middle.reg_lat_us.p99)} ms  ` +
        `server ${Math.round(middle.server_cpu_us_per_reg)} µs CPU a registration, ${Math.round(middle.rss_sum_kb / 1024)} MB  ` +
        `errors ${sum(runs, (run) => run.other + run.timeouts + run.bad_contact)}, retransmitted ${sum(runs, (run) => run.retrans)}`,
    );
  }
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(results, null, 1));
} finally {
  await server.stop();
}

/** Compiles regload into a folder of ours, since ../shared is not ours to write to. */
function buildGenerator() {
  const source = resolve(root, '../shared/bench');
  if (!existsSync(join(source, 'regload.c'))) {
    console.error(`the load generator is not there (${source}): nothing measured over UDP`);
    process.exit(0);
  }
  const work = join(root, 'bench/.work');
  mkdirSync(work, { recursive: true });
  for (const file of ['regload.c', 'procstat.h', 'md5.h']) cpSync(join(source, file), join(work, file));
  execFileSync('gcc', ['-O2', '-w', '-o', join(work, 'regload'), join(work, 'regload.c')]);
  return join(work, 'regload');
}

async function startServer() {
  const folder = mkdtempSync(join(tmpdir(), 'sip-registrar-bench-'));
  const key = 'rk_bench_0123456789abcdefghijklmnop';
  const command = [process.execPath, join(dist, 'main.js'), 'serve'];
  const [file, ...args] = isPinned ? ['taskset', '-c', '0', ...command] : command;
  const child = spawn(file, args, {
    env: {
      ...process.env,
      REGISTRAR_DATA_DIR: folder,
      REGISTRAR_SIP_HOST: '127.0.0.1',
      REGISTRAR_SIP_PORT: '0',
      REGISTRAR_HTTP_PORT: '0',
      REGISTRAR_BOOTSTRAP_API_KEY: key,
      REGISTRAR_HTTP_RATE_LIMIT_PER_MINUTE: '10000000',
      REGISTRAR_LOG_LEVEL: 'info',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const started = await new Promise((done, failed) => {
    let text = '';
    child.stdout.on('data', (chunk) => {
      if (text === undefined) return;
      text += chunk;
      const line = text.split('\n').find((each) => each.includes('"server.started"'));
      if (line === undefined) return;
      text = undefined;
      done(JSON.parse(line));
    });
    child.once('exit', (code) => failed(new Error(`the server ended with ${code}`)));
  });
  return {
    pid: child.pid,
    key,
    http: started.http,
    sipPort: Number(started.sip[0].split(':').at(-1)),
    stop: async () => {
      child.removeAllListeners('exit');
      const ended = new Promise((done) => child.once('exit', done));
      child.kill('SIGTERM');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Users u00001 …, as regload wants them, by their HA1: what it counts with is MD5. */
async function provision({ http, key }, users) {
  const post = async (path, body) => {
    const response = await fetch(http + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (response.status !== 201) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    await response.arrayBuffer();
  };
  await post('/v1/domains', { name: 'example.com' });
  const started = performance.now();
  let next = 1;
  await Promise.all(
    Array.from({ length: 64 }, async () => {
      while (next <= users) {
        const username = `u${String(next++).padStart(5, '0')}`;
        const md5 = createHash('md5').update(`${username}:example.com:p${username}`).digest('hex');
        await post('/v1/users', { username, domain: 'example.com', credential: { ha1: { md5 } } });
      }
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  console.log(
    `${users} users provisioned over HTTP in ${seconds.toFixed(1)} s (${Math.round(users / seconds)}/s)`,
  );
}

function load({ pid, sipPort }, mode) {
  const command = [
    generator,
    ...['--host', '127.0.0.1', '--port', String(sipPort), '--domain', 'example.com', '--users', values.users],
    ...['--window', values.window, '--seconds', values.seconds, '--mode', mode, '--server-pid', String(pid)],
  ];
  const [file, ...args] = isPinned ? ['taskset', '-c', '1', ...command] : command;
  const output = execFileSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  return JSON.parse(output.trim().split('\n').at(-1));
}

function median(runs) {
  return [...runs].sort((a, b) => a.regs_per_s - b.regs_per_s)[Math.floor(runs.length / 2)];
}

function sum(runs, of) {
  return runs.reduce((total, run) => total + of(run), 0);
}

function ms(microseconds) {
  return (microseconds / 1000).toFixed(1);
}
