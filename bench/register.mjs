// What a refresh costs from octets to octets, sockets left out, and what deciding it costs alone:
// node bench/register.mjs. DIST names another build than ../dist.
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const dist = process.env.DIST ?? resolve(import.meta.dirname, '../dist');
const load = (file) => import(pathToFileURL(join(dist, file)).href);
const { openSqliteStore } = await load('store/sqlite/sqlite.js');
const { AccountService } = await load('accounts/account-service.js');
const { SecretSeal } = await load('accounts/secret-seal.js');
const { ha1OfText } = await load('auth/digest.js');
const { Authenticator } = await load('auth/authenticator.js');
const { systemClock } = await load('base/clock.js');
const { createLog } = await load('base/log.js');
const { Tally } = await load('base/tally.js');
const { Guard } = await load('guard/guard.js');
const { LocationService } = await load('location/location-service.js');
const { decideRegister } = await load('location/register.js');
const { Registrar } = await load('registrar/registrar.js');
const { parseUri } = await load('sip/grammar/uri.js');
const { ServerTransactions } = await load('sip/transaction/server-transactions.js');
const { UserAgentServer } = await load('sip/uas/user-agent-server.js');

const USERS = 10_000;
const WINDOW = 64;
const ROUNDS = 3;
const REFRESHES = 100_000;

const log = createLog('error');
const clock = systemClock;

async function main() {
  decideAlone();
  const folder = mkdtempSync(join(tmpdir(), 'sip-registrar-bench-'));
  const store = openSqliteStore({ path: join(folder, 'registrar.db'), clock, log, maxQueued: 10_000 });
  try {
    const seal = new SecretSeal(randomBytes(32));
    const accounts = new AccountService(store.accounts, seal, ha1OfText, clock, randomBytes(32));
    await accounts.createDomain('example.com', {});
    for (let i = 0; i < USERS; i += 500) {
      await Promise.all(Array.from({ length: 500 }, (_, j) => accounts.createUser(user(i + j))));
    }
    const server = compose(store, accounts);
    const phones = Array.from({ length: USERS }, (_, i) => new Phone(i));
    for (const phone of phones) phone.nonce = nonceOf(await server.ask(phone.register(false)));
    for (let round = 0; round < ROUNDS; round++) {
      const { wall, cpu } = await refresh(server, phones);
      console.log(
        `refresh, octets to octets, durable, ${WINDOW} at a time`.padEnd(56),
        `${wall.toFixed(1)} µs, of CPU ${cpu.toFixed(1)} µs`,
      );
    }
    console.log('units a COMMIT'.padEnd(56), (store.stats.units / store.stats.commits).toFixed(1));
  } finally {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function user(index) {
  const username = `u${index}`;
  const md5 = createHash('md5').update(`${username}:example.com:p${username}`).digest('hex');
  return {
    username,
    domain: 'example.com',
    settings: {},
    credential: { source: { kind: 'ha1', ha1: { MD5: md5 } } },
  };
}

function compose(store, accounts) {
  const location = new LocationService(store.location, { close: () => false }, clock, log);
  const authenticator = new Authenticator(accounts, clock, {
    nonceSecret: randomBytes(32),
    nonceLifetimeSeconds: 3_600,
    maxNonceCounts: 200_000,
  });
  const guard = new Guard({
    store: store.bans,
    clock,
    log,
    settings: {
      automatic: true,
      wrongResponsesPerUser: 30,
      usernamesPerSource: 15,
      wrongResponsesPerSource: 200,
      exempt: [],
    },
    banEvents: new Tally(),
    suppressed: new Tally(),
  });
  const registrar = new Registrar({
    accounts,
    authenticator,
    location,
    guard,
    own: { has: () => false, hasPort: () => false },
    clock,
    log,
    rejections: new Tally(),
  });
  const uas = new UserAgentServer({
    handlers: { REGISTER: (request) => registrar.handle(request) },
    transactions: new ServerTransactions({
      maxVerifiedBytes: 64 << 20,
      maxUnverifiedBytes: 8 << 20,
      maxInProgress: 50_000,
    }),
    clock,
    log,
    fates: new Tally(),
    responses: new Tally(),
  });
  return {
    receive: (octets, respond) =>
      uas.receive(octets, {
        transport: 'udp',
        id: null,
        remoteAddress: '127.0.0.1',
        remotePort: 5060,
        respond,
      }),
    ask(octets) {
      return new Promise((done) => this.receive(octets, (bytes) => done(bytes.toString('latin1'))));
    },
  };
}

class Phone {
  cseq = 0;
  nc = 0;
  nonce = '';

  constructor(index) {
    this.name = `u${index}`;
    this.ha1 = createHash('md5').update(`${this.name}:example.com:p${this.name}`).digest('hex');
  }

  register(isSigned) {
    this.cseq++;
    return Buffer.from(
      `REGISTER sip:example.com SIP/2.0\r
Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK-${this.name}-${this.cseq};rport\r
Max-Forwards: 70\r
From: <sip:${this.name}@example.com>;tag=t${this.name}\r
To: <sip:${this.name}@example.com>\r
Call-ID: ${this.name}-5f3a9c@127.0.0.1\r
CSeq: ${this.cseq} REGISTER\r
Contact: <sip:${this.name}@127.0.0.1:5060>\r
Expires: 3600\r
User-Agent: Yealink SIP-T46U 108.86.0.20\r
Allow: INVITE, ACK, CANCEL, BYE, UPDATE, INFO, OPTIONS, NOTIFY, REFER, SUBSCRIBE, MESSAGE\r
Supported: path, replaces, timer\r
${isSigned ? this.authorization() : ''}Content-Length: 0\r
\r
`,
      'latin1',
    );
  }

  authorization() {
    this.nc++;
    const nc = this.nc.toString(16).padStart(8, '0');
    const md5 = (text) => createHash('md5').update(text).digest('hex');
    const response = md5(`${this.ha1}:${this.nonce}:${nc}:c0ffee:auth:${md5('REGISTER:sip:example.com')}`);
    return (
      `Authorization: Digest username="${this.name}", realm="example.com", nonce="${this.nonce}", ` +
      `uri="sip:example.com", response="${response}", algorithm=MD5, cnonce="c0ffee", qop=auth, nc=${nc}\r\n`
    );
  }
}

/** Microseconds a refresh, by the wall and of CPU; the phones' messages are made beforehand. */
async function refresh(server, phones) {
  const messages = [];
  for (let i = 0; i < REFRESHES; i++) messages.push(phones[(i * 7919) % phones.length].register(true));
  let next = 0;
  let refused = 0;
  const cpuBefore = process.cpuUsage();
  const started = performance.now();
  await new Promise((done) => {
    let answered = 0;
    const receive = () => {
      if (next < messages.length) server.receive(messages[next++], respond);
    };
    const respond = (bytes) => {
      if (bytes[8] !== 0x32) refused++;
      answered++;
      if (answered === messages.length) done();
      // As on a socket: what comes next is not taken in within this answer.
      else queue.push(receive);
    };
    const queue = [];
    const pump = () => {
      for (const work of queue.splice(0)) work();
      if (answered < messages.length) setImmediate(pump);
    };
    for (let i = 0; i < WINDOW; i++) receive();
    setImmediate(pump);
  });
  if (refused > 0) throw new Error(`${refused} refreshes were refused`);
  const { user, system } = process.cpuUsage(cpuBefore);
  return {
    wall: ((performance.now() - started) * 1000) / messages.length,
    cpu: (user + system) / messages.length,
  };
}

function nonceOf(response) {
  return /nonce="([^"]+)"/.exec(response)[1];
}

