import { type Param, parseParams, printParams } from '../params.js';
import { SLASH, skipBlank, span, TOKEN } from '../scanner.js';
import { badRequest, isParseError, type SipParseError } from '../sip-parse-error.js';

/** What a body is (RFC 3261 §20.15). `mediaType` is `type/subtype` in lower case, without parameters. */
export interface ContentType {
  readonly mediaType: string;
  readonly params: readonly Param[];
}

/** Reads `type/subtype` with parameters; blanks around the slash are allowed. */
export function parseContentType(value: string): ContentType | SipParseError {
  const end = value.length;
  const typeEnd = span(value, 0, end, TOKEN);
  const slash = skipBlank(value, typeEnd, end);
  if (typeEnd === 0 || slash === end || value.charCodeAt(slash) !== SLASH) {
    return badRequest('no media type', 'content-type', slash);
  }
  const subtypeStart = skipBlank(value, slash + 1, end);
  const subtypeEnd = span(value, subtypeStart, end, TOKEN);
  if (subtypeEnd === subtypeStart) return badRequest('no media subtype', 'content-type', subtypeStart);
  const params = parseParams(value, subtypeEnd);
  if (isParseError(params)) return badRequest(params.detail, 'content-type', params.offset);
  const mediaType = `${value.substring(0, typeEnd)}/${value.substring(subtypeStart, subtypeEnd)}`;
  return { mediaType: mediaType.toLowerCase(), params };
}

export function printContentType(contentType: ContentType): string {
  return contentType.mediaType + printParams(contentType.params);
}
