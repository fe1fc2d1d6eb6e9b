import { parseOptionTags } from '../grammar/headers/option-tags.js';
import { allValues } from '../grammar/message.js';
import { isParseError } from '../grammar/sip-parse-error.js';
import type { IncomingRequest } from './incoming-request.js';
import { type Answer, answer } from './response.js';

/**
 * The 420 for a request whose Require names an extension that is not among `supported` (lower case), with
 * Unsupported listing those alone; undefined when there is none (RFC 3261 §8.2.2.3).
 */
export function refuseUnknownExtensions(
  request: IncomingRequest,
  supported: readonly string[],
): Answer | undefined {
  const lines = allValues(request.message.headers, 'require');
  if (lines.length === 0) return undefined;
  const tags = parseOptionTags(lines, 'require');
  // A Require that can't be read asks for something we don't know.
  const unknown = isParseError(tags) ? lines : tags.filter((tag) => !supported.includes(tag.toLowerCase()));
  return unknown.length === 0
    ? undefined
    : answer(420, 'Bad Extension', [['Unsupported', unknown.join(', ')]]);
}
