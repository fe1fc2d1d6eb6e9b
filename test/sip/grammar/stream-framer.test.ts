import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseMessage } from '../../../src/sip/grammar/message.js';
import {
  type FramerEvent,
  MAX_HEADER_SECTION_BYTES,
  StreamFramer,
} from '../../../src/sip/grammar/stream-framer.js';

const REGISTER = 'REGISTER sip:a SIP/2.0\r\nVia: SIP/2.0/TCP b\r\n';
const EMPTY_BODY = `${REGISTER}Content-Length: 0\r\n\r\n`;
const WITH_BODY = `${REGISTER}l : 4\r\n\r\n\r\n\r\n`;

/** What the chunks bring, messages as texts, pings as `ping`, and what is broken by its status. */
function frames(chunks: readonly string[], framer = new StreamFramer()): readonly (string | number)[] {
  return chunks.flatMap((chunk) => framer.push(Buffer.from(chunk, 'latin1')).map(shown));
}

function shown(event: FramerEvent): string | number {
  if (event.kind === 'message') return event.bytes.toString('latin1');
  return event.kind === 'ping' ? 'ping' : event.error.status;
}

describe('a stream', () => {
  it('40: gives messages that come together, apart', () => {
    expect(frames([EMPTY_BODY + WITH_BODY + EMPTY_BODY])).toEqual([EMPTY_BODY, WITH_BODY, EMPTY_BODY]);
  });

  it('40: gives a message that comes in pieces when it is whole', () => {
    const half = WITH_BODY.length / 2;
    const framer = new StreamFramer();
    expect(frames([WITH_BODY.slice(0, half)], framer)).toEqual([]);
    expect(framer.pendingBytes).toBe(Math.floor(half));
    expect(frames([WITH_BODY.slice(half)], framer)).toEqual([WITH_BODY]);
    expect(framer.pendingBytes).toBe(0);
  });

  it('40: answers to CRLFCRLF between messages, not to a lone CRLF (RFC 5626)', () => {
    const check = (chunks: readonly string[], expected: readonly (string | number)[]) =>
      expect(frames(chunks), JSON.stringify(chunks)).toEqual(expected);
    check(['\r\n\r\n'], ['ping']);
    check(['\r', '\n', '\r', '\n'], ['ping']);
    check(['\r\n'], []);
    check([`\r\n${EMPTY_BODY}\r\n`], [EMPTY_BODY]);
    check([`${EMPTY_BODY}\r\n\r\n${EMPTY_BODY}`], [EMPTY_BODY, 'ping', EMPTY_BODY]);
    check(['\r\n\r\n\r\n\r\n\r\n'], ['ping', 'ping']);
    check([`\r\n${EMPTY_BODY}\r\n${EMPTY_BODY}\r\n`], [EMPTY_BODY, EMPTY_BODY]);
    // The two line breaks of the body are the body.
    check([WITH_BODY], [WITH_BODY]);
  });

  it('41: finds Content-Length in any spelling, folded too, and nowhere else', () => {
    const check = (lines: string, body: string) => {
      const message = `${REGISTER}${lines}\r\n${body}`;
      expect(frames([`${message}\r\n`]), lines).toEqual([message]);
    };
    check('Content-Length: 3\r\n', 'abc');
    check('CONTENT-LENGTH:3\r\n', 'abc');
    check('L: 3\r\n', 'abc');
    check('l \t:\t003 \r\n', 'abc');
    check('Content-Length:\r\n  3\r\n', 'abc');
    check('content-length: 3\nTo: x\n', 'abc');
    check('Content-Length: 3\r\nl: 3\r\n', 'abc');
    check('Content-Type: x\r\n l: 9\r\nLoad: 9\r\nl: 3\r\n', 'abc');
    check('Subject: x\r\n Content-Length: 9\r\nl: 3\r\n', 'abc');
  });

  it('40: without a usable Content-Length is broken, with the header for a 400', () => {
    for (const lines of [
      '',
      'l: -1\r\n',
      'l: x\r\n',
      'l: 1\r\nContent-Length: 2\r\n',
      'l:\r\n',
      'll: 1\r\n',
      'l 1\r\n',
    ]) {
      const framer = new StreamFramer();
      const [event] = framer.push(Buffer.from(`${REGISTER}${lines}\r\nrest`));
      expect(event, lines).toMatchObject({
        kind: 'broken',
        error: { status: 400, header: 'content-length' },
      });
      if (event?.kind !== 'broken') throw new Error('not broken');
      expect(event.head.toString()).toBe(`${REGISTER}${lines}\r\n`);
      expect(parseMessage(event.head.toString('latin1'), { framing: 'stream' })).toMatchObject({
        kind: 'broken',
        headers: expect.arrayContaining([{ name: 'via', value: 'SIP/2.0/TCP b' }]),
      });
      expect(framer.push(Buffer.from(EMPTY_BODY)), 'input after that').toEqual([]);
      expect(framer.pendingBytes).toBe(0);
    }
  });

  it('28: with a message over the bound is broken with a 513 as soon as that is known', () => {
    expect(frames([`${REGISTER}l: 65535\r\n\r\n`])).toEqual([513]);
    expect(frames([`${REGISTER}l: 99999999999999999999\r\n\r\n`])).toEqual([513]);
    const head = `${REGISTER}l: 10\r\n\r\n`;
    expect(frames([`${head}0123456789`], new StreamFramer(head.length + 10))).toHaveLength(1);
    expect(frames([`${head}0123456789`], new StreamFramer(head.length + 9))).toEqual([513]);
  });

  it('with headers that do not end within the bound is broken', () => {
    const endless = 'x: y\r\n'.repeat(MAX_HEADER_SECTION_BYTES / 6 + 1);
    expect(frames([endless])).toEqual([400]);
    expect(frames(Array.from(endless))).toEqual([400]);
    expect(frames(['x'.repeat(MAX_HEADER_SECTION_BYTES - 1)])).toEqual([]);
  });

  it('of something else than SIP is broken at its first octet', () => {
    expect(frames(['\x16\x03\x01'])).toEqual([400]);
    expect(frames(['\r\r\n'])).toEqual([400]);
    expect(frames(['\0'])).toEqual([400]);
  });

  it('takes plain Uint8Arrays, views into larger buffers too', () => {
    const octets = new Uint8Array(Buffer.from(`xx${EMPTY_BODY}xx`));
    expect(new StreamFramer().push(octets.subarray(2, -2)).map(shown)).toEqual([EMPTY_BODY]);
  });

  it('leaves messages it has given out as they were', () => {
    const framer = new StreamFramer();
    const first = framer.push(Buffer.from(`${WITH_BODY}REG`))[0];
    for (const octet of 'ISTER sip:other SIP/2.0\r\nl: 0\r\n\r\n') framer.push(Buffer.from(octet));
    expect(first && shown(first)).toBe(WITH_BODY);
  });

  it('brings the same whatever pieces it is cut into', () => {
    const part = fc.constantFrom(
      EMPTY_BODY,
      WITH_BODY,
      '\r\n',
      '\r\n\r\n',
      `${REGISTER}l: 300\r\n\r\n${'x'.repeat(300)}`,
    );
    const cuts = fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), cuts, (parts, sizes) => {
        const stream = parts.join('');
        const chunks: string[] = [];
        for (let at = 0, i = 0; at < stream.length; i++) {
          const size = sizes[i % sizes.length] ?? 1;
          chunks.push(stream.slice(at, at + size));
          at += size;
        }
        const whole = new StreamFramer();
        const pieced = new StreamFramer();
        expect(frames(chunks, pieced)).toEqual(frames([stream], whole));
        expect(pieced.pendingBytes).toBe(whole.pendingBytes);
      }),
    );
  });
});
