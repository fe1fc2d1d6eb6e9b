import { describe, expect, test } from 'vitest';
import { serverWithAlice } from '../support/test-server.js';

const DESK = 'sip:alice@192.0.2.1:5060';
const CELL = 'sip:alice@192.0.2.2:5060';

describe('Where a message ends (RFC 3261 §18.3)', () => {
  test('40: over UDP, octets beyond Content-Length are dropped', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    await phone.fetchChallenge();

    const answer = await phone.exchange(`${phone.compose({ contacts: [`<${DESK}>`] })}trailing\r\n\r\nnoise`);

    expect(answer.status).toBe(200);
  });

  test('40: over UDP, a request whose body is cut short is answered 400, a response gets silence', async () => {
    const server = await serverWithAlice();
    const wire = await server.udp();
    const phone = await server.phone('alice', { wire });
    wire.send(
      `SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP ${wire.sentBy};branch=z9hG4bK1;rport\r\nContent-Length: 10\r\n\r\nshort`,
    );

    const answer = await phone.exchange(
      phone.compose({ callId: 'cut' }).replace('Content-Length: 0', 'Content-Length: 10'),
    );

    expect([answer.status, answer.value('Call-ID')]).toEqual([400, 'cut']);
  });

  test('40: over UDP, a missing Content-Length is none', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    await phone.fetchChallenge();

    const answer = await phone.exchange(
      phone.compose({ contacts: [`<${DESK}>`] }).replace('Content-Length: 0\r\n', ''),
    );

    expect(answer.status).toBe(200);
  });

  test('40: over TCP, a missing Content-Length is an error that ends the connection', async () => {
    const server = await serverWithAlice();
    const wire = await server.tcp();
    const phone = await server.phone('alice', { wire });

    const answer = await phone.exchange(phone.compose({}).replace('Content-Length: 0\r\n', ''));

    expect(answer.status).toBe(400);
    await wire.closedByServer();
  });

  test('40: over TCP, several messages in one segment are answered each, in order', async () => {
    const server = await serverWithAlice();
    const wire = await server.tcp();
    const phone = await server.phone('alice', { wire });
    const callIds = ['one', 'two', 'three'];

    wire.send(callIds.map((callId) => phone.compose({ callId, cseq: 1 })).join(''));

    for (const callId of callIds) expect((await wire.receive()).value('Call-ID')).toBe(callId);
  });

  test('40: over TCP, a message may come an octet at a time', async () => {
    const server = await serverWithAlice();
    const wire = await server.tcp();
    const phone = await server.phone('alice', { wire });
    await phone.fetchChallenge();

    for (const octet of phone.compose({ contacts: [`<${DESK}>`] })) {
      wire.send(octet);
      await new Promise((resolve) => setImmediate(resolve));
    }

    expect((await wire.receive()).contacts()).toEqual([`<${DESK}>`]);
  });

  test('40: over TCP, leading CRLFs are skipped', async () => {
    const server = await serverWithAlice();
    const wire = await server.tcp();
    const phone = await server.phone('alice', { wire });

    wire.send(`\r\n${phone.compose({ callId: 'after CRLF'.replace(' ', '-') })}`);

    expect((await wire.receive()).value('Call-ID')).toBe('after-CRLF');
  });

  test('40: over TCP, a double CRLF is answered by a single one, and a lone CRLF by nothing', async () => {
    const server = await serverWithAlice();
    const wire = await server.tcp();
    const phone = await server.phone('alice', { wire });
    wire.send('\r\n');
    expect((await phone.exchange(phone.compose({}))).status).toBe(401);

    wire.send('\r\n\r\n');

    expect(await wire.receiveOctets(2)).toBe('\r\n');
    expect((await phone.exchange(phone.compose({}))).status).toBe(401);
    expect(wire.unread).toBe('');
  });

  test('40: over UDP, keep-alives and STUN get no answer and do no harm', async () => {
    const server = await serverWithAlice();
    const wire = await server.udp();
    const phone = await server.phone('alice', { wire });

    for (const noise of [
      '\r\n',
      '\r\n\r\n',
      '\0',
      '\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl',
      'hello',
      '',
    ]) {
      wire.send(noise);
    }

    expect((await phone.exchange(phone.compose({ callId: 'still-here' }))).value('Call-ID')).toBe(
      'still-here',
    );
  });
});

describe('How a message is written (RFC 3261 §7.3)', () => {
  test('41: compact forms, any letter case and blanks before the colon are understood', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    await phone.fetchChallenge();
    const octets = phone
      .compose({ contacts: [`<${DESK}>`] })
      .replace('Via:', 'v:')
      .replace('From:', 'F :')
      .replace('To:', 'tO\t:')
      .replace('Call-ID:', 'i:')
      .replace('CSeq:', 'CSEQ  :')
      .replace('Contact:', 'm:')
      .replace('Authorization:', 'AUTHORIZATION:')
      .replace('Content-Length:', 'L:');

    const answer = await phone.exchange(octets);

    expect([answer.status, answer.contacts()]).toEqual([200, [`<${DESK}>`]]);
  });

  test('41: a folded header field is one', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    await phone.fetchChallenge();
    const octets = phone
      .compose({ contacts: [`<${DESK}>;expires=120`] })
      .replace(`<${DESK}>`, `\r\n <${DESK}>\r\n\t`)
      .replace(', nonce=', ',\r\n   nonce=')
      .replace('CSeq: 1 ', 'CSeq: 1\r\n ');

    const answer = await phone.exchange(octets);

    expect(answer.status).toBe(200);
    expect(answer.values('Contact')[0]).toMatch(new RegExp(`^<${DESK}>;expires=1(20|19)$`));
  });

  test('41: a list in one header field and header fields that repeat mean the same', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    await phone.register({ contacts: [`<${DESK}>, <${CELL}>;q=0.5`, 'sip:alice@192.0.2.3'] });

    expect((await phone.query()).contacts().toSorted()).toEqual([
      `<${DESK}>`,
      `<${CELL}>;q=0.5`,
      '<sip:alice@192.0.2.3>',
    ]);
  });

  test('41: commas inside quotes and inside <> do not separate', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    const answer = await phone.register({
      contacts: ['"Doe, \\"Alice\\", <desk>" <sip:a,b@192.0.2.1>;+sip.x="1,2", <sip:c@192.0.2.2;p=%2C>'],
    });

    expect(answer.contacts().toSorted()).toEqual([
      '"Doe, \\"Alice\\", <desk>" <sip:a,b@192.0.2.1>;+sip.x="1,2"',
      '<sip:c@192.0.2.2;p=%2C>',
    ]);
  });

  test('41: octets above ASCII in a display name come back unchanged', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    const name = `"${Buffer.from('Älice Ω', 'utf8').toString('latin1')}"`;

    const answer = await phone.register({ contacts: [`${name} <${DESK}>`] });

    expect(answer.contacts()).toEqual([`${name} <${DESK}>`]);
  });
});
