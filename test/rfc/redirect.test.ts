import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { DATAGRAM_HEADER_OCTETS, MAX_AMPLIFICATION } from '../../src/sip/uas/stranger-gate.js';
import type { Phone } from '../support/phone.js';
import { serverWithAlice, type TestServer } from '../support/test-server.js';
import { VirtualClock } from '../support/virtual-clock.js';

const REDIRECT = { domain: { routing: 'redirect' } };
const ALICE = 'sip:alice@example.com';
const DESK = 'sip:alice@192.0.2.1:5060';
const CELL = 'sip:alice@192.0.2.2:5060;transport=tcp';

/** A request of somebody who is nobody here. */
function ask(phone: Phone, method: string, requestUri: string, headers: readonly string[] = []): string {
  return phone.compose({
    method,
    requestUri,
    from: '<sip:carol@chicago.example>;tag=c1',
    to: `<${requestUri}>`,
    callId: randomBytes(8).toString('hex'),
    cseq: 1,
    authorization: null,
    headers,
  });
}

/** A server that redirects, alice at her desk and on her cell phone, and a socket of carol's. */
async function scene(transport: 'udp' | 'tcp' = 'udp') {
  const server = await serverWithAlice(REDIRECT);
  const alice = await server.phone('alice');
  await alice.register({ contacts: [`<${DESK}>;q=0.5`, `<${CELL}>`] });
  return { server, alice, carol: await server.phone('carol', { transport }) };
}

