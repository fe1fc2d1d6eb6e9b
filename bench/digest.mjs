// What authentication costs, in microseconds a call. Reads the compiled code from dist/, or from $DIST:
//   npm run build && node bench/digest.mjs
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const dist = resolve(process.env.DIST ?? new URL('../dist', import.meta.url).pathname);
const load = (path) => import(pathToFileURL(`${dist}/${path}`).href);
const { defaultDomainSettings } = await load('accounts/domain.js');
const { Authenticator } = await load('auth/authenticator.js');
const digest = await load('auth/digest.js');
const { NonceMint } = await load('auth/nonce.js');
const { parseDigestCredentials } = await load('sip/grammar/headers/authorization.js');

const CALLS = 50_000;
const ROUNDS = 7;

/** Median over rounds; `prepare` makes the inputs of one round outside the measured time. */
function measure(name, call, prepare = () => undefined) {
  const rounds = [];
  for (let round = 0; round < ROUNDS; round++) {
    const input = prepare();
    const start = performance.now();
    for (let i = 0; i < CALLS; i++) call(i, input);
    rounds.push(((performance.now() - start) * 1000) / CALLS);
  }
  rounds.sort((a, b) => a - b);
  console.log(`${name.padEnd(44)} ${rounds[ROUNDS >> 1].toFixed(2)} µs   (best ${rounds[0].toFixed(2)})`);
}

const h = (...parts) => createHash('md5').update(parts.join(':')).digest('hex');
const domain = { ...defaultDomainSettings('example.com'), name: 'example.com' };
const ha1 = h('alice', 'example.com', 'open sesame');
const alice = {
  username: 'alice',
  domain: 'example.com',
  expiresAt: null,
  credentials: [{ id: 'crd_1', expiresAt: null, secret: { ha1: { MD5: ha1 }, ha1WithDomain: {} } }],
};
const directory = {
  subscriber: (_domain, user) => (user === 'alice' ? alice : undefined),
  challengePolicy: () => 'md5',
};
const now = Date.now();
const clock = { now: () => now };
const settings = { nonceSecret: Buffer.alloc(32, 1), nonceLifetimeSeconds: 300, maxNonceCounts: 100_000 };
const authenticator = new Authenticator(directory, clock, settings);
const request = (authorizations) => ({
  method: 'REGISTER',
  requestUri: 'sip:example.com',
  authorizations,
  body: '',
  domain,
  toUser: 'alice',
});
const answer = (username, secret, nonce, nc) => {
  const count = nc.toString(16).padStart(8, '0');
  const response = h(secret, nonce, count, '0a4f113b', 'auth', h('REGISTER', 'sip:example.com'));
  return `Digest username="${username}", realm="example.com", nonce="${nonce}", uri="sip:example.com", response="${response}", algorithm=MD5, cnonce="0a4f113b", qop=auth, nc=${count}`;
};
// Header values are cut out of a message in life, so they are flat strings here as well.
const flat = (text) => Buffer.from(text, 'latin1').toString('latin1');
const newNonce = () => /nonce="([^"]*)"/.exec(authenticator.authenticate(request([])).challenges[0])[1];
const answers = (of) => () => Array.from({ length: CALLS }, (_, i) => request([flat(of(i))]));
const expectKind = (result, kind) => {
  if (result.kind !== kind) throw new Error(`expected ${kind}, got ${result.reason ?? result.kind}`);
};

const mint = new NonceMint(settings.nonceSecret, 300);
const nonces = Array.from({ length: 1000 }, () => mint.mint(now));
measure('mint a nonce', () => mint.mint(now));
measure('open a nonce', (i) => mint.open(nonces[i % 1000], now));

for (const algorithm of ['MD5', 'SHA-256', 'SHA-512-256']) {
  const secret = digest.ha1(algorithm, 'alice', 'example.com', 'open sesame');
  const claimed = 'f'.repeat(secret.length);
  measure(`verify a response, HA2 included, ${algorithm}`, (i) => {
    const protection = { qop: 'auth', nc: '00000001', cnonce: '0a4f113b' };
    const second = digest.ha2(algorithm, 'REGISTER', 'sip:example.com');
    const computed = digest.response(algorithm, secret, nonces[i % 1000], protection, second);
    if (digest.isSameResponse(computed, claimed)) throw new Error('expected another response');
  });
}

const sample = flat(answer('alice', ha1, nonces[0], 1));
measure('(of it: parse one Authorization value)', () => parseDigestCredentials(sample));
measure(
  'authenticate: refresh, nonce known',
  (i, requests) => expectKind(authenticator.authenticate(requests[i]), 'authenticated'),
  () => {
    const nonce = newNonce();
    expectKind(authenticator.authenticate(request([answer('alice', ha1, nonce, 1)])), 'authenticated');
    return answers((i) => answer('alice', ha1, nonce, i + 2))();
  },
);
measure(
  'authenticate: first answer to a challenge',
  (i, { roomy, requests }) => expectKind(roomy.authenticate(requests[i]), 'authenticated'),
  () => {
    // The clock stands still here, so a table that evicts would forget every nonce: give it room.
    const roomy = new Authenticator(directory, clock, { ...settings, maxNonceCounts: CALLS });
    return { roomy, requests: answers(() => answer('alice', ha1, newNonce(), 1))() };
  },
);
measure('authenticate: no credentials, challenge', () =>
  expectKind(authenticator.authenticate(request([])), 'challenge'),
);
measure(
  'authenticate: unknown user',
  (i, requests) => expectKind(authenticator.authenticate(requests[i]), 'challenge'),
  answers(() => answer('nobody', ha1, newNonce(), 1)),
);
measure(
  'authenticate: wrong password',
  (i, requests) => expectKind(authenticator.authenticate(requests[i]), 'challenge'),
  answers(() => answer('alice', 'wrong', newNonce(), 1)),
);
