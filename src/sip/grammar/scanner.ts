import { badRequest, type SipParseError } from './sip-parse-error.js';

// The character classes of RFC 3261 §25.1, one bit each. The escape character `%` is in none of the URI classes:
// spanEscaped looks at it together with the two digits after it.
const ALPHANUM = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const UNRESERVED = `${ALPHANUM}-_.!~*'()`;
const TOKEN_CHARS = `${ALPHANUM}-.!%*_+\`'~`;

/** token, §25.1 */
export const TOKEN = 1;
/** unreserved and user-unreserved, §25.1 */
export const USER = 2;
/** What a password may have, §25.1 */
export const PASSWORD = 4;
/** paramchar, §25.1 */
export const URI_PARAM = 8;
/** unreserved and hnv-unreserved, §25.1 */
export const URI_HEADER = 16;
/** Letters, digits, `-`, `.`, and the `_` that real host names have although §25.1 does not know it. */
export const HOST = 32;
/**
 * gen-value without quotes: token or host, §25.1; and of what real tags and branches have besides, whatever is no
 * separator between parameters or list elements.
 */
export const PARAM_VALUE = 64;
/** What a URI of any scheme may have: everything visible but the delimiters `<`, `>`, `"` and `\`. */
export const URI_TEXT = 128;
/** DIGIT, §25.1 */
export const DIGIT = 256;

const CLASS = new Uint16Array(256);
include(DIGIT, '0123456789');
include(TOKEN, TOKEN_CHARS);
include(USER, `${UNRESERVED}&=+$,;?/`);
include(PASSWORD, `${UNRESERVED}&=+$,`);
include(URI_PARAM, `${UNRESERVED}[]/:&+$`);
include(URI_HEADER, `${UNRESERVED}[]/?:+$`);
include(HOST, `${ALPHANUM}-._`);
include(PARAM_VALUE, `${TOKEN_CHARS}[]:/=@&$`);
for (let code = 0x21; code < 0x7f; code++) {
  if (!'<>"\\'.includes(String.fromCharCode(code))) include(URI_TEXT, String.fromCharCode(code));
}

function include(mask: number, chars: string): void {
  for (let i = 0; i < chars.length; i++) {
    const code = chars.charCodeAt(i);
    CLASS[code] = (CLASS[code] ?? 0) | mask;
  }
}

export const TAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SPACE = 0x20;
export const DOUBLE_QUOTE = 0x22;
export const PERCENT = 0x25;
export const STAR = 0x2a;
export const COMMA = 0x2c;
export const DOT = 0x2e;
export const SLASH = 0x2f;
export const COLON = 0x3a;
export const SEMICOLON = 0x3b;
export const LESS_THAN = 0x3c;
export const EQUALS = 0x3d;
export const GREATER_THAN = 0x3e;
export const QUESTION_MARK = 0x3f;
export const BACKSLASH = 0x5c;

/** The classes the octet is of, one bit each. */
export function classesOf(code: number): number {
  return CLASS[code] ?? 0;
}

/** Whether the octet is of a class in `mask`. */
export function isOf(code: number, mask: number): boolean {
  return ((CLASS[code] ?? 0) & mask) !== 0;
}

/** Where the run of characters of a class in `mask` that begins at `from` ends, at most `end`. */
export function span(text: string, from: number, end: number, mask: number): number {
  let i = from;
  while (i < end && ((CLASS[text.charCodeAt(i)] ?? 0) & mask) !== 0) i++;
  return i;
}

/** As `span`, and `%` with two hexadecimal digits counts as one more character of the class (escaped, §25.1). */
export function spanEscaped(text: string, from: number, end: number, mask: number): number {
  let i = from;
  while (i < end) {
    const code = text.charCodeAt(i);
    if (((CLASS[code] ?? 0) & mask) !== 0) i++;
    else if (code === PERCENT && i + 2 < end && isHexPair(text, i + 1)) i += 3;
    else break;
  }
  return i;
}

/** Where the spaces and tabs that begin at `from` end. Line folds are gone from header values by then. */
export function skipBlank(text: string, from: number, end: number): number {
  let i = from;
  while (i < end && isBlank(text.charCodeAt(i))) i++;
  return i;
}

export function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}

export function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** Whether the text is a token of at least one character (§25.1). */
export function isToken(text: string): boolean {
  return text.length > 0 && span(text, 0, text.length, TOKEN) === text.length;
}

/** The text without spaces and tabs at its ends. */
export function trimBlank(text: string, from: number, end: number): string {
  let first = from;
  let last = end;
  while (first < last && isBlank(text.charCodeAt(first))) first++;
  while (last > first && isBlank(text.charCodeAt(last - 1))) last--;
  return text.substring(first, last);
}

/**
 * The number that `1*DIGIT` at [from, end) says, capped at `cap`; -1 when there is anything but digits, or nothing.
 * Leading zeros do not count (§25.1; RFC 4475 §3.1.1.1).
 */