describe('The location service answers for its users (RFC 3261 §8.3)', () => {
  test.each(['INVITE', 'MESSAGE', 'OPTIONS', 'SUBSCRIBE', 'PUBLISH', 'REFER', 'NOTIFY', 'BYE'])(
    'R12: %s to a user is answered 302 with the contacts in the order of q',
    async (method) => {
      const { carol } = await scene();

      const answer = await carol.exchange(ask(carol, method, ALICE));

      expect([answer.status, answer.reason]).toEqual([302, 'Moved Temporarily']);
      expect(answer.values('Contact')).toEqual([`<${CELL}>;q=1`, `<${DESK}>;q=0.5`]);
    },
  );

  test('R12: over TCP, too', async () => {
    const { carol } = await scene('tcp');

    const answer = await carol.exchange(ask(carol, 'INVITE', ALICE));

    expect([answer.status, answer.values('Contact').length]).toEqual([302, 2]);
  });

  test('R12: extensions and methods that are not understood are redirected all the same', async () => {
    const { carol } = await scene();

    const required = await carol.exchange(ask(carol, 'INVITE', ALICE, ['Require: x-teleport']));
    const unknown = await carol.exchange(ask(carol, 'TELEPORT', ALICE));

    expect([required.status, unknown.status]).toEqual([302, 302]);
  });

  test('R12: who is known but nowhere is 480, who is unknown 404', async () => {
    const { carol } = await scene();

    const bob = await carol.exchange(ask(carol, 'INVITE', 'sip:bob@example.com'));
    const nobody = await carol.exchange(ask(carol, 'INVITE', 'sip:nobody@example.com'));

    expect([bob.status, nobody.status]).toEqual([480, 404]);
  });

  test('R12: what has expired is nowhere, and an address is never given for longer than once', async () => {
    const clock = new VirtualClock();
    const server = await serverWithAlice({ ...REDIRECT, clock });
    const alice = await server.phone('alice');
    await alice.register({ contacts: [`<${DESK}>;expires=60`] });

    const before = await alice.exchange(ask(alice, 'INVITE', ALICE));
    clock.advanceSeconds(60);
    const after = await alice.exchange(ask(alice, 'INVITE', ALICE));

    expect([before.status, after.status]).toEqual([302, 480]);
    expect([before.values('Expires'), before.values('Contact')]).toEqual([[], [`<${DESK}>;q=1`]]);
  });

  test('R12: an alias of the domain, an escaped user and parameters mean the same user', async () => {
    const { server, carol } = await scene();
    await server.changeDomain('example.com', { aliases: ['sip.example.com'] });

    const answer = await carol.exchange(ask(carol, 'INVITE', 'sip:%61lice@SIP.example.com;user=phone'));

    expect(answer.status).toBe(302);
  });

  test('R12: a domain that is not served is 404', async () => {
    const { carol } = await scene();

    expect((await carol.exchange(ask(carol, 'INVITE', 'sip:alice@elsewhere.example'))).status).toBe(404);
  });

  test('R12: a request within a dialog is 481', async () => {
    const { carol } = await scene();
    const octets = ask(carol, 'BYE', ALICE).replace(`To: <${ALICE}>`, `To: <${ALICE}>;tag=x`);

    expect((await carol.exchange(octets)).status).toBe(481);
  });

  test('R12: SUBSCRIBE to the reg event is not for the phones: 489', async () => {
    const { carol } = await scene();

    const reg = await carol.exchange(ask(carol, 'SUBSCRIBE', ALICE, ['Event: reg;id=1']));
    const presence = await carol.exchange(ask(carol, 'SUBSCRIBE', ALICE, ['Event: presence']));

    expect([reg.status, presence.status]).toEqual([489, 302]);
  });

  test.each([0, 1])('35: with Max-Forwards %i it answers: it is no hop on the way', async (left) => {
    const { carol } = await scene();

    const answer = await carol.exchange(ask(carol, 'INVITE', ALICE).replace(': 70', `: ${left}`));

    expect(answer.status).toBe(302);
  });

  test('R12: with routing off everything to a user is 405, and the Allow says what is not', async () => {
    const server = await serverWithAlice();
    const carol = await server.phone('carol');

    for (const method of ['INVITE', 'MESSAGE', 'OPTIONS', 'SUBSCRIBE', 'BYE']) {
      const answer = await carol.exchange(ask(carol, method, ALICE));
      expect([answer.status, answer.value('Allow')]).toEqual([405, 'REGISTER, CANCEL, ACK']);
    }
    expect((await carol.exchange(ask(carol, 'TELEPORT', ALICE))).status).toBe(501);
  });

  test('R8: contacts of other schemes are listed as they are, in their place', async () => {
    const server = await serverWithAlice(REDIRECT);
    const alice = await server.phone('alice');
    await alice.register({ contacts: ['<tel:+1-555-0100>;q=0.7', `<${DESK}>;q=0.2`] });

    const answer = await alice.exchange(ask(alice, 'INVITE', ALICE));

    expect(answer.values('Contact')).toEqual(['<tel:+1-555-0100>;q=0.7', `<${DESK}>;q=0.2`]);
  });

  test('R12: the URI that was asked for is no place to be led to', async () => {
    const server = await serverWithAlice(REDIRECT);
    const bob = await server.phone('bob');
    const loop = 'sip:bob@example.com:5099';
    await bob.register({ contacts: [`<${loop}>`, '<sip:bob@192.0.2.3>;q=0.1'] });

    const answer = await bob.exchange(ask(bob, 'INVITE', loop));

    expect([answer.status, answer.values('Contact')]).toEqual([302, ['<sip:bob@192.0.2.3>;q=0.1']]);
  });

  test('R12: a sips request is led to sips contacts alone, and is 480 when there are none', async () => {
    const { alice, carol } = await scene();

    const none = await carol.exchange(ask(carol, 'INVITE', 'sips:alice@example.com'));
    await alice.register({ contacts: ['<sips:alice@192.0.2.3>'] });
    const one = await carol.exchange(ask(carol, 'INVITE', 'sips:alice@example.com'));

    expect([none.status, none.value('Warning')]).toEqual([480, '380 example.com "SIPS Not Allowed"']);
    expect([one.status, one.values('Contact')]).toEqual([302, ['<sips:alice@192.0.2.3>;q=1']]);
  });

  test('R12: looking up writes nothing', async () => {
    const { server, carol } = await scene();
    const committed = await commits(server);

    for (let i = 0; i < 5; i++) await carol.exchange(ask(carol, 'INVITE', ALICE));
    await carol.exchange(ask(carol, 'INVITE', 'sip:bob@example.com'));

    // The sweep runs once a second by itself.
    expect((await commits(server)) - committed).toBeLessThanOrEqual(2);
    expect(await server.bindings('alice@example.com')).toHaveLength(2);
  });

  test('R12: over UDP a stranger gets as many contacts as a forged source may be sent, the best first', async () => {
    const server = await serverWithAlice(REDIRECT);
    const alice = await server.phone('alice', { transport: 'tcp' });
    const contacts = Array.from(
      { length: 8 },
      (_, i) => `<sip:alice@desk-${i}.example.net:5060>;q=0.${9 - i}`,
    );
    await alice.register({ contacts });
    const carol = await server.phone('carol');
    const octets = ask(carol, 'MESSAGE', ALICE);

    const short = await carol.exchange(octets);
    const long = await carol.exchange(ask(carol, 'MESSAGE', ALICE, [`Subject: ${'x'.repeat(500)}`]));
    const overTcp = await alice.exchange(ask(alice, 'MESSAGE', ALICE));

    expect(short.octets.length).toBeLessThanOrEqual(
      (octets.length + DATAGRAM_HEADER_OCTETS) * MAX_AMPLIFICATION - DATAGRAM_HEADER_OCTETS,
    );
    expect(short.values('Contact')).toEqual(contacts.slice(0, 4));
    expect([long.values('Contact'), overTcp.values('Contact')]).toEqual([contacts, contacts]);
  });

  test('R12: a contact that has no room in that is not sent to a stranger over UDP', async () => {
    const server = await serverWithAlice(REDIRECT);
    const alice = await server.phone('alice', { transport: 'tcp' });
    await alice.register({ contacts: [`<sip:alice@192.0.2.1;x=${'y'.repeat(3000)}>`] });
    const carol = await server.phone('carol');

    const answer = await carol.exchange(ask(carol, 'INVITE', ALICE));

    expect([answer.status, answer.reason]).toEqual([480, 'Contact Too Long For UDP']);
  });
});

