import { describe, expect, test } from 'vitest';
import { authorize, readChallenge } from '../support/digest-client.js';
import type { SipAnswer } from '../support/sip-answer.js';
import type { Wire } from '../support/sip-wire.js';
import { PASSWORD, TestServer } from '../support/test-server.js';
import { VirtualClock } from '../support/virtual-clock.js';

/*
 * The registration flows of RFC 3665 §2, end to end, message by message. As in the RFC: bob@biloxi.example.com
 * registers at ss2.biloxi.example.com with the realm atlanta.example.com. Other than there, the way is UDP or TCP,
 * so the Vias say so and sips: reads sip:, and the client's port is the one it has. Nonces and responses are the
 * day's own.
 */

const CALL_ID = '1j9FpLxk3uxtm8tn@biloxi.example.com';
const CLIENT = '<sip:bob@client.biloxi.example.com>';
const REALM = 'atlanta.example.com';
const REQUEST_URI = 'sip:ss2.biloxi.example.com';

interface Figure {
  readonly cseq: number;
  readonly branch: string;
  readonly fromTag: string;
  /** Header field lines between CSeq and Content-Length. */
  readonly lines: readonly string[];
}

function register(wire: Wire, { cseq, branch, fromTag, lines }: Figure): string {
  return [
    `REGISTER ${REQUEST_URI} SIP/2.0`,
    `Via: SIP/2.0/${wire.transport} client.biloxi.example.com:${wire.localPort};branch=${branch}`,
    'Max-Forwards: 70',
    `From: Bob <sip:bob@biloxi.example.com>;tag=${fromTag}`,
    'To: Bob <sip:bob@biloxi.example.com>',
    `Call-ID: ${CALL_ID}`,
    `CSeq: ${cseq} REGISTER`,
    ...lines,
    'Content-Length: 0',
    '',
    '',
  ].join('\r\n');
}

function credentials(challenge: SipAnswer, password = PASSWORD, nc = 1): string {
  return `Authorization: ${authorize({
    username: 'bob',
    password,
    uri: REQUEST_URI,
    challenge: readChallenge(challenge.value('WWW-Authenticate')),
    nc,
  })}`;
}

/** What F2 and F4 of every flow have in common with the request. */
function expectAnswerTo(answer: SipAnswer, wire: Wire, figure: Figure): void {
  expect(answer.value('Via')).toBe(
    `SIP/2.0/${wire.transport} client.biloxi.example.com:${wire.localPort};branch=${figure.branch};received=127.0.0.1`,
  );
  expect(answer.value('From')).toBe(`Bob <sip:bob@biloxi.example.com>;tag=${figure.fromTag}`);
  expect(answer.value('To')).toMatch(/^Bob <sip:bob@biloxi\.example\.com>;tag=\w+$/);
  expect(answer.value('Call-ID')).toBe(CALL_ID);
  expect(answer.value('CSeq')).toBe(`${figure.cseq} REGISTER`);
  expect(answer.value('Content-Length')).toBe('0');
}

async function exchange(wire: Wire, figure: Figure): Promise<SipAnswer> {
  wire.send(register(wire, figure));
  const answer = await wire.receive();
  expectAnswerTo(answer, wire, figure);
  return answer;
}

