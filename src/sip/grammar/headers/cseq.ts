import { isDigit, readDigits, skipBlank, span, TOKEN } from '../scanner.js';
import { badRequest, type SipParseError } from '../sip-parse-error.js';

/** The sequence number (0 to 2^31 - 1) and the method it counts (RFC 3261 §20.16). */
export interface CSeq {
  readonly sequence: number;
  readonly method: string;
}

/** §8.1.1.5: the number MUST be less than 2^31. */
const MAX_SEQUENCE = 2 ** 31 - 1;

/** Reads `1*DIGIT LWS Method`; a number of 2^31 or more is a 400 (RFC 4475 scalar02). */
export function parseCSeq(value: string): CSeq | SipParseError {
  const end = value.length;
  let digitsEnd = 0;
  while (digitsEnd < end && isDigit(value.charCodeAt(digitsEnd))) digitsEnd++;
  const sequence = readDigits(value, 0, digitsEnd, MAX_SEQUENCE + 1);
  if (sequence === -1 || sequence > MAX_SEQUENCE)
    return badRequest('no sequence number below 2^31', 'cseq', 0);
  const methodStart = skipBlank(value, digitsEnd, end);
  const methodEnd = span(value, methodStart, end, TOKEN);
  if (methodStart === digitsEnd || methodEnd === methodStart || methodEnd !== end) {
    return badRequest('no method after the sequence number', 'cseq', methodStart);
  }
  return { sequence, method: value.substring(methodStart) };
}

export function printCSeq(cseq: CSeq): string {
  return `${cseq.sequence} ${cseq.method}`;
}