function decideAlone() {
  const now = clock.now();
  const policy = {
    minExpiresSeconds: 60,
    defaultExpiresSeconds: 3_600,
    maxExpiresSeconds: 86_400,
    maxBindings: 10,
    overflow: 'reject',
    sequence: 'strict',
  };
  const text = 'sip:alice@192.0.2.1:5060';
  const contact = {
    uri: parseUri(text),
    contact: text,
    displayName: '',
    contactParams: '',
    qThousandths: null,
    instanceId: null,
    regId: null,
    requestedSeconds: 3_600,
  };
  const command = (cseq) => ({
    aor: { user: 'alice', domain: 'example.com' },
    userId: 'usr_1',
    credentialId: 'crd_1',
    nonceIssuedAt: now,
    callId: 'a@b',
    cseq,
    userAgent: null,
    received: { transport: 'udp', ip: '192.0.2.1', port: 5060, flowId: null },
    action: { kind: 'update', contacts: [contact] },
  });
  const state = { standing: { kind: 'open' }, bindings: [] };
  const first = decideRegister(state, command(1), policy, now, () => 'bnd_1');
  const bound = { standing: { kind: 'open' }, bindings: first.outcome.bindings };
  const count = 200_000;
  for (let i = 0; i < count; i++) decideRegister(bound, command(2), policy, now, () => 'bnd_2');
  const started = performance.now();
  for (let i = 0; i < count; i++) decideRegister(bound, command(2), policy, now, () => 'bnd_2');
  console.log(
    'deciding a refresh'.padEnd(56),
    `${(((performance.now() - started) * 1000) / count).toFixed(2)} µs`,
  );
}

await main();
