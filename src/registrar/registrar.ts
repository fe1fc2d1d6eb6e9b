import type { AccountService } from '../accounts/account-service.js';
import type { Domain } from '../accounts/domain.js';
import type { Subscriber } from '../accounts/subscriber.js';
import type {
  Authenticated,
  AuthenticationResult,
  Authenticator,
  ChallengeReason,
} from '../auth/authenticator.js';
import { textOf } from '../auth/octets.js';
import type { Clock } from '../base/clock.js';
import type { Log } from '../base/log.js';
import { StoreFailed, StoreOverloaded } from '../base/store-error.js';
import type { Tally } from '../base/tally.js';
import type { Ban } from '../guard/ban.js';
import { type Guard, type Knock, retryAfterSeconds } from '../guard/guard.js';
import { type AddressOfRecord, printAddressOfRecord } from '../location/address-of-record.js';
import type { LocationService } from '../location/location-service.js';
import type { RegisterCommand, RegisterOutcome, RegisterPolicy } from '../location/register.js';
import { allValues } from '../sip/grammar/message.js';
import { isParseError } from '../sip/grammar/sip-parse-error.js';
import { isSipUri, parseUri, unescapedUser } from '../sip/grammar/uri.js';
import type { OwnAddresses } from '../sip/transport/own-addresses.js';
import type { IncomingRequest } from '../sip/uas/incoming-request.js';
import { refuseUnknownExtensions } from '../sip/uas/required-extensions.js';
import { type Answer, answer } from '../sip/uas/response.js';
import { findLoopingContact } from './looping-contact.js';
import { factsOf, Refusals, type Seen } from './refusals.js';
import { readBody } from './register-body.js';
import { readAction, readUserAgent } from './register-request.js';
import { answerOutcome } from './register-response.js';

/** Why a REGISTER was refused: the word in logs and counters. */
export type RegistrationRejection =
  | Exclude<ChallengeReason, 'no_credentials'>
  | Exclude<RegisterOutcome['kind'], 'registered'>
  | 'banned'
  | 'domain_not_served'
  | 'extension_required'
  | 'aor_not_in_domain'
  | 'not_authorized'
  | 'malformed_request'
  | 'contact_loops'
  | 'unsupported_body'
  | 'call_script_invalid'
  | 'too_many_contacts'
  | 'store_overloaded'
  | 'store_failed';

export interface RegistrarOptions {
  readonly accounts: AccountService;
  readonly authenticator: Authenticator;
  readonly location: LocationService;
  readonly guard: Guard;
  /** Where this server is listening. */
  readonly own: Pick<OwnAddresses, 'has' | 'hasPort'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly rejections: Tally<RegistrationRejection>;
}

/** Option tags of RFC extensions that the registrar carries out when they are required. */
const SUPPORTED_EXTENSIONS: readonly string[] = [];

/** Who may be bound where: the owner of the To address-of-record. */
interface Owner {
  readonly userId: string;
  readonly aor: AddressOfRecord;
  readonly maxBindings: number | null;
}

/** The registrar (RFC 3261 §10.3): a REGISTER in, an answer out, in the RFC's steps. */
export class Registrar {
  private readonly refusals: Refusals<RegistrationRejection>;

  constructor(private readonly options: RegistrarOptions) {
    const { guard, log, rejections } = options;
    this.refusals = new Refusals({ guard, log, tally: rejections });
  }

