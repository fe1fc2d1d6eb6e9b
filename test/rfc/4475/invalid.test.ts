import { describe, expect, test } from 'vitest';
import { parseContacts } from '../../../src/sip/grammar/headers/contact.js';
import { parseExpires } from '../../../src/sip/grammar/headers/expires.js';
import { parseMaxForwards } from '../../../src/sip/grammar/headers/max-forwards.js';
import { parseTopVia } from '../../../src/sip/grammar/headers/via.js';
import { allValues, firstValue, parseMessage } from '../../../src/sip/grammar/message.js';
import { isParseError } from '../../../src/sip/grammar/sip-parse-error.js';
import { parseUri } from '../../../src/sip/grammar/uri.js';
import { MESSAGES } from './messages.js';
import {
  accept,
  askOverTcp,
  askOverUdp,
  isMetWithSilence,
  parse,
  refusal,
  registerAs,
  statusLine,
  statusOf,
  tortureServer,
} from './scene.js';

const {
  badinv01,
  clerr,
  ncl,
  scalar02,
  scalarlg,
  quotbal,
  ltgtruri,
  lwsruri,
  lwsstart,
  trws,
  escruri,
  baddate,
  regbadct,
  badaspec,
  baddn,
  badvers,
  mismatch01,
  mismatch02,
  bigcode,
} = MESSAGES;

