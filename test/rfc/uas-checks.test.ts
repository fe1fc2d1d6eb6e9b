import { describe, expect, test } from 'vitest';
import { serverWithAlice } from '../support/test-server.js';

/** Of UDP over IPv4: 65,535 octets less both headers. No message can be too large for us there. */
const LARGEST_DATAGRAM = 65_507;
const DESK = 'sip:alice@192.0.2.1:5060';

describe('What every request is checked for (RFC 3261 §8.2)', () => {
  test('26: Require with an unknown tag is answered 420, with Unsupported listing it', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    const answer = await phone.register({
      headers: ['Require: x-teleport, x-time'],
      contacts: [`<${DESK}>`],
    });

    expect([answer.status, answer.value('Unsupported')]).toEqual([420, 'x-teleport, x-time']);
    expect(await server.bindings('alice@example.com')).toEqual([]);
  });

  test('26: Require is looked at before credentials are asked for', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    const answer = await phone.exchange(phone.compose({ headers: ['Require: x-teleport'] }));

    expect(answer.status).toBe(420);
  });

  test('26: unknown tags in Supported and in Proxy-Require are none of a registrar’s business', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    const answer = await phone.register({
      headers: ['Supported: x-teleport, path, gruu', 'Proxy-Require: x-proxy'],
      contacts: [`<${DESK}>`],
    });

    expect(answer.status).toBe(200);
  });

  test.each(['INVITE', 'BYE', 'MESSAGE', 'SUBSCRIBE', 'NOTIFY', 'PUBLISH', 'REFER', 'INFO', 'UPDATE'])(
    '27: %s is known and not for a registrar: 405 with Allow',
    async (method) => {
      const server = await serverWithAlice();
      const phone = await server.phone('alice');

      const answer = await phone.exchange(phone.compose({ method, requestUri: 'sip:alice@example.com' }));

      expect(answer.status).toBe(405);
      expect(answer.value('Allow').split(', ')).toContain('REGISTER');
    },
  );

  test('27: an unknown method is answered 501', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    expect((await phone.exchange(phone.compose({ method: 'TELEPORT' }))).status).toBe(501);
  });

  test('27: method names are case-sensitive, so register is an unknown one', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    expect((await phone.exchange(phone.compose({ method: 'register' }))).status).toBe(501);
  });

  test('27: a CSeq with another method than the request line is answered 400', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    await phone.fetchChallenge();
    const octets = phone
      .compose({ contacts: [`<${DESK}>`], cseq: 5 })
      .replace('CSeq: 5 REGISTER', 'CSeq: 5 INVITE');

    expect((await phone.exchange(octets)).status).toBe(400);
    expect(await server.bindings('alice@example.com')).toEqual([]);
  });

  test('27: OPTIONS to the server is answered 200 with Allow', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    const answer = await phone.exchange(phone.compose({ method: 'OPTIONS' }));

    expect(answer.status).toBe(200);
    expect(answer.value('Allow').split(', ').toSorted()).toEqual(['ACK', 'CANCEL', 'OPTIONS', 'REGISTER']);
  });

  test('28: SIP/7.0 is answered 505', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    const answer = await phone.exchange(
      phone.compose({ contacts: [`<${DESK}>`] }).replace(' SIP/2.0\r\n', ' SIP/7.0\r\n'),
    );

    expect([answer.status, answer.reason]).toEqual([505, 'Version Not Supported']);
  });

  test('28: a body that is announced larger than any message may be is answered 513 over TCP', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice', { transport: 'tcp' });

    const answer = await phone.exchange(
      phone.compose({}).replace('Content-Length: 0', 'Content-Length: 9999999'),
    );

    expect(answer.status).toBe(513);
  });

  test('28: the largest datagram there can be is read whole, and answered', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    const room = LARGEST_DATAGRAM - phone.compose({ cseq: 1, headers: Array(8).fill('Subject: ') }).length;
    const filler = `Subject: ${'x'.repeat(Math.floor(room / 8))}`;

    const octets = phone.compose({ cseq: 1, headers: Array(8).fill(filler) });
    const answer = await phone.exchange(octets);

    expect(octets.length).toBeGreaterThan(LARGEST_DATAGRAM - 8);
    expect(answer.status).toBe(401);
  });

  test.each([
    ['To', 'To'],
    ['From', 'From'],
    ['Call-ID', 'Call-ID'],
    ['CSeq', 'CSeq'],
  ])('29: a request without %s is answered 400', async (_, name) => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    const answer = await phone.exchange(phone.compose({}).replace(new RegExp(`\r\n${name}: [^\r]*`), ''));

    expect(answer.status).toBe(400);
    expect(answer.values(name)).toEqual([]);
  });

  test('29: a CSeq of 2^31 or more is answered 400, one less is taken', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    const tooHigh = await phone.register({ cseq: 2 ** 31, contacts: [`<${DESK}>`] });
    const highest = await phone.register({ cseq: 2 ** 31 - 1, contacts: [`<${DESK}>`] });

    expect([tooHigh.status, highest.status]).toEqual([400, 200]);
  });

  test('29: requests without Via, broken responses and stray ACKs get silence', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice', { wire: await server.udp() });
    const ack = phone.compose({ method: 'ACK' });

    phone.wire.send(phone.compose({}).replace(/\r\nVia: [^\r]*/, ''));
    phone.wire.send('SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1\r\n\r\n');
    phone.wire.send(
      `SIP/2.0 9999 Broken\r\nVia: SIP/2.0/UDP ${phone.wire.sentBy};branch=z9hG4bK2;rport\r\n\r\n`,
    );
    phone.wire.send(ack);
    phone.wire.send(ack.replace('ACK ', 'ACK  '));

    // The server answers in order: what comes back first is the answer to the request sent last.
    const answer = await phone.exchange(phone.compose({ method: 'OPTIONS', callId: 'after-the-noise' }));
    expect(answer.value('Call-ID')).toBe('after-the-noise');
  });

  test.each([
    'Date: yesterday',
    'Max-Forwards: many',
    'Timestamp: soon',
    'Subject:',
    'Allow: ,,,',
    'User-Agent: (((',
    'X-Unknown: \x01\x7f',
    'Supported: ?',
    'Route: nowhere',
  ])('30: the malformed and unneeded "%s" does not fail a REGISTER', async (header) => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    await phone.fetchChallenge();
    const octets = phone.compose({ headers: [header], contacts: [`<${DESK}>`] });

    const answer = await phone.exchange(
      header.startsWith('Max-Forwards') ? octets.replace('Max-Forwards: 70\r\n', '') : octets,
    );

    expect(answer.status).toBe(200);
  });

  test.each([0, 1])(
    '35: with Max-Forwards %i the registrar, being the target, still answers',
    async (left) => {
      const server = await serverWithAlice();
      const phone = await server.phone('alice');
      await phone.fetchChallenge();

      const answer = await phone.exchange(
        phone.compose({ contacts: [`<${DESK}>`] }).replace('Max-Forwards: 70', `Max-Forwards: ${left}`),
      );

      expect(answer.status).toBe(200);
    },
  );

  test('35: without Max-Forwards it answers, too', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    await phone.fetchChallenge();

    const answer = await phone.exchange(
      phone.compose({ contacts: [`<${DESK}>`] }).replace('Max-Forwards: 70\r\n', ''),
    );

    expect(answer.status).toBe(200);
  });

  test('37: Record-Route is ignored and never returned', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    const answer = await phone.register({
      headers: ['Record-Route: <sip:proxy.example.com;lr>'],
      contacts: [`<${DESK}>`],
    });

    expect([answer.status, answer.values('Record-Route')]).toEqual([200, []]);
  });

  test('R13: the server does not identify itself', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    const answer = await phone.register({ contacts: [`<${DESK}>`] });

    expect([answer.values('Server'), answer.values('User-Agent')]).toEqual([[], []]);
  });

  test('R13: told to, it says what it was told in every response', async () => {
    const server = await serverWithAlice({ settings: { REGISTRAR_SIP_SERVER_HEADER: 'edge/2 (tests)' } });
    const phone = await server.phone('alice');
    const answers = [
      await phone.fetchChallenge(),
      await phone.register({ contacts: [`<${DESK}>`] }),
      await phone.exchange(phone.compose({ method: 'INVITE', requestUri: 'sip:alice@example.com' })),
      await phone.exchange(phone.compose({}).replace(/\r\nCSeq: [^\r]*/, '')),
    ];

    expect(answers.map(({ status }) => status)).toEqual([401, 200, 405, 400]);
    for (const answer of answers) expect(answer.value('Server')).toBe('edge/2 (tests)');
  });
});
