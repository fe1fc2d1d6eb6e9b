import { unquotePairs } from '../params.js';
import {
  COMMA,
  DOUBLE_QUOTE,
  endOfQuoted,
  isBlank,
  PARAM_VALUE,
  skipBlank,
  span,
  spells,
  TOKEN,
} from '../scanner.js';
import { badRequest, type SipParseError } from '../sip-parse-error.js';

/**
 * The parameters of `Authorization: Digest …` (RFC 3261 §20.7, RFC 7616 §3.4), unquoted and otherwise as sent.
 * Unknown parameters are left out.
 */
export interface DigestCredentials {
  readonly username: string;
  readonly realm: string;
  readonly nonce: string;
  readonly uri: string;
  readonly response: string;
  readonly algorithm?: string | undefined;
  readonly cnonce?: string | undefined;
  readonly opaque?: string | undefined;
  readonly qop?: string | undefined;
  readonly nc?: string | undefined;
  readonly userhash?: string | undefined;
}

/**
 * Reads the value of an Authorization or Proxy-Authorization header; undefined when its scheme is not Digest. A
 * parameter given twice and a missing username, realm, nonce, uri or response are a 400. Scheme and parameter names
 * have no case, and any value may be quoted or not, since clients differ.
 */
export function parseDigestCredentials(value: string): DigestCredentials | SipParseError | undefined {
  const end = value.length;
  const schemeStart = skipBlank(value, 0, end);
  const schemeEnd = span(value, schemeStart, end, TOKEN);
  if (schemeEnd === schemeStart) return malformed('no scheme', schemeStart);
  if (!spells(value, schemeStart, schemeEnd, 'digest')) return undefined;

  let username: string | undefined;
  let realm: string | undefined;
  let nonce: string | undefined;
  let uri: string | undefined;
  let response: string | undefined;
  let algorithm: string | undefined;
  let cnonce: string | undefined;
  let opaque: string | undefined;
  let qop: string | undefined;
  let nc: string | undefined;
  let userhash: string | undefined;

  // One search tells whether any quoted value has something to resolve; hardly one has.
  const hasBackslash = value.indexOf('\\') !== -1;
  let i = schemeEnd;
  do {
    const nameStart = skipBlank(value, i === schemeEnd ? i : i + 1, end);
    const equals = value.indexOf('=', nameStart);
    if (equals === -1) return malformed('malformed parameter', nameStart);
    let nameEnd = equals;
    while (nameEnd > nameStart && isBlank(value.charCodeAt(nameEnd - 1))) nameEnd--;
    const valueStart = skipBlank(value, equals + 1, end);
    const isQuoted = valueStart < end && value.charCodeAt(valueStart) === DOUBLE_QUOTE;
    const valueEnd = isQuoted
      ? endOfQuoted(value, valueStart, end)
      : span(value, valueStart, end, PARAM_VALUE);
    if (valueEnd <= valueStart) return malformed('malformed parameter value', valueStart);

    const name = knownParam(value, nameStart, nameEnd);
    if (name === UNKNOWN) {
      if (nameEnd === nameStart || span(value, nameStart, nameEnd, TOKEN) !== nameEnd) {
        return malformed('malformed parameter', nameStart);
      }
    } else {
      let text = isQuoted
        ? value.substring(valueStart + 1, valueEnd - 1)
        : value.substring(valueStart, valueEnd);
      if (isQuoted && hasBackslash) text = unquotePairs(text);
      let earlier: string | undefined;
      switch (name) {
        case USERNAME:
          earlier = username;
          username = text;
          break;
        case REALM:
          earlier = realm;
          realm = text;
          break;
        case NONCE:
          earlier = nonce;
          nonce = text;
          break;
        case URI:
          earlier = uri;
          uri = text;
          break;
        case RESPONSE:
          earlier = response;
          response = text;
          break;
        case ALGORITHM:
          earlier = algorithm;
          algorithm = text;
          break;
        case CNONCE:
          earlier = cnonce;
          cnonce = text;
          break;
        case OPAQUE:
          earlier = opaque;
          opaque = text;
          break;
        case QOP:
          earlier = qop;
          qop = text;
          break;
        case NC:
          earlier = nc;
          nc = text;
          break;
        case USERHASH:
          earlier = userhash;
          userhash = text;
          break;
      }
      if (earlier !== undefined) return malformed('a parameter comes twice', nameStart);
    }
    i = skipBlank(value, valueEnd, end);
    if (i < end && value.charCodeAt(i) !== COMMA) return malformed('no comma between parameters', i);
  } while (i < end);

  if (
    username === undefined ||
    realm === undefined ||
    nonce === undefined ||
    uri === undefined ||
    response === undefined
  ) {
    return malformed('username, realm, nonce, uri or response is missing', end);
  }
  return { username, realm, nonce, uri, response, algorithm, cnonce, opaque, qop, nc, userhash };
}

const UNKNOWN = 0;
const USERNAME = 1;
const REALM = 2;
const NONCE = 3;
const URI = 4;
const RESPONSE = 5;
const ALGORITHM = 6;
const CNONCE = 7;
const OPAQUE = 8;
const QOP = 9;
const NC = 10;
const USERHASH = 11;

/** Which parameter [from, end) names. By length first: no name is cut out or lower-cased for it. */
function knownParam(text: string, from: number, end: number): number {
  switch (end - from) {
    case 2:
      return spells(text, from, end, 'nc') ? NC : UNKNOWN;
    case 3:
      if (spells(text, from, end, 'uri')) return URI;
      return spells(text, from, end, 'qop') ? QOP : UNKNOWN;
    case 5:
      if (spells(text, from, end, 'realm')) return REALM;
      return spells(text, from, end, 'nonce') ? NONCE : UNKNOWN;
    case 6:
      if (spells(text, from, end, 'cnonce')) return CNONCE;
      return spells(text, from, end, 'opaque') ? OPAQUE : UNKNOWN;
    case 8:
      if (spells(text, from, end, 'username')) return USERNAME;
      if (spells(text, from, end, 'response')) return RESPONSE;
      return spells(text, from, end, 'userhash') ? USERHASH : UNKNOWN;
    case 9:
      return spells(text, from, end, 'algorithm') ? ALGORITHM : UNKNOWN;
    default:
      return UNKNOWN;
  }
}

function malformed(detail: string, offset: number): SipParseError {
  return badRequest(detail, 'authorization', offset);
}
