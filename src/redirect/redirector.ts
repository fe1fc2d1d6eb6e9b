import type { AccountService } from '../accounts/account-service.js';
import type { AddressOfRecord } from '../location/address-of-record.js';
import { printAddressOfRecord } from '../location/address-of-record.js';
import type { LocationService } from '../location/location-service.js';
import { firstValue } from '../sip/grammar/message.js';
import { isParseError } from '../sip/grammar/sip-parse-error.js';
import { isSipUri, parseUri, type SipUri, unescapedUser } from '../sip/grammar/uri.js';
import type { IncomingRequest } from '../sip/uas/incoming-request.js';
import { KNOWN_METHODS, refuseMethod } from '../sip/uas/methods.js';
import { refuseUnknownExtensions } from '../sip/uas/required-extensions.js';
import { type Answer, answer } from '../sip/uas/response.js';
import { redirectTo } from './redirect-response.js';

export interface RedirectorOptions {
  readonly accounts: Pick<AccountService, 'domainByHost' | 'getUser'>;
  readonly location: Pick<LocationService, 'locate'>;
}

// §20.5: all methods that are understood, ACK and CANCEL included.
const ALLOWED_AT_SERVER = 'REGISTER, OPTIONS, CANCEL, ACK';
const ALLOWED_AT_ADDRESS = 'REGISTER, CANCEL, ACK';
/** Bodies that are understood: the call scripts that a REGISTER may bring. */
const ACCEPTED_BODIES = 'application/cpl+xml';

/**
 * Everything but REGISTER. A request to the server itself is for its user agent (RFC 3261 §11.2); one to an
 * address-of-record is for its user, and gets what the domain's `routing` says: nothing, or the places where the user
 * is (§8.3). Being the target and no hop on the way, it minds no Max-Forwards. It never writes.
 */
export class Redirector {
  constructor(private readonly options: RedirectorOptions) {}

  /** Answers one request of any method but REGISTER, ACK and CANCEL. */
  handle(request: IncomingRequest): Answer | Promise<Answer> {
    const { method, requestUri } = request.message;
    const uri = parseUri(requestUri);
    if (isParseError(uri) || !isSipUri(uri)) return answer(404, 'Not Found');
    const user = unescapedUser(uri);
    if (user === undefined) return answerForServer(request);
    const domain = this.options.accounts.domainByHost(uri.host);
    if (domain === undefined) {
      return KNOWN_METHODS.has(method) ? answer(404, 'Not Found') : refuseMethod(method, ALLOWED_AT_ADDRESS);
    }
    // A redirecting server looks over what it does not understand, extensions and even methods (§8.3).
    if (domain.routing === 'off') return refuseMethod(method, ALLOWED_AT_ADDRESS);
    // Dialogs are the phones' own (§12.2.2): none of them is here.
    if (request.to.tag !== undefined) return answer(481, 'Call/Transaction Does Not Exist');
    if (method === 'SUBSCRIBE' && eventPackage(request) === REGISTRATION_EVENTS) {
      // Where a user is registered is no question for the user's phones to answer (RFC 3680 §4).
      return answer(489, 'Bad Event');
    }
    return this.redirect(uri, { user, domain: domain.name });
  }

  private async redirect(uri: SipUri, aor: AddressOfRecord): Promise<Answer> {
    const { contacts } = await this.options.location.locate(aor);
    if (contacts.length > 0) return redirectTo(uri, contacts, aor.domain);
    const user = await this.options.accounts.getUser(printAddressOfRecord(aor));
    return user === undefined ? answer(404, 'Not Found') : answer(480, 'Temporarily Unavailable');
  }
}

const REGISTRATION_EVENTS = 'reg';

/**
 * The server's own user agent. Any Request-URI without a user counts as its own, served domain or not: behind a NAT or
 * a balancer it does not know by which names and addresses it is reached, and who asks wants to know whether it is
 * there.
 */
function answerForServer(request: IncomingRequest): Answer {
  if (request.message.method !== 'OPTIONS') return refuseMethod(request.message.method, ALLOWED_AT_SERVER);
  return (
    refuseUnknownExtensions(request, []) ??
    answer(200, 'OK', [
      ['Allow', ALLOWED_AT_SERVER],
      ['Accept', ACCEPTED_BODIES],
      ['Accept-Encoding', 'identity'],
      ['Supported', ''],
    ])
  );
}

function eventPackage(request: IncomingRequest): string | undefined {
  return firstValue(request.message.headers, 'event')?.split(';')[0]?.trim().toLowerCase();
}
