import type { Instant } from '../base/clock.js';
import type { DigestAlgorithm } from './domain.js';

/** How many active credentials a user may have: it bounds the work of one verification. */
export const MAX_ACTIVE_CREDENTIALS = 4;

/** A digest credential of a user, as operators see it: everything but the secret. */
export interface Credential {
  readonly id: string;
  readonly userId: string;
  /** The digest username. Bound into the HA1, therefore immutable; defaults to the user's username. */
  readonly authUsername: string;
  /** The realm the HA1 was computed for; immutable. */
  readonly realm: string;
  /** For which algorithms there is an HA1. */
  readonly algorithms: readonly DigestAlgorithm[];
  readonly label: string | null;
  readonly state: 'active' | 'revoked';
  readonly expiresAt: Instant | null;
  readonly revokedAt: Instant | null;
  readonly lastUsedAt: Instant | null;
  readonly createdAt: Instant;
  readonly updatedAt: Instant;
  readonly revision: number;
}

/** HA1 = H(username:realm:password) in lower-case hex, by algorithm (RFC 7616 §3.4.2). Password-equivalent within its realm. */
export type Ha1ByAlgorithm = Readonly<Partial<Record<DigestAlgorithm, string>>>;

/** The secret of one credential. */
export interface CredentialSecret {
  readonly ha1: Ha1ByAlgorithm;
  /** The same for clients that send `username@domain` as digest username; empty when only HA1 values were given. */
  readonly ha1WithDomain: Ha1ByAlgorithm;
}

/** Where a new credential's secret comes from: drawn here, given in clear, or given as HA1 values. */
export type SecretSource =
  | { readonly kind: 'generate' }
  | { readonly kind: 'password'; readonly password: string }
  | { readonly kind: 'ha1'; readonly ha1: Ha1ByAlgorithm };

export interface NewCredential {
  readonly source: SecretSource;
  readonly authUsername?: string | undefined;
  readonly label?: string | null | undefined;
  readonly expiresAt?: Instant | null | undefined;
}

/** A credential just made; `password` is there only when it was generated, and is shown this once. */
export interface IssuedCredential {
  readonly credential: Credential;
  readonly password?: string | undefined;
}

export interface CredentialPatch {
  readonly label?: string | null | undefined;
  readonly expiresAt?: Instant | null | undefined;
  /** A revoked credential stays revoked. */
  readonly state?: 'revoked' | undefined;
}
