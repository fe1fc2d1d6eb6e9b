import { secretBytes } from '../../base/random.js';
import { type DigestIdentity, DigestSession } from './digest-answer.js';
import type {
  ListedContact,
  RegisterRequest,
  RegisterResponse,
  Unreachable,
  UserAgentClient,
} from './user-agent.js';

/** Whose registration it is and how it is asked for. Texts are octet strings. */
export interface RegistrationAccount {
  /** `sip:alice@example.com` */
  readonly aor: string;
  /** `sip:example.com` */
  readonly requestUri: string;
  readonly contact: string;
  /** Undefined when there is no password: the first challenge is then the end. */
  readonly identity: DigestIdentity | undefined;
  readonly userAgent: string;
}

/** How one request to the registrar ended, challenges answered. */
export type RegistrationResult =
  /** A 200; `contacts` is its list of everybody's bindings. */
  | { readonly kind: 'done'; readonly contacts: readonly ListedContact[] }
  | { readonly kind: 'refused'; readonly why: RefusalCause; readonly response: RegisterResponse }
  | Unreachable;

export type RefusalCause =
  /** There is no password to answer the challenge with. */
  | 'password_wanted'
  /** None of the challenges is for an algorithm known here. */
  | 'challenge_unknown'
  | 'wrong_password'
  /** Anything else: what the status says. */
  | 'status';

type Asked = Pick<RegisterRequest, 'contact' | 'expiresSeconds'>;

/** A challenge, its answer called stale, the answer to the new nonce, and once more for good measure. */
const MAX_ROUNDS = 4;
const CNONCE_BYTES = 8;

/**
 * A phone's registration (RFC 3261 §10.2): one Call-ID and a rising CSeq for as long as it lives, challenges
 * answered, the last nonce used on.
 */
export class Registration {
  private cseq = 0;
  private readonly callId = randomToken();
  private readonly fromTag = randomToken();
  private session: DigestSession | undefined;

  constructor(
    private readonly client: UserAgentClient,
    private readonly account: RegistrationAccount,
  ) {}

  /** Makes or refreshes the binding. When the interval is too brief it asks once more, for the least allowed. */
  async register(expiresSeconds: number): Promise<RegistrationResult> {
    const { contact } = this.account;
    const result = await this.request({ contact, expiresSeconds });
    if (result.kind !== 'refused' || result.response.status !== 423) return result;
    const { minExpiresSeconds } = result.response;
    if (minExpiresSeconds === undefined || minExpiresSeconds <= expiresSeconds) return result;
    return this.request({ contact, expiresSeconds: minExpiresSeconds });
  }

  /** Asks for the list of bindings and changes nothing. */
  query(): Promise<RegistrationResult> {
    return this.request({ contact: undefined, expiresSeconds: undefined });
  }

  /** Removes the one binding that this phone makes. */
  unregister(): Promise<RegistrationResult> {
    return this.request({ contact: this.account.contact, expiresSeconds: 0 });
  }

  /** Removes all bindings of the address, other phones' too. */
  unregisterAll(): Promise<RegistrationResult> {
    return this.request({ contact: '*', expiresSeconds: 0 });
  }

  private async request(asked: Asked): Promise<RegistrationResult> {
    const { identity } = this.account;
    let isFreshlyAnswered = false;
    for (let round = 1; ; round++) {
      const response = await this.client.send(this.compose(asked));
      if (response.kind === 'unreachable') return response;
      if (response.status >= 200 && response.status < 300)
        return { kind: 'done', contacts: response.contacts };
      if (response.status !== 401) return { kind: 'refused', why: 'status', response };

      if (identity === undefined) return { kind: 'refused', why: 'password_wanted', response };
      // An answer with a nonce of an earlier request may be refused for its age; one with a new nonce may not.
      const isStale = response.challenges.some((challenge) => challenge.isStale);
      if ((isFreshlyAnswered && !isStale) || round === MAX_ROUNDS) {
        this.session = undefined;
        return { kind: 'refused', why: 'wrong_password', response };
      }
      const cnonce = secretBytes(CNONCE_BYTES).toString('hex');
      this.session = DigestSession.answering(response.challenges, identity, cnonce);
      if (this.session === undefined) return { kind: 'refused', why: 'challenge_unknown', response };
      isFreshlyAnswered = true;
    }
  }

  private compose(asked: Asked): RegisterRequest {
    const { aor, requestUri, userAgent } = this.account;
    this.cseq++;
    return {
      requestUri,
      aor,
      userAgent,
      fromTag: this.fromTag,
      callId: this.callId,
      cseq: this.cseq,
      authorization: this.session?.answer('REGISTER', requestUri),
      ...asked,
    };
  }
}

function randomToken(): string {
  return secretBytes(10).toString('hex');
}
