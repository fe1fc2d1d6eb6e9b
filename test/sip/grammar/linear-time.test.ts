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

/** Quadratic work on 64 KB takes seconds; linear work takes a few milliseconds even on a slow machine. */
const GENEROUS_MS = 60;
/** Below this, a ratio of two durations says more about the machine than about the work. */
const MEASURABLE_MS = 3;

function milliseconds(work: () => unknown, runs: number): number {
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < runs; run++) {
    const before = performance.now();
    work();
    best = Math.min(best, performance.now() - before);
  }
  return best;
}

/** Fails when twice the input takes much more than twice the time. The minimum of several runs is compared. */
function expectLinear(work: (text: string) => unknown): void {
  for (const head of HEADS) {
    for (const unit of UNITS) {
      const text = (size: number) => head + unit.repeat(size / unit.length);
      const long = text(2 * SIZE);
      if (milliseconds(() => work(long), 1) < MEASURABLE_MS) continue;
      const twice = milliseconds(() => work(long), 5);
      if (twice < MEASURABLE_MS) continue;
      const short = text(SIZE);
      const once = milliseconds(() => work(short), 5);
      const what = JSON.stringify(`${head}${unit}…`);
      expect(twice, what).toBeLessThan(GENEROUS_MS);
      expect(twice / once, `${what} took ${once} and ${twice} ms`).toBeLessThan(3.5);
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
  for (const [what, parse] of Object.entries(parsers)) it(`in ${what}`, () => expectLinear(parse));

  it('40: in a stream that comes octet by octet', () => {
    const framed = (size: number) => () =>
      feed(Buffer.from(`REGISTER sip:a SIP/2.0\r\nl: ${size}\r\n\r\n${'x'.repeat(size)}`));
    const headed = (size: number) => () =>
      feed(Buffer.from(`REGISTER sip:a SIP/2.0\r\n${'l:0\n'.repeat(size / 4)}\n`));
    for (const stream of [framed, headed]) {
      const size = stream === framed ? SIZE : SIZE / 4;
      const once = milliseconds(stream(size), 5);
      const twice = milliseconds(stream(2 * size - 1024), 5);
      expect(twice / once, `${once} and ${twice} ms`).toBeLessThan(3.5);
    }
  });
});

function feed(octets: Buffer): number {
  const framer = new StreamFramer();
  let events = 0;
  for (let i = 0; i < octets.length; i++) events += framer.push(octets.subarray(i, i + 1)).length;
  expect(events).toBe(1);
  return events;
}
