import type { Instant } from '../base/clock.js';
import type { BindingFilter } from './binding.js';

/**
 * `kick` removes the bindings, and the phone may come back with its next REGISTER; `block` also refuses every
 * REGISTER of the users concerned for `blockSeconds`.
 */
export const DEREGISTRATION_MODES = ['kick', 'block'] as const;
export type DeregistrationMode = (typeof DEREGISTRATION_MODES)[number];

/** Which bindings are meant. `all` must be said; an empty filter is refused. */
export interface DeregistrationFilter extends BindingFilter {
  readonly bindingId?: string | undefined;
  readonly all?: boolean | undefined;
}

export interface DeregistrationRequest {
  readonly filter: DeregistrationFilter;
  readonly reason: string | null;
  readonly mode: DeregistrationMode;
  /** With mode `block`: for how long; null in mode `kick`. */
  readonly blockSeconds: number | null;
  readonly dryRun: boolean;
  /** Refused when another number of bindings matches. */
  readonly expectedCount: number | undefined;
  /** Whether TCP connections that carry no other binding are closed. */
  readonly closeFlows: boolean;
  /** The API key's id. */
  readonly createdBy: string;
}

/** What really happened, counted while it happened. */
export interface DeregistrationEffects {
  readonly usersBlocked: number;
  readonly flowsClosed: number;
  /** Connections left open because another binding uses them. */
  readonly flowsKeptShared: number;
}

export interface Deregistration {
  readonly id: string;
  readonly state: 'running' | 'completed';
  readonly mode: DeregistrationMode;
  readonly filter: DeregistrationFilter;
  readonly reason: string | null;
  readonly blockSeconds: number | null;
  readonly blockedUntil: Instant | null;
  readonly closeFlows: boolean;
  /** Bindings that matched when it began. */
  readonly matched: number;
  readonly removed: number;
  readonly effects: DeregistrationEffects;
  /** Ids of the first bindings that matched, at most SAMPLE_SIZE. */
  readonly sample: readonly string[];
  readonly createdBy: string;
  readonly createdAt: Instant;
  readonly completedAt: Instant | null;
}

export const SAMPLE_SIZE = 10;
/** Above that many matches the removal runs in the background and is polled. */
export const BACKGROUND_THRESHOLD = 1_000;

/** The answer of a dry run: what would have been removed. */
export interface DeregistrationPreview {
  readonly matched: number;
  readonly sample: readonly string[];
}

export type DeregistrationRefusalCode =
  | 'filter_required'
  | 'expected_count_mismatch'
  | 'binding_not_found'
  | 'user_not_found';
