import type { Instant } from '../base/clock.js';
import type { AddressOfRecord } from './address-of-record.js';

/** The transport a REGISTER came in over. */
export type TransportName = 'udp' | 'tcp';

/** From where a REGISTER reached us: the address the packet or connection really came from. */
export interface ReceivedFrom {
  readonly transport: TransportName;
  /** IPv4 or IPv6 text without brackets. */
  readonly ip: string;
  readonly port: number;
  /** The connection, for transports that have one; null over UDP. */
  readonly flowId: string | null;
}

/**
 * One contact of an address-of-record (RFC 3261 §10.2.1). Texts from the wire are octet strings: one character
 * a byte, so that they go back out exactly as they came in.
 */
export interface Binding {
  readonly id: string;
  readonly userId: string;
  readonly aor: AddressOfRecord;
  /** The Contact URI, byte for byte as sent. */
  readonly contact: string;
  /** The display name before it, quotes included, or empty. */
  readonly displayName: string;
  /** Contact parameters as sent, without `expires`, each with its leading `;`: `;q=0.5;+sip.ice`. */
  readonly contactParams: string;
  /** q in thousandths, 0–1000; null when the phone gave none. */
  readonly qThousandths: number | null;
  readonly instanceId: string | null;
  readonly regId: number | null;
  readonly callId: string;
  readonly cseq: number;
  readonly userAgent: string | null;
  readonly received: ReceivedFrom;
  /** The credential that authenticated the last REGISTER. */
  readonly credentialId: string | null;
  readonly registeredAt: Instant;
  readonly refreshedAt: Instant;
  readonly expiresAt: Instant;
}

export interface BindingFilter {
  /** Only in these domains: what a confined API key may see. */
  readonly confinedTo?: readonly string[] | undefined;
  readonly domain?: string | undefined;
  readonly userId?: string | undefined;
  /** As printAddressOfRecord gives it. */
  readonly aor?: string | undefined;
  readonly transport?: TransportName | undefined;
  /** An address, or a network in CIDR notation. */
  readonly sourceIp?: string | undefined;
  readonly userAgentPrefix?: string | undefined;
  readonly instanceId?: string | undefined;
  readonly credentialId?: string | undefined;
  readonly expiresBefore?: Instant | undefined;
  readonly registeredAfter?: Instant | undefined;
}

export const BINDING_SORT_FIELDS = ['registered_at', 'refreshed_at', 'expires_at', 'aor'] as const;
export type BindingSortField = (typeof BINDING_SORT_FIELDS)[number];
