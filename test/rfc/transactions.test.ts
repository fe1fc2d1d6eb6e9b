import { describe, expect, test } from 'vitest';
import type { UdpWire } from '../support/sip-wire.js';
import { serverWithAlice } from '../support/test-server.js';
import { VirtualClock } from '../support/virtual-clock.js';

const DESK = 'sip:alice@192.0.2.1:5060';

describe('Retransmissions and copies (RFC 3261 §17.2, §8.2.2.2)', () => {
  test('32: a retransmission over UDP gets the very same response, with no second store and no second event', async () => {
    const clock = new VirtualClock();
    const server = await serverWithAlice({ clock });
    const phone = await server.phone('alice');
    await phone.fetchChallenge();
    const octets = phone.compose({ contacts: [`<${DESK}>`], expires: 600 });
    const first = await phone.exchange(octets);
    const stored = await server.bindings('alice@example.com');
    clock.advanceSeconds(31);

    const second = await phone.exchange(octets);

    expect(first.status).toBe(200);
    expect(second.octets).toBe(first.octets);
    expect(
      (await server.bindings('alice@example.com')).map(({ expires_in_seconds: _, ...rest }) => rest),
    ).toEqual(stored.map(({ expires_in_seconds: _, ...rest }) => rest));
    expect(server.logged('binding.created')).toHaveLength(1);
    expect(server.logged('binding.refreshed')).toHaveLength(0);
    // A second use of the nonce count would have been a replay.
    expect(server.logged('registration.rejected')).toEqual([]);
  });

  test('32: a retransmission of the first, unauthenticated REGISTER gets the same challenge', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    const octets = phone.compose({ contacts: [`<${DESK}>`] });

    const first = await phone.exchange(octets);

    expect(first.status).toBe(401);
    expect((await phone.exchange(octets)).octets).toBe(first.octets);
  });

  test('32: a retransmission that overtakes the answer is absorbed, and both get one response each at most', async () => {
    const server = await serverWithAlice();
    const wire: UdpWire = await server.udp();
    const phone = await server.phone('alice', { wire });
    await phone.fetchChallenge();
    const octets = phone.compose({ contacts: [`<${DESK}>`] });

    for (let i = 0; i < 5; i++) wire.send(octets);
    const answers = await wire.receiveAllWithin(300);

    expect(answers.length).toBeGreaterThanOrEqual(1);
    expect(new Set(answers).size).toBe(1);
    expect(answers[0]).toMatch(/^SIP\/2\.0 200 /);
    expect(server.logged('binding.created')).toHaveLength(1);
    expect(server.logged('registration.rejected')).toEqual([]);
  });

  test('32: after 64*T1 the transaction is forgotten, and the same octets are a new request', async () => {
    const clock = new VirtualClock();
    const server = await serverWithAlice({ clock });
    const phone = await server.phone('alice');
    await phone.fetchChallenge();
    const octets = phone.compose({ contacts: [`<${DESK}>`] });
    await phone.exchange(octets);
    clock.advanceSeconds(33);

    const late = await phone.exchange(octets);

    // Its nonce count has been used: a replay, and no failed password.
    expect(late.status).toBe(401);
    expect(late.value('WWW-Authenticate')).toContain('stale=true');
  });

  test('32: over TCP timer J is zero: the same octets are a new request at once', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice', { transport: 'tcp' });
    await phone.fetchChallenge();
    const octets = phone.compose({ contacts: [`<${DESK}>`] });

    expect((await phone.exchange(octets)).status).toBe(200);
    expect((await phone.exchange(octets)).status).toBe(401);
  });

  test('33: the same branch with another sent-by is a new transaction', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    const via = (host: string) => `SIP/2.0/UDP ${host};branch=z9hG4bKsame;rport`;
    const octets = phone.compose({ via: via('one.example.net'), callId: 'x', cseq: 1 });

    const first = await phone.exchange(octets);
    const second = await phone.exchange(octets.replace('one.example.net', 'two.example.net'));

    expect([first.status, second.status]).toEqual([401, 401]);
    expect(second.value('WWW-Authenticate')).not.toBe(first.value('WWW-Authenticate'));
  });

  test('33: the same branch with another method is a new transaction', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    const parts = { branch: 'z9hG4bKsame', callId: 'x', cseq: 1 };

    const register = await phone.exchange(phone.compose(parts));
    const options = await phone.exchange(phone.compose({ ...parts, method: 'OPTIONS' }));

    expect([register.status, options.status]).toEqual([401, 200]);
  });

  test('33: without the magic cookie the tuple of RFC 2543 tells retransmissions', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    const via = `SIP/2.0/UDP ${phone.wire.sentBy};branch=1`;
    const octets = phone.compose({ via, callId: 'old', cseq: 1 });

    const first = await phone.exchange(octets);
    const again = await phone.exchange(octets);
    const next = await phone.exchange(phone.compose({ via, callId: 'old', cseq: 2 }));

    expect(again.octets).toBe(first.octets);
    expect([next.status, next.value('CSeq')]).toEqual([401, '2 REGISTER']);
  });

  test('34: a copy that came another way while the first is in progress is answered 482', async () => {
    const server = await serverWithAlice();
    const wire = await server.tcp();
    const phone = await server.phone('alice', { wire });
    await phone.fetchChallenge();
    const parts = { callId: 'merged', cseq: 9, contacts: [`<${DESK}>`] };
    const authorization = phone.authorization();
    const octets = [
      phone.compose({ ...parts, branch: 'z9hG4bKone', authorization }),
      phone.compose({ ...parts, branch: 'z9hG4bKtwo', authorization }),
    ];

    // In one segment, so that the second is read while the first waits for its COMMIT.
    wire.send(octets.join(''));
    const statuses = [(await wire.receive()).status, (await wire.receive()).status].toSorted();

    expect(statuses).toEqual([200, 482]);
    expect(server.logged('binding.created')).toHaveLength(1);
  });

  test('34: once the first is answered, the next request with its Call-ID goes through', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    expect((await phone.register({ contacts: [`<${DESK}>`] })).status).toBe(200);
    expect((await phone.register({ contacts: [`<${DESK}>`] })).status).toBe(200);
  });
});
