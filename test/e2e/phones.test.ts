import { afterEach, describe, expect, test, vi } from 'vitest';
import { expiresOf } from '../support/sip-answer.js';
import { serverWithAlice, TestServer } from '../support/test-server.js';
import { VirtualClock } from '../support/virtual-clock.js';

const ALICE = 'sip:alice@example.com';

/** Lets what is on its way over loopback arrive, by turns of the event loop instead of a timer. */
async function turns(): Promise<void> {
  for (let i = 0; i < 200; i++) await new Promise((resolve) => setImmediate(resolve));
}

describe('Two phones of one user', () => {
  test('each finds both in its 200, and refreshes, moves and leaves without touching the other', async () => {
    const clock = new VirtualClock();
    const server = await serverWithAlice({ clock });
    const desk = await server.phone('alice');
    const cell = await server.phone('alice', { transport: 'tcp' });
    const both = [`<${desk.contact}>`, `<${cell.contact}>`].toSorted();

    await desk.register({ contacts: [`<${desk.contact}>`], expires: 600 });
    const joined = await cell.register({ contacts: [`<${cell.contact}>`], expires: 300 });
    expect(joined.contacts().toSorted()).toEqual(both);
    clock.advanceSeconds(200);
    const refreshed = await desk.register({ contacts: [`<${desk.contact}>`], expires: 600 });
    expect(refreshed.contacts().toSorted()).toEqual(both);
    expect([expiresOf(refreshed, desk.contact), expiresOf(refreshed, cell.contact)]).toEqual([600, 100]);
    const left = await cell.register({ contacts: [`<${cell.contact}>`], expires: 0 });

    expect(left.contacts()).toEqual([`<${desk.contact}>`]);
    expect(await server.bindings(ALICE)).toMatchObject([
      { contact: desk.contact, received: { transport: 'udp', port: desk.wire.localPort } },
    ]);
  });

  test('the binding of each shows where it really came from, with what, and until when', async () => {
    const clock = new VirtualClock();
    const server = await serverWithAlice({ clock });
    const desk = await server.phone('alice');
    const cell = await server.phone('alice', { transport: 'tcp' });

    await desk.register({
      contacts: ['<sip:alice@10.0.0.7>'],
      headers: ['User-Agent: Desk/1'],
      expires: 600,
    });
    await cell.register({
      contacts: ['<sip:alice@10.0.0.8>'],
      headers: ['User-Agent: Cell/2'],
      expires: 300,
    });

    const bindings = await server.bindings(ALICE);
    expect(bindings.toSorted((a, b) => a.contact.localeCompare(b.contact))).toMatchObject([
      {
        aor: ALICE,
        contact: 'sip:alice@10.0.0.7',
        user_agent: 'Desk/1',
        received: { transport: 'udp', ip: '127.0.0.1', port: desk.wire.localPort },
        flow: null,
        call_id: desk.callId,
        cseq: 1,
        expires_in_seconds: 600,
        expires_at: new Date(clock.at + 600_000).toISOString(),
      },
      {
        contact: 'sip:alice@10.0.0.8',
        user_agent: 'Cell/2',
        received: { transport: 'tcp', ip: '127.0.0.1', port: cell.wire.localPort },
        flow: { id: expect.stringMatching(/^flw_/) },
        expires_in_seconds: 300,
      },
    ]);
  });

  test('a phone that moved to another port is reached there from then on', async () => {
    const server = await serverWithAlice();
    const before = await server.phone('alice');
    const after = await server.phone('alice');
    await before.register({ contacts: ['<sip:alice@10.0.0.7>'], callId: 'phone', cseq: 1 });

    await after.register({ contacts: ['<sip:alice@10.0.0.7>'], callId: 'phone', cseq: 2 });

    expect(await server.bindings(ALICE)).toMatchObject([{ received: { port: after.wire.localPort } }]);
    expect(server.logged('binding.updated')).toHaveLength(1);
  });
});

