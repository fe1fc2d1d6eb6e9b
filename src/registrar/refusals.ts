import type { Domain } from '../accounts/domain.js';
import type { Log } from '../base/log.js';
import type { Tally } from '../base/tally.js';
import type { AttemptFacts, AttemptReason } from '../guard/attempt.js';
import type { Guard } from '../guard/guard.js';
import { printAddressOfRecord } from '../location/address-of-record.js';
import type { RegisterCommand, RegisterOutcome } from '../location/register.js';
import { firstValue } from '../sip/grammar/message.js';
import { isParseError } from '../sip/grammar/sip-parse-error.js';
import { isSipUri, parseUri, unescapedUser } from '../sip/grammar/uri.js';
import type { IncomingRequest } from '../sip/uas/incoming-request.js';

/** What was known about a request when it was refused. */
export interface Seen {
  /** The served domain of the Request-URI. */
  readonly domain?: Domain | undefined;
  /** The digest username claimed, as text. */
  readonly username?: string | undefined;
  /** The user behind that username. */
  readonly userId?: string | undefined;
  readonly facts?: AttemptFacts | undefined;
}

export interface RefusalsOptions<Reason extends AttemptReason> {
  readonly guard: Pick<Guard, 'record'>;
  readonly log: Log;
  readonly tally: Tally<Reason>;
}

/** Tells of every refused REGISTER: the counters, the log, and the guard, where operators look one up. */
export class Refusals<Reason extends AttemptReason> {
  constructor(private readonly options: RefusalsOptions<Reason>) {}

  /** One line a refusal, for operators and for fail2ban. The claimed names are a stranger's words: JSON keeps them quoted. */
  tell(request: IncomingRequest, reason: Reason, status: number, seen: Seen): void {
    const { guard, log, tally } = this.options;
    const { flow, callId } = request;
    tally.count(reason);
    const userAgent = firstValue(request.message.headers, 'user-agent');
    const isLogged = guard.record({
      reason,
      status,
      transport: flow.transport,
      ip: flow.remoteAddress,
      port: flow.remotePort,
      username: seen.username ?? null,
      userId: seen.userId ?? null,
      aor: aorOf(request, seen.domain),
      domain: seen.domain?.name ?? hostOf(request),
      userAgent: userAgent ?? null,
      callId,
      facts: seen.facts ?? {},
    });
    if (!isLogged) return;
    log.warn({
      event: 'registration.rejected',
      reason,
      status,
      source_ip: flow.remoteAddress,
      source_port: flow.remotePort,
      transport: flow.transport,
      aor: request.to.uriText.slice(0, MAX_LOGGED_LENGTH),
      username: seen.username?.slice(0, MAX_LOGGED_LENGTH),
      call_id: callId.slice(0, MAX_LOGGED_LENGTH),
      user_agent: userAgent?.slice(0, MAX_LOGGED_LENGTH),
      ban_id: seen.facts?.banId,
    });
  }
}

/** How much of a stranger's text goes into one field of a log line. */
const MAX_LOGGED_LENGTH = 256;

/** What an operator wants to know beside the word for it. */
export function factsOf(outcome: RegisterOutcome, action: RegisterCommand['action']): AttemptFacts {
  switch (outcome.kind) {
    case 'interval_too_brief':
      return { minExpiresSeconds: outcome.minExpiresSeconds, askedSeconds: briefestOf(action) };
    case 'too_many_bindings':
      return { bindingLimit: outcome.limit };
    case 'blocked':
      return { blockedUntil: outcome.until };
    default:
      return {};
  }
}

function briefestOf(action: RegisterCommand['action']): number | undefined {
  if (action.kind !== 'update') return undefined;
  const asked = action.contacts.flatMap(({ requestedSeconds }) => requestedSeconds ?? []);
  const kept = asked.filter((seconds) => seconds > 0);
  return kept.length === 0 ? undefined : Math.min(...kept);
}

/** The address-of-record in To, under the domain's own name; To as sent when there is none in it. */
function aorOf({ to }: IncomingRequest, domain: Domain | undefined): string {
  const user = isSipUri(to.uri) ? unescapedUser(to.uri) : undefined;
  if (user === undefined || !isSipUri(to.uri)) return to.uriText;
  const host = to.uri.host.toLowerCase();
  const isAlias = domain?.aliases.includes(host) === true;
  return printAddressOfRecord({ user, domain: isAlias ? domain.name : host });
}

/** The host of a Request-URI whose domain is not served. */
function hostOf({ message }: IncomingRequest): string {
  const uri = parseUri(message.requestUri);
  return isParseError(uri) || !isSipUri(uri) ? '' : uri.host.toLowerCase();
}
