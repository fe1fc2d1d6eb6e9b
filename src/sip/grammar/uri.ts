import { endOfHost, readPort, sameHost } from './host-port.js';
import { findParam, NO_PARAMS, type Param, printParams } from './params.js';
import {
  COLON,
  EQUALS,
  equalsIgnoringCase,
  normalizeEscapes,
  PASSWORD,
  QUESTION_MARK,
  SEMICOLON,
  span,
  spanEscaped,
  URI_HEADER,
  URI_PARAM,
  URI_TEXT,
  USER,
  unescapeOctets,
} from './scanner.js';
import { badRequest, type SipParseError } from './sip-parse-error.js';

/**
 * A SIP or SIPS URI (RFC 3261 §19.1.1), taken apart but not changed: all texts are as sent, escapes kept, an IPv6
 * host in its brackets. `port` is 1–65535.
 */
export interface SipUri {
  readonly scheme: 'sip' | 'sips';
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly host: string;
  readonly port: number | undefined;
  readonly params: readonly Param[];
  readonly headers: readonly Param[];
}

/** A URI of another scheme: `tel:`, `mailto:` … `scheme` is in lower case, `text` is the whole URI as sent. */
export interface OtherUri {
  readonly scheme: string;
  readonly text: string;
}

export type Uri = SipUri | OtherUri;

export function isSipUri(uri: Uri): uri is SipUri {
  return uri.scheme === 'sip' || uri.scheme === 'sips';
}

/** Reads a URI that fills the whole text (RFC 3261 §25.1). A malformed one is a 400. */
export function parseUri(text: string): Uri | SipParseError {
  // The three letters and the colon are looked at here, because nearly every URI is a sip URI.
  if (
    text.length > 4 &&
    (text.charCodeAt(0) | 0x20) === 0x73 &&
    (text.charCodeAt(1) | 0x20) === 0x69 &&
    (text.charCodeAt(2) | 0x20) === 0x70
  ) {
    const code = text.charCodeAt(3);
    if (code === COLON) return parseSipUri(text, 'sip', 4);
    if ((code | 0x20) === 0x73 && text.charCodeAt(4) === COLON) return parseSipUri(text, 'sips', 5);
  }
  return parseOtherUri(text);
}

/** The URI in the form it came in; parsing the result gives an equal value. */
export function printUri(uri: Uri): string {
  if (!isSipUri(uri)) return uri.text;
  let text = `${uri.scheme}:`;
  if (uri.user !== undefined) {
    text += uri.password === undefined ? `${uri.user}@` : `${uri.user}:${uri.password}@`;
  }
  text += uri.port === undefined ? uri.host : `${uri.host}:${uri.port}`;
  text += printParams(uri.params);
  let separator = '?';
  for (const { name, value } of uri.headers) {
    text += `${separator}${name}=${value ?? ''}`;
    separator = '&';
  }
  return text;
}

/**
 * Whether two URIs are equivalent by RFC 3261 §19.1.4. Reflexive and symmetric, but not transitive, so there is no
 * canonical form to use as a key. Where the section contradicts itself its list of examples decides: a `transport`
 * in one URI only makes them different, even if it says udp. URIs of other schemes are compared as texts.
 */
export function sameUri(a: Uri, b: Uri): boolean {
  if (!isSipUri(a) || !isSipUri(b)) return sameOtherUri(a, b);
  return (
    a.scheme === b.scheme &&
    a.port === b.port &&
    sameEscaped(a.user, b.user) &&
    sameEscaped(a.password, b.password) &&
    sameHost(a.host, b.host) &&
    sameParams(a.params, b.params) &&
    sameHeaders(a.headers, b.headers)
  );
}

/**
 * The user part with its escapes resolved: `%61lice` is `alice`, `bob;x` stays `bob;x` (RFC 3261 §10.3 step 5).
 * Undefined when the URI has none.
 */
