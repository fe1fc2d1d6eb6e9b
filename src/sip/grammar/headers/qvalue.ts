import { DOT, readDigits } from '../scanner.js';
import { badRequest, type SipParseError } from '../sip-parse-error.js';

/**
 * A preference in thousandths, 0–1000 (qvalue, RFC 3261 §25.1: 0 to 1 with at most three decimals). Outside that
 * it is a 400. Integers, because 0.1 + 0.2 is no way to sort.
 */
export function parseQValue(text: string): number | SipParseError {
  const dot = text.length > 1 && text.charCodeAt(1) === DOT;
  const whole = text.charCodeAt(0) - 0x30;
  const decimals = dot ? text.length - 2 : 0;
  const isShaped = (whole === 0 || whole === 1) && decimals <= 3 && (dot || text.length === 1);
  const fraction = decimals === 0 ? 0 : readDigits(text, 2, text.length, 999);
  if (!isShaped || fraction === -1) return outOfRange();
  const thousandths = whole * 1000 + fraction * 10 ** (3 - decimals);
  return thousandths <= 1000 ? thousandths : outOfRange();
}

/** `0.5` for 500 thousandths: as few decimals as say it. */
export function printQValue(thousandths: number): string {
  return String(thousandths / 1000);
}

function outOfRange(): SipParseError {
  return badRequest('q is not 0 to 1 with at most three decimals', 'contact');
}