  /** Answers one REGISTER. What it grants is on disk before the answer is there. */
  handle(request: IncomingRequest): Answer | Promise<Answer> {
    // Step 1: is the domain ours?
    const domain = this.domainOfRequestUri(request);
    if (domain === undefined) {
      return this.reject(request, 'domain_not_served', answer(404, 'Not Found'));
    }
    const toUser = isSipUri(request.to.uri) ? unescapedUser(request.to.uri) : undefined;
    const authorizations = allValues(request.message.headers, 'authorization');
    const { authenticator, guard } = this.options;
    // Before anything is computed for them: who has no business here?
    const knock: Knock = {
      transport: request.flow.transport,
      ip: request.flow.remoteAddress,
      port: request.flow.remotePort,
      domain: domain.name,
    };
    const admission = guard.admit(knock, () => [
      ...authenticator.claimedUsers(authorizations, domain),
      ...(toUser === undefined ? [] : [textOf(toUser)]),
    ]);
    if (admission.kind === 'refused') return this.refuseBanned(request, domain, admission.ban);
    // Step 2: extensions that must be understood.
    const refusal = refuseUnknownExtensions(request, SUPPORTED_EXTENSIONS);
    if (refusal !== undefined) return this.reject(request, 'extension_required', refusal, { domain });
    // Step 3: who is it?
    const who = authenticator.authenticate({
      method: request.message.method,
      requestUri: request.message.requestUri,
      authorizations,
      body: request.message.body,
      domain,
      toUser: toUser ?? '',
    });
    guard.wrong(knock, who.wrongResponses);
    if (admission.kind === 'proven_only' && !this.isToldApart(knock, who)) {
      guard.countRefusal(admission.ban);
      return this.refuseBanned(request, domain, admission.ban);
    }
    if (who.kind === 'authenticated') guard.right(knock, who.authUsername);
    if (who.kind === 'challenge') {
      const challenge = answer(
        401,
        'Unauthorized',
        who.challenges.map((value) => ['WWW-Authenticate', value] as const),
      );
      // The first request of every phone comes without credentials; that is no failure.
      if (who.reason === 'no_credentials') return challenge;
      return this.reject(request, who.reason, challenge, {
        domain,
        username: who.username,
        userId: this.userBehind(domain, who.authUsername),
        facts: { offeredAlgorithms: who.offered, answeredAlgorithm: who.answered },
      });
    }
    const seen: Seen = { domain, username: who.authUsername, userId: who.subscriber.userId };
    // Step 5 before step 4: an address-of-record outside the domain is nobody's to authorise.
    if (toUser === undefined || !isSipUri(request.to.uri) || !this.isServedAs(domain, request.to.uri.host)) {
      return this.reject(request, 'aor_not_in_domain', verified(answer(404, 'Not Found')), seen);
    }
    const aor: AddressOfRecord = { user: toUser, domain: domain.name };
    // Step 4: may they register it? To decides, not From.
    const { subscriber } = who;
    if (subscriber.username === toUser && subscriber.domain === domain.name) {
      const owner: Owner = { userId: subscriber.userId, aor, maxBindings: subscriber.maxBindings };
      return this.register(request, domain, who, owner, seen);
    }
    return this.registerForAnother(request, domain, who, subscriber, aor, seen);
  }

  /** Third-party registration (RFC 3261 §10.2): by explicit grant only. */
  private async registerForAnother(
    request: IncomingRequest,
    domain: Domain,
    who: Authenticated,
    subscriber: Subscriber,
    aor: AddressOfRecord,
    seen: Seen,
  ): Promise<Answer> {
    const name = printAddressOfRecord(aor);
    const user = subscriber.mayRegister.includes(name)
      ? await this.options.accounts.getUser(name)
      : undefined;
    if (user === undefined) {
      return this.reject(request, 'not_authorized', verified(answer(403, 'Forbidden')), seen);
    }
    return this.register(request, domain, who, { userId: user.id, aor, maxBindings: user.maxBindings }, seen);
  }

