import type { ContactUpdate } from '../location/register.js';
import { paramValue } from '../sip/grammar/params.js';
import { isSipUri, type SipUri, unescapedUser } from '../sip/grammar/uri.js';
import type { OwnAddresses } from '../sip/transport/own-addresses.js';

/** What tells that an address leads back here. */
export interface Surroundings {
  readonly own: Pick<OwnAddresses, 'has' | 'hasPort'>;
  /** The user part of the address-of-record, unescaped. */
  readonly user: string;
  /** Whether a host is the address-of-record's domain, by its name or an alias. */
  isDomain(host: string): boolean;
}

/**
 * The first contact that would be bound and would send requests for the address-of-record back to this server: one
 * at an address where it listens, or the address-of-record itself (R10). What is being removed does no harm, and
 * schemes other than sip and sips are never followed.
 */
export function findLoopingContact(
  contacts: readonly ContactUpdate[],
  surroundings: Surroundings,
): ContactUpdate | undefined {
  return contacts.find(
    ({ uri, requestedSeconds }) => requestedSeconds !== 0 && isSipUri(uri) && leadsBack(uri, surroundings),
  );
}

function leadsBack(uri: SipUri, { own, user, isDomain }: Surroundings): boolean {
  // maddr overrides the host as the place that is sent to (RFC 3261 §19.1.1).
  if (own.has(paramValue(uri.params, 'maddr') ?? uri.host, uri.port ?? defaultPort(uri))) return true;
  // With headers it is no longer the same address (§19.1.4): a Route among them leads elsewhere first (RFC 4475 regescrt).
  if (uri.headers.length > 0) return false;
  // Another port of the domain's host is another server, unless it is one of ours.
  const isOurPort = uri.port === undefined || own.hasPort(uri.port);
  return isOurPort && unescapedUser(uri) === user && isDomain(uri.host);
}

/** RFC 3261 §19.1.2. */
function defaultPort(uri: SipUri): number {
  const isTls = uri.scheme === 'sips' || paramValue(uri.params, 'transport')?.toLowerCase() === 'tls';
  return isTls ? 5061 : 5060;
}
