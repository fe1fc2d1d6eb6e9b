import { describe, expect, test } from 'vitest';
import { parseDigestCredentials } from '../../../src/sip/grammar/headers/authorization.js';
import { parseContacts } from '../../../src/sip/grammar/headers/contact.js';
import { parseMaxForwards } from '../../../src/sip/grammar/headers/max-forwards.js';
import { parseOptionTags } from '../../../src/sip/grammar/headers/option-tags.js';
import { branchOf } from '../../../src/sip/grammar/headers/via.js';
import { allValues, firstValue } from '../../../src/sip/grammar/message.js';
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
  toServer,
} from './scene.js';

const {
  badbranch,
  insuf,
  unkscm,
  novelsc,
  unksm2,
  bext01,
  invut,
  regaut01,
  multi01,
  mcl01,
  bcast,
  zeromf,
  cparam01,
  cparam02,
  regescrt,
  sdp01,
  inv2543,
} = MESSAGES;

function contactOf(octets: string) {
  const header = parseContacts(allValues(parse(octets).headers, 'contact'));
  if (isParseError(header) || header.kind !== 'list') throw new Error('a contact was expected');
  const [contact] = header.contacts;
  return contact;
}

describe('What a transaction is (RFC 4475 §3.2)', () => {
  test('badbranch: a branch of z9hG4bK and nothing behind it is read as it is', () => {
    expect(branchOf(accept(badbranch.octets).via)).toBe('z9hG4bK');
  });

  test('badbranch to the server itself is answered 200, and its retransmission with the same octets', async () => {
    const server = await tortureServer();
    const wire = await server.udp();
    const octets = toServer(badbranch.octets);

    const first = await askOverUdp(server, octets, wire);
    const again = await askOverUdp(server, octets, wire);

    expect([first.status, again.octets]).toEqual([200, first.octets]);
    expect(await statusOf(server, octets)).toBe('200 OK');
  });

  test('badbranch: such a branch tells no transaction, so a request from another tag is another one', async () => {
    const server = await tortureServer();
    const wire = await server.udp();
    const first = await askOverUdp(server, badbranch.octets, wire);

    const other = await askOverUdp(server, badbranch.octets.replace('tag=33242', 'tag=33243'), wire);

    expect(other.value('From')).toBe('sip:caller@example.org;tag=33243');
    expect(other.value('To')).not.toBe(first.value('To'));
  });
});

