// What it costs to read a REGISTER, and what hostile input costs a byte.
//   npx tsc -p tsconfig.build.json && node bench/parse.mjs
import { readdirSync, readFileSync } from 'node:fs';
import { parseDigestCredentials } from '../dist/sip/grammar/headers/authorization.js';
import { parseContacts } from '../dist/sip/grammar/headers/contact.js';
import { parseCSeq } from '../dist/sip/grammar/headers/cseq.js';
import { parseExpires } from '../dist/sip/grammar/headers/expires.js';
import { parseFrom, parseTo } from '../dist/sip/grammar/headers/from-to.js';
import { parseOptionTags } from '../dist/sip/grammar/headers/option-tags.js';
import { parseTopVia, stampTopVia } from '../dist/sip/grammar/headers/via.js';
import { allValues, firstValue, parseMessage, printMessage } from '../dist/sip/grammar/message.js';
import { isParseError } from '../dist/sip/grammar/sip-parse-error.js';
import { StreamFramer } from '../dist/sip/grammar/stream-framer.js';
import { parseUri, sameUri } from '../dist/sip/grammar/uri.js';

const DATAGRAM = { framing: 'datagram' };
const ROUNDS = 7;
const FIXTURES = new URL('../test/fixtures/captured/', import.meta.url);
const captured = readdirSync(FIXTURES)
  .filter((name) => name.includes('register-auth'))
  .map((name) => readFileSync(new URL(name, FIXTURES)));

// The work of each run is added up and printed, so that none of it can be optimised away.
let sink = 0;

function typed(headers) {
  sink += parseTopVia(firstValue(headers, 'via') ?? '').params?.length ?? 0;
  sink += parseFrom(firstValue(headers, 'from') ?? '').params?.length ?? 0;
  sink += parseTo(firstValue(headers, 'to') ?? '').params?.length ?? 0;
  sink += parseCSeq(firstValue(headers, 'cseq') ?? '').sequence ?? 0;
  sink += parseContacts(allValues(headers, 'contact')).contacts?.length ?? 0;
  sink += parseDigestCredentials(firstValue(headers, 'authorization') ?? '').nonce?.length ?? 0;
}

/** The fastest of several rounds, in microseconds a call. */
function microseconds(calls, work) {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.hrtime.bigint();
    for (let i = 0; i < calls; i++) work(i);
    best = Math.min(best, Number(process.hrtime.bigint() - before) / 1000 / calls);
  }
  return best;
}

const n = captured.length;
const octets = captured.reduce((sum, bytes) => sum + bytes.length, 0) / n;
const texts = captured.map((bytes) => bytes.toString('latin1'));
const parsed = texts.map((text) => parseMessage(text, DATAGRAM));

console.log(
  `node ${process.version}, ${n} captured REGISTERs with credentials, ${octets.toFixed(0)} octets on average`,
);
const rows = {
  'bytes to text': (i) => {
    sink += captured[i % n].toString('latin1').length;
  },
  'bytes to message': (i) => {
    sink += parseMessage(captured[i % n].toString('latin1'), DATAGRAM).headers.length;
  },
  'text to message': (i) => {
    sink += parseMessage(texts[i % n], DATAGRAM).headers.length;
  },
  'Via, From, To, CSeq, Contact, Authorization': (i) => typed(parsed[i % n].headers),
  'all of it, from bytes': (i) => typed(parseMessage(captured[i % n].toString('latin1'), DATAGRAM).headers),
  'message to bytes': (i) => {
    sink += Buffer.from(printMessage(parsed[i % n]), 'latin1').length;
  },
  'stream framing': (i) => {
    sink += framer.push(streamed[i % streamed.length]).length;
  },
};
// A datagram may do without Content-Length, a stream may not.
const streamed = captured.filter((bytes) => /^(content-length|l)\s*:/im.test(bytes.toString('latin1')));
const framer = new StreamFramer();
for (const [what, work] of Object.entries(rows)) {
  console.log(`${microseconds(100_000, work).toFixed(2).padStart(8)} µs  ${what}`);
}
for (const header of ['via', 'from', 'contact', 'cseq', 'authorization']) {
  const values = parsed.map((message) => firstValue(message.headers, header));
  const parse = { via: parseTopVia, from: parseFrom, contact: (v) => parseContacts([v]), cseq: parseCSeq }[
    header
  ];
  const run = parse ?? parseDigestCredentials;
  const cost = microseconds(200_000, (i) => {
    if (values[i % n] !== undefined) sink += run(values[i % n]) === undefined ? 0 : 1;
  });
  console.log(`${cost.toFixed(2).padStart(8)} µs    ${header}`);
}

const SIZE = 65_536;
const hostile = {
  uri: parseUri,
  'same uri': (text) => {
    const uri = parseUri(text);
    return isParseError(uri) ? uri : sameUri(uri, uri);
  },
  via: parseTopVia,
  'stamp via': (text) => stampTopVia(text, '192.0.2.1', 5060),
  from: parseFrom,
  contact: (text) => parseContacts([text]),
  cseq: parseCSeq,
  authorization: parseDigestCredentials,
  expires: parseExpires,
  supported: (text) => parseOptionTags([text]),
  message: (text) => parseMessage(text, DATAGRAM),
  'header lines': (text) => parseMessage(`REGISTER sip:a SIP/2.0\r\n${text}`, DATAGRAM),
  framer: (text) => new StreamFramer().push(Buffer.from(text, 'latin1')),
};
const heads = ['', 'sip:h', '<sip:a@h>', 'SIP/2.0/UDP h', 'Digest ', '"'];
const units = [
  'a',
  '"',
  '\\',
  '<',
  ',',
  ';',
  ';a',
  ';a=1',
  ' ',
  '%41',
  '@',
  ':',
  '?',
  '[',
  '1',
  '\n',
  '\r',
  ' \n',
  'l:1\n',
  'a,',
  '<a>,',
  '"a"',
];
console.log('\nworst nanoseconds an octet, 64 KB of the same few characters:');
for (const [what, work] of Object.entries(hostile)) {
  let worst = { cost: 0, head: '', unit: '' };
  for (const head of heads) {
    for (const unit of units) {
      const text = head + unit.repeat(SIZE / unit.length);
      let best = Number.POSITIVE_INFINITY;
      for (let round = 0; round < ROUNDS; round++) {
        const before = process.hrtime.bigint();
        sink += work(text) === undefined ? 0 : 1;
        best = Math.min(best, Number(process.hrtime.bigint() - before) / text.length);
      }
      if (best > worst.cost) worst = { cost: best, head, unit };
    }
  }
  console.log(
    `${worst.cost.toFixed(1).padStart(8)} ns  ${what}, ${JSON.stringify(`${worst.head}${worst.unit}…`)}`,
  );
}
console.log(`(${sink % 10})`);