describe('A storm of retransmissions', () => {
  test('twenty phones that send each REGISTER ten times get one binding each, and one answer in their octets', async () => {
    const server = await TestServer.start();
    await server.addDomain('example.com');
    const users = Array.from({ length: 20 }, (_, n) => `phone${n}`);
    for (const user of users) await server.addUser(user, 'example.com');
    const storm = await Promise.all(
      users.map(async (user) => {
        const wire = await server.udp();
        const phone = await server.phone(user, { wire });
        await phone.fetchChallenge();
        return { wire, octets: phone.compose({ contacts: [`<${phone.contact}>`] }) };
      }),
    );

    for (let copy = 0; copy < 10; copy++) for (const { wire, octets } of storm) wire.send(octets);

    const answers = await Promise.all(storm.map(({ wire }) => wire.receiveAllWithin(800)));
    for (const received of answers) {
      expect(received.length).toBeGreaterThanOrEqual(1);
      expect(new Set(received).size).toBe(1);
      expect(received[0]).toMatch(/^SIP\/2\.0 200 OK\r\n/);
    }
    expect(server.logged('binding.created')).toHaveLength(users.length);
    expect(server.logged('binding.refreshed')).toEqual([]);
    expect(server.logged('registration.rejected')).toEqual([]);
  });

  test('a phone that hears nothing repeats at T1, 2*T1, 4*T1 and is answered each time with the same', async () => {
    const clock = new VirtualClock();
    const server = await serverWithAlice({ clock });
    const phone = await server.phone('alice');
    await phone.fetchChallenge();
    const octets = phone.compose({ contacts: [`<${phone.contact}>`] });
    const first = await phone.exchange(octets);

    for (const seconds of [0.5, 1, 2, 4, 4, 4, 4, 4, 4, 4]) {
      clock.advanceSeconds(seconds);
      expect((await phone.exchange(octets)).octets).toBe(first.octets);
    }
    expect(server.logged('binding.created')).toHaveLength(1);
  });
});

