import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Binding } from '../../src/location/binding.js';
import { decideRegister, type RegisterCommand, type RegisterPolicy } from '../../src/location/register.js';
import { applied, binding, contact, idsFrom, NOW, open, update } from './commands.js';

/* What must hold whatever a phone sends to whatever is bound. */

// Few hosts and parameters, so that contacts match each other often, and not transitively.
const uri = fc
  .tuple(
    fc.constantFrom('a', 'b', 'c', 'd'),
    fc.constantFrom('', ';security=on', ';security=off', ';transport=tcp', '?x=1'),
  )
  .map(([host, rest]) => `sip:alice@${host}.example${rest}`);

const seconds = fc.option(
  fc.oneof(fc.constantFrom(0, 1, 59, 60, 3599, 3600), fc.integer({ min: 0, max: 4_294_967_295 })),
  { nil: undefined },
);

const current: fc.Arbitrary<readonly Binding[]> = fc
  .array(
    fc.record({
      contact: uri,
      callId: fc.constantFrom('call-1', 'call-2'),
      cseq: fc.integer({ min: 0, max: 20 }),
      refreshedAt: fc.integer({ min: NOW - 100_000, max: NOW }),
      expiresAt: fc.integer({ min: NOW + 1, max: NOW + 10_000_000 }),
      qThousandths: fc.option(fc.integer({ min: 0, max: 1000 }), { nil: null }),
    }),
    { maxLength: 6 },
  )
  .map((rows) => rows.map((row, i) => binding(row.contact, { ...row, id: `bnd_${i}` })));

const command: fc.Arbitrary<RegisterCommand> = fc
  .tuple(
    fc.oneof(
      { weight: 1, arbitrary: fc.constant({ kind: 'query' } as const) },
      { weight: 1, arbitrary: fc.constant({ kind: 'remove_all' } as const) },
      {
        weight: 6,
        arbitrary: fc.array(fc.tuple(uri, seconds), { minLength: 1, maxLength: 5 }).map((contacts) => ({
          kind: 'update' as const,
          contacts: contacts.map(([text, asked]) => contact(text, asked)),
        })),
      },
    ),
    fc.constantFrom('call-1', 'call-2', 'call-3'),
    fc.integer({ min: 0, max: 25 }),
    fc.integer({ min: NOW - 100_000, max: NOW }),
  )
  .map(([action, callId, cseq, nonceIssuedAt]) => update([], { action, callId, cseq, nonceIssuedAt }));

const policy: fc.Arbitrary<RegisterPolicy> = fc.record({
  minExpiresSeconds: fc.constantFrom(1, 60, 7200),
  defaultExpiresSeconds: fc.constantFrom(7200, 10_000),
  maxExpiresSeconds: fc.constantFrom(10_000, 86_400),
  maxBindings: fc.integer({ min: 1, max: 6 }),
  overflow: fc.constantFrom('reject' as const, 'evict_oldest' as const),
  sequence: fc.constantFrom('strict' as const, 'fresh_nonce' as const),
});

const RUNS = { numRuns: 2_000 };

function holds(
  predicate: (
    decision: ReturnType<typeof decideRegister>,
    given: {
      readonly current: readonly Binding[];
      readonly command: RegisterCommand;
      readonly policy: RegisterPolicy;
    },
  ) => void,
): void {
  fc.assert(
    fc.property(current, command, policy, (rows, asked, rules) => {
      predicate(decideRegister(open(...rows), asked, rules, NOW, idsFrom()), {
        current: rows,
        command: asked,
        policy: rules,
      });
    }),
    RUNS,
  );
}

it('5: a refusal carries no changes', () => {
  holds(({ outcome, changes }) => {
    if (outcome.kind !== 'registered') expect(changes).toEqual([]);
  });
});

it("5, 9: the changes made to the current rows give exactly the outcome's list", () => {
  holds(({ outcome, changes }, { current: rows }) => {
    if (outcome.kind !== 'registered') return;
    const after = applied(rows, changes);
    expect(outcome.bindings).toHaveLength(after.size);
    for (const bound of outcome.bindings) expect(after.get(bound.id)).toEqual(bound);
  });
});

it('9: nothing that has expired is listed', () => {
  holds(({ outcome }) => {
    if (outcome.kind !== 'registered') return;
    for (const { expiresAt } of outcome.bindings) expect(expiresAt).toBeGreaterThan(NOW);
  });
});

it('14, R3: no more is granted than was asked, nor than the maximum', () => {
  holds(({ changes }, { command: { action }, policy: rules }) => {
    if (action.kind !== 'update') return;
    for (const change of changes) {
      if (change.kind === 'removed') continue;
      const granted = (change.binding.expiresAt - NOW) / 1000;
      expect(granted).toBeLessThanOrEqual(rules.maxExpiresSeconds);
      const asked = action.contacts
        .filter((one) => one.contact === change.binding.contact)
        .map((one) => one.requestedSeconds ?? rules.defaultExpiresSeconds);
      expect(granted).toBeLessThanOrEqual(Math.max(...asked));
    }
  });
});

it('52, R2: a set that grew is within the limit', () => {
  holds(({ outcome }, { current: rows, policy: rules }) => {
    if (outcome.kind !== 'registered') return;
    expect(outcome.bindings.length).toBeLessThanOrEqual(Math.max(rows.length, rules.maxBindings));
  });
});

it('7: a query and a refusal leave every row alone; an eviction happens only where the policy says so', () => {
  holds(({ changes }, { command: { action }, policy: rules }) => {
    if (action.kind === 'query') expect(changes).toEqual([]);
    for (const change of changes) {
      if (change.kind === 'removed' && change.cause === 'evicted')
        expect(rules.overflow).toBe('evict_oldest');
    }
  });
});

it('no row is changed twice in one decision', () => {
  holds(({ changes }) => {
    const ids = changes.map((change) => change.binding.id);
    expect(new Set(ids).size).toBe(ids.length);
  });
});
