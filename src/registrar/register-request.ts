import type { ContactUpdate, RegisterCommand } from '../location/register.js';
import { type ContactValue, parseContacts } from '../sip/grammar/headers/contact.js';
import { parseExpires } from '../sip/grammar/headers/expires.js';
import { parseQValue } from '../sip/grammar/headers/qvalue.js';
import { allValues, firstValue } from '../sip/grammar/message.js';
import { type Param, paramValue } from '../sip/grammar/params.js';
import { badRequest, isParseError, SipParseError } from '../sip/grammar/sip-parse-error.js';
import type { IncomingRequest } from '../sip/uas/incoming-request.js';

/** Contacts one REGISTER may carry. */
export const MAX_CONTACTS_A_REQUEST = 64;
/** What is kept of a User-Agent, in octets. */
export const MAX_USER_AGENT_LENGTH = 256;

/** What a REGISTER asks for with its Contact and Expires header fields (RFC 3261 §10.2, §10.3 steps 6 and 7). */
export function readAction(request: IncomingRequest): RegisterCommand['action'] | SipParseError {
  const { headers } = request.message;
  const header = parseContacts(allValues(headers, 'contact'));
  if (isParseError(header)) return header;
  const expiresText = firstValue(headers, 'expires');
  switch (header.kind) {
    case 'none':
      return { kind: 'query' };
    case 'star':
      // Only the header field counts here, and only zero will do.
      return parseExpires(expiresText) === 0
        ? { kind: 'remove_all' }
        : badRequest('Contact: * without Expires: 0', 'expires');
    case 'list':
      return readContacts(header.contacts, parseExpires(expiresText));
  }
}

/** The User-Agent as kept with the binding; null when there is none. */
export function readUserAgent(request: IncomingRequest): string | null {
  const text = firstValue(request.message.headers, 'user-agent');
  return text === undefined || text === '' ? null : text.slice(0, MAX_USER_AGENT_LENGTH);
}

function readContacts(
  contacts: readonly ContactValue[],
  headerSeconds: number | undefined,
): RegisterCommand['action'] | SipParseError {
  if (contacts.length > MAX_CONTACTS_A_REQUEST) {
    const detail = `${contacts.length} contacts in one request`;
    return new SipParseError(400, 'Too Many Contacts', detail, 'contact', undefined, 'contact_count');
  }
  const updates: ContactUpdate[] = [];
  for (const contact of contacts) {
    const update = readContact(contact, headerSeconds);
    if (isParseError(update)) return update;
    updates.push(update);
  }
  return { kind: 'update', contacts: updates };
}

function readContact(
  contact: ContactValue,
  headerSeconds: number | undefined,
): ContactUpdate | SipParseError {
  const q = contact.q === undefined ? null : parseQValue(contact.q);
  if (isParseError(q)) return q;
  return {
    uri: contact.uri,
    contact: contact.uriText,
    displayName: contact.displayName,
    contactParams: printKept(contact.params),
    qThousandths: q,
    instanceId: unbracketed(paramValue(contact.params, '+sip.instance')),
    regId: readRegId(paramValue(contact.params, 'reg-id')),
    // The parameter beats the header field, which beats the domain's default.
    requestedSeconds: contact.expires === undefined ? headerSeconds : parseExpires(contact.expires),
  };
}

/** The parameters as sent, without `expires`: that one is counted down by us. */
function printKept(params: readonly Param[]): string {
  let text = '';
  for (const { name, value } of params) {
    if (name.toLowerCase() === 'expires') continue;
    text += value === undefined ? `;${name}` : `;${name}=${value}`;
  }
  return text;
}

function unbracketed(instance: string | undefined): string | null {
  if (instance === undefined) return null;
  return instance.startsWith('<') && instance.endsWith('>') ? instance.slice(1, -1) : instance;
}

/** Shown to operators only for now: RFC 5626 matching comes with outbound. */
function readRegId(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : null;
}
