import fc from 'fast-check';
import { expect, it } from 'vitest';
import { StoreFailed } from '../../src/base/store-error.js';
import type { Binding } from '../../src/location/binding.js';
import { decideRegister } from '../../src/location/register.js';
import { decideRemove } from '../../src/location/remove.js';
import type { SqliteStore } from '../../src/store/sqlite/sqlite.js';
import { contact, idsFrom, POLICY, update } from '../location/commands.js';
import type { VirtualClock } from '../support/virtual-clock.js';
import { accountsOf, domain, openStore, user } from './open-store.js';

/*
 * The writer remembers what it read and wrote. Whatever happens in whatever order, what a decision is shown must be
 * what the rows say, which lists and look-ups read afresh.
 */

type Step =
  | {
      readonly kind: 'register';
      readonly who: number;
      readonly contact: number;
      readonly seconds: number;
      readonly callId: string;
    }
  | { readonly kind: 'kick'; readonly who: number }
  | { readonly kind: 'block'; readonly who: number }
  | { readonly kind: 'fail'; readonly who: number }
  | { readonly kind: 'delete'; readonly who: number }
  | { readonly kind: 'sweep' }
  | { readonly kind: 'wait'; readonly seconds: number };

const who = fc.integer({ min: 0, max: 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('register' as const),
      who,
      contact: fc.integer({ min: 0, max: 2 }),
      seconds: fc.constantFrom(0, 60, 90, 600),
      callId: fc.constantFrom('a', 'b'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('kick' as const), who }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('block' as const), who }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('fail' as const), who }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), who }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'sweep' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), seconds: fc.constantFrom(1, 30, 60) }),
  },
);

interface Owner {
  readonly userId: string;
  readonly aor: { readonly user: string; readonly domain: string };
}

function perform(
  store: SqliteStore,
  clock: VirtualClock,
  owners: readonly Owner[],
  newId: () => string,
  cseq: number,
  what: Step,
): Promise<unknown> {
  const now = clock.now();
  if (what.kind === 'sweep') return store.location.sweep(now, 10);
  if (what.kind === 'wait') {
    clock.advanceSeconds(what.seconds);
    return Promise.resolve();
  }
  const owner = owners[what.who];
  if (owner === undefined) throw new Error('nobody');
  switch (what.kind) {
    case 'register': {
      const command = update([contact(`sip:${what.contact}@h`, what.seconds)], {
        ...owner,
        callId: what.callId,
        cseq,
      });
      return store.location.update(owner, now, (state) => decideRegister(state, command, POLICY, now, newId));
    }
    case 'kick':
      return store.location.update(owner, now, (state) =>
        decideRemove(state, { bindingIds: 'all', registeredUpTo: now, blockUntil: undefined }),
      );
    case 'block':
      return store.location.update(owner, now, () => ({
        outcome: undefined,
        changes: [],
        blockUntil: now + 5_000,
      }));
    case 'fail':
      // Refreshes a row, and then falls: with it goes what it had put into the view.
      return store.location.update(owner, now, (state) => ({
        outcome: undefined,
        changes: [
          ...state.bindings.map(
            (before) => ({ kind: 'refreshed', before, binding: { ...before, cseq: 9_999_999 } }) as const,
          ),
          { kind: 'created', binding: { ...state.bindings[0], id: null } as unknown as Binding },
        ],
      }));
    case 'delete':
      return store.accounts.deleteUser(owner.userId, { ifRevision: undefined, now });
  }
}

it('what a decision is shown is what the rows say, whatever happened before', async () => {
  const opened = openStore({ path: ':memory:' });
  const accounts = accountsOf(opened.store, opened.clock);
  await domain(accounts);
  let scenes = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(step, { minLength: 1, maxLength: 3 }), { maxLength: 12 }),
      async (turns) => {
        scenes++;
        const { store, clock } = opened;
        const owners: Owner[] = [];
        for (const name of ['x', 'y']) {
          const { id } = await user(accounts, `${name}${scenes}`);
          owners.push({ userId: id, aor: { user: `${name}${scenes}`, domain: 'example.com' } });
        }
        const newId = idsFrom(`bnd_${scenes}_`);
        let cseq = 0;
        for (const turn of turns) {
          // The steps of a turn share a transaction.
          const results = await Promise.allSettled(
            turn.map((what) => perform(store, clock, owners, newId, ++cseq, what)),
          );
          for (const result of results) {
            if (result.status === 'rejected') expect(result.reason).not.toBeInstanceOf(StoreFailed);
          }
          for (const owner of owners) {
            const now = clock.now();
            const shown = await store.location.update(owner, now, (state) => ({
              outcome: state,
              changes: [],
            }));
            const rows = await store.location.listBindings(
              { filter: { userId: owner.userId }, now },
              { limit: 99, sort: 'registered_at', descending: false, includeTotal: false },
            );
            const byId = (a: Binding, b: Binding) => (a.id < b.id ? -1 : 1);
            expect([...shown.bindings].sort(byId)).toEqual([...rows.items].sort(byId));
            const known = await store.accounts.getUser(owner.userId, now);
            const until = known?.blockedUntil ?? null;
            const standing =
              known === undefined ? 'missing' : until !== null && until > now ? 'blocked' : 'open';
            expect(shown.standing.kind).toBe(standing);
          }
        }
      },
    ),
    { numRuns: 150 },
  );
}, 30_000);
