import type { AccountService } from '../accounts/account-service.js';
import type { Domain } from '../accounts/domain.js';
import type { Subscriber } from '../accounts/subscriber.js';
import type { Authenticated, Authenticator, ChallengeReason } from '../auth/authenticator.js';
import type { Clock } from '../base/clock.js';
import type { Log } from '../base/log.js';
import { StoreFailed, StoreOverloaded } from '../base/store-error.js';
import type { Tally } from '../base/tally.js';
import { type AddressOfRecord, printAddressOfRecord } from '../location/address-of-record.js';
import type { LocationService } from '../location/location-service.js';
import type { RegisterCommand, RegisterOutcome, RegisterPolicy } from '../location/register.js';
import { allValues, firstValue } from '../sip/grammar/message.js';
import { isParseError } from '../sip/grammar/sip-parse-error.js';
import { isSipUri, parseUri, unescapedUser } from '../sip/grammar/uri.js';
import type { OwnAddresses } from '../sip/transport/own-addresses.js';
import type { IncomingRequest } from '../sip/uas/incoming-request.js';
import { refuseUnknownExtensions } from '../sip/uas/required-extensions.js';
import { type Answer, answer } from '../sip/uas/response.js';
import { findLoopingContact } from './looping-contact.js';
import { readAction, readUserAgent } from './register-request.js';
import { answerOutcome } from './register-response.js';

/** Why a REGISTER was refused: the word in logs and counters. */
export type RegistrationRejection =
  | Exclude<ChallengeReason, 'no_credentials'>
  | Exclude<RegisterOutcome['kind'], 'registered'>
  | 'domain_not_served'
  | 'extension_required'
  | 'aor_not_in_domain'
  | 'not_authorized'
  | 'malformed_request'
  | 'contact_loops'
  | 'too_many_contacts'
  | 'store_overloaded'
  | 'store_failed';

export interface RegistrarOptions {
  readonly accounts: AccountService;
  readonly authenticator: Authenticator;
  readonly location: LocationService;
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
  constructor(private readonly options: RegistrarOptions) {}

  /** Answers one REGISTER. What it grants is on disk before the answer is there. */
  handle(request: IncomingRequest): Answer | Promise<Answer> {
    // Step 1: is the domain ours?
    const domain = this.domainOfRequestUri(request);
    if (domain === undefined) {
      return this.reject(request, 'domain_not_served', answer(404, 'Not Found'));
    }
    // Step 2: extensions that must be understood.
    const refusal = refuseUnknownExtensions(request, SUPPORTED_EXTENSIONS);
    if (refusal !== undefined) return this.reject(request, 'extension_required', refusal);
    // Step 3: who is it?
    const toUser = isSipUri(request.to.uri) ? unescapedUser(request.to.uri) : undefined;
    const who = this.options.authenticator.authenticate({
      method: request.message.method,
      requestUri: request.message.requestUri,
      authorizations: allValues(request.message.headers, 'authorization'),
      body: request.message.body,
      domain,
      toUser: toUser ?? '',
    });
    if (who.kind === 'challenge') {
      const challenge = answer(
        401,
        'Unauthorized',
        who.challenges.map((value) => ['WWW-Authenticate', value] as const),
      );
      // The first request of every phone comes without credentials; that is no failure.
      if (who.reason === 'no_credentials') return challenge;
      return this.reject(request, who.reason, challenge, who.username);
    }
    // Step 5 before step 4: an address-of-record outside the domain is nobody's to authorise.
    if (toUser === undefined || !isSipUri(request.to.uri) || !this.isServedAs(domain, request.to.uri.host)) {
      return this.reject(request, 'aor_not_in_domain', verified(answer(404, 'Not Found')));
    }
    const aor: AddressOfRecord = { user: toUser, domain: domain.name };
    // Step 4: may they register it? To decides, not From.
    const { subscriber } = who;
    if (subscriber.username === toUser && subscriber.domain === domain.name) {
      const owner: Owner = { userId: subscriber.userId, aor, maxBindings: subscriber.maxBindings };
      return this.register(request, domain, who, owner);
    }
    return this.registerForAnother(request, domain, who, subscriber, aor);
  }

  /** Third-party registration (RFC 3261 §10.2): by explicit grant only. */
  private async registerForAnother(
    request: IncomingRequest,
    domain: Domain,
    who: Authenticated,
    subscriber: Subscriber,
    aor: AddressOfRecord,
  ): Promise<Answer> {
    const name = printAddressOfRecord(aor);
    const user = subscriber.mayRegister.includes(name)
      ? await this.options.accounts.getUser(name)
      : undefined;
    if (user === undefined) {
      return this.reject(request, 'not_authorized', verified(answer(403, 'Forbidden')), subscriber.username);
    }
    return this.register(request, domain, who, { userId: user.id, aor, maxBindings: user.maxBindings });
  }

  /** Steps 6 to 8: the contacts, in the location service. */
  private register(
    request: IncomingRequest,
    domain: Domain,
    who: Authenticated,
    owner: Owner,
  ): Answer | Promise<Answer> {
    const action = readAction(request);
    if (isParseError(action)) {
      const why = action.bound === 'contact_count' ? 'too_many_contacts' : 'malformed_request';
      return this.reject(request, why, verified(answer(action.status, action.reason)));
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
      return this.reject(request, 'contact_loops', verified(answer(403, 'Contact Leads Back Here')));
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
    };
    return this.options.location.register(command, policyOf(domain, owner)).then(
      (outcome) => {
        const given = answerOutcome(outcome, this.options.clock.now());
        return outcome.kind === 'registered' ? given : this.reject(request, outcome.kind, given);
      },
      (error: unknown) => this.storeRefused(request, error),
    );
  }

  private storeRefused(request: IncomingRequest, error: unknown): Answer {
    if (error instanceof StoreOverloaded) {
      const later = answer(503, 'Service Unavailable', [['Retry-After', String(error.retryAfterSeconds)]]);
      return this.reject(request, 'store_overloaded', later);
    }
    if (error instanceof StoreFailed) {
      return this.reject(request, 'store_failed', answer(500, 'Server Internal Error'));
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

  /** One line a refusal, for operators and for fail2ban. The claimed names are a stranger's words: JSON keeps them quoted. */
  private reject(
    request: IncomingRequest,
    reason: RegistrationRejection,
    given: Answer,
    username?: string,
  ): Answer {
    this.options.rejections.count(reason);
    this.options.log.warn({
      event: 'registration.rejected',
      reason,
      status: given.status,
      source_ip: request.flow.remoteAddress,
      source_port: request.flow.remotePort,
      transport: request.flow.transport,
      aor: request.to.uriText.slice(0, MAX_LOGGED_LENGTH),
      username: username?.slice(0, MAX_LOGGED_LENGTH),
      call_id: request.callId.slice(0, MAX_LOGGED_LENGTH),
      user_agent: firstValue(request.message.headers, 'user-agent')?.slice(0, MAX_LOGGED_LENGTH),
    });
    return given;
  }
}

/** How much of a stranger's text goes into one field of a log line. */
const MAX_LOGGED_LENGTH = 256;

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
