import type { Binding } from '../location/binding.js';
import { printQValue } from '../sip/grammar/headers/qvalue.js';
import { isParseError } from '../sip/grammar/sip-parse-error.js';
import { parseUri, type SipUri, sameUri } from '../sip/grammar/uri.js';
import { type Answer, answer } from '../sip/uas/response.js';

/**
 * 302 with the contacts, best first (RFC 3261 §8.3, §21.3.3). URIs of any scheme are listed as they were registered:
 * the caller picks what it can use (§20.10). Left out are the Request-URI itself, which would lead back here (§8.3), and
 * for a sips request all that is not sips, so that nobody is led to a less secure place (RFC 5630 §5.4). When nothing
 * is left, 480. There is no `expires`: an address is good for this once (§21.3.3), since the next moment may find the
 * phone elsewhere, or taken off by an operator.
 */
export function redirectTo(requestUri: SipUri, contacts: readonly Binding[], domain: string): Answer {
  const usable = contacts.filter((binding) => isWorthTrying(binding, requestUri));
  if (usable.length > 0) {
    return answer(
      302,
      'Moved Temporarily',
      usable.map((binding) => ['Contact', printContact(binding)] as const),
    );
  }
  return requestUri.scheme === 'sips'
    ? answer(480, 'Temporarily Unavailable', [['Warning', `380 ${domain} "SIPS Not Allowed"`]])
    : answer(480, 'Temporarily Unavailable');
}

function isWorthTrying({ contact }: Binding, requestUri: SipUri): boolean {
  const uri = parseUri(contact);
  if (isParseError(uri) || sameUri(uri, requestUri)) return false;
  return requestUri.scheme !== 'sips' || uri.scheme === 'sips';
}

/** URI and q, and nothing that tells the devices of a user from each other. */
function printContact({ contact, qThousandths }: Binding): string {
  return `<${contact}>;q=${printQValue(qThousandths ?? 1000)}`;
}
