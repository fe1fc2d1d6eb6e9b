import { describe, expect, test } from 'vitest';
import type { UdpWire } from '../support/sip-wire.js';
import { serverWithAlice } from '../support/test-server.js';
import { VirtualClock } from '../support/virtual-clock.js';

const INVITE = {
  method: 'INVITE',
  requestUri: 'sip:alice@example.com',
  branch: 'z9hG4bKinvite',
  callId: 'call',
  cseq: 7,
  authorization: null,
} as const;

describe('INVITE transactions (RFC 3261 §17.2.1)', () => {
  test.each(['udp', 'tcp'] as const)(
    '32: over %s a retransmitted INVITE gets the very same final response',
    async (transport) => {
      const server = await serverWithAlice({ domain: { routing: 'redirect' } });
      const phone = await server.phone('alice', { transport });
      await phone.register({ contacts: ['<sip:alice@192.0.2.1>'] });
      const octets = phone.compose(INVITE);

      const first = await phone.exchange(octets);
      await phone.register({ contacts: ['<sip:alice@192.0.2.2>'] });
      const again = await phone.exchange(octets);

      expect(first.status).toBe(302);
      expect(again.octets).toBe(first.octets);
    },
  );

  test('32: a final response to INVITE is not sent again by itself, whether there is an ACK or not', async () => {
    const server = await serverWithAlice();
    const wire: UdpWire = await server.udp();
    const phone = await server.phone('alice', { wire });

    wire.send(phone.compose(INVITE));
    const answers = await wire.receiveAllWithin(1_200);
    wire.send(phone.compose({ ...INVITE, method: 'ACK' }));

    expect(answers).toHaveLength(1);
    expect(await wire.receiveAllWithin(100)).toEqual([]);
  });

  test('29: the ACK of a refusal is absorbed', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice', { transport: 'tcp' });

    const refused = await phone.exchange(phone.compose(INVITE));
    phone.wire.send(phone.compose({ ...INVITE, method: 'ACK', to: refused.value('To') }));

    // The next thing that comes is the answer to the next request.
    expect((await phone.exchange(phone.compose({ method: 'OPTIONS' }))).value('CSeq')).toContain('OPTIONS');
  });
});

describe('CANCEL (RFC 3261 §9.2)', () => {
  test.each(['udp', 'tcp'] as const)(
    'R12: over %s a CANCEL of a known INVITE is 200, with the To tag of its answer',
    async (transport) => {
      const server = await serverWithAlice();
      const phone = await server.phone('alice', { transport });
      const refused = await phone.exchange(phone.compose(INVITE));

      const cancelled = await phone.exchange(phone.compose({ ...INVITE, method: 'CANCEL' }));

      expect([cancelled.status, cancelled.value('CSeq')]).toEqual([200, '7 CANCEL']);
      expect(cancelled.value('To')).toBe(refused.value('To'));
    },
  );

  test('R12: a CANCEL of a REGISTER that was answered changes nothing, and is 200', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    const parts = { callId: 'reg', branch: 'z9hG4bKreg' };
    const registered = await phone.register({ ...parts, cseq: 3, contacts: ['<sip:alice@192.0.2.1>'] });

    const cancelled = await phone.exchange(
      phone.compose({ ...parts, cseq: 3, method: 'CANCEL', authorization: null }),
    );

    expect([registered.status, cancelled.status]).toEqual([200, 200]);
    expect(await server.bindings('alice@example.com')).toHaveLength(1);
  });

  test.each([
    ['with another branch', { branch: 'z9hG4bKother' }],
    ['with another Call-ID', { callId: 'other' }],
    ['with another CSeq', { cseq: 8 }],
  ])('R12: a CANCEL %s means nothing that is known: 481', async (_, other) => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    await phone.exchange(phone.compose(INVITE));

    const answer = await phone.exchange(phone.compose({ ...INVITE, ...other, method: 'CANCEL' }));

    expect(answer.status).toBe(481);
  });

  test('R12: a CANCEL that comes after timer H is 481', async () => {
    const clock = new VirtualClock();
    const server = await serverWithAlice({ clock });
    const phone = await server.phone('alice');
    await phone.exchange(phone.compose(INVITE));
    clock.advanceSeconds(33);

    expect((await phone.exchange(phone.compose({ ...INVITE, method: 'CANCEL' }))).status).toBe(481);
  });

  test('R12: a CANCEL without the magic cookie finds its INVITE', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    const via = `SIP/2.0/UDP ${phone.wire.sentBy}`;
    await phone.exchange(phone.compose({ ...INVITE, via }));

    const answer = await phone.exchange(phone.compose({ ...INVITE, via, method: 'CANCEL' }));

    expect(answer.status).toBe(200);
  });
});
