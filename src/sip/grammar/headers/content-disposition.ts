import { type Param, paramValue, parseParams, printParams } from '../params.js';
import { span, TOKEN } from '../scanner.js';
import { badRequest, isParseError, type SipParseError } from '../sip-parse-error.js';

/**
 * What a body is for (RFC 3261 §20.11). `disposition` and `handling` are in lower case; without a handling
 * parameter the body is `required`.
 */
export interface ContentDisposition {
  readonly disposition: string;
  readonly handling: string;
  readonly params: readonly Param[];
}

export function parseContentDisposition(value: string): ContentDisposition | SipParseError {
  const end = span(value, 0, value.length, TOKEN);
  if (end === 0) return badRequest('no disposition type', 'content-disposition', 0);
  const params = parseParams(value, end);
  if (isParseError(params)) return badRequest(params.detail, 'content-disposition', params.offset);
  const handling = paramValue(params, 'handling')?.toLowerCase() ?? 'required';
  return { disposition: value.substring(0, end).toLowerCase(), handling, params };
}

export function printContentDisposition(contentDisposition: ContentDisposition): string {
  return contentDisposition.disposition + printParams(contentDisposition.params);
}
