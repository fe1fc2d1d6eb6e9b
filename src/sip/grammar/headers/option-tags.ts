import { equalsIgnoringCase, isToken, splitList } from '../scanner.js';
import { badRequest, isParseError, type SipParseError } from '../sip-parse-error.js';

/**
 * The option tags of all lines of Require, Supported, Proxy-Require or Unsupported (RFC 3261 §20.32, §20.37), as
 * sent, in order. `header` (long, lower case) is named in the error.
 */
export function parseOptionTags(
  lines: readonly string[],
  header?: string,
): readonly string[] | SipParseError {
  const tags: string[] = [];
  for (const line of lines) {
    const elements = splitList(line);
    if (isParseError(elements)) return badRequest(elements.detail, header, elements.offset);
    for (const element of elements) {
      if (!isToken(element)) return badRequest('an option tag is no token', header);
      tags.push(element);
    }
  }
  return tags;
}

/** Whether the tag, given in lower case, is among them; tokens have no case (§7.3.1). */
export function hasOptionTag(tags: readonly string[], lowerCaseTag: string): boolean {
  return tags.some((tag) => equalsIgnoringCase(tag, lowerCaseTag));
}
