import type { Attempt, AttemptFacts, AttemptReason } from '../../guard/attempt.js';
import type { AttemptBody } from '../schemas/attempt.js';
import { fromInstant } from '../schemas/text.js';
import { fromOctets, nullableFromOctets } from './wire-text.js';

export function attemptBody(attempt: Attempt): AttemptBody {
  return {
    id: attempt.id,
    reason: attempt.reason,
    explanation: explain(attempt),
    details: detailsBody(attempt.facts),
    status: attempt.status,
    source: { transport: attempt.transport, ip: attempt.ip, port: attempt.port },
    username: attempt.username,
    user_id: attempt.userId,
    aor: fromOctets(attempt.aor),
    domain: fromOctets(attempt.domain),
    user_agent: nullableFromOctets(attempt.userAgent),
    call_id: fromOctets(attempt.callId),
    count: attempt.count,
    first_seen_at: fromInstant(attempt.firstSeenAt),
    last_seen_at: fromInstant(attempt.lastSeenAt),
  };
}

/** What a refusal means and what to do about it, for whoever has the phone's user on the line. */
export function explain(attempt: Attempt): string {
  return EXPLANATIONS[attempt.reason](attempt);
}

/** A new reason does not compile until it has its words here. */
const EXPLANATIONS: Readonly<Record<AttemptReason, (attempt: Attempt) => string>> = {
  wrong_password: ({ username }) =>
    `The password is wrong: the username ${quoted(username)} exists, and the phone’s response does not fit. Enter the password again, or rotate the credential and enter the new one.`,
  unknown_user: ({ username, domain }) =>
    `Nobody in ${domain} authenticates as ${quoted(username)}. Look at the authentication username (auth ID) in the phone; it is case-sensitive, and may differ from the number or address.`,
  no_secret_for_algorithm: ({ username, facts }) =>
    `The credential of ${quoted(username)} has no HA1 for ${facts.answeredAlgorithm ?? 'MD5'}. Issue a new credential; those made from a password have all algorithms of the domain.`,
  account_expired: () =>
    'The password is right, but the account has expired. Change expires_at of the user to let it in again.',
  credential_expired: () =>
    'The password is right, but this credential has expired. Enter the new password in the phone, or change expires_at of the credential.',
  algorithm_not_offered: ({ facts }) =>
    `The phone answered with ${facts.answeredAlgorithm ?? 'MD5 (it named no algorithm)'}; offered is ${listed(facts.offeredAlgorithms)}. Set challenge of the user or the domain to what the phone can do, or update the phone.`,
  qop_missing: () =>
    'The phone answers without qop (RFC 2069). Set allow_no_qop of the domain if phones that old are to register.',
  qop_unsupported: () => 'The phone answers with a qop that is neither auth nor auth-int.',
  uri_mismatch: () =>
    'The uri in the phone’s digest response is not the Request-URI. Look at the registrar, domain and outbound proxy in the phone; something between may rewrite requests.',
  malformed_credentials: () => 'The Authorization header field of the phone can’t be read.',
  nonce_expired: () =>
    'The password is right; the phone used an old nonce, and was given a new one. Nothing to do: phones try again by themselves.',
  nonce_foreign: () =>
    'The password is right; the nonce is of another server or of an earlier start of this one. Phones try again by themselves; behind a load balancer, see that a phone stays with one server.',
  nonce_forgotten: () =>
    'The password is right; the nonce is from before the last start of the server, or too long ago. Phones try again by themselves.',
  nonce_replayed: () =>
    'The password is right; the phone used the same nonce count twice, and was given a new nonce. Phones try again by themselves. When it goes on, somebody may be sending a recorded request.',
  banned: ({ ip, facts }) =>
    `${ip} is banned${until(facts.bannedUntil)}${facts.banId === undefined ? '' : ` by ${facts.banId}`}, so the request was not looked at. GET the ban for its reason, and DELETE it to let the address in at once.`,
  blocked: ({ facts }) =>
    `The user is blocked${until(facts.blockedUntil)} by a forced deregistration, and phones that were told 403 stay away until somebody restarts them.`,
  not_authorized: ({ username, aor }) =>
    `${quoted(username)} gave the right password, but may not register ${aor}. Look at the address in the phone, or add it to may_register of the user.`,
  account_closed: () => 'The user was deleted at that very moment.',
  domain_not_served: ({ domain }) =>
    domain === ''
      ? 'The Request-URI of the phone names no domain. Look at the registrar or domain in the phone.'
      : `The phone asked for ${domain}, which is not served here. Look at the registrar or domain in the phone, or add the name as an alias of a domain.`,
  aor_not_in_domain: ({ aor, domain }) =>
    `The phone wants to register ${aor} at ${domain}, which is another domain. Both settings in the phone must name the same one.`,
  interval_too_brief: ({ facts }) =>
    `The phone asked to be registered for ${seconds(facts.askedSeconds)}; the domain’s minimum is ${seconds(facts.minExpiresSeconds)}. Most phones ask again for that; otherwise set a longer interval in the phone, or lower min_expires_seconds.`,
  too_many_bindings: ({ facts }) =>
    `The user has as many phones registered as allowed (${facts.bindingLimit ?? 'the limit'}). Deregister one, raise max_bindings of the user, or set overflow of the domain to evict_oldest.`,
  too_many_contacts: () => 'The request holds more contacts than one request may.',
  contact_loops: () =>
    'A contact of the phone is this server or the address itself, so that calls would go round in circles. Look at the phone’s own address, its NAT settings and STUN.',
  unsupported_body: ({ facts }) =>
    `The phone sends something along with its registration that this server does not take${facts.fault === undefined ? '' : ` (${facts.fault})`}. Switch it off in the phone.`,
  call_script_invalid: ({ facts }) =>
    `The phone sends a call script (CPL) that is none${facts.fault === undefined ? '' : `: ${facts.fault}`}. Correct the script, or switch its upload off in the phone.`,
  out_of_order: () =>
    'The request is older than what is registered: a late copy, or a phone that restarted and counts from the beginning under the same Call-ID. For such phones set sequence of the domain to fresh_nonce.',
  extension_required: () =>
    'The phone insists (Require) on an extension that this server does not have. Switch it off in the phone.',
  malformed_request: ({ facts }) =>
    `The request can’t be read${facts.fault === undefined ? '' : `: ${facts.fault}`}. Look at the phone’s settings for stray characters, then at its firmware.`,
  store_overloaded: () =>
    'The server had more to write than it could, and told the phone to come back. See the metrics store_queued_writes and store_work_total.',
  store_failed: () => 'The disk did not take the registration. See the log for store.commit_failed.',
};