export function readDigits(text: string, from: number, end: number, cap: number): number {
  if (from >= end) return -1;
  let value = 0;
  for (let i = from; i < end; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (!(digit >= 0 && digit <= 9)) return -1;
    value = value * 10 + digit;
    if (value > cap) value = cap;
  }
  return value;
}

/** The index after the quoted-string that begins with the `"` at `from`; -1 when it does not end (§25.1). */
export function endOfQuoted(text: string, from: number, end: number): number {
  let close = text.indexOf('"', from + 1);
  while (close !== -1 && close < end) {
    // A quote is escaped when an odd number of backslashes stands before it.
    let run = close;
    while (run > from + 1 && text.charCodeAt(run - 1) === BACKSLASH) run--;
    if (((close - run) & 1) === 0) return close + 1;
    close = text.indexOf('"', close + 1);
  }
  return -1;
}

/**
 * Where the list element that begins at `from` ends: the index of the next comma outside quotes and `<>`, or the
 * text's length; -1 when a quote or a `<` stays open.
 */
export function endOfElement(text: string, from: number): number {
  const length = text.length;
  let i = from;
  while (i < length) {
    const code = text.charCodeAt(i);
    if (code === COMMA) return i;
    if (code === DOUBLE_QUOTE) {
      i = endOfQuoted(text, i, length);
      if (i === -1) return -1;
    } else if (code === LESS_THAN) {
      i = text.indexOf('>', i) + 1;
      if (i === 0) return -1;
    } else {
      i++;
    }
  }
  return length;
}

/**
 * The elements of a comma-separated header value, trimmed; commas inside quotes and `<>` separate nothing (RFC
 * 3261 §7.3.1). An empty value is an empty list; an empty element is an error, as in RFC 4475 §3.1.2.1.
 */
export function splitList(value: string): readonly string[] | SipParseError {
  const elements: string[] = [];
  if (skipBlank(value, 0, value.length) === value.length) return elements;
  let from = 0;
  for (;;) {
    const end = endOfElement(value, from);
    if (end === -1) return badRequest('a quoted string or an angle bracket is not closed', undefined, from);
    const element = trimBlank(value, from, end);
    if (element === '') return badRequest('empty element in a list', undefined, from);
    elements.push(element);
    if (end === value.length) return elements;
    from = end + 1;
  }
}

/** Whether two texts are equal but for the case of ASCII letters. */
export function equalsIgnoringCase(a: string, b: string): boolean {
  if (a === b) return true;
  const length = a.length;
  if (length !== b.length) return false;
  for (let i = 0; i < length; i++) {
    if (lowerCase(a.charCodeAt(i)) !== lowerCase(b.charCodeAt(i))) return false;
  }
  return true;
}

/** Whether [from, end) of the text spells `word` in any case. The word is lower-case letters and nothing else. */
export function spells(text: string, from: number, end: number, word: string): boolean {
  if (end - from !== word.length) return false;
  for (let i = 0; i < word.length; i++) {
    // Bit 5 is all that tells the two cases of a letter apart.
    if ((text.charCodeAt(from + i) | 0x20) !== word.charCodeAt(i)) return false;
  }
  return true;
}

/** The text with `%HH` turned into the octet it stands for; a `%` without two digits is kept. */
export function unescapeOctets(text: string): string {
  return replaceEscapes(text, (octet) => octet);
}

/**
 * The text in the form in which two escaped texts are compared: escapes of characters outside RFC 2396's reserved
 * set resolved, the others with upper-case digits (RFC 3261 §19.1.4).
 */
export function normalizeEscapes(text: string): string {
  return replaceEscapes(text, (octet, triplet) => (RESERVED.includes(octet) ? triplet.toUpperCase() : octet));
}

const RESERVED = ';/?:@&=+$,';

function replaceEscapes(text: string, replacement: (octet: string, triplet: string) => string): string {
  let percent = text.indexOf('%');
  if (percent === -1) return text;
  const pieces: string[] = [];
  let from = 0;
  while (percent !== -1) {
    if (percent + 2 < text.length && isHexPair(text, percent + 1)) {
      const triplet = text.substring(percent, percent + 3);
      const octet = String.fromCharCode(Number.parseInt(triplet.substring(1), 16));
      pieces.push(text.substring(from, percent), replacement(octet, triplet));
      from = percent + 3;
      percent = text.indexOf('%', from);
    } else {
      percent = text.indexOf('%', percent + 1);
    }
  }
  pieces.push(text.substring(from));
  return pieces.join('');
}

function isHexPair(text: string, from: number): boolean {
  return isHex(text.charCodeAt(from)) && isHex(text.charCodeAt(from + 1));
}

function isHex(code: number): boolean {
  const lower = code | 0x20;
  return isDigit(code) || (lower >= 0x61 && lower <= 0x66);
}

function lowerCase(code: number): number {
  return code >= 0x41 && code <= 0x5a ? code + 0x20 : code;
}
