import type { HeaderField } from '../grammar/message.js';

/** An answer as a handler gives it: what it says, not how it gets there. */
export interface Answer {
  /** 200–699, never 6xx from a registrar (RFC 3261 §10.3). */
  readonly status: number;
  readonly reason: string;
  /** Header fields beside Via, From, To, Call-ID, CSeq and Content-Length, in order. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body?: { readonly type: string; readonly text: string } | undefined;
  /** The tag of To, instead of a new one; a request that brings one keeps its own. */
  readonly toTag?: string | undefined;
  /** Whether an authenticated user got it: such answers are kept longest for retransmissions. */
  readonly verified: boolean;
}

export function answer(
  status: number,
  reason: string,
  headers: readonly (readonly [name: string, value: string])[] = [],
): Answer {
  return { status, reason, headers, verified: false };
}

/**
 * The answer with less in it, undefined when nothing can be left out: a success says what it says without header
 * fields, and of several challenges the first goes, so that the one that every phone speaks is the last to stay. Of the
 * contacts of a redirection the worse half goes, and when not even the best has room, its user can't be reached.
 */
export function shortened(given: Answer): Answer | undefined {
  if (given.status < 300 && given.headers.length > 0) return { ...given, headers: [] };
  if (given.status === 302) {
    const kept = given.headers.slice(0, given.headers.length >> 1);
    return kept.length > 0 ? { ...given, headers: kept } : answer(480, 'Contact Too Long For UDP');
  }
  const first = given.headers.findIndex(isChallenge);
  if (first === given.headers.findLastIndex(isChallenge)) return undefined;
  return { ...given, headers: given.headers.toSpliced(first, 1) };
}

function isChallenge([name]: readonly [name: string, value: string]): boolean {
  return name === 'WWW-Authenticate';
}

/**
 * The octets of a response (RFC 3261 §8.2.6): all Via in order with `topVia` for the first, From, To with `toTag`
 * unless it has a tag, Call-ID and CSeq as sent; Server when `server` says something. Record-Route is never returned
 * (§10.3).
 */
export function renderResponse(
  headers: readonly HeaderField[],
  topVia: string,
  toTag: string | undefined,
  { status, reason, headers: own, body }: Answer,
  server?: string,
): Buffer {
  let text = `SIP/2.0 ${status} ${reason}\r\nVia: ${topVia}\r\n`;
  let isFirstVia = true;
  for (const { name, value } of headers) {
    switch (name) {
      case 'via':
        if (!isFirstVia) text += `Via: ${value}\r\n`;
        isFirstVia = false;
        break;
      case 'from':
        text += `From: ${value}\r\n`;
        break;
      case 'to':
        text += toTag === undefined ? `To: ${value}\r\n` : `To: ${value};tag=${toTag}\r\n`;
        break;
      case 'call-id':
        text += `Call-ID: ${value}\r\n`;
        break;
      case 'cseq':
        text += `CSeq: ${value}\r\n`;
        break;
    }
  }
  for (const [name, value] of own) text += `${name}: ${value}\r\n`;
  if (server !== undefined) text += `Server: ${server}\r\n`;
  text +=
    body === undefined
      ? 'Content-Length: 0\r\n\r\n'
      : `Content-Type: ${body.type}\r\nContent-Length: ${body.text.length}\r\n\r\n${body.text}`;
  return Buffer.from(text, 'latin1');
}
