import { describe, expect, it } from 'vitest';
import { parseDigestCredentials } from '../../../src/sip/grammar/headers/authorization.js';
import { parseCallId } from '../../../src/sip/grammar/headers/call-id.js';
import { parseContacts } from '../../../src/sip/grammar/headers/contact.js';
import { parseContentDisposition } from '../../../src/sip/grammar/headers/content-disposition.js';
import { parseContentType } from '../../../src/sip/grammar/headers/content-type.js';
import { parseCSeq } from '../../../src/sip/grammar/headers/cseq.js';
import { parseExpires } from '../../../src/sip/grammar/headers/expires.js';
import { parseFrom } from '../../../src/sip/grammar/headers/from-to.js';
import { parseMaxForwards } from '../../../src/sip/grammar/headers/max-forwards.js';
import { parseOptionTags } from '../../../src/sip/grammar/headers/option-tags.js';
import { parseQValue } from '../../../src/sip/grammar/headers/qvalue.js';
import { parseTopVia, stampTopVia } from '../../../src/sip/grammar/headers/via.js';
import { parseMessage, printMessage } from '../../../src/sip/grammar/message.js';
import { unquote } from '../../../src/sip/grammar/params.js';
import { splitList } from '../../../src/sip/grammar/scanner.js';
import { isParseError } from '../../../src/sip/grammar/sip-parse-error.js';
import { StreamFramer } from '../../../src/sip/grammar/stream-framer.js';
import { isSipUri, parseUri, sameUri, unescapedUser } from '../../../src/sip/grammar/uri.js';

const SIZE = 32 * 1024;
const HEADS = ['', 'sip:h', 'sip:', '<sip:a@h>', 'SIP/2.0/UDP h', 'Digest ', '"', '1 ', 'a/b'];
const UNITS = [
  ...[
    'a',
    '"',
    '\\',
    '\\"',
    '<',
    '>',
    ',',
    ';',
    ';a',
    ';a=1',
    ';a="',
    ' ',
    '%41',
    '%',
    '@',
    ':',
    '?',
    '?a=1',
    '&a=1',
  ],
  ...[
    '[',
    '1',
    '.',
    'a.',
    'a=',
    'a=1,',
    'a="",',
    '\n',
    '\r',
    '\r\n',
    ' \n',
    'l:1\n',
    'a:\n',
    'a\n',
    'a,',
    '<a>,',
    '"a"',
    '"a",',
  ],
];

/** Quadratic work on 64 KB takes longer than that; linear work a tenth of it, even on a slow machine. */
const GENEROUS_MS = 60;
/** What a ratio of 2 is allowed to look like. */
const GENEROUS_RATIO = 3;
/** Below this, a ratio of two durations says more about the machine than about the work. */
const MEASURABLE_MS = 3;
/** Rounds until the two durations must be comparable: the first ones are run by the interpreter. */
const MAX_ROUNDS = 30;

function milliseconds(work: () => unknown): number {
  const before = performance.now();
  work();
  return performance.now() - before;
}

/**
 * Runs the work on an input and on one of twice the size, in turns, and compares the fastest of each. Stops at the
 * first round after which they are linear, or too fast to tell.
 */
function expectLinear(once: () => unknown, twice: () => unknown, what: string): void {
  let short = Number.POSITIVE_INFINITY;
  let long = Number.POSITIVE_INFINITY;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    long = Math.min(long, milliseconds(twice));
    if (long < MEASURABLE_MS) return;
    short = Math.min(short, milliseconds(once));
    if (round >= 2 && long < GENEROUS_MS && long / short < GENEROUS_RATIO) return;
  }
  expect.fail(`${what} took ${short.toFixed(1)} ms, and twice of it ${long.toFixed(1)} ms`);
}

function expectLinearWhateverComes(parse: (text: string) => unknown): void {
  for (const head of HEADS) {
    for (const unit of UNITS) {
      const short = head + unit.repeat(SIZE / unit.length);
      const long = head + unit.repeat((2 * SIZE) / unit.length);
      expectLinear(
        () => parse(short),
        () => parse(long),
        JSON.stringify(`${head}${unit}…`),
      );
    }
  }
}

