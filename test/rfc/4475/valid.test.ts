import { describe, expect, test } from 'vitest';
import { parseContacts } from '../../../src/sip/grammar/headers/contact.js';
import { parseContentType } from '../../../src/sip/grammar/headers/content-type.js';
import { parseMaxForwards } from '../../../src/sip/grammar/headers/max-forwards.js';
import { parseTopVia } from '../../../src/sip/grammar/headers/via.js';
import { allValues, firstValue } from '../../../src/sip/grammar/message.js';
import { paramValue } from '../../../src/sip/grammar/params.js';
import { parseUri } from '../../../src/sip/grammar/uri.js';
import { MESSAGES } from './messages.js';
import {
  accept,
  askOverUdp,
  isMetWithSilence,
  parse,
  registerAs,
  statusOf,
  tortureServer,
  toServer,
} from './scene.js';

const {
  wsinv,
  intmeth,
  esc01,
  escnull,
  esc02,
  lwsdisp,
  longreq,
  dblreq,
  semiuri,
  transports,
  mpart01,
  unreason,
  noreason,
} = MESSAGES;

function contactsOf(octets: string) {
  const header = parseContacts(allValues(parse(octets).headers, 'contact'));
  if (!('kind' in header) || header.kind !== 'list') throw new Error('contacts were expected');
  return header.contacts;
}

