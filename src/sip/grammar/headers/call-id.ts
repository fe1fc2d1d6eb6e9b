import { span, URI_TEXT } from '../scanner.js';
import { badRequest, type SipParseError } from '../sip-parse-error.js';

const WORD_EXTRAS = '<>"\\';

/** A Call-ID as sent: one visible word, compared octet by octet (RFC 3261 §20.8). */
export function parseCallId(value: string): string | SipParseError {
  const end = value.length;
  let i = span(value, 0, end, URI_TEXT);
  while (i < end && WORD_EXTRAS.includes(value.charAt(i))) i = span(value, i + 1, end, URI_TEXT);
  return end > 0 && i === end ? value : badRequest('not one visible word', 'call-id', i);
}
