import { describe, expect, test } from 'vitest';
import { expiresOf } from '../support/sip-answer.js';
import { serverWithAlice } from '../support/test-server.js';
import { VirtualClock } from '../support/virtual-clock.js';

const DESK = 'sip:alice@192.0.2.1:5060';
const CELL = 'sip:alice@192.0.2.2:5060';

describe('Call-ID and CSeq (RFC 3261 §10.3 steps 6 and 7)', () => {
  test.each([
    ['equal', 7],
    ['lower', 6],
  ])(
    '1: a REGISTER with the same Call-ID and an %s CSeq is refused with 500 and changes nothing',
    async (_, cseq) => {
      const clock = new VirtualClock();
      const server = await serverWithAlice({ clock });
      const phone = await server.phone('alice');
      await phone.register({ callId: 'desk', cseq: 7, contacts: [`<${DESK}>`], expires: 600 });
      clock.advanceSeconds(10);

      const late = await phone.register({
        callId: 'desk',
        cseq,
        contacts: [`<${DESK}>;q=0.1`],
        expires: 900,
      });

      expect(late.status).toBe(500);
      expect(late.values('Contact')).toEqual([]);
      const query = await phone.query();
      expect(query.contacts()).toEqual([`<${DESK}>`]);
      expect(expiresOf(query, DESK)).toBe(590);
      expect((await server.bindings('sip:alice@example.com')).map(({ cseq }) => cseq)).toEqual([7]);
    },
  );

  test('1: a late removal is refused like a late refresh', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    await phone.register({ callId: 'desk', cseq: 7, contacts: [`<${DESK}>`] });

    const late = await phone.register({ callId: 'desk', cseq: 7, contacts: [`<${DESK}>`], expires: 0 });

    expect(late.status).toBe(500);
    expect((await phone.query()).contacts()).toEqual([`<${DESK}>`]);
  });

  test('1: the next higher CSeq refreshes the binding', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    await phone.register({ callId: 'desk', cseq: 7, contacts: [`<${DESK}>`], expires: 600 });

    const next = await phone.register({ callId: 'desk', cseq: 8, contacts: [`<${DESK}>`], expires: 900 });

    expect(next.status).toBe(200);
    expect(expiresOf(next, DESK)).toBe(900);
  });

  test('2: with another Call-ID any CSeq is accepted, and both stored values become the new ones', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    await phone.register({ callId: 'before', cseq: 700, contacts: [`<${DESK}>`] });

    const rebooted = await phone.register({ callId: 'after', cseq: 1, contacts: [`<${DESK}>`] });

    expect(rebooted.status).toBe(200);
    expect(await server.bindings('sip:alice@example.com')).toMatchObject([{ call_id: 'after', cseq: 1 }]);
    const late = await phone.register({ callId: 'after', cseq: 1, contacts: [`<${DESK}>`] });
    expect(late.status).toBe(500);
    const older = await phone.register({ callId: 'before', cseq: 1, contacts: [`<${DESK}>`] });
    expect(older.status).toBe(200);
  });

  test('3: a * is compared with each binding, and one that it is not newer than keeps them all', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    await phone.register({ callId: 'desk', cseq: 5, contacts: [`<${DESK}>`] });
    await phone.register({ callId: 'cell', cseq: 9, contacts: [`<${CELL}>`] });

    const stale = await phone.register({ callId: 'cell', cseq: 9, contacts: ['*'], expires: 0 });

    expect(stale.status).toBe(500);
    expect((await phone.query()).contacts().toSorted()).toEqual([`<${DESK}>`, `<${CELL}>`]);
    const newer = await phone.register({ callId: 'cell', cseq: 10, contacts: ['*'], expires: 0 });
    expect(newer.status).toBe(200);
    expect((await phone.query()).contacts()).toEqual([]);
  });

  test('R1: the 500 says in its reason phrase that the CSeq was not higher', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    await phone.register({ callId: 'desk', cseq: 7, contacts: [`<${DESK}>`] });

    const late = await phone.register({ callId: 'desk', cseq: 7, contacts: [`<${DESK}>`] });

    expect([late.status, late.reason]).toEqual([500, 'CSeq Not Higher Than Last Time']);
  });

  test('R1: it is counted and logged under its own name', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    await phone.register({ callId: 'desk', cseq: 7, contacts: [`<${DESK}>`] });
    await phone.register({ callId: 'desk', cseq: 7, contacts: [`<${DESK}>`] });

    expect(server.logged('registration.rejected')).toMatchObject([{ reason: 'out_of_order', status: 500 }]);
    expect(await server.metrics()).toMatch(/^\w+\{.*reason="out_of_order".*\} 1$/m);
  });

  test('R1: with fresh_nonce a nonce issued after the last update restarts the sequence', async () => {
    const clock = new VirtualClock();
    const server = await serverWithAlice({ clock, domain: { sequence: 'fresh_nonce' } });
    const phone = await server.phone('alice');
    await phone.register({ callId: 'fixed', cseq: 50, contacts: [`<${DESK}>`] });
    clock.advanceSeconds(1);

    const rebooted = await server.phone('alice');
    const answer = await rebooted.register({ callId: 'fixed', cseq: 1, contacts: [`<${DESK}>`] });

    expect(answer.status).toBe(200);
    expect(await server.bindings('sip:alice@example.com')).toMatchObject([{ call_id: 'fixed', cseq: 1 }]);
  });

  test('R1: with fresh_nonce a nonce from before the last update proves nothing', async () => {
    const clock = new VirtualClock();
    const server = await serverWithAlice({ clock, domain: { sequence: 'fresh_nonce' } });
    const phone = await server.phone('alice');
    await phone.fetchChallenge();
    clock.advanceSeconds(1);
    await phone.register({ callId: 'fixed', cseq: 50, contacts: [`<${DESK}>`] });

    const copy = await phone.register({ callId: 'fixed', cseq: 50, contacts: [`<${DESK}>`] });

    expect(copy.status).toBe(500);
  });

  test('R1: strict is the default, and a fresh nonce alone restarts nothing', async () => {
    const clock = new VirtualClock();
    const server = await serverWithAlice({ clock });
    const phone = await server.phone('alice');
    await phone.register({ callId: 'fixed', cseq: 50, contacts: [`<${DESK}>`] });
    clock.advanceSeconds(1);

    const rebooted = await server.phone('alice');
    const answer = await rebooted.register({ callId: 'fixed', cseq: 1, contacts: [`<${DESK}>`] });

    expect(answer.status).toBe(500);
  });
});
