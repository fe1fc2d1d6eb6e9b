import type { Instant } from '../base/clock.js';
import type { Page, PageRequest } from '../base/page.js';
import type { AddressOfRecord } from './address-of-record.js';
import type { Binding, BindingSortField } from './binding.js';
import type { AorState, BindingChange, Decision } from './decision.js';
import type { Deregistration, DeregistrationFilter } from './deregistration.js';

/** Which bindings a listing shows: a filter, with the moments that bound it. */
export interface BindingQuery {
  readonly filter: DeregistrationFilter;
  /** Expired rows are left out. */
  readonly now: Instant;
  /** Only bindings registered then or before. */
  readonly registeredUpTo?: Instant | undefined;
}

/** Who an address-of-record belongs to. */
export interface Owner {
  readonly userId: string;
  readonly aor: AddressOfRecord;
}

/** What one step of the sweep did; `looked` below the limit says that nothing more is due. */
export interface SweepStep {
  readonly looked: number;
  readonly removed: number;
}

/**
 * Where bindings live. Every write is one durable transaction: when its promise resolves, it is on disk.
 * Promises reject with StoreOverloaded or StoreFailed when the store can't take them.
 */
export interface LocationStore {
  /**
   * Reads one address-of-record, lets the pure `decide` rule, and writes its changes, with nothing in between.
   * `decide` may be called again with a newer state before the promise resolves.
   */
  update<Outcome>(
    owner: Owner,
    now: Instant,
    decide: (state: AorState) => Decision<Outcome>,
  ): Promise<Outcome>;

  getBinding(id: string, now: Instant): Promise<Binding | undefined>;
  listBindings(query: BindingQuery, page: PageRequest<BindingSortField>): Promise<Page<Binding>>;
  countBindings(query: BindingQuery): Promise<number>;
  /** How many current bindings use a connection. */
  countOnFlow(flowId: string, now: Instant): Promise<number>;
  ownerOf(userIdOrAor: { readonly userId: string } | { readonly aor: string }): Promise<Owner | undefined>;

  /**
   * One step of the expiry sweep: looks at no more than `limit` rows that may have expired, and removes those
   * whose time has passed, checked in the same transaction (cause `expired`).
   */
  sweep(now: Instant, limit: number): Promise<SweepStep>;

  saveDeregistration(deregistration: Deregistration): Promise<void>;
  getDeregistration(id: string): Promise<Deregistration | undefined>;
  listDeregistrations(page: PageRequest<'created_at'>): Promise<Page<Deregistration>>;
  /** Those that a restart interrupted. */
  runningDeregistrations(): Promise<readonly Deregistration[]>;

  /** Calls `listener` right after each COMMIT with what it changed, whoever asked for it. */
  onChanges(listener: (changes: readonly BindingChange[]) => void): void;
}

/** Closes connections; what the location service knows of transports. */
export interface FlowControl {
  /** False when the connection was gone already. */
  close(flowId: string): boolean;
}
