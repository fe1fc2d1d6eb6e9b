import { expect, it } from 'vitest';
import { decideRemove } from '../../src/location/remove.js';
import { binding, NOW, open, told } from './commands.js';

const A = binding('sip:a@h', { id: 'bnd_a', registeredAt: NOW - 20 });
const B = binding('sip:b@h', { id: 'bnd_b', registeredAt: NOW - 10 });
const state = open(A, B);

it('removes the bindings that are named, with the cause', () => {
  const command = { bindingIds: new Set(['bnd_b', 'bnd_gone']), registeredUpTo: NOW, blockUntil: undefined };
  const { outcome, changes } = decideRemove(state, command);
  expect(outcome).toEqual({ removed: [B], blocked: false });
  expect(told(changes)).toEqual(['removed sip:b@h (admin_deregistration)']);
});

it('all means all', () => {
  const { outcome } = decideRemove(state, { bindingIds: 'all', registeredUpTo: NOW, blockUntil: undefined });
  expect(outcome.removed).toEqual([A, B]);
});

it('what came back since the operator asked stays', () => {
  const { outcome } = decideRemove(state, {
    bindingIds: 'all',
    registeredUpTo: NOW - 15,
    blockUntil: undefined,
  });
  expect(outcome.removed).toEqual([A]);
});

it('blocks until the moment given, also a user without bindings', () => {
  const command = { bindingIds: new Set<string>(), registeredUpTo: NOW, blockUntil: NOW + 5 };
  expect(decideRemove(open(), command)).toEqual({
    outcome: { removed: [], blocked: true },
    changes: [],
    blockUntil: NOW + 5,
  });
});

it('a user who is gone can not be blocked', () => {
  const missing = { standing: { kind: 'missing' }, bindings: [] } as const;
  const command = { bindingIds: 'all', registeredUpTo: NOW, blockUntil: NOW + 5 } as const;
  expect(decideRemove(missing, command)).toEqual({ outcome: { removed: [], blocked: false }, changes: [] });
});

it('a block that holds already is prolonged, not refused', () => {
  const blocked = { standing: { kind: 'blocked', until: NOW + 1 }, bindings: [A] } as const;
  const { outcome, blockUntil } = decideRemove(blocked, {
    bindingIds: 'all',
    registeredUpTo: NOW,
    blockUntil: NOW + 5,
  });
  expect([outcome.blocked, blockUntil]).toEqual([true, NOW + 5]);
});
