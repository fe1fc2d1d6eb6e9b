import { describe, expect, it } from 'vitest';
import type { AorState } from '../../src/location/decision.js';
import { decideRegister, type RegisterCommand, type RegisterPolicy } from '../../src/location/register.js';
import { binding, contact, idsFrom, listed, NOW, open, POLICY, told, update } from './commands.js';

const A = 'sip:alice@192.0.2.1:5060';
const B = 'sip:alice@192.0.2.2:5060';
const C = 'sip:alice@192.0.2.3:5060';

function decide(state: AorState, command: RegisterCommand, policy: Partial<RegisterPolicy> = {}) {
  return decideRegister(state, command, { ...POLICY, ...policy }, NOW, idsFrom());
}

/** Decides, and holds the outcome's kind and the changes to what is expected. */
function check(
  state: AorState,
  command: RegisterCommand,
  expected: {
    readonly kind: string;
    readonly changes?: readonly string[];
    readonly list?: readonly string[];
  },
  policy: Partial<RegisterPolicy> = {},
): void {
  const decision = decide(state, command, policy);
  expect(decision.outcome.kind).toBe(expected.kind);
  expect(told(decision.changes)).toEqual(expected.changes ?? []);
  if (expected.list !== undefined) expect(listed(decision.outcome)).toEqual(expected.list);
}

const all = (changes: Partial<RegisterCommand> = {}) =>
  update([], { action: { kind: 'remove_all' }, ...changes });
const query = update([], { action: { kind: 'query' } });

describe('a call script', () => {
  it('R11: is part of what succeeds, and of nothing that is refused', () => {
    const command = (cseq: number) => update([contact(A, 3600)], { cseq, callScript: '<cpl/>' });
    expect(decide(open(binding(A)), command(11)).callScript).toBe('<cpl/>');
    expect('callScript' in decide(open(binding(A)), command(10))).toBe(false);
  });
});

describe('sequence', () => {
  it.each([
    ['lower', 9],
    ['equal', 10],
  ])('1, R1: a CSeq that is %s under the same Call-ID changes nothing', (_, cseq) => {
    check(open(binding(A)), update([contact(A, 3600)], { cseq }), { kind: 'out_of_order' });
    check(open(binding(A)), update([contact(A, 0)], { cseq }), { kind: 'out_of_order' });
  });

  it('1: a higher CSeq refreshes', () => {
    check(open(binding(A)), update([contact(A, 3600)], { cseq: 11 }), {
      kind: 'registered',
      changes: [`refreshed ${A}`],
    });
  });

  it('2: another Call-ID takes any CSeq, and both are stored', () => {
    const { changes } = decide(open(binding(A)), update([contact(A, 3600)], { callId: 'call-2', cseq: 1 }));
    expect(changes[0]?.binding).toMatchObject({ callId: 'call-2', cseq: 1 });
  });

  it('1: a contact that is not bound yet has no sequence to break', () => {
    check(open(binding(A)), update([contact(B, 3600)], { cseq: 1 }), {
      kind: 'registered',
      changes: [`created ${B}`],
    });
  });

  it('3: * is held against the sequence of each binding, and one that is younger keeps them all', () => {
    const state = open(binding(A, { cseq: 3 }), binding(B, { cseq: 30 }));
    check(state, all({ cseq: 11 }), { kind: 'out_of_order' });
    check(state, all({ cseq: 31 }), {
      kind: 'registered',
      changes: [`removed ${A} (unregistered)`, `removed ${B} (unregistered)`],
      list: [],
    });
  });

  it('3: * under another Call-ID removes all', () => {
    check(open(binding(A), binding(B)), all({ callId: 'other', cseq: 1 }), {
      kind: 'registered',
      changes: [`removed ${A} (unregistered)`, `removed ${B} (unregistered)`],
      list: [],
    });
  });

  it('3: * with nothing bound is a 200', () => {
    check(open(), all(), { kind: 'registered', list: [] });
  });

  it('R1: fresh_nonce lets a restarted phone begin anew with a nonce younger than the binding', () => {
    const restarted = update([contact(A, 3600)], { cseq: 1, nonceIssuedAt: NOW - 5_000 });
    check(open(binding(A)), restarted, { kind: 'out_of_order' });
    check(
      open(binding(A)),
      restarted,
      { kind: 'registered', changes: [`refreshed ${A}`] },
      { sequence: 'fresh_nonce' },
    );
  });

  it.each([
    ['older than the last update', NOW - 10_001],
    ['of the very instant of the last update', NOW - 10_000],
  ])('R1: fresh_nonce still refuses a nonce %s', (_, nonceIssuedAt) => {
    const late = update([contact(A, 3600)], { cseq: 1, nonceIssuedAt });
    check(open(binding(A)), late, { kind: 'out_of_order' }, { sequence: 'fresh_nonce' });
  });
});

