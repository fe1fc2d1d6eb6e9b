import type { Challenge, DigestAnswer } from './digest-answer.js';

/** The transports a phone here can use. */
export const PHONE_TRANSPORTS = ['udp', 'tcp'] as const;
export type PhoneTransport = (typeof PHONE_TRANSPORTS)[number];

/** Where requests go: an IPv4 address and a port, already resolved. */
export interface Hop {
  readonly transport: PhoneTransport;
  readonly address: string;
  readonly port: number;
}

/** `udp 127.0.0.1:5060` */
export function printHop({ transport, address, port }: Hop): string {
  return `${transport} ${address}:${port}`;
}

/** One REGISTER (RFC 3261 §10.2), without what the transaction and the transport add. Texts are octet strings. */
export interface RegisterRequest {
  readonly requestUri: string;
  /** The To and From URI. */
  readonly aor: string;
  readonly fromTag: string;
  readonly callId: string;
  readonly cseq: number;
  /** A URI, `*` for all of them, or undefined to ask only. */
  readonly contact: string | undefined;
  readonly expiresSeconds: number | undefined;
  readonly userAgent: string;
  readonly authorization: DigestAnswer | undefined;
}

/** A final response. Texts are octet strings. */
export interface RegisterResponse {
  readonly kind: 'response';
  readonly status: number;
  readonly reason: string;
  readonly challenges: readonly Challenge[];
  readonly contacts: readonly ListedContact[];
  readonly retryAfterSeconds: number | undefined;
  readonly minExpiresSeconds: number | undefined;
}

/** A contact of a 200. */
export interface ListedContact {
  readonly uri: string;
  /** The seconds left; undefined when the registrar does not say. */
  readonly expiresSeconds: number | undefined;
}

/** There is no response; `detail` says why in plain words. */
export interface Unreachable {
  readonly kind: 'unreachable';
  readonly detail: string;
}

/** The user agent client inside a phone: one request, one final response (RFC 3261 §8.1, §17.1.2). */
export interface UserAgentClient {
  send(request: RegisterRequest): Promise<RegisterResponse | Unreachable>;
  /** Lets go of every socket and timer, so that nothing keeps the process alive. */
  close(): void;
}

/** The whole number that a text begins with: `30 (busy)` is 30. */
export function leadingSeconds(text: string | undefined): number | undefined {
  const digits = text === undefined ? undefined : /^\s*(\d{1,10})/.exec(text)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