describe('hostile input takes time in proportion to its length', () => {
  const parsers: Readonly<Record<string, (text: string) => unknown>> = {
    'a URI': parseUri,
    'a user to unescape': (text) => {
      const uri = parseUri(`sip:${text}@h`);
      return !isParseError(uri) && isSipUri(uri) ? unescapedUser(uri) : uri;
    },
    'two URIs to compare': (text) => {
      const uri = parseUri(text);
      return isParseError(uri) ? uri : sameUri(uri, structuredClone(uri));
    },
    Via: parseTopVia,
    'Via to be stamped': (text) => stampTopVia(text, '192.0.2.1', 5060),
    'From and To': parseFrom,
    Contact: (text) => parseContacts([text]),
    CSeq: parseCSeq,
    Authorization: parseDigestCredentials,
    Expires: parseExpires,
    'q values': parseQValue,
    'Max-Forwards': parseMaxForwards,
    'option tags': (text) => parseOptionTags([text]),
    'Call-ID': parseCallId,
    'Content-Type': parseContentType,
    'Content-Disposition': parseContentDisposition,
    'lists to split': splitList,
    'quoted strings to resolve': (text) => unquote(`"${text}"`),
    'a whole message': (text) => parseMessage(text, { framing: 'datagram' }),
    'header lines': (text) => parseMessage(`REGISTER sip:a SIP/2.0\r\n${text}`, { framing: 'datagram' }),
    'one header line': (text) =>
      parseMessage(`REGISTER sip:a SIP/2.0\r\na: ${text}`, { framing: 'datagram' }),
    'values to print': (text) =>
      printMessage({
        kind: 'response',
        status: 200,
        reason: text,
        headers: [{ name: text, value: text }],
        body: '',
      }),
    'a stream': (text) => new StreamFramer().push(Buffer.from(text, 'latin1')),
    'the header of a stream': (text) =>
      new StreamFramer().push(Buffer.from(`REGISTER sip:a SIP/2.0\r\n${text}`, 'latin1')),
  };
  for (const [what, parse] of Object.entries(parsers))
    it(`in ${what}`, () => expectLinearWhateverComes(parse));

  it('18: in two URIs with thousands of different parameters', () => {
    const compare = (count: number) => {
      const names = Array.from({ length: count }, (_, i) => `;${(i + 46_656).toString(36)}`);
      const uri = parseUri(`sip:h${names.join('')}`);
      const other = parseUri(`sip:h${names.reverse().join('')}`);
      if (isParseError(uri) || isParseError(other)) throw new Error('no URI');
      return () => expect(sameUri(uri, other)).toBe(true);
    };
    expectLinear(compare(6_000), compare(12_000), 'comparing');
  });

  it('40: in a stream that comes octet by octet', () => {
    const framed = (size: number) => () =>
      feed(Buffer.from(`REGISTER sip:a SIP/2.0\r\nl: ${size}\r\n\r\n${'x'.repeat(size)}`));
    const headed = (size: number) => () =>
      feed(Buffer.from(`REGISTER sip:a SIP/2.0\r\n${'l:0\n'.repeat(size / 4)}\n`));
    const lined = (size: number) => () =>
      feed(Buffer.from(`REGISTER sip:a SIP/2.0\r\na: ${'x'.repeat(size)}\r\nl: 0\r\n\r\n`));
    expectLinear(lined(SIZE / 2 - 1024), lined(SIZE - 2048), 'a header line');
    expectLinear(framed(SIZE), framed(2 * SIZE - 1024), 'a body');
    expectLinear(headed(SIZE / 4), headed(SIZE / 2), 'a header section');
  });
});

function feed(octets: Buffer): number {
  const framer = new StreamFramer();
  let events = 0;
  for (let i = 0; i < octets.length; i++) events += framer.push(octets.subarray(i, i + 1)).length;
  expect(events).toBe(1);
  return events;
}
