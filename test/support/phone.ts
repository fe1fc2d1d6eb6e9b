import { randomBytes } from 'node:crypto';
import { authorize, type Challenge, readChallenge } from './digest-client.js';
import type { SipAnswer } from './sip-answer.js';
import type { Wire } from './sip-wire.js';

/** What of a REGISTER a test wants to be otherwise than usual. Header values are written as given. */
export interface RegisterParts {
  readonly requestUri?: string;
  readonly via?: string;
  readonly branch?: string;
  readonly from?: string;
  readonly to?: string;
  readonly callId?: string;
  readonly cseq?: number;
  readonly method?: string;
  /** Contact values, a header field line each. */
  readonly contacts?: readonly string[];
  readonly expires?: number | string;
  /** More header field lines, whole. */
  readonly headers?: readonly string[];
  readonly body?: string;
  /** The Authorization value; `null` sends none. */
  readonly authorization?: string | null;
}

export interface PhoneIdentity {
  readonly user: string;
  readonly domain: string;
  readonly password: string;
}

/** A phone as tests need it: counts CSeq and nc like one, and says on the wire exactly what it is told to. */
export class Phone {
  readonly callId = `${randomBytes(8).toString('hex')}@phone`;
  readonly fromTag = randomBytes(4).toString('hex');
  cseq = 0;
  challenge: Challenge | undefined;
  nc = 0;

  constructor(
    readonly wire: Wire,
    readonly identity: PhoneIdentity,
  ) {}

  get aor(): string {
    return `sip:${this.identity.user}@${this.identity.domain}`;
  }

  /** Where this phone would be called: its user at its own socket. */
  get contact(): string {
    const transport = this.wire.transport === 'TCP' ? ';transport=tcp' : '';
    return `sip:${this.identity.user}@${this.wire.sentBy}${transport}`;
  }

  /** The octets of a request. CSeq rises by itself; a challenge that was received is answered. */
  compose(parts: RegisterParts = {}): string {
    const method = parts.method ?? 'REGISTER';
    const requestUri = parts.requestUri ?? `sip:${this.identity.domain}`;
    const cseq = parts.cseq ?? ++this.cseq;
    const body = parts.body ?? '';
    const authorization =
      parts.authorization === undefined ? this.authorization(requestUri, body, method) : parts.authorization;
    const branch = parts.branch ?? `z9hG4bK${randomBytes(8).toString('hex')}`;
    const lines = [
      `${method} ${requestUri} SIP/2.0`,
      `Via: ${parts.via ?? `SIP/2.0/${this.wire.transport} ${this.wire.sentBy};branch=${branch};rport`}`,
      'Max-Forwards: 70',
      `From: ${parts.from ?? `<${this.aor}>;tag=${this.fromTag}`}`,
      `To: ${parts.to ?? `<${this.aor}>`}`,
      `Call-ID: ${parts.callId ?? this.callId}`,
      `CSeq: ${cseq} ${method}`,
      ...(parts.contacts ?? []).map((contact) => `Contact: ${contact}`),
      ...(parts.expires === undefined ? [] : [`Expires: ${parts.expires}`]),
      ...(authorization === null ? [] : [`Authorization: ${authorization}`]),
      ...(parts.headers ?? []),
      `Content-Length: ${body.length}`,
    ];
    return `${lines.join('\r\n')}\r\n\r\n${body}`;
  }

  /** The answer to the challenge that the phone holds, with the next nc; null while it holds none. */
  authorization(requestUri = `sip:${this.identity.domain}`, body = '', method = 'REGISTER'): string | null {
    if (this.challenge === undefined) return null;
    const { user, password } = this.identity;
    this.nc++;
    return authorize({
      username: user,
      password,
      uri: requestUri,
      method,
      body,
      challenge: this.challenge,
      nc: this.nc,
    });
  }

  async exchange(octets: string): Promise<SipAnswer> {
    this.wire.send(octets);
    return this.wire.receive();
  }

  /** Fetches a nonce with a request of its own, outside the phone's Call-ID and CSeq. */
  async fetchChallenge(parts: RegisterParts = {}): Promise<SipAnswer> {
    const answer = await this.exchange(
      this.compose({ ...parts, authorization: null, callId: randomBytes(8).toString('hex'), cseq: 1 }),
    );
    if (answer.status !== 401) throw new Error(`a challenge was expected: ${answer.octets}`);
    this.take(answer);
    return answer;
  }

  /** Sends one authenticated REGISTER, with a nonce fetched before when there is none. */
  async register(parts: RegisterParts = {}): Promise<SipAnswer> {
    if (this.challenge === undefined) await this.fetchChallenge();
    const cseq = parts.cseq ?? ++this.cseq;
    const answer = await this.exchange(this.compose({ ...parts, cseq }));
    if (answer.status !== 401 || !/stale=true/.test(answer.value('WWW-Authenticate'))) return answer;
    // The nonce has grown old on a clock that was put forward.
    this.take(answer);
    return this.exchange(this.compose({ ...parts, cseq }));
  }

  /** The bindings as a query lists them: Contact values. */
  async query(): Promise<SipAnswer> {
    return this.register({ callId: randomBytes(8).toString('hex'), cseq: 1 });
  }

  /** Answers this challenge from now on. */
  take(answer: SipAnswer): void {
    this.challenge = readChallenge(answer.values('WWW-Authenticate')[0] ?? '');
    this.nc = 0;
  }
}
