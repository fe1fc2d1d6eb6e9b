import { isParseError } from '../../sip/grammar/sip-parse-error.js';
import { parseUri, sameUri } from '../../sip/grammar/uri.js';
import { printable } from './printable.js';
import type { RegistrationResult } from './registration.js';
import type { ListedContact, RegisterResponse } from './user-agent.js';

type Failure = Exclude<RegistrationResult, { readonly kind: 'done' }>;

/** Why it did not work, in one line of plain words. */
export function explainFailure(failure: Failure, aor: string): string {
  if (failure.kind === 'unreachable') return failure.detail;
  const { why, response } = failure;
  switch (why) {
    case 'password_wanted':
      return '401: the registrar asks for a password; give --password-file, SIP_PASSWORD or --password';
    case 'wrong_password':
      return '401 again after answering the challenge: wrong password or unknown user';
    case 'challenge_unknown': {
      const offered = response.challenges.map(({ algorithm }) => printable(algorithm ?? 'MD5'));
      return offered.length === 0
        ? '401 without a digest challenge'
        : `401 with a challenge that this phone can't answer (${offered.join(', ')})`;
    }
    case 'status':
      return explainStatus(response, aor);
  }
}

function explainStatus(response: RegisterResponse, aor: string): string {
  const { status, reason, retryAfterSeconds, minExpiresSeconds } = response;
  const said = printable(`${status} ${reason}`.trim());
  switch (status) {
    case 403:
      return `${said}: the password is right, but the registrar refuses this user (blocked, or another's address)`;
    case 404:
      return `${said}: the registrar does not serve ${printable(aor.slice(aor.lastIndexOf('@') + 1))}, or not this address`;
    case 423:
      return minExpiresSeconds === undefined
        ? `${said}: longer than that, but the registrar does not say how long (no Min-Expires)`
        : `${said}: at least ${minExpiresSeconds} s`;
    default:
      return retryAfterSeconds === undefined ? said : `${said}: try again in ${retryAfterSeconds} s`;
  }
}

/** `2 contacts` */
export function countContacts({ length }: readonly ListedContact[]): string {
  return length === 1 ? '1 contact' : `${length} contacts`;
}

/** `expires in 3600 s` */
export function printExpiry(contact: ListedContact | undefined): string {
  const seconds = contact?.expiresSeconds;
  return seconds === undefined ? 'expiry not said' : `expires in ${seconds} s`;
}

/** One indented line a contact, line break included. */
export function listContacts(contacts: readonly ListedContact[]): string {
  return contacts.map((contact) => `  ${printable(contact.uri)}  ${printExpiry(contact)}\n`).join('');
}

/** The contact that is ours, by the URI comparison of RFC 3261 §19.1.4. */
export function ownContact(contacts: readonly ListedContact[], own: string): ListedContact | undefined {
  const ours = parseUri(own);
  return contacts.find((contact) => {
    if (contact.uri === own) return true;
    const theirs = parseUri(contact.uri);
    return !isParseError(ours) && !isParseError(theirs) && sameUri(ours, theirs);
  });
}