export function unescapedUser(uri: SipUri): string | undefined {
  return uri.user === undefined ? undefined : unescapeOctets(uri.user);
}

function parseSipUri(text: string, scheme: 'sip' | 'sips', from: number): SipUri | SipParseError {
  const end = text.length;
  let user: string | undefined;
  let password: string | undefined;
  let i = from;
  // An unescaped @ can only be the one after the userinfo: no other part may have it.
  const at = text.indexOf('@', from);
  if (at !== -1) {
    const userEnd = spanEscaped(text, from, at, USER);
    if (userEnd === from) return malformed('empty or malformed user', userEnd);
    if (userEnd < at) {
      if (text.charCodeAt(userEnd) !== COLON) return malformed('character not allowed in the user', userEnd);
      const passwordEnd = spanEscaped(text, userEnd + 1, at, PASSWORD);
      if (passwordEnd !== at) return malformed('character not allowed in the password', passwordEnd);
      password = text.substring(userEnd + 1, at);
    }
    user = text.substring(from, userEnd);
    i = at + 1;
  }

  const hostEnd = endOfHost(text, i, end);
  if (hostEnd === -1) return malformed('malformed host', i);
  const host = text.substring(i, hostEnd);
  i = hostEnd;

  let port: number | undefined;
  if (i < end && text.charCodeAt(i) === COLON) {
    const portEnd = endOfDigits(text, i + 1, end);
    port = readPort(text, i + 1, portEnd);
    if (port === -1) return malformed('port is not 1 to 65535', i + 1);
    i = portEnd;
  }

  let params = NO_PARAMS;
  if (i < end && text.charCodeAt(i) === SEMICOLON) {
    const read: Param[] = [];
    i = readUriParams(text, i, end, read);
    if (i < 0) return malformed('malformed URI parameter', -1 - i);
    params = read;
  }

  let headers = NO_PARAMS;
  if (i < end && text.charCodeAt(i) === QUESTION_MARK) {
    const read: Param[] = [];
    i = readUriHeaders(text, i, end, read);
    if (i < 0) return malformed('malformed URI header', -1 - i);
    headers = read;
  }
  if (i !== end) return malformed('character not allowed in a SIP URI', i);
  return { scheme, user, password, host, port, params, headers };
}

/** uri-parameters; gives the index after them, or `-1 - offset` of what is wrong. */
function readUriParams(text: string, from: number, end: number, params: Param[]): number {
  let i = from;
  while (i < end && text.charCodeAt(i) === SEMICOLON) {
    const nameEnd = spanEscaped(text, i + 1, end, URI_PARAM);
    if (nameEnd === i + 1) return -1 - nameEnd;
    const name = text.substring(i + 1, nameEnd);
    i = nameEnd;
    let value: string | undefined;
    if (i < end && text.charCodeAt(i) === EQUALS) {
      const valueEnd = spanEscaped(text, i + 1, end, URI_PARAM);
      if (valueEnd === i + 1) return -1 - valueEnd;
      value = text.substring(i + 1, valueEnd);
      i = valueEnd;
    }
    params.push({ name, value });
  }
  return i;
}

/** headers; gives the index after them, or `-1 - offset` of what is wrong. A value may be empty, a name may not. */
function readUriHeaders(text: string, from: number, end: number, headers: Param[]): number {
  let i = from;
  do {
    const nameEnd = spanEscaped(text, i + 1, end, URI_HEADER);
    if (nameEnd === i + 1 || nameEnd === end || text.charCodeAt(nameEnd) !== EQUALS) return -1 - nameEnd;
    const valueEnd = spanEscaped(text, nameEnd + 1, end, URI_HEADER);
    headers.push({ name: text.substring(i + 1, nameEnd), value: text.substring(nameEnd + 1, valueEnd) });
    i = valueEnd;
  } while (i < end && text.charCodeAt(i) === AMPERSAND);
  return i;
}

const AMPERSAND = 0x26;

