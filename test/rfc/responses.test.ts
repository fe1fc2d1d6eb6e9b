import { describe, expect, test } from 'vitest';
import { readAnswer } from '../support/sip-answer.js';
import { serverWithAlice } from '../support/test-server.js';

const DESK = 'sip:alice@192.0.2.1:5060';

describe('What a response carries (RFC 3261 §8.2.6)', () => {
  test('36: all Via in order, From, Call-ID and CSeq come back as sent; To gets a tag', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    const via = `SIP/2.0/UDP ${phone.wire.sentBy};branch=z9hG4bKtop;rport`;
    const from = '"Al \\"i\\" ce" <sip:alice@example.com;x=1>;tag=77;y="a;b"';
    const octets = phone
      .compose({ via, from, callId: 'W.0(b)<k>%~@[::1]', cseq: 123 })
      .replace(
        'Max-Forwards:',
        'Via: SIP/2.0/TCP  second.example.net ;branch=z9hG4bK2 , SIP/2.0/TLS third.example.net;branch=z9hG4bK3\r\nv: SIP/2.0/UDP fourth.example.net;branch=z9hG4bK4\r\nMax-Forwards:',
      );

    const answer = await phone.exchange(octets);

    expect(answer.values('Via').slice(1)).toEqual([
      'SIP/2.0/TCP  second.example.net ;branch=z9hG4bK2 , SIP/2.0/TLS third.example.net;branch=z9hG4bK3',
      'SIP/2.0/UDP fourth.example.net;branch=z9hG4bK4',
    ]);
    expect(answer.values('Via')[0]).toContain('branch=z9hG4bKtop');
    expect(answer.value('From')).toBe(from);
    expect(answer.value('Call-ID')).toBe('W.0(b)<k>%~@[::1]');
    expect(answer.value('CSeq')).toBe('123 REGISTER');
    expect(answer.value('To')).toMatch(/^<sip:alice@example\.com>;tag=[0-9a-z]+$/);
  });

  test('36: a To tag that is there comes back, and none is added', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    const answer = await phone.register({ to: '<sip:alice@example.com>;tag=mine', contacts: [`<${DESK}>`] });

    expect(answer.value('To')).toBe('<sip:alice@example.com>;tag=mine');
  });

  test('36: the To tag of two requests differs, and that of a retransmission does not', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    const octets = phone.compose({});

    const first = (await phone.exchange(octets)).value('To');
    const again = (await phone.exchange(octets)).value('To');
    const other = (await phone.exchange(phone.compose({}))).value('To');

    expect(again).toBe(first);
    expect(other).not.toBe(first);
  });

  test('36: the compact forms of the request come back under their long names', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    const octets = phone
      .compose({ callId: 'compact' })
      .replace('Via:', 'v:')
      .replace('From:', 'f:')
      .replace('To:', 't:')
      .replace('Call-ID:', 'i:')
      .replace('Content-Length:', 'l:');

    const answer = await phone.exchange(octets);

    expect([answer.status, answer.value('Call-ID')]).toEqual([401, 'compact']);
    expect(answer.lines.slice(0, 5).map((line) => line.split(':')[0])).toEqual([
      'Via',
      'From',
      'To',
      'Call-ID',
      'CSeq',
    ]);
  });
});

describe('Where a response goes over UDP (RFC 3261 §18.2, RFC 3581)', () => {
  test('38: received is added when the sent-by is a name', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    const via = `SIP/2.0/UDP client.example.net:${phone.wire.localPort};branch=z9hG4bK1`;

    const answer = await phone.exchange(phone.compose({ via }));

    expect(answer.value('Via')).toBe(`${via};received=127.0.0.1`);
  });

  test('38: received is added when the sent-by is another address than the source', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    const via = `SIP/2.0/UDP 192.0.2.1:${phone.wire.localPort};branch=z9hG4bK1`;

    expect((await phone.exchange(phone.compose({ via }))).value('Via')).toBe(`${via};received=127.0.0.1`);
  });

  test('38: received is left out when the sent-by is the source and there is no rport', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    const via = `SIP/2.0/UDP ${phone.wire.sentBy};branch=z9hG4bK1`;

    expect((await phone.exchange(phone.compose({ via }))).value('Via')).toBe(via);
  });

  test('38: a received that the client wrote itself is replaced', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    const via = `SIP/2.0/UDP client.example.net:${phone.wire.localPort};received=192.0.2.99;branch=z9hG4bK1`;

    const answer = await phone.exchange(phone.compose({ via }));

    expect(answer.value('Via')).toContain(';received=127.0.0.1');
    expect(answer.value('Via')).not.toContain('192.0.2.99');
  });

  test('38: an empty rport is filled, received comes with it, and the answer goes to the source port', async () => {
    const server = await serverWithAlice();
    const wire = await server.udp();
    const phone = await server.phone('alice', { wire });

    wire.send(phone.compose({ via: 'SIP/2.0/UDP 10.1.1.1:4540;rport;branch=z9hG4bK1' }));
    const { octets, fromPort, fromAddress } = await wire.receiveFrom();

    expect(readAnswer(octets).value('Via')).toBe(
      `SIP/2.0/UDP 10.1.1.1:4540;rport=${wire.localPort};branch=z9hG4bK1;received=127.0.0.1`,
    );
    // From the socket that received it, or a NAT would not let it pass.
    expect([fromAddress, fromPort]).toEqual(['127.0.0.1', server.sipPort]);
  });

  test('39: without rport the answer goes to the source address at the port of the sent-by', async () => {
    const server = await serverWithAlice();
    const sender = await server.udp();
    const listener = await server.udp();
    const phone = await server.phone('alice', { wire: sender });

    sender.send(
      phone.compose({ via: `SIP/2.0/UDP phone.example.net:${listener.localPort};branch=z9hG4bK1` }),
    );

    expect((await listener.receive()).status).toBe(401);
    expect(sender.unread).toBe(0);
  });

  test('39: maddr comes first', async () => {
    const server = await serverWithAlice();
    const sender = await server.udp();
    const listener = await server.udp('127.0.0.2');
    const phone = await server.phone('alice', { wire: sender });

    sender.send(
      phone.compose({
        via: `SIP/2.0/UDP phone.example.net:${listener.localPort};maddr=127.0.0.2;branch=z9hG4bK1`,
      }),
    );

    expect((await listener.receive()).status).toBe(401);
  });

  test('39: rport wins over the port of the sent-by', async () => {
    const server = await serverWithAlice();
    const sender = await server.udp();
    const listener = await server.udp();
    const phone = await server.phone('alice', { wire: sender });

    sender.send(phone.compose({ via: `SIP/2.0/UDP ${listener.sentBy};rport;branch=z9hG4bK1` }));

    expect((await sender.receive()).status).toBe(401);
    expect(listener.unread).toBe(0);
  });

  test('39: over TCP the answer comes on the connection of the request, whatever the Via says', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice', { transport: 'tcp' });

    const answer = await phone.exchange(
      phone.compose({ via: 'SIP/2.0/TCP phone.example.net:9;branch=z9hG4bK1' }),
    );

    expect(answer.status).toBe(401);
    expect(answer.value('Via')).toBe('SIP/2.0/TCP phone.example.net:9;branch=z9hG4bK1;received=127.0.0.1');
  });
});
