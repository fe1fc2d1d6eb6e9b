import { usualHeaderName } from './header-names.js';

/** A bound that a message can break; each is counted under its name. */
export type MessageBound =
  | 'message_size'
  | 'header_section_length'
  | 'header_count'
  | 'header_length'
  | 'request_uri_length'
  | 'contact_count';

/**
 * What is wrong with a message or a header, and what to answer. A value, not an exception: malformed input is
 * everyday business, and no stack trace is taken for it.
 * `status` and `reason` are for the response; `detail` is for the log and never echoes what was sent, since that
 * may be a secret. `header` is the long lower-case name; `offset` counts octets from the start of the parsed text.
 * `bound` is there when the message is not malformed but more than is taken.
 */
export class SipParseError {
  constructor(
    readonly status: number,
    readonly reason: string,
    readonly detail: string,
    readonly header?: string,
    readonly offset?: number,
    readonly bound?: MessageBound,
  ) {}
}

/** Whether a result is a parse error; narrows `T | SipParseError`. */
export function isParseError(result: unknown): result is SipParseError {
  return result instanceof SipParseError;
}

/** A 400 (RFC 3261 §21.4.1) whose reason phrase names the header (long, lower case), when one is known. */
export function badRequest(detail: string, header?: string, offset?: number): SipParseError {
  const reason = header === undefined ? 'Bad Request' : `Malformed ${usualHeaderName(header)}`;
  return new SipParseError(400, reason, detail, header, offset);
}

/** A 400 for a message that is larger than is taken in a way for which there is no code of its own. */
export function tooMuch(bound: MessageBound, detail: string, offset?: number): SipParseError {
  return new SipParseError(400, 'Bad Request', detail, undefined, offset, bound);
}