describe('TCP', () => {
  test('a dozen REGISTERs in one segment are all carried out and answered in order', async () => {
    const server = await serverWithAlice({ domain: { max_bindings_per_user: 20 } });
    const wire = await server.tcp();
    const phone = await server.phone('alice', { wire });
    await phone.fetchChallenge();
    const contacts = Array.from({ length: 12 }, (_, n) => `sip:alice@10.0.0.${n + 1}`);

    wire.send(contacts.map((contact) => phone.compose({ contacts: [`<${contact}>`] })).join('\r\n'));

    for (const [n] of contacts.entries()) {
      const answer = await wire.receive();
      expect([answer.status, answer.value('CSeq')]).toEqual([200, `${n + 1} REGISTER`]);
    }
    expect((await server.bindings(ALICE)).map(({ contact }) => contact).toSorted()).toEqual(
      contacts.toSorted(),
    );
  });

  test('a REGISTER in pieces of any size is one', async () => {
    const server = await serverWithAlice();
    const wire = await server.tcp();
    const phone = await server.phone('alice', { wire });
    await phone.fetchChallenge();
    for (const size of [1, 3, 17, 100, 499]) {
      const octets = phone.compose({ contacts: [`<${phone.contact}>`] });
      for (let from = 0; from < octets.length; from += size) {
        wire.send(octets.slice(from, from + size));
        if (size > 1 || from % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      }
      expect((await wire.receive()).contacts()).toEqual([`<${phone.contact}>`]);
    }
  });

  test('a ping between and after messages gets its pong', async () => {
    const server = await serverWithAlice();
    const wire = await server.tcp();
    const phone = await server.phone('alice', { wire });

    for (let i = 0; i < 3; i++) {
      wire.send('\r\n\r\n');
      expect(await wire.receiveOctets(2)).toBe('\r\n');
      expect((await phone.exchange(phone.compose({}))).status).toBe(401);
    }
    expect(wire.unread).toBe('');
  });

  describe('a message that was begun', () => {
    afterEach(() => {
      vi.useRealTimers();
    });

    test('must come to its end in time, or the connection is closed', async () => {
      const server = await serverWithAlice();
      const wire = await server.tcp();
      const phone = await server.phone('alice', { wire });
      await phone.fetchChallenge();
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      wire.send(phone.compose({}).slice(0, 100));
      await turns();

      vi.advanceTimersByTime(20_000);

      await wire.closedByServer();
    });

    test('is judged by itself: a busy connection whose segments end within messages is none that drips', async () => {
      const server = await serverWithAlice();
      const wire = await server.tcp();
      const phone = await server.phone('alice', { wire });
      await phone.fetchChallenge();
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      let rest = '';
      for (let i = 0; i < 4; i++) {
        const octets = phone.compose({ contacts: [`<${phone.contact}>`] });
        // The end of the one before and the beginning of this one.
        wire.send(rest + octets.slice(0, 100));
        rest = octets.slice(100);
        if (i > 0) expect((await wire.receive()).status).toBe(200);
        else await turns();
        vi.advanceTimersByTime(15_000);
      }
      wire.send(rest);
      expect((await wire.receive()).status).toBe(200);
    });
  });

  test('what is no SIP ends the connection, and the server goes on', async () => {
    const server = await serverWithAlice();
    const wire = await server.tcp();
    wire.send('GET / HTTP/1.1\r\nHost: example.com\r\n\r\n');
    await wire.closedByServer();

    const phone = await server.phone('alice', { transport: 'tcp' });
    expect((await phone.register({ contacts: [`<${phone.contact}>`] })).status).toBe(200);
  });
});

describe('IPv6', () => {
  test.each(['udp', 'tcp'] as const)('a phone on ::1 registers over %s', async (transport) => {
    const server = await serverWithAlice({ host: '::1' });
    const phone = await server.phone('alice', { transport });

    const answer = await phone.register({ contacts: [`<${phone.contact}>`], expires: 600 });

    expect(phone.contact).toContain(`@[::1]:${phone.wire.localPort}`);
    expect(answer.status).toBe(200);
    expect(answer.contacts()).toEqual([`<${phone.contact}>`]);
    expect(await server.bindings(ALICE)).toMatchObject([
      { contact: phone.contact, received: { transport, ip: '::1', port: phone.wire.localPort } },
    ]);
  });

  test('received and rport carry the IPv6 address without brackets', async () => {
    const server = await serverWithAlice({ host: '::1' });
    const phone = await server.phone('alice');

    const answer = await phone.exchange(
      phone.compose({ via: 'SIP/2.0/UDP [2001:db8::9:1];rport;branch=z9hG4bK1' }),
    );

    expect(answer.value('Via')).toBe(
      `SIP/2.0/UDP [2001:db8::9:1];rport=${phone.wire.localPort};branch=z9hG4bK1;received=::1`,
    );
  });

  test('an IPv6 sent-by written otherwise is still the source, and needs no received', async () => {
    const server = await serverWithAlice({ host: '::1' });
    const phone = await server.phone('alice');
    const via = `SIP/2.0/UDP [0:0:0:0:0:0:0:1]:${phone.wire.localPort};branch=z9hG4bK1`;

    expect((await phone.exchange(phone.compose({ via }))).value('Via')).toBe(via);
  });

  test('IPv4 and IPv6 are served side by side on one port', async () => {
    const server = await serverWithAlice({ host: '127.0.0.1,::1' });
    const ports = (await server.api('GET', '/v1/server')).body.listeners;

    expect(new Set(ports.map((listener: { port: number }) => listener.port)).size).toBe(1);
    expect(
      ports.map(
        ({ transport, address }: { transport: string; address: string }) => `${transport} ${address}`,
      ),
    ).toEqual(['udp 127.0.0.1', 'tcp 127.0.0.1', 'udp ::1', 'tcp ::1']);
  });
});

describe('A restart', () => {
  test('keeps bindings, users and domains; phones go on with the next REGISTER', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    await phone.register({ contacts: ['<sip:alice@10.0.0.7>;q=0.5;+sip.x="y"'], expires: 600 });
    const [before] = await server.bindings(ALICE);

    await server.restart();

    const [after] = await server.bindings(ALICE);
    const { expires_in_seconds: _, ...lasting } = before;
    expect(after).toMatchObject(lasting);
    const again = await server.phone('alice');
    const answer = await again.register({
      callId: phone.callId,
      cseq: 2,
      contacts: ['<sip:alice@10.0.0.7>;q=0.5;+sip.x="y"'],
    });
    expect(answer.status).toBe(200);
    expect((await server.bindings(ALICE)).map(({ id }) => id)).toEqual([before.id]);
  });

  test('remembers Call-ID and CSeq: a late copy is refused after it, too', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    await phone.register({ callId: 'c', cseq: 5, contacts: ['<sip:alice@10.0.0.7>'] });

    await server.restart();

    const again = await server.phone('alice');
    expect((await again.register({ callId: 'c', cseq: 5, contacts: ['<sip:alice@10.0.0.7>'] })).status).toBe(
      500,
    );
  });

  test('53: bindings made over UDP survive it, those that expired meanwhile are gone', async () => {
    const clock = new VirtualClock();
    const server = await serverWithAlice({ clock });
    const phone = await server.phone('alice');
    await phone.register({ contacts: ['<sip:a@10.0.0.7>;expires=60', '<sip:b@10.0.0.7>;expires=600'] });
    clock.advanceSeconds(60);

    await server.restart();

    expect(await server.bindings(ALICE)).toMatchObject([
      { contact: 'sip:b@10.0.0.7', expires_in_seconds: 540 },
    ]);
  });

  test('keeps a block', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    await phone.register({ contacts: ['<sip:alice@10.0.0.7>'] });
    await server.api('DELETE', '/v1/users/alice%40example.com/bindings?mode=block&block_seconds=600');

    await server.restart();

    const again = await server.phone('alice');
    expect((await again.register({ contacts: ['<sip:alice@10.0.0.7>'] })).status).toBe(403);
  });
});
