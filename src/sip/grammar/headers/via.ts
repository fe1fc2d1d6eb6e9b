import { endOfHost, readPort } from '../host-port.js';
import { NO_PARAMS, type Param, paramValue, printParams, readParams } from '../params.js';
import {
  BACKSLASH,
  COLON,
  COMMA,
  DOUBLE_QUOTE,
  endOfElement,
  isBlank,
  isDigit,
  SEMICOLON,
  SLASH,
  skipBlank,
  span,
  spells,
  TOKEN,
} from '../scanner.js';
import { badRequest, type SipParseError } from '../sip-parse-error.js';

/**
 * One hop of the way a request came (RFC 3261 §20.42). `protocol` is `SIP/2.0`, or with another number when a
 * request of another version is to be refused; `transport` is in upper case; `host` and `port` are the sent-by,
 * IPv6 in brackets.
 */
export interface Via {
  readonly protocol: string;
  readonly transport: string;
  readonly host: string;
  readonly port: number | undefined;
  readonly params: readonly Param[];
}

// How nearly every Via begins.
const PROTOCOL_AND_SLASH = 'SIP/2.0/';

/** Reads the first Via of a header field line; what follows its comma is not looked at. */
export function parseTopVia(value: string): Via | SipParseError {
  return parseVia(value, false);
}

/**
 * As parseTopVia, for refusing a request: only the sent-by must be sound, and of the parameters those before the
 * first malformed one are given (RFC 4475 badinv01).
 */
export function parseTopViaToRefuse(value: string): Via | SipParseError {
  return parseVia(value, true);
}

function parseVia(value: string, isLenient: boolean): Via | SipParseError {
  const end = value.length;
  let protocol = 'SIP/2.0';
  let transportStart = PROTOCOL_AND_SLASH.length;
  if (!value.startsWith(PROTOCOL_AND_SLASH)) {
    const nameEnd = span(value, 0, end, TOKEN);
    const versionStart = afterSlash(value, nameEnd, end);
    const versionEnd = span(value, versionStart, end, TOKEN);
    if (!spells(value, 0, nameEnd, 'sip') || versionEnd === versionStart)
      return malformed('no sent-protocol', 0);
    transportStart = afterSlash(value, versionEnd, end);
    protocol = `SIP/${value.substring(versionStart, versionEnd)}`;
  }
  const transportEnd = span(value, transportStart, end, TOKEN);
  if (transportEnd === transportStart) return malformed('no transport', transportStart);
  const transport = upperCaseTransport(value.substring(transportStart, transportEnd));

  const hostStart = skipBlank(value, transportEnd, end);
  const hostEnd = hostStart === transportEnd ? -1 : endOfHost(value, hostStart, end);
  if (hostEnd === -1) return malformed('malformed sent-by', hostStart);
  const host = value.substring(hostStart, hostEnd);
  let port: number | undefined;
  let i = skipBlank(value, hostEnd, end);
  if (i < end && value.charCodeAt(i) === COLON) {
    const portStart = skipBlank(value, i + 1, end);
    i = portStart;
    while (i < end && isDigit(value.charCodeAt(i))) i++;
    port = readPort(value, portStart, i);
    if (port === -1) return malformed('port is not 1 to 65535', portStart);
    i = skipBlank(value, i, end);
  }
  if (i === end || value.charCodeAt(i) === COMMA)
    return { protocol, transport, host, port, params: NO_PARAMS };
  const params: Param[] = [];
  i = readParams(value, i, params);
  if (i < 0 && !isLenient) return malformed('malformed parameter', -1 - i);
  return { protocol, transport, host, port, params };
}

export function printVia(via: Via): string {
  const sentBy = via.port === undefined ? via.host : `${via.host}:${via.port}`;
  return `${via.protocol}/${via.transport} ${sentBy}${printParams(via.params)}`;
}

/** The branch, which identifies the transaction when it begins with `z9hG4bK` (§8.1.1.7). */
export function branchOf(via: Via): string | undefined {
  return paramValue(via.params, 'branch');
}

/**
 * The header field line with its first Via marked with where the request came from (§18.2.1, RFC 3581 §4): every
 * `received` the sender wrote goes, `received` is added when given, and a given `rport` fills the one that is there
 * or is added. All other octets stay. A line that can't be taken apart comes back as it is.
 * `received` is an IP address without brackets, `rport` a port.
 */
export function stampTopVia(value: string, received: string | undefined, rport: number | undefined): string {
  const elementEnd = endOfElement(value, 0);
  if (elementEnd === -1) return value;
  let end = elementEnd;
  while (end > 0 && isBlank(value.charCodeAt(end - 1))) end--;

  let text = '';
  let copied = 0;
  let hasRport = false;
  for (let semicolon = endOfParam(value, 0, end); semicolon < end; ) {
    const paramEnd = endOfParam(value, semicolon + 1, end);
    const nameStart = skipBlank(value, semicolon + 1, paramEnd);
    const nameEnd = span(value, nameStart, paramEnd, TOKEN);
    if (spells(value, nameStart, nameEnd, 'received')) {
      text += value.substring(copied, semicolon);
      copied = paramEnd;
    } else if (rport !== undefined && spells(value, nameStart, nameEnd, 'rport')) {
      // A second rport goes, like a second received: one answer, ours.
      text += hasRport ? value.substring(copied, semicolon) : `${value.substring(copied, nameEnd)}=${rport}`;
      hasRport = true;
      copied = paramEnd;
    }
    semicolon = paramEnd;
  }
  text += value.substring(copied, end);
  if (received !== undefined) text += `;received=${received}`;
  if (rport !== undefined && !hasRport) text += `;rport=${rport}`;
  return text + value.substring(end);
}

/** The index of the next semicolon outside quotes, or the end. */
function endOfParam(text: string, from: number, end: number): number {
  let isQuoted = false;
  for (let i = from; i < end; i++) {
    const code = text.charCodeAt(i);
    if (isQuoted && code === BACKSLASH) i++;
    else if (code === DOUBLE_QUOTE) isQuoted = !isQuoted;
    else if (code === SEMICOLON && !isQuoted) return i;
  }
  return end;
}

/** The index after `LWS / LWS`; where there is no slash, the end, which no word can follow. */
function afterSlash(text: string, from: number, end: number): number {
  const slash = skipBlank(text, from, end);
  return slash < end && text.charCodeAt(slash) === SLASH ? skipBlank(text, slash + 1, end) : end;
}

function upperCaseTransport(transport: string): string {
  switch (transport) {
    case 'UDP':
    case 'TCP':
    case 'TLS':
    case 'WS':
    case 'WSS':
      return transport;
    default:
      return transport.toUpperCase();
  }
}

function malformed(detail: string, offset: number): SipParseError {
  return badRequest(detail, 'via', offset);
}