function detailsBody(facts: AttemptFacts): AttemptBody['details'] {
  const { offeredAlgorithms, answeredAlgorithm, blockedUntil, bannedUntil } = facts;
  const body: AttemptBody['details'] = {
    offered_algorithms: offeredAlgorithms === undefined ? undefined : [...offeredAlgorithms],
    answered_algorithm: answeredAlgorithm === undefined ? undefined : fromOctets(answeredAlgorithm),
    max_bindings: facts.bindingLimit,
    min_expires_seconds: facts.minExpiresSeconds,
    asked_expires_seconds: facts.askedSeconds,
    blocked_until: blockedUntil === undefined ? undefined : fromInstant(blockedUntil),
    banned_until: bannedUntil === undefined ? undefined : fromInstant(bannedUntil),
    ban_id: facts.banId,
    fault: facts.fault === undefined ? undefined : fromOctets(facts.fault),
  };
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
}

function quoted(username: string | null): string {
  return `“${username ?? ''}”`;
}

function listed(names: readonly string[] | undefined): string {
  return names?.join(', ') ?? 'another one';
}

function until(instant: number | undefined): string {
  return instant === undefined ? '' : ` until ${fromInstant(instant)}`;
}

function seconds(count: number | undefined): string {
  return count === undefined ? 'less' : `${count} seconds`;
}
