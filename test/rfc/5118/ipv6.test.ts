import { describe, expect, test } from 'vitest';
import { parseContacts } from '../../../src/sip/grammar/headers/contact.js';
import { parseTopVia } from '../../../src/sip/grammar/headers/via.js';
import { allValues } from '../../../src/sip/grammar/message.js';
import { paramValue } from '../../../src/sip/grammar/params.js';
import { parseUri } from '../../../src/sip/grammar/uri.js';
import {
  accept,
  askOverUdp,
  parse,
  refusal,
  registerAs,
  statusLine,
  statusOf,
  tortureServer,
  toServer,
} from '../4475/scene.js';
import { MESSAGES, withCountedLength } from './messages.js';

const CALLER = '"Caller" <sip:caller@[2001:db8::1]>';

/** All of it over IPv6. */
const serverOnIpv6 = () => tortureServer({ host: '::1' });

function requestUriOf(octets: string) {
  return parseUri(accept(octets).message.requestUri);
}

function contactUriOf(octets: string) {
  const header = parseContacts(allValues(parse(octets).headers, 'contact'));
  if (!('contacts' in header)) throw new Error('a contact was expected');
  return header.contacts[0]?.uri;
}

describe('IPv6 addresses in messages (RFC 5118 §4)', () => {
  test('ipv6-good: addresses in brackets are read in Request-URI, Via and Contact', () => {
    const { octets } = MESSAGES['ipv6-good'];

    expect(requestUriOf(octets)).toMatchObject({ user: undefined, host: '[2001:db8::10]', port: undefined });
    expect(accept(octets).via).toMatchObject({ host: '[2001:db8::9:1]', port: undefined });
    expect(contactUriOf(octets)).toMatchObject({ user: 'caller', host: '[2001:db8::1]', port: undefined });
  });

  test('ipv6-good is challenged, then registered, and its Contact comes back octet for octet', async () => {
    const server = await serverOnIpv6();
    const { octets } = MESSAGES['ipv6-good'];

    expect(await statusOf(server, octets)).toBe('401 Unauthorized');
    const answer = await registerAs(server, 'user', octets);

    expect([answer.status, answer.contacts()]).toEqual([200, [CALLER]]);
    expect(await server.bindings('user@example.com')).toMatchObject([
      { contact: 'sip:caller@[2001:db8::1]' },
    ]);
  });

  test('ipv6-bad: an address without brackets is malformed', () => {
    expect(refusal(MESSAGES['ipv6-bad'].octets)).toEqual({ status: 400, header: 'request-uri' });
  });

  test('ipv6-bad is answered 400', async () => {
    const server = await serverOnIpv6();

    expect(await statusOf(server, MESSAGES['ipv6-bad'].octets)).toBe('400 Bad Request');
  });

  test('port-ambiguous: what stands within the brackets is all address, and there is no port', () => {
    expect(requestUriOf(MESSAGES['port-ambiguous'].octets)).toMatchObject({
      host: '[2001:db8::10:5070]',
      port: undefined,
    });
  });

  test('port-ambiguous is answered 404 by who serves [2001:db8::10], and challenged by who serves the address', async () => {
    const server = await serverOnIpv6();
    const { octets } = MESSAGES['port-ambiguous'];

    expect(await statusOf(server, octets)).toBe('404 Not Found');
    await server.changeDomain('example.com', { aliases: ['[2001:db8::10:5070]'] });

    expect(statusLine(await askOverUdp(server, octets.replace('CSeq: 98176', 'CSeq: 98177')))).toBe(
      '401 Unauthorized',
    );
  });

  test('port-unambiguous: what stands behind the brackets is the port', () => {
    expect(requestUriOf(MESSAGES['port-unambiguous'].octets)).toMatchObject({
      host: '[2001:db8::10]',
      port: 5070,
    });
  });

  test('port-unambiguous is registered', async () => {
    const server = await serverOnIpv6();

    const answer = await registerAs(server, 'user', MESSAGES['port-unambiguous'].octets);

    expect([answer.status, answer.contacts()]).toEqual([200, [CALLER]]);
  });

  test('via-received-param-with-delim, via-received-param-no-delim: received is read with brackets and without', () => {
    const withDelim = accept(MESSAGES['via-received-param-with-delim'].octets).via;
    const noDelim = accept(MESSAGES['via-received-param-no-delim'].octets).via;

    expect(paramValue(withDelim.params, 'received')).toBe('[2001:db8::9:255]');
    expect(paramValue(noDelim.params, 'received')).toBe('2001:db8::9:255');
    expect([paramValue(withDelim.params, 'branch'), paramValue(noDelim.params, 'branch')]).toEqual([
      'z9hG4bKas3-111',
      'z9hG4bKas3',
    ]);
  });

  test('via-received-param-with-delim is answered 405, with received as the grammar has it: no brackets', async () => {
    const server = await serverOnIpv6();
    const { octets } = MESSAGES['via-received-param-with-delim'];

    const answer = await askOverUdp(server, octets);

    expect(answer.value('Via')).toMatch(
      /^SIP\/2\.0\/UDP \[2001:db8::9:1\]:\d+;branch=z9hG4bKas3-111;received=::1$/,
    );
    expect(await statusOf(server, octets)).toBe('405 Method Not Allowed');
  });

  test('via-received-param-no-delim is answered 200, with received as the grammar has it: no brackets', async () => {
    const server = await serverOnIpv6();
    const { octets } = MESSAGES['via-received-param-no-delim'];

    const answer = await askOverUdp(server, octets);

    expect(answer.value('Via')).toMatch(
      /^SIP\/2\.0\/UDP \[2001:db8::9:1\]:\d+;branch=z9hG4bKas3;received=::1$/,
    );
    expect(await statusOf(server, octets)).toBe('200 OK');
  });

  test('ipv6-in-sdp: the body is as it was sent', () => {
    const { message } = accept(withCountedLength(MESSAGES['ipv6-in-sdp'].octets));

    expect(message.body).toHaveLength(251);
    expect(message.body).toContain('\r\nc=IN IP6 2001:db8::20\r\n');
  });

  test('ipv6-in-sdp is answered 405, and 400 over UDP with the Content-Length that the memo prints', async () => {
    const server = await serverOnIpv6();
    const { octets } = MESSAGES['ipv6-in-sdp'];

    expect(await statusOf(server, withCountedLength(octets))).toBe('405 Method Not Allowed');
    expect((await askOverUdp(server, octets)).status).toBe(400);
  });

  test('mult-ip-in-header: Via of both families stand side by side', () => {
    const { message } = accept(MESSAGES['mult-ip-in-header'].octets);

    expect(allValues(message.headers, 'via').map(parseTopVia)).toMatchObject([
      { transport: 'UDP', host: '[2001:db8::9:1]', port: 6050 },
      { transport: 'UDP', host: '192.0.2.1', port: undefined },
      { transport: 'TCP', host: '[2001:db8::9:255]', port: undefined },
    ]);
  });

  test('mult-ip-in-header is answered 405 with all three Via, of which only the topmost is changed', async () => {
    const server = await serverOnIpv6();
    const { octets } = MESSAGES['mult-ip-in-header'];

    expect((await askOverUdp(server, octets)).values('Via').slice(1)).toEqual([
      'SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKjhja8781hjuaij65144',
      'SIP/2.0/TCP [2001:db8::9:255];branch=z9hG4bK451jj;received=192.0.2.200',
    ]);
    expect(await statusOf(server, octets)).toBe('405 Method Not Allowed');
  });

  test('mult-ip-in-sdp: the body is as it was sent', () => {
    const { message } = accept(withCountedLength(MESSAGES['mult-ip-in-sdp'].octets));

    expect(message.body).toMatch(/c=IN IP4 192\.0\.2\.1\r\n.*c=IN IP6 2001:db8::1\r\n/s);
    expect(accept(MESSAGES['mult-ip-in-sdp'].octets).message.body).toHaveLength(181);
  });

  test('mult-ip-in-sdp is answered 405', async () => {
    const server = await serverOnIpv6();

    expect(await statusOf(server, MESSAGES['mult-ip-in-sdp'].octets)).toBe('405 Method Not Allowed');
  });

  test('ipv4-mapped-ipv6: a mapped address is an IPv6 address, in Via and in Contact', () => {
    const { octets } = MESSAGES['ipv4-mapped-ipv6'];

    expect(allValues(accept(octets).message.headers, 'via').map(parseTopVia)).toMatchObject([
      { host: '[::ffff:192.0.2.10]', port: 19823 },
      { host: '[::ffff:192.0.2.2]', port: undefined },
    ]);
    expect(contactUriOf(octets)).toMatchObject({ user: 'ted', host: '[::ffff:192.0.2.2]' });
  });

  test('ipv4-mapped-ipv6 is answered 405', async () => {
    const server = await serverOnIpv6();

    expect(await statusOf(server, MESSAGES['ipv4-mapped-ipv6'].octets)).toBe('405 Method Not Allowed');
  });

  test('ipv4-mapped-ipv6: its Contact is registered, and another spelling of the address refreshes it', async () => {
    const server = await serverOnIpv6();
    const phone = await server.phone('user');

    await phone.register({ contacts: ['"T. desk phone" <sip:ted@[::ffff:192.0.2.2]>'] });
    const answer = await phone.register({ contacts: ['<sip:ted@[::FFFF:c000:202]>'] });

    expect(answer.contacts()).toEqual(['<sip:ted@[::FFFF:c000:202]>']);
  });

  test('ipv6-bug-abnf-3-colons, ipv6-correct-abnf-2-colons: both spellings are read and kept', () => {
    for (const [name, host] of [
      ['ipv6-bug-abnf-3-colons', '[2001:db8:::192.0.2.1]'],
      ['ipv6-correct-abnf-2-colons', '[2001:db8::192.0.2.1]'],
    ] as const) {
      expect(requestUriOf(MESSAGES[name].octets), name).toMatchObject({ user: 'user', host });
      expect(accept(MESSAGES[name].octets).to.uri, name).toMatchObject({ host });
    }
  });

  test('ipv6-bug-abnf-3-colons to the server itself is answered 200', async () => {
    const server = await serverOnIpv6();

    expect(await statusOf(server, toServer(MESSAGES['ipv6-bug-abnf-3-colons'].octets))).toBe('200 OK');
  });

  test('ipv6-correct-abnf-2-colons to the server itself is answered 200', async () => {
    const server = await serverOnIpv6();

    expect(await statusOf(server, toServer(MESSAGES['ipv6-correct-abnf-2-colons'].octets))).toBe('200 OK');
  });

  test('ipv6-bug-abnf-3-colons: a Contact of either spelling is the same binding, and comes back as it was sent', async () => {
    const server = await serverOnIpv6();
    const phone = await server.phone('user');

    await phone.register({ contacts: ['<sip:user@[2001:db8::192.0.2.1]>'] });
    const answer = await phone.register({ contacts: ['<sip:user@[2001:db8:::192.0.2.1]>'] });

    expect([answer.status, answer.contacts()]).toEqual([200, ['<sip:user@[2001:db8:::192.0.2.1]>']]);
  });
});
