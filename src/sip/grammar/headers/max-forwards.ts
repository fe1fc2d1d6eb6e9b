import { readDigits } from '../scanner.js';
import { badRequest, type SipParseError } from '../sip-parse-error.js';

/** How many hops a request may still go, 0–255 (RFC 3261 §20.22); anything else is a 400 (RFC 4475 scalar02). */
export function parseMaxForwards(value: string): number | SipParseError {
  const hops = readDigits(value, 0, value.length, 256);
  return hops >= 0 && hops <= 255 ? hops : badRequest('not a number from 0 to 255', 'max-forwards');
}