describe('Well-formed messages are taken for what they say (RFC 4475 §3.1.1)', () => {
  test('wsinv: folds, blanks, letter case and leading zeros change nothing', () => {
    const { message, via, from, to, callId, cseq } = accept(wsinv.octets);

    expect([message.method, message.requestUri]).toEqual([
      'INVITE',
      'sip:vivekg@chair-dnrc.example.com;unknownparam',
    ]);
    expect([to.uriText, to.tag]).toEqual(['sip:vivekg@chair-dnrc.example.com', '1918181833n']);
    expect([from.displayName, from.uriText, from.tag]).toEqual([
      String.raw`"J Rosenberg \\\""`,
      'sip:jdrosen@example.com',
      '98asjd8',
    ]);
    expect(parseMaxForwards(firstValue(message.headers, 'max-forwards') ?? '')).toBe(68);
    expect([callId, cseq]).toEqual(['wsinv.ndaksdj@192.0.2.1', { sequence: 9, method: 'INVITE' }]);
    expect([via.protocol, via.transport, via.host, via.port]).toEqual([
      'SIP/2.0',
      'UDP',
      '192.0.2.2',
      undefined,
    ]);
    expect(paramValue(via.params, 'branch')).toBe('390skdjuw');
    expect(firstValue(message.headers, 'subject')).toBe('');
    expect(firstValue(message.headers, 'newfangledheader')).toBe(
      'newfangled value continued newfangled value',
    );
    expect(firstValue(message.headers, 'unknownheaderwithunusualvalue')).toBe(';;,,;;,;');
    const [, second = ''] = allValues(message.headers, 'via');
    expect(parseTopVia(second)).toMatchObject({
      transport: 'TCP',
      host: 'spindle.example.com',
      params: [{ name: 'branch', value: 'z9hG4bK9ikj8' }],
    });
    expect(second).toMatch(/SIP {2}\/ {4}2\.0 {3}\/ UDP {2}192\.168\.255\.111 {3}; branch= z9hG4bK30239$/);
    const [contact] = contactsOf(wsinv.octets);
    expect([contact?.displayName, contact?.uriText, contact?.q]).toEqual([
      String.raw`"Quoted string \"\""`,
      'sip:jdrosen@example.com',
      '0.33',
    ]);
    expect(contact?.params).toEqual([
      { name: 'newparam', value: 'newvalue' },
      { name: 'secondparam', value: undefined },
      { name: 'q', value: '0.33' },
    ]);
    expect(message.body).toHaveLength(150);
  });

  test('wsinv is answered 405, with its three Via values and tags as they came', async () => {
    const server = await tortureServer();

    expect(await statusOf(server, wsinv.octets)).toBe('405 Method Not Allowed');
  });

  test('intmeth: every character that a token, a user part, a word and a quoted string may have is taken', () => {
    const { message, via, from, to, callId, cseq } = accept(intmeth.octets);

    expect(message.method).toBe("!interesting-Method0123456789_*+`.%indeed'~");
    expect(cseq).toEqual({ sequence: 139_122_385, method: message.method });
    expect(parseUri(message.requestUri)).toMatchObject({
      user: "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*",
      password: "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)",
      host: 'example.com',
      params: [],
      headers: [],
    });
    expect(paramValue(via.params, 'branch')).toBe("z9hG4bK-.!%66*_+`'~");
    expect(to.displayName).toBe('"BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f"');
    expect(from.displayName).toBe("token1~` token2'+_ token3*%!.-");
    expect(from.tag).toBe("_token~1'+`*%!-.");
    expect(paramValue(from.params, "fromparam''~+*_!.-%")).toBe(
      Buffer.from('работающий', 'utf8').toString('latin1'),
    );
    expect(callId).toBe('intmeth.word%ZK-!.*_+\'@word`~)(><:\\/"][?}{');
    expect(parseMaxForwards(firstValue(message.headers, 'max-forwards') ?? '')).toBe(255);
    expect(firstValue(message.headers, "extensionheader-!.%*+_`'~")).toBe(
      Buffer.from('\uFEFF大停電', 'utf8').toString('latin1'),
    );
  });

  test('intmeth is answered 501 with Allow, and its octets above and below ASCII come back', async () => {
    const server = await tortureServer();

    const answer = await askOverUdp(server, intmeth.octets);

    expect(answer.value('Allow').split(', ')).toContain('REGISTER');
    expect(answer.value('To')).toContain('NUL:\\\0 DEL:\\\x7f"');
    expect(await statusOf(server, intmeth.octets)).toBe('501 Not Implemented');
  });

  test('esc01: escapes are resolved once and after parsing, so that an escaped @ or : separates nothing', () => {
    const { message, from, to } = accept(esc01.octets);

    expect(parseUri(message.requestUri)).toMatchObject({
      scheme: 'sip',
      user: 'sips%3Auser%40example.com',
      host: 'example.net',
    });
    expect([to.uriText, from.uriText]).toEqual([
      'sip:%75se%72@example.com',
      'sip:I%20have%20spaces@example.net',
    ]);
    const [contact] = contactsOf(esc01.octets);
    expect(contact?.uriText).toBe('sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31');
    expect(contact?.uri).toMatchObject({
      user: 'cal%6Cer',
      params: [
        { name: '%6C%72', value: undefined },
        { name: 'n%61me', value: 'v%61lue%25%34%31' },
      ],
    });
  });

  test('esc01 is answered 405', async () => {
    const server = await tortureServer();

    expect(await statusOf(server, esc01.octets)).toBe('405 Method Not Allowed');
  });

  test('esc01: a To of sip:%75se%72@example.com registers the user user', async () => {
    const server = await tortureServer();
    const phone = await server.phone('user');

    const answer = await phone.register({
      to: '<sip:%75se%72@example.com>',
      contacts: ['<sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31>'],
    });

    expect([answer.status, answer.contacts()]).toEqual([
      200,
      ['<sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31>'],
    ]);
    expect(await server.bindings('user@example.com')).toHaveLength(1);
  });

  test('escnull: %00 is an octet of the user part like any other', () => {
    const { to } = accept(escnull.octets);

    expect(to.uri).toMatchObject({ user: 'null-%00-null', host: 'example.com' });
    expect(contactsOf(escnull.octets).map(({ uriText }) => uriText)).toEqual([
      'sip:%00@host5.example.com',
      'sip:%00%00@host5.example.com',
    ]);
  });

  test('escnull is challenged', async () => {
    const server = await tortureServer();

    expect(await statusOf(server, escnull.octets)).toBe('401 Unauthorized');
  });

  test('escnull: an address-of-record does not end at its %00, so another user may not register it', async () => {
    const server = await tortureServer();
    await server.addUser('null-', 'example.com');

    expect((await registerAs(server, 'null-', escnull.octets)).status).toBe(403);
    expect(await server.bindings('null-@example.com')).toEqual([]);
  });

  test('escnull: contacts with one and with two %00 are two bindings, and come back octet for octet', async () => {
    const server = await tortureServer();

    const answer = await registerAs(
      server,
      'user',
      escnull.octets.replaceAll('null-%00-null@example.com', 'user@example.com'),
    );

    expect(answer.status).toBe(200);
    expect(answer.contacts().toSorted()).toEqual([
      '<sip:%00%00@host5.example.com>',
      '<sip:%00@host5.example.com>',
    ]);
    expect(await server.bindings('user@example.com')).toHaveLength(2);
  });

  test('esc02: % escapes nothing in a method, a header name or a display name', () => {
    const { message, to, via } = accept(esc02.octets);

    expect(message.method).toBe('RE%47IST%45R');
    expect(to.displayName).toBe('"%Z%45"');
    expect(paramValue(via.params, 'branch')).toBe('z9hG4bK209%fzsnel234');
    expect(allValues(message.headers, 'contact')).toEqual([
      '<sip:alias1@host1.example.com>',
      '<sip:alias3@host3.example.com>',
    ]);
    expect(firstValue(message.headers, 'c%6fntact')).toBe('<sip:alias2@host2.example.com>');
  });

  test('esc02 is answered 501, since its method is not REGISTER', async () => {
    const server = await tortureServer();

    expect(await statusOf(server, esc02.octets)).toBe('501 Not Implemented');
  });

  test('lwsdisp: a display name may stand right before the angle bracket', () => {
    const { from } = accept(lwsdisp.octets);

    expect([from.displayName, from.uriText, from.tag]).toEqual(['caller', 'sip:caller@example.com', '323']);
  });

  test('lwsdisp to the server itself is answered 200', async () => {
    const server = await tortureServer();

    expect(await statusOf(server, toServer(lwsdisp.octets))).toBe('200 OK');
  });

  test('longreq: long values and many Via are taken whole', () => {
    const { message, via, from, to, callId } = accept(longreq.octets);

    expect(to.displayName).toBe(`"I have a user name of ${'extreme'.repeat(10)} proportion"`);
    expect(to.uri).toMatchObject({ user: 'user', host: 'example.com', port: 6000 });
    expect(to.uri).toHaveProperty('params.length', 3);
    expect(from.tag).toBe(`12${'982'.repeat(50)}424`);
    expect(from.params).toHaveLength(3);
    expect(callId).toBe(`longreq.one${'really'.repeat(20)}longcallid`);
    expect(via.host).toBe('sip33.example.com');
    const vias = allValues(message.headers, 'via').map(parseTopVia);
    expect(vias.map((each) => ('host' in each ? each.host : ''))).toEqual([
      ...Array.from({ length: 33 }, (_, i) => `sip${33 - i}.example.com`),
      'host.example.com',
    ]);
    expect(message.body).toHaveLength(150);
  });

  test('longreq is answered 405, with all of its 34 Via values', async () => {
    const server = await tortureServer();

    expect((await askOverUdp(server, longreq.octets)).values('Via')).toHaveLength(34);
    expect(await statusOf(server, longreq.octets)).toBe('405 Method Not Allowed');
  });

  test('dblreq: a datagram is one message, and what comes after its Content-Length is none', () => {
    const { message } = accept(dblreq.octets);

    expect([message.method, message.body]).toEqual(['REGISTER', '']);
  });

  test('dblreq is challenged, then registered, and the INVITE behind it gets no answer', async () => {
    const server = await tortureServer();
    const wire = await server.udp();

    expect((await askOverUdp(server, dblreq.octets, wire)).status).toBe(401);
    expect(await wire.receiveAllWithin(100)).toEqual([]);
    const answer = await registerAs(server, 'j.user', dblreq.octets);
    expect([answer.status, answer.contacts()]).toEqual([200, ['<sip:j.user@host.example.com>']]);
  });

  test('dblreq: on a stream the same octets are two requests, each with its answer', async () => {
    const server = await tortureServer();
    const wire = await server.tcp();

    wire.send(dblreq.octets);

    const answers = [await wire.receive(), await wire.receive()];
    expect(answers.map(({ status }) => status)).toEqual([401, 405]);
    expect(answers.map((answer) => answer.value('Call-ID'))).toEqual([
      'dblreq.0ha0isndaksdj99sdfafnl3lk233412',
      'dblreq.0ha0isnda977644900765@192.0.2.15',
    ]);
  });

  test('semiuri: semicolons before the @ belong to the user', () => {
    const { message } = accept(semiuri.octets);

    expect(parseUri(message.requestUri)).toMatchObject({
      user: 'user;par=u%40example.net',
      host: 'example.com',
      params: [],
    });
    expect(firstValue(message.headers, 'accept')?.split(/, */)).toHaveLength(6);
  });

  test('semiuri as an INVITE is answered 405: its Request-URI is for a user of the domain', async () => {
    const server = await tortureServer();

    expect(await statusOf(server, semiuri.octets.replaceAll('OPTIONS', 'INVITE'))).toBe(
      '405 Method Not Allowed',
    );
  });

  test('semiuri: user;par=u%40example.net is another address-of-record than user', async () => {
    const server = await tortureServer();
    const phone = await server.phone('user');

    const answer = await phone.register({
      to: '<sip:user;par=u%40example.net@example.com>',
      contacts: ['<sip:user@192.0.2.1>'],
    });

    expect(answer.status).toBe(403);
    expect(await server.bindings('user@example.com')).toEqual([]);
  });

  test('transports: a Via of any transport is read, known or not', () => {
    const { message } = accept(transports.octets);

    const vias = allValues(message.headers, 'via').map(parseTopVia);
    expect(vias.map((via) => ('transport' in via ? via.transport : ''))).toEqual([
      'UDP',
      'SCTP',
      'TLS',
      'UNKNOWN',
      'TCP',
    ]);
  });

  test('transports to the server itself is answered 200 with all five Via values', async () => {
    const server = await tortureServer();

    expect((await askOverUdp(server, transports.octets)).values('Via')).toHaveLength(5);
    expect(await statusOf(server, toServer(transports.octets))).toBe('200 OK');
  });

  test('transports: with an unknown transport on top it is answered to where it came from', async () => {
    const server = await tortureServer();

    const octets = toServer(transports.octets).replace('SIP/2.0/UDP', 'SIP/2.0/UNKNOWN');

    expect(await statusOf(server, octets)).toBe('200 OK');
  });

  test('mpart01: a body may have any octet, and ends where Content-Length says', () => {
    const { message } = accept(mpart01.octets);

    expect(message.body).toHaveLength(553);
    expect(message.body).toContain('\0');
    expect(message.body.endsWith('\xd0\x05\r\n--7a9cbec02ceef655--\r\n')).toBe(true);
    expect(parseContentType(firstValue(message.headers, 'content-type') ?? '')).toEqual({
      mediaType: 'multipart/mixed',
      params: [{ name: 'boundary', value: '7a9cbec02ceef655' }],
    });
  });

  test('mpart01 is answered 405, and on a stream the request behind it is understood', async () => {
    const server = await tortureServer();
    const wire = await server.tcp();

    expect(await statusOf(server, mpart01.octets)).toBe('405 Method Not Allowed');
    wire.send(mpart01.octets + toServer(lwsdisp.octets));

    expect([(await wire.receive()).status, (await wire.receive()).status]).toEqual([405, 200]);
  });

  test('unreason: a reason phrase is what it is, octets above ASCII included', () => {
    const message = parse(unreason.octets);

    expect(message).toMatchObject({
      kind: 'response',
      status: 200,
      reason: Buffer.from('= 2**3 * 5**2 но сто девяносто девять - простое', 'utf8').toString('latin1'),
    });
    expect(message.body).toHaveLength(154);
  });

  test('unreason is a response that nobody waits for: silence', async () => {
    const server = await tortureServer();

    expect(await isMetWithSilence(server, unreason.octets)).toBe(true);
  });

  test('noreason: a reason phrase may be empty', () => {
    expect(parse(noreason.octets)).toMatchObject({ kind: 'response', status: 100, reason: '' });
  });

  test('noreason is a response that nobody waits for: silence', async () => {
    const server = await tortureServer();

    expect(await isMetWithSilence(server, noreason.octets)).toBe(true);
  });
});
