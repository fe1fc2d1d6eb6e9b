import { NO_PARAMS, type Param, printParams, readParams } from './params.js';
import {
  COMMA,
  DOUBLE_QUOTE,
  endOfQuoted,
  isBlank,
  isOf,
  LESS_THAN,
  QUESTION_MARK,
  SEMICOLON,
  skipBlank,
  TOKEN,
  trimBlank,
} from './scanner.js';
import { badRequest, isParseError, type SipParseError } from './sip-parse-error.js';
import { parseUri, type Uri } from './uri.js';

/**
 * `"Bob" <sip:bob@example.com>;tag=1` (name-addr or addr-spec with header parameters, RFC 3261 §20.10, §25.1).
 * `displayName` is raw, quotes included, or empty; `uriText` is the URI byte for byte as sent, without brackets.
 */
export interface NameAddr {
  readonly displayName: string;
  readonly uriText: string;
  readonly uri: Uri;
  readonly params: readonly Param[];
}

/**
 * Reads one address that fills the whole text. Without brackets the parameters belong to the header, and a URI
 * with `?` or `,` is malformed (§20; RFC 4475 regbadct). A malformed address is a 400 about `header`.
 */
export function parseNameAddr(text: string, header?: string): NameAddr | SipParseError {
  const end = text.length;
  const start = skipBlank(text, 0, end);
  const bracket = endOfDisplayName(text, start, end);
  if (bracket === -1) return badRequest('unbalanced quotes in the display name', header, start);

  let displayName = '';
  let uriText: string;
  let i: number;
  if (bracket < end && text.charCodeAt(bracket) === LESS_THAN) {
    const close = text.indexOf('>', bracket);
    if (close === -1) return badRequest('angle bracket is not closed', header, bracket);
    if (bracket > start) displayName = trimBlank(text, start, bracket);
    uriText = text.substring(bracket + 1, close);
    i = close + 1;
  } else if (start < end && text.charCodeAt(start) === DOUBLE_QUOTE) {
    return badRequest('no angle bracket after the display name', header, bracket);
  } else {
    i = endOfAddrSpec(text, start, end);
    uriText = text.substring(start, i);
  }

  const uri = parseUri(uriText);
  if (isParseError(uri)) return badRequest(uri.detail, header, uri.offset);
  if (i === end) return { displayName, uriText, uri, params: NO_PARAMS };
  const params: Param[] = [];
  const paramsEnd = readParams(text, i, params);
  if (paramsEnd !== end) {
    return badRequest('malformed parameter', header, paramsEnd < 0 ? -1 - paramsEnd : paramsEnd);
  }
  return { displayName, uriText, uri, params };
}

/** Always with brackets, which is right for every URI. */
export function printNameAddr(address: NameAddr): string {
  const uri = `<${address.uriText}>${printParams(address.params)}`;
  return address.displayName === '' ? uri : `${address.displayName} ${uri}`;
}

/**
 * Where the display name ends: the index of the `<` when there is one. A quoted string is skipped as a whole; of
 * bare words only tokens are allowed (RFC 4475 baddn). -1 when a quote stays open.
 */
function endOfDisplayName(text: string, start: number, end: number): number {
  if (start < end && text.charCodeAt(start) === DOUBLE_QUOTE) {
    const quoteEnd = endOfQuoted(text, start, end);
    return quoteEnd === -1 ? -1 : skipBlank(text, quoteEnd, end);
  }
  let i = start;
  while (i < end) {
    const code = text.charCodeAt(i);
    if (!isOf(code, TOKEN) && !isBlank(code)) break;
    i++;
  }
  return i;
}

function endOfAddrSpec(text: string, start: number, end: number): number {
  let i = start;
  while (i < end) {
    const code = text.charCodeAt(i);
    if (code === SEMICOLON || code === COMMA || code === QUESTION_MARK || isBlank(code)) break;
    i++;
  }
  return i;
}