describe.each(['udp', 'tcp'] as const)('The registration flows of RFC 3665 §2 over %s', (transport) => {
  async function biloxi() {
    const clock = new VirtualClock();
    const server = await TestServer.start({ clock });
    await server.addDomain('biloxi.example.com', { aliases: ['ss2.biloxi.example.com'], realm: REALM });
    await server.addUser('bob', 'biloxi.example.com');
    const wire = await server[transport]();
    return { server, wire, clock };
  }

  /** §2.1, F1 to F4. */
  async function newRegistration(wire: Wire): Promise<SipAnswer> {
    const contact = `Contact: ${CLIENT}`;
    const f2 = await exchange(wire, {
      cseq: 1,
      branch: 'z9hG4bKnashds7',
      fromTag: 'a73kszlfl',
      lines: [contact],
    });
    expect([f2.status, f2.reason]).toEqual([401, 'Unauthorized']);
    expect(readChallenge(f2.value('WWW-Authenticate'))).toMatchObject({
      realm: REALM,
      qop: 'auth',
      algorithm: 'MD5',
    });
    return exchange(wire, {
      cseq: 2,
      branch: 'z9hG4bKnashd92',
      fromTag: 'ja743ks76zlflH',
      lines: [contact, credentials(f2)],
    });
  }

  /** A nonce that the flows of §2.2 to §2.4 take for granted. */
  async function challenge(wire: Wire): Promise<SipAnswer> {
    return exchange(wire, { cseq: 3, branch: 'z9hG4bKnonce', fromTag: 'a73kszlfl', lines: [] });
  }

  test('2.1: successful new registration', async () => {
    const { server, wire } = await biloxi();

    const f4 = await newRegistration(wire);

    expect([f4.status, f4.reason]).toEqual([200, 'OK']);
    expect(f4.values('Contact')).toEqual([`${CLIENT};expires=3600`]);
    expect(await server.bindings('sip:bob@biloxi.example.com')).toMatchObject([
      {
        contact: 'sip:bob@client.biloxi.example.com',
        call_id: CALL_ID,
        cseq: 2,
        received: { transport, ip: '127.0.0.1', port: wire.localPort },
        expires_in_seconds: 3600,
      },
    ]);
  });

  test('2.2: update of contact list', async () => {
    const { server, wire, clock } = await biloxi();
    await newRegistration(wire);
    clock.advanceSeconds(1);
    const nonce = await challenge(wire);

    const f2 = await exchange(wire, {
      cseq: 4,
      branch: 'z9hG4bKnashds7',
      fromTag: 'a73kszlfl',
      lines: ['Contact: mailto:bob@biloxi.example.com', credentials(nonce)],
    });

    expect(f2.status).toBe(200);
    expect(f2.values('Contact').toSorted()).toEqual([
      '<mailto:bob@biloxi.example.com>;expires=3600',
      `${CLIENT};expires=3599`,
    ]);
    expect(await server.bindings('sip:bob@biloxi.example.com')).toHaveLength(2);
  });

  test('2.3: request for current contact list', async () => {
    const { wire, clock } = await biloxi();
    await newRegistration(wire);
    const nonce = await challenge(wire);
    await exchange(wire, {
      cseq: 4,
      branch: 'z9hG4bKupdate',
      fromTag: 'a73kszlfl',
      lines: ['Contact: mailto:bob@biloxi.example.com', credentials(nonce)],
    });
    clock.advanceSeconds(100);

    const f2 = await exchange(wire, {
      cseq: 5,
      branch: 'z9hG4bKnashds7',
      fromTag: 'a73kszlfl',
      lines: [credentials(nonce, PASSWORD, 2)],
    });

    expect(f2.status).toBe(200);
    expect(f2.values('Contact').toSorted()).toEqual([
      '<mailto:bob@biloxi.example.com>;expires=3500',
      `${CLIENT};expires=3500`,
    ]);
  });

  test('2.4: cancellation of registration', async () => {
    const { server, wire } = await biloxi();
    await newRegistration(wire);
    const nonce = await challenge(wire);

    const f2 = await exchange(wire, {
      cseq: 4,
      branch: 'z9hG4bKnashds7',
      fromTag: 'a73kszlfl',
      lines: ['Expires: 0', 'Contact: *', credentials(nonce)],
    });

    expect(f2.status).toBe(200);
    expect(f2.values('Contact')).toEqual([]);
    expect(await server.bindings('sip:bob@biloxi.example.com')).toEqual([]);
    expect(server.logged('binding.removed')).toMatchObject([{ cause: 'unregistered' }]);
  });

  test('2.5: unsuccessful registration', async () => {
    const { server, wire } = await biloxi();
    const contact = `Contact: ${CLIENT}`;
    const f2 = await exchange(wire, {
      cseq: 1,
      branch: 'z9hG4bKnashds7',
      fromTag: 'a73kszlfl',
      lines: [contact],
    });
    expect(f2.status).toBe(401);

    const f4 = await exchange(wire, {
      cseq: 2,
      branch: 'z9hG4bKnashd92',
      fromTag: 'ja743ks76zlflH',
      lines: [contact, credentials(f2, 'not the password')],
    });

    expect([f4.status, f4.reason, f4.values('Contact')]).toEqual([401, 'Unauthorized', []]);
    const again = readChallenge(f4.value('WWW-Authenticate'));
    expect(again).toMatchObject({ realm: REALM, qop: 'auth', algorithm: 'MD5' });
    expect(again.nonce).not.toBe(readChallenge(f2.value('WWW-Authenticate')).nonce);
    expect(again.stale).toBeUndefined();
    expect(await server.bindings('sip:bob@biloxi.example.com')).toEqual([]);
  });
});
