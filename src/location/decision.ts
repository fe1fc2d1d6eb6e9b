import type { Instant } from '../base/clock.js';
import type { Binding } from './binding.js';

/** What an address-of-record is when something is decided about it. */
export interface AorState {
  readonly standing: Standing;
  /** Current bindings; expired ones are not among them. */
  readonly bindings: readonly Binding[];
}

export type Standing =
  | { readonly kind: 'open' }
  /** Forced off: every REGISTER is refused until then. */
  | { readonly kind: 'blocked'; readonly until: Instant }
  /** The owner does not exist (any more). */
  | { readonly kind: 'missing' };

/** Why a binding ended. */
export type RemovalCause =
  | 'unregistered'
  | 'expired'
  | 'admin_deregistration'
  | 'credential_revoked'
  | 'user_deleted'
  | 'evicted';

export type BindingChange =
  | { readonly kind: 'created'; readonly binding: Binding }
  /** Only time and sequence moved. */
  | { readonly kind: 'refreshed'; readonly before: Binding; readonly binding: Binding }
  | { readonly kind: 'updated'; readonly before: Binding; readonly binding: Binding }
  | { readonly kind: 'removed'; readonly binding: Binding; readonly cause: RemovalCause };

/** An outcome and what must become of the rows for it to be true. A refusal has no changes. */
export interface Decision<Outcome> {
  readonly outcome: Outcome;
  readonly changes: readonly BindingChange[];
  /** When present, it becomes the owner's call script. */
  readonly callScript?: string;
  /** When present, the owner is refused until then. */
  readonly blockUntil?: Instant;
}