describe('Well-formed messages are answered for what they ask (RFC 4475 §3.3)', () => {
  test('insuf: without Call-ID, From and To a request is malformed', () => {
    expect(refusal(insuf.octets)).toEqual({ status: 400, header: 'from' });
  });

  test('insuf is answered 400, with none of the header fields it lacks', async () => {
    const server = await tortureServer();

    const answer = await askOverUdp(server, insuf.octets);

    expect([answer.values('From'), answer.values('To'), answer.values('Call-ID')]).toEqual([[], [], []]);
    expect(await statusOf(server, insuf.octets)).toBe('400 Malformed From');
  });

  test('unkscm: a Request-URI may have any scheme', () => {
    expect(parseUri(accept(unkscm.octets).message.requestUri)).toEqual({
      scheme: 'nobodyknowsthisscheme',
      text: 'nobodyKnowsThisScheme:totallyopaquecontent',
    });
  });

  test('unkscm is answered 416', async () => {
    const server = await tortureServer();

    expect(await statusOf(server, unkscm.octets)).toBe('416 Unsupported URI Scheme');
  });

  test('novelsc: a scheme may have a dot in its name', () => {
    expect(parseUri(accept(novelsc.octets).message.requestUri)).toEqual({
      scheme: 'soap.beep',
      text: 'soap.beep://192.0.2.103:3002',
    });
  });

  test('novelsc is answered 416', async () => {
    const server = await tortureServer();

    expect(await statusOf(server, novelsc.octets)).toBe('416 Unsupported URI Scheme');
  });

  test('unksm2: To, From and Contact may have any scheme', () => {
    const { to, from } = accept(unksm2.octets);

    expect([to.uri, from.uri, contactOf(unksm2.octets)?.uri]).toEqual([
      { scheme: 'isbn', text: 'isbn:2983792873' },
      { scheme: 'http', text: 'http://www.example.com' },
      { scheme: 'name', text: 'name:John_Smith' },
    ]);
  });

  // The memo would have 400; RFC 3261 §10.3 step 5 has 404 for every address-of-record that is none of the domain's.
  test('unksm2 is challenged, then answered 404: no address-of-record of the domain has such a scheme', async () => {
    const server = await tortureServer();

    expect(await statusOf(server, unksm2.octets)).toBe('401 Unauthorized');
    const answer = await registerAs(server, 'user', unksm2.octets);
    expect([answer.status, answer.values('Contact')]).toEqual([404, []]);
  });

  test('unksm2: its From and Contact with an address-of-record of ours are registered as they are', async () => {
    const server = await tortureServer();

    const answer = await registerAs(
      server,
      'user',
      unksm2.octets.replace('isbn:2983792873', 'sip:user@example.com'),
    );

    expect([answer.status, answer.contacts()]).toEqual([200, ['<name:John_Smith>']]);
  });

  test('bext01: the tags of Require and of Proxy-Require are told apart', () => {
    const { headers } = parse(bext01.octets);

    expect(parseOptionTags(allValues(headers, 'require'))).toEqual([
      'nothingSupportsThis',
      'nothingSupportsThisEither',
    ]);
    expect(parseOptionTags(allValues(headers, 'proxy-require'))).toEqual([
      'noProxiesSupportThis',
      'norDoAnyProxiesSupportThis',
    ]);
  });

  test('bext01 to the server itself is answered 420, with the tags of Require in Unsupported alone', async () => {
    const server = await tortureServer();
    const octets = toServer(bext01.octets);

    const answer = await askOverUdp(server, octets);

    expect(answer.value('Unsupported')).toBe('nothingSupportsThis, nothingSupportsThisEither');
    expect(await statusOf(server, octets)).toBe('420 Bad Extension');
  });

  test('bext01: a REGISTER that requires the same is answered the same', async () => {
    const server = await tortureServer();

    const answer = await askOverUdp(server, bext01.octets.replaceAll('OPTIONS', 'REGISTER'));

    expect([answer.status, answer.value('Unsupported')]).toEqual([
      420,
      'nothingSupportsThis, nothingSupportsThisEither',
    ]);
  });

  test('invut: a body of unknown type is a body', () => {
    expect(accept(invut.octets).message.body).toBe('<audio>\r\n <pcmu port="443"/>\r\n</audio>\r\n');
  });

  test('invut is answered 405: the method comes before the body', async () => {
    const server = await tortureServer();

    expect(await statusOf(server, invut.octets)).toBe('405 Method Not Allowed');
  });

  test('regaut01: credentials of an unknown scheme are none', () => {
    const { headers } = parse(regaut01.octets);

    expect(parseDigestCredentials(firstValue(headers, 'authorization') ?? '')).toBeUndefined();
  });

  test('regaut01 is answered 401 with a challenge', async () => {
    const server = await tortureServer();

    const answer = await askOverTcp(server, regaut01.octets);

    expect(answer.value('WWW-Authenticate')).toMatch(/^Digest realm="example\.com", /);
    expect(answer.value('WWW-Authenticate')).not.toContain('stale');
    expect(await statusOf(server, regaut01.octets)).toBe('401 Unauthorized');
  });

  test('regaut01: credentials of ours beside those of the unknown scheme count', async () => {
    const server = await tortureServer();

    expect((await registerAs(server, 'j.user', regaut01.octets)).status).toBe(200);
  });

  test('multi01: two To, From, Call-ID or CSeq are malformed', () => {
    expect(refusal(multi01.octets)).toMatchObject({ status: 400 });
    for (const second of [
      'CSeq: 59 INVITE',
      'Call-ID: multi01.98asdh@192.0.2.2',
      'To: sip:other@example.net',
      'From: sip:caller@example.net;tag=2923420123',
    ]) {
      const name = second.slice(0, second.indexOf(':')).toLowerCase();
      expect(refusal(multi01OnlyWith(second)), second).toEqual({ status: 400, header: name });
    }
    expect(refusal(multi01OnlyWith(undefined))).toBeUndefined();
  });

  test('multi01 is answered 400', async () => {
    const server = await tortureServer();

    expect((await askOverUdp(server, multi01.octets)).status).toBe(400);
    expect((await askOverTcp(server, multi01.octets)).status).toBe(400);
  });

  test('mcl01: two Content-Length that differ are malformed, on a stream as in a datagram', () => {
    expect(refusal(mcl01.octets)).toEqual({ status: 400, header: 'content-length' });
    expect(refusal(mcl01.octets, 'stream')).toEqual({ status: 400, header: 'content-length' });
  });

  test('mcl01 is answered 400, and over TCP nothing behind it is read', async () => {
    const server = await tortureServer();
    const wire = await server.tcp();

    expect(await statusOf(server, mcl01.octets)).toBe('400 Malformed Content-Length');
    wire.send(mcl01.octets + zeromf.octets);
    expect((await wire.receive()).status).toBe(400);

    await wire.closedByServer();
    expect(wire.unread).toBe('');
  });

  test('bcast: a response that would go on to the broadcast address goes nowhere', async () => {
    const server = await tortureServer();

    expect(parse(bcast.octets)).toMatchObject({ kind: 'response', status: 200, reason: 'OK' });
    expect(await isMetWithSilence(server, bcast.octets)).toBe(true);
  });

  test('zeromf: Max-Forwards may be zero', () => {
    expect(parseMaxForwards(firstValue(accept(zeromf.octets).message.headers, 'max-forwards') ?? '')).toBe(0);
  });

  test('zeromf to the server itself is answered 200: whoever it is for may still answer it', async () => {
    const server = await tortureServer();

    expect(await statusOf(server, toServer(zeromf.octets))).toBe('200 OK');
  });

  test('cparam01: without angle brackets a parameter belongs to the Contact', () => {
    const contact = contactOf(cparam01.octets);

    expect(contact?.uriText).toBe('sip:+19725552222@gw1.example.net');
    expect(contact?.uri).toMatchObject({ user: '+19725552222', params: [] });
    expect(contact?.params).toEqual([{ name: 'unknownparam', value: undefined }]);
  });

  test('cparam01 is registered with the parameter outside the URI', async () => {
    const server = await tortureServer();

    expect(await statusOf(server, cparam01.octets)).toBe('401 Unauthorized');
    const answer = await registerAs(server, 'watson', cparam01.octets);

    expect([answer.status, answer.contacts()]).toEqual([
      200,
      ['<sip:+19725552222@gw1.example.net>;unknownparam'],
    ]);
    expect(await server.bindings('watson@example.com')).toMatchObject([
      { contact: 'sip:+19725552222@gw1.example.net' },
    ]);
  });

  test('cparam02: within angle brackets a parameter belongs to the URI', () => {
    const contact = contactOf(cparam02.octets);

    expect(contact?.uri).toMatchObject({ params: [{ name: 'unknownparam', value: undefined }] });
    expect(contact?.params).toEqual([]);
  });

  test('cparam02 is registered with the parameter in the URI', async () => {
    const server = await tortureServer();

    const answer = await registerAs(server, 'watson', cparam02.octets);

    expect([answer.status, answer.contacts()]).toEqual([
      200,
      ['<sip:+19725552222@gw1.example.net;unknownparam>'],
    ]);
    expect(await server.bindings('watson@example.com')).toMatchObject([
      { contact: 'sip:+19725552222@gw1.example.net;unknownparam' },
    ]);
  });

  test('cparam02 refreshes the binding of cparam01, since an unknown URI parameter makes no difference', async () => {
    const server = await tortureServer();
    await registerAs(server, 'watson', cparam01.octets);

    const answer = await registerAs(server, 'watson', cparam02.octets);

    expect(answer.contacts()).toEqual(['<sip:+19725552222@gw1.example.net;unknownparam>']);
  });

  test('regescrt: a header in a Contact URI stays escaped', () => {
    expect(contactOf(regescrt.octets)?.uri).toMatchObject({
      user: 'user',
      host: 'example.com',
      headers: [{ name: 'Route', value: '%3Csip:sip.example.com%3E' }],
    });
  });

  // Its Contact is its address-of-record, which may lead back here (R10): so it is another user's here.
  test('regescrt is registered, and its Contact URI comes back octet for octet', async () => {
    const server = await tortureServer();
    const octets = regescrt.octets.replace('To: sip:user@', 'To: sip:j.user@');

    expect(await statusOf(server, regescrt.octets)).toBe('401 Unauthorized');
    const answer = await registerAs(server, 'j.user', octets);

    expect([answer.status, answer.contacts()]).toEqual([
      200,
      ['<sip:user@example.com?Route=%3Csip:sip.example.com%3E>'],
    ]);
    expect(await server.bindings('j.user@example.com')).toMatchObject([
      { contact: 'sip:user@example.com?Route=%3Csip:sip.example.com%3E' },
    ]);
  });

  test('sdp01 is answered 405: what it would accept is not asked', async () => {
    const server = await tortureServer();

    expect(refusal(sdp01.octets)).toBeUndefined();
    expect(await statusOf(server, sdp01.octets)).toBe('405 Method Not Allowed');
  });
});

