import {
  COMMA,
  DOUBLE_QUOTE,
  EQUALS,
  endOfQuoted,
  equalsIgnoringCase,
  PARAM_VALUE,
  SEMICOLON,
  skipBlank,
  span,
  TOKEN,
} from './scanner.js';
import { badRequest, type SipParseError } from './sip-parse-error.js';

/**
 * A parameter of a URI or a header (RFC 3261 §25.1). Name and value are as sent; a quoted value keeps its quotes.
 * A parameter without `=` has no value.
 */
export interface Param {
  readonly name: string;
  readonly value: string | undefined;
}

/** No parameters: one array for all, since most URIs and headers have none. */
export const NO_PARAMS: readonly Param[] = Object.freeze([]);

/** The first parameter of that name, which is given in lower case. */
export function findParam(params: readonly Param[], lowerCaseName: string): Param | undefined {
  for (let i = 0; i < params.length; i++) {
    const param = params[i];
    if (param === undefined || param.name.length !== lowerCaseName.length) continue;
    if (equalsIgnoringCase(param.name, lowerCaseName)) return param;
  }
  return undefined;
}

/** The value of the first parameter of that name, quotes and backslashes resolved; undefined when it has none. */
export function paramValue(params: readonly Param[], lowerCaseName: string): string | undefined {
  const value = findParam(params, lowerCaseName)?.value;
  return value === undefined ? undefined : unquote(value);
}

/** The content of a quoted-string, its quoted-pairs resolved (RFC 3261 §25.1); any other text as it is. */
export function unquote(text: string): string {
  const last = text.length - 1;
  if (last < 1 || text.charCodeAt(0) !== DOUBLE_QUOTE || text.charCodeAt(last) !== DOUBLE_QUOTE) return text;
  return unquotePairs(text.substring(1, last));
}

/** The text with each quoted-pair turned into the character it stands for: `\"` into `"` (RFC 3261 §25.1). */
export function unquotePairs(text: string): string {
  let backslash = text.indexOf('\\');
  if (backslash === -1) return text;
  const pieces: string[] = [];
  let from = 0;
  while (backslash !== -1) {
    pieces.push(text.substring(from, backslash));
    from = backslash + 1;
    backslash = text.indexOf('\\', from + 1);
  }
  pieces.push(text.substring(from));
  return pieces.join('');
}

/** The quoted-string that says `text` (RFC 3261 §25.1). */
export function quote(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

/**
 * Reads `*( SEMI generic-param )` from `from` to the end of the text (RFC 3261 §25.1). Blanks around `;` and `=`
 * are allowed, an empty parameter or value is not (RFC 4475 §3.1.2.1).
 */
export function parseParams(text: string, from: number): readonly Param[] | SipParseError {
  const params: Param[] = [];
  const end = readParams(text, from, params);
  if (end === text.length) return params.length === 0 ? NO_PARAMS : params;
  return badRequest('malformed parameter', undefined, end < 0 ? -end - 1 : end);
}

/**
 * Reads parameters from `from` into `params` and gives the index of the comma or the end that follows them, or
 * `-1 - offset` of the first character that belongs to neither.
 */
export function readParams(text: string, from: number, params: Param[]): number {
  const end = text.length;
  let i = skipBlank(text, from, end);
  while (i < end) {
    const code = text.charCodeAt(i);
    if (code === COMMA) return i;
    if (code !== SEMICOLON) return -1 - i;
    const nameStart = skipBlank(text, i + 1, end);
    const nameEnd = span(text, nameStart, end, TOKEN);
    if (nameEnd === nameStart) return -1 - nameStart;
    const name = text.substring(nameStart, nameEnd);
    i = skipBlank(text, nameEnd, end);
    if (i === end || text.charCodeAt(i) !== EQUALS) {
      params.push({ name, value: undefined });
      continue;
    }
    const valueStart = skipBlank(text, i + 1, end);
    const quoted = valueStart < end && text.charCodeAt(valueStart) === DOUBLE_QUOTE;
    const valueEnd = quoted ? endOfQuoted(text, valueStart, end) : span(text, valueStart, end, PARAM_VALUE);
    if (valueEnd <= valueStart) return -1 - valueStart;
    params.push({ name, value: text.substring(valueStart, valueEnd) });
    i = skipBlank(text, valueEnd, end);
  }
  return end;
}

/** `;name=value` for each parameter. */
export function printParams(params: readonly Param[]): string {
  let text = '';
  for (const { name, value } of params) text += value === undefined ? `;${name}` : `;${name}=${value}`;
  return text;
}
