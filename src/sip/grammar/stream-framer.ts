import { longHeaderName } from './header-names.js';
import { parseContentLength } from './headers/content-length.js';
import { MAX_HEADER_LINE_BYTES, MAX_MESSAGE_BYTES, messageTooLarge } from './message.js';
import { COLON, CR, isBlank, isOf, LF, skipBlank, span, TOKEN, trimBlank } from './scanner.js';
import { badRequest, isParseError, type SipParseError, tooMuch } from './sip-parse-error.js';

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

const LOWER_C = 0x63;
const LOWER_L = 0x6c;

const BETWEEN_MESSAGES = 0;
const IN_HEADERS = 1;
const IN_BODY = 2;
const BROKEN = 3;

/**
 * Cuts a TCP or TLS stream into messages by their Content-Length (RFC 3261 §18.3). Every octet is looked at once,
 * however it arrives. The buffer is given up whenever a message ends with nothing behind it, so that an idle
 * connection holds none.
 */
export class StreamFramer {
  readonly #maxMessageBytes: number;
  /** Never written to once filled: what was given out of it stays as it was. */
  #buffer: Buffer = EMPTY;
  /** Whether there is room behind #end that is ours to fill; not in a chunk taken over as it came. */
  #isOwn = false;
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

  /**
   * Takes the next octets of the stream and gives what they complete, in order. Messages are views into the chunk
   * where possible, so the caller leaves it unchanged.
   */
  push(chunk: Uint8Array): readonly FramerEvent[] {
    const events: FramerEvent[] = [];
    if (this.#state === BROKEN) return events;
    this.#append(chunk);
    for (;;) {
      if (this.#state === BETWEEN_MESSAGES && !this.#skipLineBreaks(events)) break;
      if (this.#state === IN_HEADERS && !this.#readHeaders(events)) break;
      if (this.#state === IN_BODY && !this.#readBody(events)) break;
    }
    if (this.#start === this.#end) this.#release();
    return events;
  }

  /** How many octets wait for the rest of their message. */
  get pendingBytes(): number {
    return this.#end - this.#start;
  }

  #append(chunk: Uint8Array): void {
    if (this.#start === this.#end) {
      this.#shift();
      this.#buffer = Buffer.isBuffer(chunk)
        ? chunk
        : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
      this.#isOwn = false;
      this.#end = chunk.length;
      return;
    }
    if (!this.#isOwn || this.#end + chunk.length > this.#buffer.length) {
      const pending = this.#end - this.#start;
      // Twice what is needed, so that a message that comes octet by octet is moved a few times only.
      const grown = Buffer.allocUnsafe(Math.max((pending + chunk.length) * 2, SMALLEST_BUFFER_BYTES));
      this.#buffer.copy(grown, 0, this.#start, this.#end);
      this.#buffer = grown;
      this.#isOwn = true;
      this.#shift();
    }
    this.#buffer.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  #release(): void {
    this.#buffer = EMPTY;
    this.#isOwn = false;
    this.#shift();
  }

  /** Makes all places count from #start. */
  #shift(): void {
    const start = this.#start;
    if (start === 0) return;
    this.#start = 0;
    this.#end -= start;
    this.#scanned -= start;
    this.#lineStart -= start;
    this.#messageEnd -= start;
    this.#candidates = this.#candidates.map((candidate) => candidate - start);
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
      return this.#break(events, badRequest('a message begins with no method'), this.#start);
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
    let lineStart = this.#lineStart;
    for (let i = this.#lineFeed(this.#scanned, limit); i !== -1; i = this.#lineFeed(i + 1, limit)) {
      if (i === lineStart || (i === lineStart + 1 && buffer[lineStart] === CR))
        return this.#endHeaders(events, i + 1);
      const first = (buffer[lineStart] ?? 0) | 0x20;
      if (first === LOWER_C || first === LOWER_L) this.#candidates.push(lineStart);
      lineStart = i + 1;
    }
    this.#lineStart = lineStart;
    this.#scanned = limit;
    if (this.#end - this.#start < MAX_HEADER_SECTION_BYTES) return false;
    const detail = `header section longer than ${MAX_HEADER_SECTION_BYTES} octets`;
    return this.#break(events, tooMuch('header_section_length', detail), limit);
  }

  /**
   * The first LF in [from, limit), or -1. The native search has no upper bound, so it is for chunks as they came:
   * in a buffer of ours it would run on through the room behind #end, octet after octet that comes.
   */
  #lineFeed(from: number, limit: number): number {
    const buffer = this.#buffer;
    if (!this.#isOwn) {
      const found = buffer.indexOf(LF, from);
      return found < limit ? found : -1;
    }
    for (let i = from; i < limit; i++) {
      if (buffer[i] === LF) return i;
    }
    return -1;
  }

  #endHeaders(events: FramerEvent[], headEnd: number): boolean {
    const contentLength = this.#contentLength(headEnd);
    if (isParseError(contentLength)) return this.#break(events, contentLength, headEnd);
    this.#messageEnd = headEnd + contentLength;
    if (this.#messageEnd - this.#start > this.#maxMessageBytes) {
      return this.#break(events, messageTooLarge(this.#maxMessageBytes), headEnd);
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
    events.push({ kind: 'broken', error, head: this.#buffer.subarray(this.#start, headEnd) });
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
