// How phones fare while others do their worst: node bench/flood.mjs [--phones 1000] [--seconds 10] [--rate 20000]
// [--connections 5000] [--only mixed,idle,…] [--json file]. Needs the built program (DIST names another dist folder). A thousand
// phones refresh every two seconds, each answer is waited for with the retransmissions of RFC 3261, and meanwhile the
// server is flooded over UDP, or its TCP connections are taken and left silent, or fed an octet at a time.
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';

const { values } = parseArgs({
  options: {
    phones: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '10' },
    rate: { type: 'string', default: '20000' },
    connections: { type: 'string', default: '5000' },
    only: { type: 'string' },
    json: { type: 'string' },
  },
});
const DOMAIN = 'example.com';
const REFRESH_EVERY_MS = 2_000;
/** Timer E of RFC 3261 §17.1.2.2 until an answer would be of no use to the phone. */
const RETRANSMIT_AFTER_MS = [500, 1_000, 2_000, 4_000];
const GIVE_UP_AFTER_MS = 8_000;
const SETTLE_MS = 3_000;
const seconds = Number(values.seconds);
const dist = process.env.DIST ?? join(resolve(import.meta.dirname, '..'), 'dist');
const isPinned = availableParallelism() > 1;

const scenarios = {
  quiet: async () => wait(seconds * 1000),
  garbage: () => flood('garbage'),
  broken: () => flood('broken'),
  unauthenticated: () => flood('unauthenticated'),
  guessing: () => flood('guessing'),
  mixed: () => flood('mixed'),
  idle: () => connections((_socket) => undefined),
  slow: () =>
    connections((socket) => {
      socket.write(`REGISTER sip:${DOMAIN} SIP/2.0\r\n`);
      const drip = setInterval(() => socket.write('X'), 1_000);
      socket.once('close', () => clearInterval(drip));
    }),
};
const chosen = values.only?.split(',') ?? Object.keys(scenarios);

const server = await startServer();
try {
  const phones = await provision(Number(values.phones));
  const wire = await openWire();
  await Promise.all(phones.map((phone) => refresh(wire, phone)));
  console.log(
    `${phones.length} phones, a refresh every ${REFRESH_EVERY_MS / 1000} s each; ${values.rate} datagrams/s, or ${values.connections} connections`,
  );
  const results = {};
  for (const name of chosen) {
    const before = usage(server.pid);
    const state = { over: false };
    const refreshing = keepRefreshing(wire, phones, state);
    const told = await scenarios[name]();
    const during = usage(server.pid);
    state.over = true;
    const { latencies, failed, retransmitted } = await refreshing;
    await wait(SETTLE_MS);
    latencies.sort((a, b) => a - b);
    const at = (share) => Math.round(10 * (latencies[Math.floor(latencies.length * share)] ?? 0)) / 10;
    const result = {
      refreshes: latencies.length,
      failed,
      retransmitted,
      p50: at(0.5),
      p99: at(0.99),
      max: Math.round(latencies.at(-1) ?? 0),
      cpuPercent: Math.round((100 * (during.cpuSeconds - before.cpuSeconds)) / (during.at - before.at)),
      rssBefore: Math.round(before.rssMb),
      rssDuring: Math.round(during.rssMb),
      rssAfter: Math.round(usage(server.pid).rssMb),
      ...told,
    };
    results[name] = result;
    console.log(
      `${name.padEnd(16)} ${String(result.refreshes).padStart(6)} refreshes, ${failed} failed, ${retransmitted} retransmitted, ` +
        `p50 ${result.p50} p99 ${result.p99} max ${result.max} ms; server ${result.cpuPercent} % CPU, ` +
        `RSS ${result.rssBefore} → ${result.rssDuring} → ${result.rssAfter} MB  ${told === undefined ? '' : JSON.stringify(told)}`,
    );
  }
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(results, null, 1));
  wire.close();
} finally {
  await server.stop();
}

async function flood(kind) {
  const worker = new Worker(new URL('./flood-sender.mjs', import.meta.url), {
    workerData: {
      port: server.sipPort,
      rate: Number(values.rate),
      seconds,
      kind,
      sources: 200,
      domain: DOMAIN,
    },
  });
  const { sent, received } = await new Promise((done, fail) => {
    worker.once('message', done);
    worker.once('error', fail);
  });
  return { sentPerSecond: Math.round(sent / seconds), answeredPerSecond: Math.round(received / seconds) };
}

/** Opens connections from many addresses, keeps them for the time, and says what became of them. */
async function connections(begin) {
  const count = Number(values.connections);
  const sockets = [];
  let opened = 0;
  let closed = 0;
  for (let n = 0; n < count; n++) {
    const localAddress = `127.2.${Math.floor(n / 250) % 250}.${(n % 250) + 1}`;
    const socket = connect({ host: '127.0.0.1', port: server.sipPort, localAddress });
    socket.on('error', () => undefined);
    socket.once('connect', () => {
      opened++;
      begin(socket);
    });
    socket.once('close', () => {
      closed++;
    });
    sockets.push(socket);
    if (n % 100 === 99) await wait(10);
  }
  // Longer than the time to the first message, to see them closed.
  await wait(Math.max(seconds, 11) * 1000);
  const told = { opened, closedByServer: closed };
  for (const socket of sockets) socket.destroy();
  return told;
}

