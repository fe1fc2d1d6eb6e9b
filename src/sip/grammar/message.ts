import { longHeaderName, usualHeaderName } from './header-names.js';
import { parseContentLength } from './headers/content-length.js';
import {
  COLON,
  CR,
  isBlank,
  LF,
  readDigits,
  SLASH,
  SPACE,
  skipBlank,
  span,
  spells,
  TOKEN,
  trimBlank,
} from './scanner.js';
import { badRequest, isParseError, SipParseError, tooMuch } from './sip-parse-error.js';

/** The largest message taken: what fits a UDP datagram, in octets. */
export const MAX_MESSAGE_BYTES = 65_535;
/** How many header field lines a message may have. */
export const MAX_HEADER_FIELDS = 256;
/** How long the start line and each header field may be, folds included, in octets. */
export const MAX_HEADER_LINE_BYTES = 8_192;
/** How long a Request-URI may be, in octets: a registrar's is its domain. Beyond, 414 (RFC 3261 §21.4.12). */
export const MAX_REQUEST_URI_BYTES = 1_024;

/**
 * One header field line. `name` is the long form in lower case (`via`, `call-id`, `x-foo`), whatever was sent;
 * `value` is an octet string, unfolded and trimmed.
 */
export interface HeaderField {
  readonly name: string;
  readonly value: string;
}

/** A request (RFC 3261 §7.1). Method and Request-URI are as sent; the body is an octet string. */
export interface SipRequest {
  readonly kind: 'request';
  readonly method: string;
  readonly requestUri: string;
  readonly headers: readonly HeaderField[];
  readonly body: string;
}

/** A response (RFC 3261 §7.2). `status` is 100–699. */
export interface SipResponse {
  readonly kind: 'response';
  readonly status: number;
  readonly reason: string;
  readonly headers: readonly HeaderField[];
  readonly body: string;
}

export type SipMessage = SipRequest | SipResponse;

/**
 * A message that breaks the grammar. `isRequest` is false only when the start line looked like a response's, which
 * is never answered. `headers` are those that could be read, so that a request with a usable Via gets its answer.
 */
export interface BrokenMessage {
  readonly kind: 'broken';
  readonly error: SipParseError;
  readonly isRequest: boolean;
  readonly method: string | undefined;
  readonly headers: readonly HeaderField[];
}

/**
 * Takes a message apart (RFC 3261 §7, §25.1): start line, header fields, body. `text` is an octet string, one
 * character a byte. Header values are not looked into, except Content-Length: it cuts a datagram (§18.3) and must
 * be there on a stream. Lines end with CRLF; a bare LF is taken too, a bare CR is not.
 */
export function parseMessage(
  text: string,
  options: { readonly framing: 'datagram' | 'stream' },
): SipMessage | BrokenMessage {
  const length = text.length;
  let error: SipParseError | undefined;
  if (length > MAX_MESSAGE_BYTES) {
    error = messageTooLarge(MAX_MESSAGE_BYTES);
  }

  // §7.5: empty lines before the start line are ignored.
  let pos = 0;
  while (pos < length && isLineBreak(text.charCodeAt(pos))) pos++;

  let lf = text.indexOf('\n', pos);
  let end = lineEnd(text, pos, lf, length);
  const start = parseStartLine(text, pos, end);
  error ??= start.error;

  const headers: HeaderField[] = [];
  let contentLength = -1;
  let isTerminated = false;
  // The next CR at or after pos. It must be the one before the LF; a search for each line would be quadratic in a
  // message without CRs, so its place is remembered.
  let cr = nextCr(text, pos);
  if (cr < end) error ??= badRequest('bare CR in the start line', undefined, cr);
  pos = lf === -1 ? length : lf + 1;

  while (pos < length) {
    lf = text.indexOf('\n', pos);
    if (lf === -1) break;
    end = lineEnd(text, pos, lf, length);
    if (end === pos) {
      isTerminated = true;
      pos = lf + 1;
      break;
    }
    if (headers.length === MAX_HEADER_FIELDS) {
      error ??= tooMuch('header_count', `more than ${MAX_HEADER_FIELDS} header fields`, pos);
      break;
    }

    const nameEnd = span(text, pos, end, TOKEN);
    const colon = skipBlank(text, nameEnd, end);
    const isField = nameEnd > pos && colon < end && text.charCodeAt(colon) === COLON;
    const fieldStart = pos;
    if (cr < pos) cr = nextCr(text, pos);
    let bareCr = cr < end ? cr : -1;
    let value = isField ? trimBlank(text, colon + 1, end) : '';
    pos = lf + 1;

    // A line that begins with a blank continues the field (§7.3.1).
    if (pos < length && isBlank(text.charCodeAt(pos))) {
      const pieces = value === '' ? [] : [value];
      do {
        lf = text.indexOf('\n', pos);
        if (lf === -1) lf = length;
        end = lineEnd(text, pos, lf, length);
        const piece = trimBlank(text, pos, end);
        if (piece !== '') pieces.push(piece);
        if (cr < pos) cr = nextCr(text, pos);
        if (cr < end) bareCr = cr;
        pos = lf + 1;
      } while (pos < length && isBlank(text.charCodeAt(pos)));
      value = pieces.join(' ');
    }

    if (!isField) {
      error ??= badRequest('a line that is no header field', undefined, fieldStart);
      continue;
    }
    if (pos - fieldStart > MAX_HEADER_LINE_BYTES) {
      error ??= tooMuch(
        'header_length',
        `header field longer than ${MAX_HEADER_LINE_BYTES} octets`,
        fieldStart,
      );
      continue;
    }
    if (bareCr !== -1) {
      error ??= badRequest('bare CR in a header field', undefined, bareCr);
      continue;
    }

    const name = longHeaderName(text.substring(fieldStart, nameEnd));
    headers.push({ name, value });
    if (name === 'content-length') {
      const octets = parseContentLength(value);
      if (isParseError(octets)) {
        error ??= octets;
        continue;
      }
      if (contentLength !== -1 && octets !== contentLength) {
        error ??= badRequest('Content-Length differs from one before', 'content-length', fieldStart);
      }
      contentLength = octets;
    }
  }

  if (!isTerminated) error ??= badRequest('the header section does not end', undefined, length);
  if (contentLength === -1 && options.framing === 'stream') {
    error ??= badRequest('no Content-Length on a stream', 'content-length');
  }
  const available = length - pos;
  if (contentLength > available) {
    error ??= badRequest('the body is shorter than Content-Length', 'content-length', length);
  }
  if (error !== undefined) {
    return { kind: 'broken', error, isRequest: start.isRequest, method: start.method, headers };
  }

  const bodyLength = contentLength === -1 ? available : contentLength;
  const body = bodyLength === 0 ? '' : text.substring(pos, pos + bodyLength);
  if (start.method !== undefined) {
    return { kind: 'request', method: start.method, requestUri: start.text, headers, body };
  }
  return { kind: 'response', status: start.status, reason: start.text, headers, body };
}

