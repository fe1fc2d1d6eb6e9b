import { readDigits } from '../scanner.js';
import { badRequest, type SipParseError } from '../sip-parse-error.js';

/** Above every message bound: a larger Content-Length is not told apart from this one. */
const LENGTH_CAP = 0xffff_ffff;

/** Content-Length in octets (RFC 3261 §20.14): digits alone, so a sign is a 400 (RFC 4475 ncl). */
export function parseContentLength(value: string): number | SipParseError {
  const octets = readDigits(value, 0, value.length, LENGTH_CAP);
  return octets === -1 ? badRequest('Content-Length is no number', 'content-length') : octets;
}
