import { describe, expect, it } from 'vitest';
import { parseHostPort, printHostPort, sameHost } from '../../../src/sip/grammar/host-port.js';
import { findParam, paramValue, parseParams, quote, unquote } from '../../../src/sip/grammar/params.js';
import {
  equalsIgnoringCase,
  isToken,
  readDigits,
  splitList,
  unescapeOctets,
} from '../../../src/sip/grammar/scanner.js';
import { isParseError } from '../../../src/sip/grammar/sip-parse-error.js';

describe('a comma-separated list', () => {
  it('41: is split at commas outside quotes and <>', () => {
    const check = (value: string, elements: readonly string[]) =>
      expect(splitList(value), value).toEqual(elements);
    check('', []);
    check('  ', []);
    check('a', ['a']);
    check(' a ,\tb,c ', ['a', 'b', 'c']);
    check('"a,b", c', ['"a,b"', 'c']);
    check('"a\\",b", c', ['"a\\",b"', 'c']);
    check('"a\\\\", c', ['"a\\\\"', 'c']);
    check('<sip:a,b@h>;x, "q, \\"" <sip:c>;y=","', ['<sip:a,b@h>;x', '"q, \\"" <sip:c>;y=","']);
    check('<sip:"@h>, b', ['<sip:"@h>', 'b']);
  });

  it('with an empty element, an open quote or an open < is a 400 (RFC 4475 badinv)', () => {
    for (const value of [',', 'a,', ',a', 'a,,b', 'a, ,b', '"a', 'a, "b\\"', '<a', 'a, <b']) {
      expect(splitList(value), value).toMatchObject({ status: 400 });
    }
  });
});

describe('parameters', () => {
  it('are found by name without case, the first one first', () => {
    const params = parseParams(';A=1 ; b ; a=2;c = "x \\"y\\" \\\\"', 0);
    if (isParseError(params)) throw new Error(params.detail);
    expect(findParam(params, 'a')).toEqual({ name: 'A', value: '1' });
    expect(findParam(params, 'b')).toEqual({ name: 'b', value: undefined });
    expect(findParam(params, 'd')).toBeUndefined();
    expect(paramValue(params, 'b')).toBeUndefined();
    expect(paramValue(params, 'c')).toBe('x "y" \\');
  });

  it('that are malformed are a 400 with the place', () => {
    const check = (text: string, offset: number) =>
      expect(parseParams(text, 0), text).toMatchObject({ status: 400, offset });
    check(';', 1);
    check(';a;', 3);
    check(';a;;b', 3);
    check(';a=', 3);
    check(';a="x', 3);
    check(';a=1,b', 4);
    check('a', 0);
  });

  it('quoted are unquoted, and the other way round', () => {
    const check = (quoted: string, text: string) => expect(unquote(quoted)).toBe(text);
    check('""', '');
    check('"a"', 'a');
    check('"\\""', '"');
    check('"\\\\\\a"', '\\a');
    check('a"b', 'a"b');
    check('"', '"');
    for (const text of ['', 'a', '"', '\\', '\\"x\\\\']) expect(unquote(quote(text))).toBe(text);
  });
});

describe('hosts', () => {
  it('with a port are read and printed', () => {
    expect(parseHostPort('[::1]:5060')).toEqual({ host: '[::1]', port: 5060 });
    expect(parseHostPort('Example.com')).toEqual({ host: 'Example.com', port: undefined });
    for (const text of ['', ':5060', 'a:', 'a:0', 'a:65536', 'a b', 'a;b', '[::1', '[::1]5060', 'a:1:2']) {
      expect(parseHostPort(text), text).toBeUndefined();
    }
    for (const text of ['[::1]:5060', 'example.com']) {
      expect(printHostPort(parseHostPort(text)!)).toBe(text);
    }
  });

  it('are the same without regard to case or the writing of an IPv6 address', () => {
    expect(sameHost('Example.COM', 'example.com')).toBe(true);
    expect(sameHost('[::1]', '[0:0:0:0:0:0:0:1]')).toBe(true);
    expect(sameHost('[::1]', '[::2]')).toBe(false);
    expect(sameHost('example.com', 'example.org')).toBe(false);
  });
});

describe('characters', () => {
  it('of a token are told from others', () => {
    expect(isToken("!interesting-Method0123456789_*+`.%indeed'~")).toBe(true);
    for (const text of ['', 'a b', 'a@b', 'a/b', 'a=b', '\xe9', '"a"', '\u0141'])
      expect(isToken(text), text).toBe(false);
  });

  it('that are digits make a number up to a cap', () => {
    const check = (text: string, expected: number) =>
      expect(readDigits(text, 0, text.length, 100), text).toBe(expected);
    check('0', 0);
    check('0068', 68);
    check('100', 100);
    check('101', 100);
    check('9'.repeat(400), 100);
    check('', -1);
    check('1x', -1);
    check('-1', -1);
    check(' 1', -1);
  });

  it('are compared without case as far as they are ASCII letters', () => {
    expect(equalsIgnoringCase('Via', 'vIA')).toBe(true);
    expect(equalsIgnoringCase('a[', 'a{')).toBe(false);
    expect(equalsIgnoringCase('\xc9', '\xe9')).toBe(false);
    expect(equalsIgnoringCase('a', 'ab')).toBe(false);
  });

  it('escaped are resolved once, and a stray % stays', () => {
    expect(unescapeOctets('%61%4C%00')).toBe('aL\0');
    expect(unescapeOctets('%2541')).toBe('%41');
    expect(unescapeOctets('%%41%zz%4')).toBe('%A%zz%4');
  });
});