function endOfDigits(text: string, from: number, end: number): number {
  let i = from;
  while (i < end && text.charCodeAt(i) >= 0x30 && text.charCodeAt(i) <= 0x39) i++;
  return i;
}

function parseOtherUri(text: string): OtherUri | SipParseError {
  const end = text.length;
  const colon = endOfScheme(text, end);
  if (colon === -1) return malformed('no URI scheme', 0);
  const scheme = text.substring(0, colon).toLowerCase();
  if (scheme === 'sip' || scheme === 'sips') return malformed('empty SIP URI', colon + 1);
  const last = span(text, colon + 1, end, URI_TEXT);
  if (last !== end || last === colon + 1) return malformed('character not allowed in a URI', last);
  return { scheme, text };
}

/** scheme = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." ); the index of the colon after it, or -1. */
function endOfScheme(text: string, end: number): number {
  for (let i = 0; i < end; i++) {
    const code = text.charCodeAt(i);
    const lower = code | 0x20;
    if (lower >= 0x61 && lower <= 0x7a) continue;
    if (i === 0) return -1;
    if (code === COLON) return i;
    const allowed = (code >= 0x30 && code <= 0x39) || code === 0x2b || code === 0x2d || code === 0x2e;
    if (!allowed) return -1;
  }
  return -1;
}

function malformed(detail: string, offset: number): SipParseError {
  return badRequest(detail, undefined, offset);
}

function sameOtherUri(a: Uri, b: Uri): boolean {
  if (isSipUri(a) || isSipUri(b) || a.scheme !== b.scheme) return false;
  return a.text.slice(a.scheme.length) === b.text.slice(b.scheme.length);
}

function sameEscaped(a: string | undefined, b: string | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined) return false;
  return normalizeEscapes(a) === normalizeEscapes(b);
}

// §19.1.4: these make a difference even when one URI says nothing; any other is ignored then.
const PARAMS_THAT_COUNT_ALONE = ['transport', 'user', 'ttl', 'method', 'maddr'];
/** From how many parameters on a Map is built: few are found faster by looking, many must not cost n². */
const FEW_PARAMS = 8;

function sameParams(a: readonly Param[], b: readonly Param[]): boolean {
  if (a.length === 0 && b.length === 0) return true;
  for (const name of PARAMS_THAT_COUNT_ALONE) {
    if ((findParam(a, name) === undefined) !== (findParam(b, name) === undefined)) return false;
  }
  // A name that comes twice breaks §19.1.1; the first one counts, on both sides.
  if (a.length <= FEW_PARAMS && b.length <= FEW_PARAMS) {
    return a.every((param) => {
      const name = param.name.toLowerCase();
      const other = findParam(b, name);
      return other === undefined || findParam(a, name) !== param || sameParamValue(param.value, other.value);
    });
  }
  const others = firstByName(b);
  for (const [name, param] of firstByName(a)) {
    const other = others.get(name);
    if (other !== undefined && !sameParamValue(param.value, other.value)) return false;
  }
  return true;
}

function firstByName(params: readonly Param[]): ReadonlyMap<string, Param> {
  const byName = new Map<string, Param>();
  for (const param of params) {
    const name = param.name.toLowerCase();
    if (!byName.has(name)) byName.set(name, param);
  }
  return byName;
}

function sameParamValue(a: string | undefined, b: string | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return equalsIgnoringCase(a, b) || equalsIgnoringCase(normalizeEscapes(a), normalizeEscapes(b));
}

/** Headers may repeat and come in any order, so the sorted lists are compared. */
function sameHeaders(a: readonly Param[], b: readonly Param[]): boolean {
  if (a.length !== b.length) return false;
  if (a.length === 0) return true;
  const left = a.map(comparableHeader).sort();
  const right = b.map(comparableHeader).sort();
  return left.every((header, i) => header === right[i]);
}

function comparableHeader(header: Param): string {
  return `${unescapeOctets(header.name).toLowerCase()}=${unescapeOctets(header.value ?? '')}`;
}
