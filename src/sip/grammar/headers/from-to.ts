import { type NameAddr, parseNameAddr, printNameAddr } from '../name-addr.js';
import { type Param, paramValue } from '../params.js';
import { isParseError, type SipParseError } from '../sip-parse-error.js';
import type { Uri } from '../uri.js';

/** From or To: an address with the tag that identifies its end of the dialog (RFC 3261 §19.3, §20.20, §20.39). */
export interface FromTo extends NameAddr {
  readonly displayName: string;
  readonly uriText: string;
  readonly uri: Uri;
  readonly params: readonly Param[];
  readonly tag: string | undefined;
}

/** Reads a From value; a malformed one is a 400. */
export function parseFrom(value: string): FromTo | SipParseError {
  return parseFromTo(value, 'from');
}

/** Reads a To value; a malformed one is a 400. */
export function parseTo(value: string): FromTo | SipParseError {
  return parseFromTo(value, 'to');
}

/** Reads the value of a header of From's form; `header` is named in the error. */
export function parseFromTo(value: string, header?: string): FromTo | SipParseError {
  const address = parseNameAddr(value, header);
  if (isParseError(address)) return address;
  const { displayName, uriText, uri, params } = address;
  return { displayName, uriText, uri, params, tag: paramValue(params, 'tag') };
}

export function printFromTo(address: FromTo): string {
  return printNameAddr(address);
}