describe('contacts', () => {
  it('5: a second contact that is refused keeps the first from being stored', () => {
    check(open(binding(B, { cseq: 99 })), update([contact(A, 3600), contact(B, 3600)]), {
      kind: 'out_of_order',
    });
    check(open(), update([contact(A, 3600), contact(B, 5)]), { kind: 'interval_too_brief' });
    check(
      open(),
      update([contact(A, 3600), contact(B, 3600)]),
      { kind: 'too_many_bindings' },
      { maxBindings: 1 },
    );
  });

  it('6: expires=0 removes that contact only', () => {
    check(open(binding(A), binding(B)), update([contact(A, 0)]), {
      kind: 'registered',
      changes: [`removed ${A} (unregistered)`],
      list: [B],
    });
  });

  it('6: removing a contact that is not bound is no error', () => {
    check(open(binding(A)), update([contact(B, 0)]), { kind: 'registered', list: [A] });
  });

  it('7: one request adds, refreshes and removes', () => {
    check(open(binding(A), binding(B)), update([contact(A, 0), contact(B, 600), contact(C, 600)]), {
      kind: 'registered',
      changes: [`removed ${A} (unregistered)`, `refreshed ${B}`, `created ${C}`],
    });
  });

  it('7: the same contact removed and bound again in one request is a new binding', () => {
    check(open(binding(A)), update([contact(A, 0), contact(A, 600)]), {
      kind: 'registered',
      changes: [`removed ${A} (unregistered)`, `created ${A}`],
      list: [A],
    });
  });

  it('the same contact twice in one request is one binding, as the last one says', () => {
    const { outcome } = decide(open(), update([contact(A, 600), contact(A, 700)]));
    expect(outcome.kind === 'registered' && outcome.bindings.map(({ expiresAt }) => expiresAt)).toEqual([
      NOW + 700_000,
    ]);
  });

  it('8: a query changes nothing and lists everything', () => {
    check(open(binding(A), binding(B)), query, { kind: 'registered', list: [A, B] });
    check(open(), query, { kind: 'registered', list: [] });
  });

  it('8: a query does not reorder the state it was given', () => {
    const state = open(binding(A, { qThousandths: 100 }), binding(B, { qThousandths: 900 }));
    expect(listed(decide(state, query).outcome)).toEqual([B, A]);
    expect(state.bindings.map((bound) => bound.contact)).toEqual([A, B]);
  });

  it("9: the list holds other devices' bindings as well", () => {
    check(open(binding(B), binding(C)), update([contact(A, 600)]), {
      kind: 'registered',
      changes: [`created ${A}`],
      list: [A, B, C],
    });
  });

  it('a binding keeps its id and its beginning through refreshes', () => {
    const before = binding(A);
    const { changes } = decide(open(before), update([contact(A, 600)]));
    expect(changes[0]?.binding).toMatchObject({
      id: before.id,
      registeredAt: before.registeredAt,
      refreshedAt: NOW,
    });
  });

  it.each<[string, Partial<RegisterCommand>, string, string]>([
    ['only time and sequence moved', {}, '', 'refreshed'],
    [
      'the flow is another one',
      { received: { transport: 'udp', ip: '192.0.2.1', port: 5060, flowId: 'flw_2' } },
      '',
      'refreshed',
    ],
    [
      'it comes from elsewhere',
      { received: { transport: 'udp', ip: '192.0.2.9', port: 5060, flowId: null } },
      '',
      'updated',
    ],
    [
      'it comes from another port',
      { received: { transport: 'udp', ip: '192.0.2.1', port: 9, flowId: null } },
      '',
      'updated',
    ],
    [
      'the transport is another one',
      { received: { transport: 'tcp', ip: '192.0.2.1', port: 5060, flowId: null } },
      '',
      'updated',
    ],
    ['the phone has new firmware', { userAgent: 'Phone/2.0' }, '', 'updated'],
    ['another credential was used', { credentialId: 'crd_2' }, '', 'updated'],
    ['the contact has other parameters', {}, ';q=0.5', 'updated'],
  ])('when %s', (_, changes, contactParams, kind) => {
    const command = update([contact(A, 600, { contactParams })], changes);
    expect(decide(open(binding(A)), command).changes.map((change) => change.kind)).toEqual([kind]);
  });
});

