import type { Instant } from '../base/clock.js';
import type { Binding } from './binding.js';
import type { AorState, Decision } from './decision.js';

export interface RemoveCommand {
  /** Which bindings of the address-of-record go; `all` for every one. */
  readonly bindingIds: 'all' | ReadonlySet<string>;
  /** Bindings registered after that stay: they came back since the operator asked. */
  readonly registeredUpTo: Instant;
  /** When present, the owner's REGISTERs are refused until then. */
  readonly blockUntil: Instant | undefined;
}

export interface RemoveOutcome {
  readonly removed: readonly Binding[];
  readonly blocked: boolean;
}

/** Decides a forced deregistration of one address-of-record. Pure; removing what is gone already is no error. */
export function decideRemove(state: AorState, command: RemoveCommand): Decision<RemoveOutcome> {
  const { bindingIds, registeredUpTo, blockUntil } = command;
  const removed = state.bindings.filter(
    (binding) =>
      binding.registeredAt <= registeredUpTo && (bindingIds === 'all' || bindingIds.has(binding.id)),
  );
  const blocked = blockUntil !== undefined && state.standing.kind !== 'missing';
  return {
    outcome: { removed, blocked },
    changes: removed.map((binding) => ({ kind: 'removed', binding, cause: 'admin_deregistration' })),
    ...(blocked ? { blockUntil } : {}),
  };
}