/**
 * The message as it goes on the wire: an octet string, header names as usually written, CRLF, and a Content-Length
 * that is right, in the place of the first one given or else last. A line break inside a value becomes a blank, so
 * that no value can begin a header field of its own.
 */
export function printMessage(message: SipMessage): string {
  let text =
    message.kind === 'request'
      ? `${message.method} ${message.requestUri} SIP/2.0\r\n`
      : `SIP/2.0 ${message.status} ${onOneLine(message.reason)}\r\n`;
  let hasLength = false;
  for (const { name, value } of message.headers) {
    if (name !== 'content-length') {
      text += `${usualHeaderName(name)}: ${onOneLine(value)}\r\n`;
    } else if (!hasLength) {
      hasLength = true;
      text += `Content-Length: ${message.body.length}\r\n`;
    }
  }
  if (!hasLength) text += `Content-Length: ${message.body.length}\r\n`;
  return `${text}\r\n${message.body}`;
}

/** The value of the first header field of that name (long, lower case). */
export function firstValue(headers: readonly HeaderField[], name: string): string | undefined {
  for (let i = 0; i < headers.length; i++) {
    const field = headers[i];
    if (field !== undefined && field.name === name) return field.value;
  }
  return undefined;
}

/** The values of all header fields of that name (long, lower case), one a line, in order, lists not split. */
export function allValues(headers: readonly HeaderField[], name: string): readonly string[] {
  const values: string[] = [];
  for (let i = 0; i < headers.length; i++) {
    const field = headers[i];
    if (field !== undefined && field.name === name) values.push(field.value);
  }
  return values;
}

/**
 * The value of a header that may be there once only (From, To, Call-ID, CSeq, Max-Forwards …); undefined when it
 * is absent, a 400 when it comes twice (RFC 4475 multi01).
 */
export function singleValue(
  headers: readonly HeaderField[],
  name: string,
): string | undefined | SipParseError {
  let value: string | undefined;
  for (let i = 0; i < headers.length; i++) {
    const field = headers[i];
    if (field === undefined || field.name !== name) continue;
    if (value !== undefined) return badRequest('header field comes more than once', name);
    value = field.value;
  }
  return value;
}

/** A 513 (RFC 3261 §21.5.7). */
export function messageTooLarge(maxOctets: number): SipParseError {
  const detail = `more than ${maxOctets} octets`;
  return new SipParseError(513, 'Message Too Large', detail, undefined, undefined, 'message_size');
}

/** What the start line says. A request has a method; `text` is its Request-URI, or a response's reason phrase. */
interface StartLine {
  readonly isRequest: boolean;
  readonly method: string | undefined;
  readonly status: number;
  readonly text: string;
  readonly error: SipParseError | undefined;
}

