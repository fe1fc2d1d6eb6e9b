import { type NameAddr, parseNameAddr, printNameAddr } from '../name-addr.js';
import { findParam, type Param } from '../params.js';
import { splitList } from '../scanner.js';
import { badRequest, isParseError, type SipParseError } from '../sip-parse-error.js';

/**
 * One contact (RFC 3261 §20.10). `expires` and `q` are the raw parameter values, for parseExpires and parseQValue;
 * empty when the parameter is there without a value, undefined when it is not there.
 */
export interface ContactValue extends NameAddr {
  readonly expires: string | undefined;
  readonly q: string | undefined;
}

/** All Contact header fields of a message: none, `*` alone, or a list. */
export type ContactHeader =
  | { readonly kind: 'none' }
  | { readonly kind: 'star' }
  | { readonly kind: 'list'; readonly contacts: readonly ContactValue[] };

const NONE: ContactHeader = { kind: 'none' };
const STAR: ContactHeader = { kind: 'star' };

/**
 * Reads all Contact header field lines together. `*` with any other contact, in the same line or another, is a 400
 * (§10.3 step 6), as is a malformed one.
 */
export function parseContacts(lines: readonly string[]): ContactHeader | SipParseError {
  if (lines.length === 0) return NONE;
  const contacts: ContactValue[] = [];
  let stars = 0;
  for (const line of lines) {
    const elements = line.indexOf(',') === -1 ? [line] : splitList(line);
    if (isParseError(elements)) return badRequest(elements.detail, 'contact', elements.offset);
    for (const element of elements) {
      if (element === '*') {
        stars++;
        continue;
      }
      const contact = parseContact(element);
      if (isParseError(contact)) return contact;
      contacts.push(contact);
    }
  }
  if (stars === 0) return { kind: 'list', contacts };
  return stars === 1 && contacts.length === 0
    ? STAR
    : badRequest('* together with another contact', 'contact');
}

/** Reads one contact that is not `*`. */
export function parseContact(text: string): ContactValue | SipParseError {
  const address = parseNameAddr(text, 'contact');
  if (isParseError(address)) return address;
  const { displayName, uriText, uri, params } = address;
  return {
    displayName,
    uriText,
    uri,
    params,
    expires: rawValue(params, 'expires'),
    q: rawValue(params, 'q'),
  };
}

export function printContact(contact: ContactValue): string {
  return printNameAddr(contact);
}

function rawValue(params: readonly Param[], name: string): string | undefined {
  const param = findParam(params, name);
  return param === undefined ? undefined : (param.value ?? '');
}
