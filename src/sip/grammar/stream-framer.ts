import { longHeaderName } from './header-names.js';
import { parseContentLength } from './headers/content-length.js';
import { MAX_HEADER_LINE_BYTES, MAX_MESSAGE_BYTES } from './message.js';
import { COLON, CR, isBlank, isOf, LF, skipBlank, span, TOKEN, trimBlank } from './scanner.js';
import { badRequest, isParseError, SipParseError } from './sip-parse-error.js';

/** How long start line and header fields may be together, in octets. */
export const MAX_HEADER_SECTION_BYTES = 32_768;

/**
 * What a stream brought: a whole message; CRLFCRLF between messages, to be answered with one CRLF (RFC 5626
 * §3.5.1); or something that is no message, after which nothing more can be read. `head` is as much of the header
 * section as came, for a 400.
 */
export type FramerEvent =
  | { readonly kind: 'message'; readonly bytes: Buffer }
  | { readonly kind: 'ping' }
  | { readonly kind: 'broken'; readonly error: SipParseError; readonly head: Buffer };

const PING: FramerEvent = { kind: 'ping' };
const EMPTY = Buffer.alloc(0);
const SMALLEST_BUFFER_BYTES = 1_024;

const BETWEEN_MESSAGES = 0;
const IN_HEADERS = 1;
const IN_BODY = 2;
const BROKEN = 3;

/**
 * Cuts a TCP or TLS stream into messages by their Content-Length (RFC 3261 §18.3). Every octet is looked at once,
 * however it arrives. The buffer is given up whenever a message ends with nothing behind it, so that an idle
 * connection costs nothing.
 */
export class StreamFramer {
  readonly #maxMessageBytes: number;
  #buffer: Buffer = EMPTY;
  /** What is in the buffer and not consumed: [#start, #end). */
  #start = 0;
  #end = 0;
  /** How far the header section has been looked at. */
  #scanned = 0;
  #lineStart = 0;
  #state = BETWEEN_MESSAGES;
  /** How many line breaks came in a row since the last message or ping. */
  #lineBreaks = 0;
  /** Where lines begin that could be Content-Length or `l`. */
  #candidates: number[] = [];
  #messageEnd = 0;

  constructor(maxMessageBytes: number = MAX_MESSAGE_BYTES) {
    this.#maxMessageBytes = maxMessageBytes;
  }