describe('Malformed messages are refused (RFC 4475 §3.1.2)', () => {
  test('badinv01: semicolons and commas with nothing between them are malformed, in Via and in Contact', () => {
    const { headers } = parse(badinv01.octets);

    expect(refusal(badinv01.octets)).toEqual({ status: 400, header: 'via' });
    expect(isParseError(parseTopVia(firstValue(headers, 'via') ?? ''))).toBe(true);
    expect(parseContacts(allValues(headers, 'contact'))).toMatchObject({ status: 400, header: 'contact' });
  });

  test('badinv01 is answered 400 all the same: its Via says where to', async () => {
    const server = await tortureServer();

    expect(statusLine(await askOverTcp(server, badinv01.octets))).toBe('400 Malformed Via');
    const wire = await server.udp();
    wire.send(badinv01.octets.replace('192.0.2.15;;', `192.0.2.15:${wire.localPort};;`));
    expect(statusLine(await wire.receive())).toBe('400 Malformed Via');
  });

  test('clerr: a datagram that ends before its Content-Length is malformed', () => {
    expect(refusal(clerr.octets)).toEqual({ status: 400, header: 'content-length' });
  });

  test('clerr is answered 400 over UDP', async () => {
    const server = await tortureServer();

    expect((await askOverUdp(server, clerr.octets)).status).toBe(400);
  });

  test('clerr over TCP is a message that is not whole: it is answered when the last of its 9999 octets is there', async () => {
    const server = await tortureServer();
    const wire = await server.tcp();
    const body = clerr.octets.slice(clerr.octets.indexOf('\r\n\r\n') + 4);

    wire.send(clerr.octets + 'x'.repeat(9_999 - body.length - 1));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect([wire.unread, wire.isClosed]).toEqual(['', false]);
    wire.send('x');

    expect((await wire.receive()).status).toBe(405);
  });

  test('ncl: a Content-Length has no sign', () => {
    expect(refusal(ncl.octets)).toEqual({ status: 400, header: 'content-length' });
    expect(refusal(ncl.octets, 'stream')).toEqual({ status: 400, header: 'content-length' });
  });

  test('ncl is answered 400, and over TCP nothing behind it is read', async () => {
    const server = await tortureServer();
    const wire = await server.tcp();

    expect(await statusOf(server, ncl.octets)).toBe('400 Malformed Content-Length');
    wire.send(ncl.octets + MESSAGES.lwsdisp.octets);
    expect((await wire.receive()).status).toBe(400);

    await wire.closedByServer();
    expect(wire.unread).toBe('');
  });

  test('scalar02: a CSeq above 2^31 and Max-Forwards above 255 are malformed; an interval is capped', () => {
    const { headers } = parse(scalar02.octets);

    expect(refusal(scalar02.octets)).toEqual({ status: 400, header: 'cseq' });
    expect(parseMaxForwards(firstValue(headers, 'max-forwards') ?? '')).toMatchObject({ status: 400 });
    expect(parseExpires(firstValue(headers, 'expires'))).toBe(2 ** 32 - 1);
    expect(parseExpires('280297596632815')).toBe(2 ** 32 - 1);
  });

  test('scalar02 is answered 400, credentials or not, and nothing is registered', async () => {
    const server = await tortureServer();

    expect(await statusOf(server, scalar02.octets)).toBe('400 Malformed CSeq');
    expect((await registerAs(server, 'user', scalar02.octets)).status).toBe(400);
    expect(await server.bindings('user@example.com')).toEqual([]);
  });

  test('scalar02 with a CSeq that counts is registered for no longer than the domain grants', async () => {
    const server = await tortureServer();
    const octets = scalar02.octets.replace('36893488147419103232', '1');

    const answer = await registerAs(server, 'user', octets);

    expect([answer.status, answer.values('Contact')]).toEqual([
      200,
      ['<sip:user@host129.example.com>;expires=86400'],
    ]);
  });

  test('scalarlg: a response with numbers that nobody can count in is silence', async () => {
    const server = await tortureServer();

    expect(parse(scalarlg.octets)).toMatchObject({ kind: 'response', status: 503 });
    expect(await isMetWithSilence(server, scalarlg.octets)).toBe(true);
  });

  test('quotbal: a quoted string that does not end is malformed', () => {
    expect(refusal(quotbal.octets)).toEqual({ status: 400, header: 'to' });
  });

  test('quotbal is answered 400', async () => {
    const server = await tortureServer();

    expect(await statusOf(server, quotbal.octets)).toBe('400 Malformed To');
  });

  test('ltgtruri: a Request-URI has no angle brackets', () => {
    expect(refusal(ltgtruri.octets)).toEqual({ status: 400, header: 'request-uri' });
  });

  test('ltgtruri is answered 400, whatever its method', async () => {
    const server = await tortureServer();

    expect(await statusOf(server, ltgtruri.octets)).toBe('400 Bad Request');
    expect(await statusOf(server, ltgtruri.octets.replaceAll('INVITE', 'REGISTER'))).toBe('400 Bad Request');
  });

  test('lwsruri: a Request-URI has no blank in it', () => {
    expect(refusal(lwsruri.octets)).toEqual({ status: 400, header: undefined });
  });

  test('lwsruri is answered 400, and keeps its To tag', async () => {
    const server = await tortureServer();

    expect((await askOverUdp(server, lwsruri.octets)).value('To')).toBe(
      'sip:user@example.com;tag=3xfe-9921883-z9f',
    );
    expect(await statusOf(server, lwsruri.octets)).toBe('400 Bad Request');
  });

  test('lwsstart: the words of a request line have one space between them', () => {
    expect(refusal(lwsstart.octets)).toEqual({ status: 400, header: undefined });
  });

  test('lwsstart is answered 400', async () => {
    const server = await tortureServer();

    expect(await statusOf(server, lwsstart.octets)).toBe('400 Bad Request');
  });

  test('trws: a request line ends with the version', () => {
    expect(refusal(trws.octets)).toEqual({ status: 400, header: undefined });
  });

  test('trws is answered 400', async () => {
    const server = await tortureServer();

    expect(await statusOf(server, trws.octets)).toBe('400 Bad Request');
  });

  test('escruri: headers in a Request-URI are read, and mean nothing to a server that sends no request on', () => {
    const { message } = accept(escruri.octets);

    expect(parseUri(message.requestUri)).toMatchObject({
      user: 'user',
      host: 'example.com',
      headers: [{ name: 'Route', value: '%3Csip:example.com%3E' }],
    });
  });

  test('escruri is answered 405', async () => {
    const server = await tortureServer();

    expect(await statusOf(server, escruri.octets)).toBe('405 Method Not Allowed');
  });

  test('baddate: a Date in another time zone than GMT is nothing that is needed', async () => {
    const server = await tortureServer();

    expect(refusal(baddate.octets)).toBeUndefined();
    expect(await statusOf(server, baddate.octets)).toBe('405 Method Not Allowed');
  });

  test('baddate: with its Date a REGISTER is registered', async () => {
    const server = await tortureServer();
    const phone = await server.phone('user');

    const answer = await phone.register({
      headers: ['Date: Fri, 01 Jan 2010 16:00:00 EST'],
      contacts: ['<sip:caller@host5.example.net>'],
    });

    expect([answer.status, answer.contacts()]).toEqual([200, ['<sip:caller@host5.example.net>']]);
  });

  test('regbadct: a Contact URI with headers is malformed without angle brackets', () => {
    const { headers } = parse(regbadct.octets);

    expect(refusal(regbadct.octets)).toBeUndefined();
    expect(parseContacts(allValues(headers, 'contact'))).toMatchObject({ status: 400, header: 'contact' });
  });

  test('regbadct is challenged, then answered 400, and nothing is registered', async () => {
    const server = await tortureServer();

    expect(await statusOf(server, regbadct.octets)).toBe('401 Unauthorized');
    expect(statusLine(await registerAs(server, 'user', regbadct.octets))).toBe('400 Malformed Contact');
    expect(await server.bindings('user@example.com')).toEqual([]);
  });

  test('badaspec: there are no blanks between angle brackets and the URI', () => {
    expect(refusal(badaspec.octets)).toEqual({ status: 400, header: 'to' });
  });

  test('badaspec is answered 400', async () => {
    const server = await tortureServer();

    expect(await statusOf(server, badaspec.octets)).toBe('400 Malformed To');
  });

  test('baddn: a display name with a comma needs quotes', () => {
    expect(refusal(baddn.octets)).toEqual({ status: 400, header: 'from' });
    expect(
      refusal(baddn.octets.replace('Bell, Alexander', '"Bell, Alexander"').replace('Watson, Thomas ', '')),
    ).toBeUndefined();
  });

  test('baddn is answered 400', async () => {
    const server = await tortureServer();

    expect(await statusOf(server, baddn.octets)).toBe('400 Malformed From');
  });

  test('badvers: another SIP version is refused as such', () => {
    expect(refusal(badvers.octets)).toEqual({ status: 505, header: undefined });
  });

  test('badvers is answered 505', async () => {
    const server = await tortureServer();

    expect(await statusOf(server, badvers.octets)).toBe('505 Version Not Supported');
  });

  test('mismatch01: the method of CSeq is that of the request line', () => {
    expect(refusal(mismatch01.octets)).toEqual({ status: 400, header: 'cseq' });
  });

  test('mismatch01 is answered 400', async () => {
    const server = await tortureServer();

    expect(await statusOf(server, mismatch01.octets)).toBe('400 Malformed CSeq');
  });

  test('mismatch02: a CSeq with another method is malformed before the method is unknown', () => {
    expect(refusal(mismatch02.octets)).toEqual({ status: 400, header: 'cseq' });
  });

  test('mismatch02 is answered 400', async () => {
    const server = await tortureServer();

    expect(await statusOf(server, mismatch02.octets)).toBe('400 Malformed CSeq');
  });

  test('bigcode: a status code has three digits', () => {
    expect(parseMessage(bigcode.octets, { framing: 'datagram' })).toMatchObject({
      kind: 'broken',
      isRequest: false,
    });
  });

  test('bigcode is a response, however broken: silence', async () => {
    const server = await tortureServer();

    expect(await isMetWithSilence(server, bigcode.octets)).toBe(true);
  });
});
