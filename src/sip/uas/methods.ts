import { type Answer, answer } from './response.js';

/** Methods that are known and mean something to other servers (RFC 3261 §8.2.1 asks 405 for them, 501 for the rest). */
export const KNOWN_METHODS: ReadonlySet<string> = new Set([
  'INVITE',
  'ACK',
  'BYE',
  'CANCEL',
  'OPTIONS',
  'REGISTER',
  'INFO',
  'MESSAGE',
  'NOTIFY',
  'PRACK',
  'PUBLISH',
  'REFER',
  'SUBSCRIBE',
  'UPDATE',
]);

/** The refusal of a method: 405 when it is known, 501 when it is not, both with what is allowed instead (RFC 3261 §8.2.1). */
export function refuseMethod(method: string, allow: string): Answer {
  return KNOWN_METHODS.has(method)
    ? answer(405, 'Method Not Allowed', [['Allow', allow]])
    : answer(501, 'Not Implemented', [['Allow', allow]]);
}