  /** Steps 6 to 8: the contacts, in the location service. */
  private register(
    request: IncomingRequest,
    domain: Domain,
    who: Authenticated,
    owner: Owner,
    seen: Seen,
  ): Answer | Promise<Answer> {
    const action = readAction(request);
    if (isParseError(action)) {
      const why = action.bound === 'contact_count' ? 'too_many_contacts' : 'malformed_request';
      const facts = { fault: action.detail };
      return this.reject(request, why, verified(answer(action.status, action.reason)), { ...seen, facts });
    }
    const looping =
      action.kind === 'update'
        ? findLoopingContact(action.contacts, {
            own: this.options.own,
            user: owner.aor.user,
            isDomain: (host) => this.isServedAs(domain, host),
          })
        : undefined;
    if (looping !== undefined) {
      return this.reject(request, 'contact_loops', verified(answer(403, 'Contact Leads Back Here')), seen);
    }
    const body = readBody(request);
    if (body.kind === 'refused') {
      const facts = { fault: body.fault };
      return this.reject(request, body.reason, verified(body.answer), { ...seen, facts });
    }
    // A grant is for contacts: how calls of another are handled it does not give away.
    if (body.kind === 'call_script' && who.subscriber.userId !== owner.userId) {
      return this.reject(request, 'not_authorized', verified(answer(403, 'Forbidden')), seen);
    }
    const { flow } = request;
    const command: RegisterCommand = {
      aor: owner.aor,
      userId: owner.userId,
      credentialId: who.credentialId,
      nonceIssuedAt: who.nonceIssuedAt,
      callId: request.callId,
      cseq: request.cseq.sequence,
      userAgent: readUserAgent(request),
      received: {
        transport: flow.transport,
        ip: flow.remoteAddress,
        port: flow.remotePort,
        flowId: flow.id,
      },
      action,
      callScript: body.kind === 'call_script' ? body.text : undefined,
    };
    return this.options.location.register(command, policyOf(domain, owner)).then(
      (outcome) => {
        const given = answerOutcome(outcome, this.options.clock.now());
        if (outcome.kind === 'registered') return given;
        return this.reject(request, outcome.kind, given, { ...seen, facts: factsOf(outcome, action) });
      },
      (error: unknown) => this.storeRefused(request, error, seen),
    );
  }

  /** What is answered at a banned address that others are right at: a first challenge, and who was right there before. */
  private isToldApart(knock: Knock, who: AuthenticationResult): boolean {
    if (who.kind === 'challenge' && who.reason === 'no_credentials') return true;
    const isRight = who.kind === 'authenticated' || who.stale;
    return isRight && who.authUsername !== undefined && this.options.guard.isProven(knock, who.authUsername);
  }

  private refuseBanned(request: IncomingRequest, domain: Domain, ban: Ban): Answer {
    const { authenticator, clock } = this.options;
    const [username] = authenticator.claimedUsers(
      allValues(request.message.headers, 'authorization'),
      domain,
    );
    // Who that is, is not looked up: a ban costs the same for everybody, and little.
    return this.reject(
      request,
      'banned',
      answer(503, 'Service Unavailable', [['Retry-After', String(retryAfterSeconds(ban, clock.now()))]]),
      { domain, username, facts: { banId: ban.id, bannedUntil: ban.expiresAt } },
    );
  }

  /** Authentication has looked this up a moment ago, so it costs nothing. */
  private userBehind(domain: Domain, authUsername: string | undefined): string | undefined {
    if (authUsername === undefined) return undefined;
    return this.options.accounts.subscriber(domain.name, authUsername)?.userId;
  }

  private storeRefused(request: IncomingRequest, error: unknown, seen: Seen): Answer {
    if (error instanceof StoreOverloaded) {
      const later = answer(503, 'Service Unavailable', [['Retry-After', String(error.retryAfterSeconds)]]);
      return this.reject(request, 'store_overloaded', later, seen);
    }
    if (error instanceof StoreFailed) {
      return this.reject(request, 'store_failed', answer(500, 'Server Internal Error'), seen);
    }
    throw error;
  }

  private domainOfRequestUri(request: IncomingRequest): Domain | undefined {
    const uri = parseUri(request.message.requestUri);
    if (isParseError(uri) || !isSipUri(uri)) return undefined;
    return this.options.accounts.domainByHost(uri.host);
  }

  private isServedAs(domain: Domain, host: string): boolean {
    return this.options.accounts.domainByHost(host)?.name === domain.name;
  }

  private reject(
    request: IncomingRequest,
    reason: RegistrationRejection,
    given: Answer,
    seen: Seen = {},
  ): Answer {
    this.refusals.tell(request, reason, given.status, seen);
    return given;
  }
}

function verified(given: Answer): Answer {
  return { ...given, verified: true };
}

function policyOf(domain: Domain, owner: Owner): RegisterPolicy {
  return {
    minExpiresSeconds: domain.minExpiresSeconds,
    defaultExpiresSeconds: domain.defaultExpiresSeconds,
    maxExpiresSeconds: domain.maxExpiresSeconds,
    maxBindings: owner.maxBindings ?? domain.maxBindingsPerUser,
    overflow: domain.overflow,
    sequence: domain.sequence,
  };
}