describe('expires', () => {
  it.each<[string, number | undefined, Partial<RegisterPolicy>, number | 'interval_too_brief']>([
    ['11: nothing asked takes the default', undefined, { defaultExpiresSeconds: 1800 }, 1800],
    ['14, R3: what is asked is granted', 600, {}, 600],
    ['14, R3: more than the maximum is shortened to it', 100_000, {}, 86_400],
    ['12: the clamp of 2^32 - 1 is shortened as well', 4_294_967_295, {}, 86_400],
    ['13: the minimum itself is granted', 60, {}, 60],
    ['13: below the minimum and one hour', 59, {}, 'interval_too_brief'],
    ['13: one second', 1, {}, 'interval_too_brief'],
    ['13: a minimum of two hours does not refuse one hour', 3600, { minExpiresSeconds: 7200 }, 3600],
    ['13: a minimum of two hours does not refuse 5000 s', 5000, { minExpiresSeconds: 7200 }, 5000],
    [
      '13: a minimum of two hours refuses less than one hour',
      3599,
      { minExpiresSeconds: 7200 },
      'interval_too_brief',
    ],
  ])('%s', (_, asked, policy, expected) => {
    const { outcome } = decide(open(), update([contact(A, asked)]), policy);
    if (expected === 'interval_too_brief') {
      expect(outcome).toEqual({ kind: expected, minExpiresSeconds: policy.minExpiresSeconds ?? 60 });
    } else {
      expect(outcome.kind === 'registered' && outcome.bindings[0]?.expiresAt).toBe(NOW + expected * 1000);
    }
  });

  it('13: zero is never too brief', () => {
    check(open(binding(A)), update([contact(A, 0)]), {
      kind: 'registered',
      changes: [`removed ${A} (unregistered)`],
    });
  });

  it('14: a refresh that asks for less shortens the binding', () => {
    const { changes } = decide(open(binding(A)), update([contact(A, 60)]));
    expect(changes[0]?.binding.expiresAt).toBe(NOW + 60_000);
  });
});

describe('several bindings that match one contact', () => {
  const ON = `${A};security=on`;
  const OFF = `${A};security=off`;

  it('20: two bindings that differ from each other both match the bare contact; the youngest is refreshed', () => {
    const state = open(binding(ON, { refreshedAt: NOW - 9_000 }), binding(OFF, { refreshedAt: NOW - 8_000 }));
    const { changes } = decide(state, update([contact(A, 600)]));
    expect(changes).toHaveLength(1);
    expect(changes[0]).toMatchObject({ kind: 'updated', before: { contact: OFF }, binding: { contact: A } });
  });

  it('20: the one with the very same octets comes before a younger one', () => {
    const state = open(binding(A, { refreshedAt: NOW - 9_000 }), binding(ON, { refreshedAt: NOW - 1_000 }));
    check(state, update([contact(A, 600)]), { kind: 'registered', changes: [`refreshed ${A}`] });
  });

  it('20: a removal takes them all', () => {
    check(open(binding(ON), binding(OFF)), update([contact(A, 0)]), {
      kind: 'registered',
      changes: [`removed ${ON} (unregistered)`, `removed ${OFF} (unregistered)`],
      list: [],
    });
  });

  it('20: each of them must allow the sequence', () => {
    check(open(binding(ON, { cseq: 1 }), binding(OFF, { cseq: 99 })), update([contact(A, 0)]), {
      kind: 'out_of_order',
    });
  });
});