  /** Takes the next octets of the stream, which are copied, and gives what they complete, in order. */
  push(chunk: Uint8Array): readonly FramerEvent[] {
    const events: FramerEvent[] = [];
    if (this.#state === BROKEN) return events;
    this.#append(chunk);
    for (;;) {
      if (this.#state === BETWEEN_MESSAGES && !this.#skipLineBreaks(events)) break;
      if (this.#state === IN_HEADERS && !this.#readHeaders(events)) break;
      if (this.#state === IN_BODY && !this.#readBody(events)) break;
    }
    this.#compact();
    return events;
  }

  /** How many octets wait for the rest of their message. */
  get pendingBytes(): number {
    return this.#end - this.#start;
  }

  #append(chunk: Uint8Array): void {
    const needed = this.#end + chunk.length;
    if (needed > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2, SMALLEST_BUFFER_BYTES));
      this.#buffer.copy(grown, 0, 0, this.#end);
      this.#buffer = grown;
    }
    this.#buffer.set(chunk, this.#end);
    this.#end = needed;
  }

  /** Moves what is left to the front; at most the last chunk, so each octet is moved once. */
  #compact(): void {
    if (this.#start === 0) return;
    const shift = this.#start;
    if (shift === this.#end) this.#buffer = EMPTY;
    else this.#buffer.copyWithin(0, shift, this.#end);
    this.#start = 0;
    this.#end -= shift;
    this.#scanned -= shift;
    this.#lineStart -= shift;
    this.#messageEnd -= shift;
    for (let i = 0; i < this.#candidates.length; i++) {
      this.#candidates[i] = (this.#candidates[i] ?? 0) - shift;
    }
  }

  #skipLineBreaks(events: FramerEvent[]): boolean {
    while (this.#start < this.#end) {
      let next = this.#start;
      if (this.#octet(next) === CR) {
        next++;
        if (next === this.#end) return false;
      }
      if (this.#octet(next) !== LF) {
        return this.#beginMessage(events);
      }
      this.#start = next + 1;
      this.#lineBreaks++;
      if (this.#lineBreaks === 2) {
        events.push(PING);
        this.#lineBreaks = 0;
      }
    }
    return false;
  }

  #beginMessage(events: FramerEvent[]): boolean {
    // TLS, binary protocols and stray bodies are told at their first octet, not after 32 KB.
    if (!isOf(this.#octet(this.#start), TOKEN)) {
      return this.#break(events, badRequest('a message begins with no method'), this.#end);
    }
    this.#state = IN_HEADERS;
    this.#lineBreaks = 0;
    this.#scanned = this.#start;
    this.#lineStart = this.#start;
    this.#candidates = [];
    return true;
  }

  #readHeaders(events: FramerEvent[]): boolean {
    const buffer = this.#buffer;
    const limit = Math.min(this.#end, this.#start + MAX_HEADER_SECTION_BYTES);
    for (let i = this.#scanned; i < limit; i++) {
      if (buffer[i] !== LF) continue;
      const lineStart = this.#lineStart;
      const isEmpty = i === lineStart || (i === lineStart + 1 && buffer[lineStart] === CR);
      if (isEmpty) return this.#endHeaders(events, i + 1);
      const first = (buffer[lineStart] ?? 0) | 0x20;
      if (first === 0x63 || first === 0x6c) this.#candidates.push(lineStart);
      this.#lineStart = i + 1;
    }
    this.#scanned = limit;
    if (this.#end - this.#start < MAX_HEADER_SECTION_BYTES) return false;
    const detail = `header section longer than ${MAX_HEADER_SECTION_BYTES} octets`;
    return this.#break(events, badRequest(detail), limit);
  }

  #endHeaders(events: FramerEvent[], headEnd: number): boolean {
    const contentLength = this.#contentLength(headEnd);
    if (isParseError(contentLength)) return this.#break(events, contentLength, headEnd);
    this.#messageEnd = headEnd + contentLength;
    if (this.#messageEnd - this.#start > this.#maxMessageBytes) {
      const detail = `more than ${this.#maxMessageBytes} octets`;
      return this.#break(events, new SipParseError(513, 'Message Too Large', detail), headEnd);
    }
    this.#state = IN_BODY;
    return true;
  }

  #readBody(events: FramerEvent[]): boolean {
    if (this.#end < this.#messageEnd) return false;
    events.push({
      kind: 'message',
      bytes: Buffer.from(this.#buffer.subarray(this.#start, this.#messageEnd)),
    });
    this.#start = this.#messageEnd;
    this.#state = BETWEEN_MESSAGES;
    return true;
  }

  #break(events: FramerEvent[], error: SipParseError, headEnd: number): boolean {
    events.push({ kind: 'broken', error, head: Buffer.from(this.#buffer.subarray(this.#start, headEnd)) });
    this.#state = BROKEN;
    this.#start = this.#end;
    return false;
  }

  /** The Content-Length that the header section up to `headEnd` says; the same rules as parseMessage's. */
  #contentLength(headEnd: number): number | SipParseError {
    let length: number | undefined;
    for (const from of this.#candidates) {
      const text = this.#field(from, headEnd);
      const nameEnd = span(text, 0, text.length, TOKEN);
      const colon = skipBlank(text, nameEnd, text.length);
      if (colon === text.length || text.charCodeAt(colon) !== COLON) continue;
      if (longHeaderName(text.substring(0, nameEnd)) !== 'content-length') continue;
      const octets = parseContentLength(trimBlank(text, colon + 1, text.length));
      if (isParseError(octets)) return octets;
      if (length !== undefined && octets !== length) {
        return badRequest('Content-Length differs from one before', 'content-length', from - this.#start);
      }
      length = octets;
    }
    return length ?? badRequest('no Content-Length on a stream', 'content-length');
  }

  /** The header field that begins at `from`, line ends and folds turned into blanks. */
  #field(from: number, headEnd: number): string {
    const buffer = this.#buffer;
    const limit = Math.min(headEnd, from + MAX_HEADER_LINE_BYTES);
    let end = from;
    do {
      while (end < limit && buffer[end] !== LF) end++;
      end++;
    } while (end < limit && isBlank(buffer[end] ?? 0));
    return buffer.toString('latin1', from, Math.min(end, limit)).replace(/[\r\n]/g, ' ');
  }

  #octet(index: number): number {
    return this.#buffer[index] ?? 0;
  }
}
