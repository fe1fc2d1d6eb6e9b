import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createLog } from '../../src/base/log.js';
import type { Binding } from '../../src/location/binding.js';
import type { AorState } from '../../src/location/decision.js';
import { LocationService } from '../../src/location/location-service.js';
import { decideRegister, type RegisterCommand, type RegisterOutcome } from '../../src/location/register.js';
import { accountsOf, domain, openStore, user } from '../store/open-store.js';
import { applied, contact, POLICY, update } from './commands.js';

const action: fc.Arbitrary<RegisterCommand['action']> = fc.oneof(
  fc.constant({ kind: 'query' } as const),
  fc.constant({ kind: 'remove_all' } as const),
  fc
    .array(
      fc.tuple(fc.constantFrom('sip:alice@192.0.2.1', 'sip:alice@192.0.2.2'), fc.constantFrom(0, 3600, 30)),
      { minLength: 1, maxLength: 2 },
    )
    .map((contacts) => ({
      kind: 'update' as const,
      contacts: contacts.map(([text, seconds]) => contact(text, seconds)),
    })),
);

/** A REGISTER, and how many turns of the loop pass before it comes. */
const arrival = fc.record({
  action,
  callId: fc.constantFrom('call-1', 'call-2'),
  cseq: fc.integer({ min: 1, max: 3 }),
  turnsBefore: fc.integer({ min: 0, max: 2 }),
});

it('REGISTERs for one address-of-record that cross each other end as if they had come one after the other', async () => {
  const { store, clock } = openStore();
  const accounts = accountsOf(store, clock);
  await domain(accounts);
  const service = new LocationService(store.location, { close: () => false }, clock, createLog('silent'));
  let users = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(arrival, { minLength: 2, maxLength: 4 }), async (arrivals) => {
      const name = `user${users++}`;
      const { id } = await user(accounts, name);
      const commands = arrivals.map(({ action, callId, cseq }) =>
        update([], { action, callId, cseq, userId: id, aor: { user: name, domain: 'example.com' } }),
      );
      const outcomes = await Promise.all(
        commands.map(async (command, i) => {
          for (let n = 0; n < (arrivals[i]?.turnsBefore ?? 0); n++) await turn();
          return service.register(command, POLICY);
        }),
      );
      const { items } = await service.listBindings(
        { userId: id },
        { limit: 50, sort: 'registered_at', descending: false, includeTotal: false },
      );
      const seen = [...outcomes.map(shown), listed(items)];
      const serial = permutations(commands.map((_, i) => i)).map((order) =>
        oneByOne(commands, order, clock.now()),
      );
      expect(serial).toContainEqual(seen);
    }),
    { numRuns: 300 },
  );
});

/** What each command gets, in the commands' order, and what is bound at the end, when they come in this order. */
function oneByOne(commands: readonly RegisterCommand[], order: readonly number[], now: number): string[] {
  const outcomes: string[] = [];
  let ids = 0;
  let state: AorState = { standing: { kind: 'open' }, bindings: [] };
  for (const i of order) {
    const command = commands[i];
    if (command === undefined) continue;
    const { outcome, changes } = decideRegister(state, command, POLICY, now, () => `bnd_${ids++}`);
    outcomes[i] = shown(outcome);
    state = { ...state, bindings: [...applied(state.bindings, changes).values()] };
  }
  return [...outcomes, listed(state.bindings)];
}

function shown(outcome: RegisterOutcome): string {
  return outcome.kind === 'registered' ? `registered ${listed(outcome.bindings)}` : outcome.kind;
}

function listed(bindings: readonly Binding[]): string {
  return bindings
    .map(({ contact: uri, callId, cseq }) => `${uri} ${callId} ${cseq}`)
    .sort()
    .join(', ');
}

function permutations(items: readonly number[]): number[][] {
  if (items.length <= 1) return [[...items]];
  return items.flatMap((item) =>
    permutations(items.filter((other) => other !== item)).map((rest) => [item, ...rest]),
  );
}