async function commits(server: TestServer): Promise<number> {
  return Number(/store_work_total\{kind="commits"\} (\d+)/.exec(await server.metrics())?.[1]);
}

describe('OPTIONS to the server itself (RFC 3261 §11.2)', () => {
  test.each(['sip:example.com', 'sip:elsewhere.example', 'sip:127.0.0.1'])(
    'R12: OPTIONS %s is answered 200 with Allow, Accept and Supported, without authentication',
    async (requestUri) => {
      const server = await serverWithAlice(REDIRECT);
      const phone = await server.phone('carol');

      const answer = await phone.exchange(ask(phone, 'OPTIONS', requestUri));

      expect(answer.status).toBe(200);
      expect(answer.value('Allow').split(', ').toSorted()).toEqual(['ACK', 'CANCEL', 'OPTIONS', 'REGISTER']);
      expect(answer.value('Accept')).toBe('application/cpl+xml');
      expect(answer.values('Supported')).toEqual(['']);
    },
  );

  test('26: OPTIONS to the server that requires an unknown extension is 420', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('carol');

    const answer = await phone.exchange(ask(phone, 'OPTIONS', 'sip:example.com', ['Require: x-teleport']));

    expect([answer.status, answer.value('Unsupported')]).toEqual([420, 'x-teleport']);
  });

  test('27: INVITE to the server itself is 405 also where users are redirected', async () => {
    const server = await serverWithAlice(REDIRECT);
    const phone = await server.phone('carol');

    expect((await phone.exchange(ask(phone, 'INVITE', 'sip:example.com'))).status).toBe(405);
  });

  test('25: a Request-URI that is neither sip nor sips is 416 for every method', async () => {
    const server = await serverWithAlice(REDIRECT);
    const phone = await server.phone('carol');

    for (const method of ['INVITE', 'OPTIONS', 'MESSAGE']) {
      expect((await phone.exchange(ask(phone, method, 'tel:+15550100'))).status).toBe(416);
    }
  });
});