function parseStartLine(text: string, from: number, end: number): StartLine {
  // A method is a token and has no slash, so this tells responses from requests.
  const line = beginsWithSip(text, from, end)
    ? parseStatusLine(text, from, end)
    : parseRequestLine(text, from, end);
  if (line.error !== undefined || end - from <= MAX_HEADER_LINE_BYTES) return line;
  const error = tooMuch('header_length', `start line longer than ${MAX_HEADER_LINE_BYTES} octets`, from);
  return brokenStartLine(line.isRequest, undefined, error);
}

/** Request-Line = Method SP Request-URI SP SIP-Version, §7.1: single spaces, and none inside or after. */
function parseRequestLine(text: string, from: number, end: number): StartLine {
  const methodEnd = span(text, from, end, TOKEN);
  if (methodEnd === from || methodEnd === end || text.charCodeAt(methodEnd) !== SPACE) {
    return brokenStartLine(
      true,
      undefined,
      badRequest('the request line has no method', undefined, methodEnd),
    );
  }
  const method = text.substring(from, methodEnd);
  let uriEnd = methodEnd + 1;
  while (uriEnd < end && !isBlank(text.charCodeAt(uriEnd))) uriEnd++;
  if (uriEnd - methodEnd - 1 > MAX_REQUEST_URI_BYTES) {
    const detail = `Request-URI longer than ${MAX_REQUEST_URI_BYTES} octets`;
    const error = new SipParseError(
      414,
      'Request-URI Too Long',
      detail,
      undefined,
      methodEnd + 1,
      'request_uri_length',
    );
    return brokenStartLine(true, method, error);
  }
  if (uriEnd === methodEnd + 1 || uriEnd === end || text.charCodeAt(uriEnd) !== SPACE) {
    return brokenStartLine(
      true,
      method,
      badRequest('the request line is not three words', undefined, uriEnd),
    );
  }
  const versionError = checkVersion(text, uriEnd + 1, end);
  if (versionError !== undefined) return brokenStartLine(true, method, versionError);
  return {
    isRequest: true,
    method,
    status: 0,
    text: text.substring(methodEnd + 1, uriEnd),
    error: undefined,
  };
}

/** Status-Line = SIP-Version SP Status-Code SP Reason-Phrase, §7.2. The phrase may be empty. */
function parseStatusLine(text: string, from: number, end: number): StartLine {
  const versionEnd = Math.min(end, indexOrEnd(text.indexOf(' ', from), end));
  const versionError = checkVersion(text, from, versionEnd);
  if (versionError !== undefined) return brokenStartLine(false, undefined, versionError);
  const codeEnd = versionEnd + 4;
  const status = codeEnd <= end ? readDigits(text, versionEnd + 1, codeEnd, 1000) : -1;
  // Some leave out the space before an empty phrase.
  const isSeparated = codeEnd === end || (codeEnd < end && text.charCodeAt(codeEnd) === SPACE);
  if (status < 100 || status > 699 || !isSeparated) {
    return brokenStartLine(false, undefined, badRequest('the status line has no status code'));
  }
  const reason = text.substring(Math.min(codeEnd + 1, end), end);
  return { isRequest: false, method: undefined, status, text: reason, error: undefined };
}

function brokenStartLine(isRequest: boolean, method: string | undefined, error: SipParseError): StartLine {
  return { isRequest, method, status: 0, text: '', error };
}

/** SIP-Version = "SIP" "/" 1*DIGIT "." 1*DIGIT, in any case; another than 2.0 is a 505 (§7.1, §21.5.6). */
function checkVersion(text: string, from: number, end: number): SipParseError | undefined {
  if (beginsWithSip(text, from, end)) {
    const version = text.substring(from + 4, end);
    if (version === '2.0') return undefined;
    const dot = version.indexOf('.');
    const isVersion =
      readDigits(version, 0, dot, 1) !== -1 && readDigits(version, dot + 1, version.length, 1) !== -1;
    if (isVersion) return new SipParseError(505, 'Version Not Supported', 'SIP version is not 2.0');
  }
  return badRequest('the start line does not name a SIP version', undefined, from);
}

function beginsWithSip(text: string, from: number, end: number): boolean {
  return end - from > 4 && spells(text, from, from + 3, 'sip') && text.charCodeAt(from + 3) === SLASH;
}

/** Where the line that the LF at `lf` ends has its last character plus one; the end when there is no LF. */
function lineEnd(text: string, from: number, lf: number, length: number): number {
  if (lf === -1) return length;
  return lf > from && lf <= length && text.charCodeAt(lf - 1) === CR ? lf - 1 : lf;
}

function nextCr(text: string, from: number): number {
  return indexOrEnd(text.indexOf('\r', from), Number.MAX_SAFE_INTEGER);
}

function indexOrEnd(index: number, end: number): number {
  return index === -1 ? end : index;
}

function isLineBreak(code: number): boolean {
  return code === CR || code === LF;
}

function onOneLine(value: string): string {
  if (value.indexOf('\n') === -1 && value.indexOf('\r') === -1) return value;
  return value.replace(/[\r\n]/g, ' ');
}