describe('limits', () => {
  const state = open(
    binding(A, { refreshedAt: NOW - 3_000, expiresAt: NOW + 50_500 }),
    binding(B, { refreshedAt: NOW - 2_000, expiresAt: NOW + 70_000 }),
  );

  it('R2: one too many is refused, with the time until there is room', () => {
    const { outcome, changes } = decide(state, update([contact(C, 600)]), { maxBindings: 2 });
    expect(outcome).toEqual({ kind: 'too_many_bindings', limit: 2, retryAfterSeconds: 51 });
    expect(changes).toEqual([]);
  });

  it('R2: the time until there is room is at most five minutes, and at least a second', () => {
    const later = (expiresAt: number) =>
      decide(open(binding(A, { expiresAt })), update([contact(C, 600)]), { maxBindings: 1 }).outcome;
    expect(later(NOW + 9_000_000)).toMatchObject({ retryAfterSeconds: 300 });
    expect(later(NOW + 1)).toMatchObject({ retryAfterSeconds: 1 });
  });

  it('52: a refresh at the limit is no newcomer', () => {
    check(
      state,
      update([contact(A, 600)]),
      { kind: 'registered', changes: [`refreshed ${A}`] },
      { maxBindings: 2 },
    );
  });

  it('52: what the same request removes makes room', () => {
    check(
      state,
      update([contact(C, 600), contact(A, 0)]),
      { kind: 'registered', changes: [`removed ${A} (unregistered)`, `created ${C}`] },
      { maxBindings: 2 },
    );
  });

  it('52: phones that were bound before a limit was lowered stay, but none comes in addition', () => {
    check(
      state,
      update([contact(A, 600)]),
      { kind: 'registered', changes: [`refreshed ${A}`] },
      { maxBindings: 1 },
    );
    check(state, update([contact(C, 600)]), { kind: 'too_many_bindings' }, { maxBindings: 1 });
  });

  it('R2: evict_oldest drops the one refreshed longest ago, and says so', () => {
    check(
      state,
      update([contact(C, 600)]),
      { kind: 'registered', changes: [`removed ${A} (evicted)`, `created ${C}`] },
      { maxBindings: 2, overflow: 'evict_oldest' },
    );
  });

  it('R2: evict_oldest never drops what the request itself binds', () => {
    check(
      state,
      update([contact(A, 600), contact(C, 600)]),
      { kind: 'registered', changes: [`refreshed ${A}`, `removed ${B} (evicted)`, `created ${C}`] },
      { maxBindings: 2, overflow: 'evict_oldest' },
    );
    check(
      state,
      update([contact(A, 600), contact(B, 600), contact(C, 600)]),
      { kind: 'too_many_bindings' },
      { maxBindings: 2, overflow: 'evict_oldest' },
    );
  });
});

describe('standing', () => {
  it.each([
    ['a query', query],
    ['a registration', update([contact(A, 600)])],
    ['a removal', all()],
  ])('50: a blocked user is refused %s', (_, command) => {
    const state: AorState = { standing: { kind: 'blocked', until: NOW + 1 }, bindings: [binding(A)] };
    expect(decide(state, command)).toEqual({ outcome: { kind: 'blocked', until: NOW + 1 }, changes: [] });
  });

  it('a user deleted since authentication gets nothing', () => {
    const state: AorState = { standing: { kind: 'missing' }, bindings: [] };
    expect(decide(state, update([contact(A, 600)]))).toEqual({
      outcome: { kind: 'account_closed' },
      changes: [],
    });
  });
});

it('55: the list goes by falling q, absent counting as 1, then the newest first', () => {
  const state = open(
    binding('sip:a@h', { qThousandths: 500, registeredAt: 5 }),
    binding('sip:b@h', { registeredAt: 1 }),
    binding('sip:c@h', { qThousandths: 1000, registeredAt: 2 }),
    binding('sip:d@h', { qThousandths: 0, registeredAt: 9 }),
  );
  check(state, query, { kind: 'registered', list: ['sip:c@h', 'sip:b@h', 'sip:a@h', 'sip:d@h'] });
});