async function keepRefreshing(wire, phones, state) {
  const latencies = [];
  let failed = 0;
  let retransmitted = 0;
  await Promise.all(
    phones.map(async (phone, n) => {
      await wait((n / phones.length) * REFRESH_EVERY_MS);
      while (!state.over) {
        const started = performance.now();
        const result = await refresh(wire, phone);
        retransmitted += result.retransmissions;
        if (result.isDone) latencies.push(performance.now() - started);
        else failed++;
        await wait(Math.max(0, REFRESH_EVERY_MS - (performance.now() - started)));
      }
    }),
  );
  return { latencies, failed, retransmitted };
}

/** One REGISTER to its 200; a challenge is answered, as a phone would. */
async function refresh(wire, phone) {
  let retransmissions = 0;
  for (let attempt = 0; attempt < 3; attempt++) {
    const answer = await wire.ask(phone, compose(phone, wire.port));
    retransmissions += answer.retransmissions;
    if (answer.text?.startsWith('SIP/2.0 200')) return { isDone: true, retransmissions };
    const nonce = /nonce="([^"]+)"/.exec(answer.text ?? '')?.[1];
    if (nonce === undefined) break;
    phone.nonce = nonce;
    phone.nc = 0;
  }
  return { isDone: false, retransmissions };
}

function compose(phone, port) {
  phone.cseq++;
  const uri = `sip:${DOMAIN}`;
  let authorization = '';
  if (phone.nonce !== undefined) {
    const nc = (++phone.nc).toString(16).padStart(8, '0');
    const response = md5(`${phone.ha1}:${phone.nonce}:${nc}:c:auth:${md5(`REGISTER:${uri}`)}`);
    authorization =
      `Authorization: Digest username="${phone.user}", realm="${DOMAIN}", nonce="${phone.nonce}", uri="${uri}", ` +
      `response="${response}", algorithm=MD5, cnonce="c", qop=auth, nc=${nc}\r\n`;
  }
  return (
    `REGISTER ${uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:${port};branch=z9hG4bK${randomBytes(8).toString('hex')};rport\r\n` +
    `Max-Forwards: 70\r\nFrom: <sip:${phone.user}@${DOMAIN}>;tag=1\r\nTo: <sip:${phone.user}@${DOMAIN}>\r\n` +
    `Call-ID: ${phone.user}\r\nCSeq: ${phone.cseq} REGISTER\r\nContact: <sip:${phone.user}@127.0.0.1:${port}>\r\n` +
    `Expires: 3600\r\nUser-Agent: bench\r\n${authorization}Content-Length: 0\r\n\r\n`
  );
}

/** One socket for all phones; answers are told apart by Call-ID and CSeq. */
async function openWire() {
  const socket = createSocket('udp4');
  await new Promise((done) => socket.bind(0, '127.0.0.1', done));
  socket.setRecvBufferSize(4 * 1024 * 1024);
  const waiting = new Map();
  socket.on('message', (bytes) => {
    const text = bytes.toString('latin1');
    const key = `${/Call-ID: (\S+)/.exec(text)?.[1]} ${/CSeq: (\d+)/.exec(text)?.[1]}`;
    waiting.get(key)?.(text);
  });
  return {
    port: socket.address().port,
    close: () => socket.close(),
    ask: (phone, octets) =>
      new Promise((done) => {
        const key = `${phone.user} ${phone.cseq}`;
        let retransmissions = 0;
        const send = () => socket.send(octets, server.sipPort, '127.0.0.1');
        const timers = RETRANSMIT_AFTER_MS.map((after) =>
          setTimeout(() => {
            retransmissions++;
            send();
          }, after),
        );
        const finish = (text) => {
          for (const timer of timers) clearTimeout(timer);
          waiting.delete(key);
          done({ text, retransmissions });
        };
        timers.push(setTimeout(() => finish(undefined), GIVE_UP_AFTER_MS));
        waiting.set(key, finish);
        send();
      }),
  };
}

async function provision(count) {
  const post = async (path, body) => {
    const response = await fetch(server.http + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.key}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (response.status !== 201) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    await response.arrayBuffer();
  };
  await post('/v1/domains', { name: DOMAIN });
  const phones = Array.from({ length: count }, (_, n) => {
    const user = `u${n}`;
    return { user, ha1: md5(`${user}:${DOMAIN}:p${user}`), cseq: 0, nc: 0, nonce: undefined };
  });
  for (const { user, ha1 } of phones) {
    await post('/v1/users', { username: user, domain: DOMAIN, credential: { ha1: { md5: ha1 } } });
  }
  return phones;
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

function usage(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  // User and system time in ticks of a hundredth of a second.
  return {
    at: performance.now() / 1000,
    rssMb: Number(/VmRSS:\s+(\d+)/.exec(status)[1]) / 1024,
    cpuSeconds: (Number(stat[11]) + Number(stat[12])) / 100,
  };
}

function md5(text) {
  return createHash('md5').update(text).digest('hex');
}

function wait(milliseconds) {
  return new Promise((done) => setTimeout(done, milliseconds));
}
