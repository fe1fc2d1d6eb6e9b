import type { Instant } from '../../base/clock.js';

/** T1, the estimate of the round-trip time (RFC 3261 §17.1.1.1), in milliseconds. */
export const T1_MS = 500;
/** Timer J: how long a UDP server transaction keeps its response for retransmissions (§17.2.2). */
export const TIMER_J_MS = 64 * T1_MS;

/**
 * The non-INVITE server transaction (RFC 3261 §17.2.2 with RFC 4320: no provisional responses). Before its first
 * request there is none; after timer J there is none again.
 */
export type ServerTransaction =
  | { readonly state: 'trying' }
  | { readonly state: 'completed'; readonly response: Buffer; readonly endsAt: Instant };

export type ServerInput =
  | { readonly kind: 'request' }
  | { readonly kind: 'final_response'; readonly response: Buffer };

export type ServerEffect =
  | { readonly kind: 'pass_up' }
  | { readonly kind: 'send'; readonly response: Buffer };

export interface ServerStep {
  /** Undefined when the transaction has ended. */
  readonly transaction: ServerTransaction | undefined;
  readonly effects: readonly ServerEffect[];
}

const TRYING: ServerTransaction = { state: 'trying' };
const BEGIN: ServerStep = { transaction: TRYING, effects: [{ kind: 'pass_up' }] };
const ABSORB: ServerStep = { transaction: TRYING, effects: [] };

/**
 * One step of the state machine of RFC 3261 figure 8. A request in `trying` is absorbed; in `completed` it gets the
 * very same response. Over a reliable transport timer J is zero: the response ends the transaction.
 */
export function stepServerTransaction(
  transaction: ServerTransaction | undefined,
  input: ServerInput,
  context: { readonly now: Instant; readonly reliable: boolean },
): ServerStep {
  const current =
    transaction?.state === 'completed' && transaction.endsAt <= context.now ? undefined : transaction;
  if (input.kind === 'request') {
    if (current === undefined) return BEGIN;
    if (current.state === 'trying') return ABSORB;
    return { transaction: current, effects: [{ kind: 'send', response: current.response }] };
  }
  const { response } = input;
  return {
    transaction: context.reliable
      ? undefined
      : { state: 'completed', response, endsAt: context.now + TIMER_J_MS },
    effects: [{ kind: 'send', response }],
  };
}