describe('Phones of RFC 2543 are understood (RFC 4475 §3.4)', () => {
  test('inv2543: no branch, no From tag, no Max-Forwards; the body is the rest of the datagram', () => {
    const { message, via, from, to } = accept(inv2543.octets);

    expect([branchOf(via), from.tag, to.tag]).toEqual([undefined, undefined, undefined]);
    expect(to.params).toEqual([{ name: 'user', value: 'phone' }]);
    expect(to.uri).toMatchObject({ user: '+16505552222', params: [] });
    expect(message.body).toHaveLength(105);
    expect(message.body.endsWith('m=audio 49217 RTP/AVP 0\r\n')).toBe(true);
  });

  test('inv2543 is answered 405 over UDP, without its Record-Route', async () => {
    const server = await tortureServer();

    const answer = await askOverUdp(server, inv2543.octets);

    expect([answer.status, answer.values('Record-Route')]).toEqual([405, []]);
  });

  test('inv2543 is answered 400 over TCP, where a Content-Length must be, and the connection ends', async () => {
    const server = await tortureServer();
    const wire = await server.tcp();

    wire.send(inv2543.octets);

    expect(statusLine(await wire.receive())).toBe('400 Malformed Content-Length');
    await wire.closedByServer();
  });

  test('inv2543: a REGISTER in its form is registered, and its retransmission is no second one', async () => {
    const server = await tortureServer();
    const wire = await server.udp();
    const phone = await server.phone('user', { wire });
    await phone.fetchChallenge();
    const octets = phone.compose({
      via: `SIP/2.0/UDP ${wire.sentBy}`,
      from: '<sip:user@example.com>',
      contacts: ['<sip:user@192.0.2.1>'],
    });

    const first = await phone.exchange(octets);
    const again = await phone.exchange(octets);

    expect([first.status, again.octets]).toEqual([200, first.octets]);
  });
});

/** multi01 with one of its second values, or with none of them. */
function multi01OnlyWith(second: string | undefined): string {
  return [
    'CSeq: 59 INVITE',
    'Call-ID: multi01.98asdh@192.0.2.2',
    'To: sip:other@example.net',
    'From: sip:caller@example.net;tag=2923420123',
  ]
    .filter((line) => line !== second)
    .reduce((octets, line) => octets.replace(`${line}\r\n`, ''), multi01.octets);
}
