import { readDigits } from '../scanner.js';

/** §20.19: delta-seconds is below 2^32. */
export const MAX_EXPIRES_SECONDS = 2 ** 32 - 1;
/** §10.2.1.1: what a malformed value counts as. */
export const MALFORMED_EXPIRES_SECONDS = 3600;

/**
 * An Expires header or a Contact's `expires` in seconds (RFC 3261 §20.19, §20.10): 3600 when malformed, clamped to
 * 2^32 - 1, undefined when absent. Never an error.
 */
export function parseExpires(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const seconds = readDigits(text, 0, text.length, MAX_EXPIRES_SECONDS);
  return seconds === -1 ? MALFORMED_EXPIRES_SECONDS : seconds;
}
