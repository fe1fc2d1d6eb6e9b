import { describe, expect, test } from 'vitest';
import { MESSAGES, type MessageName } from './messages.js';

// In these the memo has a Content-Length that is not the body's: the error or the point of the message.
const OTHER_LENGTHS: Readonly<Partial<Record<MessageName, readonly string[]>>> = {
  dblreq: ['0'],
  clerr: ['9999'],
  ncl: ['-999'],
  multi01: ['154'],
  mcl01: ['13', '5'],
  inv2543: [],
};

describe('The messages of RFC 4475, as they are written down here', () => {
  test('are the memo’s 49, a section each', () => {
    const sections = Object.values(MESSAGES).map(({ section }) => section);

    expect(sections).toHaveLength(49);
    expect(new Set(sections).size).toBe(49);
  });

  test.each(Object.keys(MESSAGES) as MessageName[])(
    '%s has the Content-Length that the memo says',
    (name) => {
      const { octets } = MESSAGES[name];
      const headEnd = octets.indexOf('\r\n\r\n');
      const lengths = [
        ...octets.slice(0, headEnd + 2).matchAll(/\r\n(?:content-length|l)[ \t]*:[ \t]*([^\r]*)/gi),
      ].map(([, length]) => length);
      const body = octets.slice(headEnd + 4);

      expect(lengths).toEqual(OTHER_LENGTHS[name] ?? [String(body.length)]);
    },
  );

  test.each(Object.keys(MESSAGES) as MessageName[])('%s has CRLF at the end of every line', (name) => {
    const { octets } = MESSAGES[name];

    // The signature in mpart01 has what octets it has.
    const text = octets.replace(/\r\n\r\n0[^a-z].*(?=\r\n--7a9cbec02ceef655--)/s, '');
    expect(text.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/);
    expect(octets.endsWith('\r\n')).toBe(true);
  });
});
