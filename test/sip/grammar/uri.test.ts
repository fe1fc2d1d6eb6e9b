import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isParseError } from '../../../src/sip/grammar/sip-parse-error.js';
import {
  isSipUri,
  parseUri,
  printUri,
  type SipUri,
  sameUri,
  unescapedUser,
} from '../../../src/sip/grammar/uri.js';
import { anyUri } from './arbitraries.js';

function sipUri(text: string): SipUri {
  const uri = parseUri(text);
  if (isParseError(uri) || !isSipUri(uri)) throw new Error(`no SIP URI: ${text}`);
  return uri;
}

function same(a: string, b: string): boolean {
  const [left, right] = [parseUri(a), parseUri(b)];
  if (isParseError(left) || isParseError(right)) throw new Error(`no URI: ${a} ${b}`);
  const answer = sameUri(left, right);
  expect(sameUri(right, left), `${a} ${b} the other way round`).toBe(answer);
  return answer;
}

describe('a URI', () => {
  it('is taken apart as sent', () => {
    expect(parseUri('SIPS:%61lice:s%3Acret@Example.COM:5061;Transport=TCP;lr?Subject=a%20b&x=')).toEqual({
      scheme: 'sips',
      user: '%61lice',
      password: 's%3Acret',
      host: 'Example.COM',
      port: 5061,
      params: [
        { name: 'Transport', value: 'TCP' },
        { name: 'lr', value: undefined },
      ],
      headers: [
        { name: 'Subject', value: 'a%20b' },
        { name: 'x', value: '' },
      ],
    });
  });

  it('has every shape the RFCs show', () => {
    const check = (text: string, expected: Partial<SipUri>) =>
      expect(sipUri(text), text).toMatchObject(expected);
    check('sip:example.com', { user: undefined, host: 'example.com', port: undefined });
    check('sip:[2001:db8::10]:5070', { host: '[2001:db8::10]', port: 5070 });
    // RFC 5118 §4.10: the grammar of RFC 3261 has a third colon before an IPv4 address.
    check('sip:[2001:db8:::192.0.2.1]', { host: '[2001:db8:::192.0.2.1]', port: undefined });
    check('sip:[:::192.0.2.1]', { host: '[:::192.0.2.1]' });
    check('sip:[::ffff:192.0.2.10]', { host: '[::ffff:192.0.2.10]' });
    check('sip:a@192.0.2.4', { host: '192.0.2.4' });
    check('sip:a@example.com.', { host: 'example.com.' });
    check('sip:a@my_host', { host: 'my_host' });
    check('sip:a@4f3a9b2c1d0e', { host: '4f3a9b2c1d0e' });
    check('sip:a:@h', { user: 'a', password: '' });
    check('sip:bob;x@d', { user: 'bob;x', host: 'd', params: [] });
    check('sip:a?b@h', { user: 'a?b', host: 'h', headers: [] });
    check('sip:+1-201-555-0123:1234@h;user=phone', { user: '+1-201-555-0123', password: '1234' });
    check('sip:a@h;maddr=[::1];x=a:b/c&d+e$f', {
      params: [
        { name: 'maddr', value: '[::1]' },
        { name: 'x', value: 'a:b/c&d+e$f' },
      ],
    });
    check('sip:a@h:00005060', { port: 5060 });
    // RFC 4475 wsinv, esc01, escnull, intmeth
    check('sip:sips%3Auser%40example.com@example.net', { user: 'sips%3Auser%40example.com' });
    check('sip:null-%00-null@example.com', { user: 'null-%00-null' });
    check(
      "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com",
      {
        user: "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*",
        password: "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)",
      },
    );
  });

  it('of another scheme is kept whole', () => {
    expect(parseUri('TEL:+1-201-555-0123;x=y')).toEqual({ scheme: 'tel', text: 'TEL:+1-201-555-0123;x=y' });
    expect(parseUri('soap.beep://192.0.2.103:3002')).toMatchObject({ scheme: 'soap.beep' });
    expect(parseUri('nobodyKnowsThisScheme:totallyopaquecontent')).toMatchObject({
      scheme: 'nobodyknowsthisscheme',
    });
  });

  it('that breaks the grammar is a 400', () => {
    const malformed = [
      ...[
        '',
        'sip',
        'sip:',
        'sips:',
        ':',
        'example.com',
        '1sip:a',
        '<sip:a>',
        'sip:a ',
        ' sip:a',
        'sip: a',
        'sip :a',
      ],
      ...[
        'sip:@h',
        'sip:a@',
        'sip:a@@h',
        'sip:a b@h',
        'sip:a<@h',
        'sip:a"@h',
        'sip:%@h',
        'sip:%4@h',
        'sip:%4g@h',
        'sip:\xe9@h',
      ],
      ...[
        'sip::pw@h',
        'sip:a:b:c@h',
        'sip:a:p;w@h',
        'sip:a@h%41',
        'sip:a@-h',
        'sip:a@h-',
        'sip:a@h..i',
        'sip:a@.h',
        'sip:a@.',
      ],
      ...[
        'sip:a@h-.i',
        'sip:a@256.1.1.1',
        'sip:a@1.2.3',
        'sip:a@1.2.3.4.5',
        'sip:a@1.2.3.4.',
        'sip:a@12345',
        'sip:a@0001.1.1.1',
        'sip:a@h.1',
      ],
      ...[
        'sip:a@[::1',
        'sip:a@[]',
        'sip:a@[::g]',
        'sip:a@::1',
        'sip:a@[fe80::1%25eth0]',
        'sip:a@[fe80::1%eth0]',
        'sip:a@[1.2.3.4]',
      ],
      ...['sip:a@h:', 'sip:a@h:0', 'sip:a@h:65536', 'sip:a@h:x', 'sip:a@h:5060x', 'sip:a@h:-1'],
      ...[
        'sip:a@h;',
        'sip:a@h;;x',
        'sip:a@h;=1',
        'sip:a@h;x=',
        'sip:a@h;x="y"',
        'sip:a@h;x=%zz',
        'sip:a@h;x,y',
      ],
      ...['sip:a@h?', 'sip:a@h?x', 'sip:a@h?=1', 'sip:a@h?x=1&', 'sip:a@h?x=1&&y=2', 'sip:a@h?x=a;b'],
      ...['tel:', 'tel:a b', 'tel:"a"', 'tel:<a>', 'te_l:1', 'http:\x80'],
    ];
    for (const text of malformed) expect(parseUri(text), JSON.stringify(text)).toMatchObject({ status: 400 });
  });

  it('printed is what was parsed', () => {
    fc.assert(
      fc.property(anyUri, (uri) => {
        expect(parseUri(printUri(uri))).toEqual(uri);
      }),
    );
  });

  it('10: printed has the octets that were sent', () => {
    for (const text of ['sip:%61lice:x@H;Lr;a=%4A?B=c&d=', 'sips:[::1]:5061', 'sip:bob;x@d', 'mailto:A@b']) {
      const uri = parseUri(text);
      if (isParseError(uri)) throw new Error(text);
      expect(printUri(uri)).toBe(text);
    }
  });

  it('16, 21: gives its user with the escapes resolved', () => {
    const check = (text: string, user: string | undefined) => expect(unescapedUser(sipUri(text))).toBe(user);
    check('sip:%61lice@h', 'alice');
    check('sip:bob;x@h', 'bob;x');
    check('sip:bob%3Bx@h', 'bob;x');
    check('sip:%C3%a9@h', '\xc3\xa9');
    check('sip:a%2541@h', 'a%41');
    check('sip:h', undefined);
  });
});

describe('two URIs', () => {
  it('are the same where RFC 3261 §19.1.4 lists them as equivalent', () => {
    const check = (a: string, b: string) => expect(same(a, b), `${a} ${b}`).toBe(true);
    check('sip:%61lice@atlanta.com;transport=TCP', 'sip:alice@AtLanTa.CoM;Transport=tcp');
    check('sip:carol@chicago.com', 'sip:carol@chicago.com;newparam=5');
    check('sip:carol@chicago.com', 'sip:carol@chicago.com;security=on');
    check('sip:carol@chicago.com;newparam=5', 'sip:carol@chicago.com;security=on');
    check(
      'sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com',
      'sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com',
    );
    check(
      'sip:alice@atlanta.com?subject=project%20x&priority=urgent',
      'sip:alice@atlanta.com?priority=urgent&subject=project%20x',
    );
  });

  it('differ where RFC 3261 §19.1.4 lists them as not equivalent', () => {
    const check = (a: string, b: string) => expect(same(a, b), `${a} ${b}`).toBe(false);
    check('SIP:ALICE@AtLanTa.CoM;Transport=udp', 'sip:alice@AtLanTa.CoM;Transport=UDP');
    check('sip:bob@biloxi.com', 'sip:bob@biloxi.com:5060');
    check('sip:bob@biloxi.com', 'sip:bob@biloxi.com;transport=udp');
    check('sip:bob@biloxi.com', 'sip:bob@biloxi.com:6000;transport=tcp');
    check('sip:carol@chicago.com', 'sip:carol@chicago.com?Subject=next%20meeting');
    check('sip:bob@phone21.boxesbybob.com', 'sip:bob@192.0.2.4');
  });

  it('15: of schemes sip and sips differ, and users have case, hosts and names have not', () => {
    expect(same('sip:a@h', 'sips:a@h')).toBe(false);
    expect(same('sip:A@h', 'sip:a@h')).toBe(false);
    expect(same('SIP:a@H;LR', 'sip:a@h;lr')).toBe(true);
    expect(same('sip:a:x@h', 'sip:a:X@h')).toBe(false);
    expect(same('sip:a:x@h', 'sip:a@h')).toBe(false);
    expect(same('sip:a@h', 'sip:h')).toBe(false);
  });

  it('16: are the same with escapes of characters that are not reserved', () => {
    expect(same('sip:%61lice@h', 'sip:alice@h')).toBe(true);
    expect(same('sip:%C3%a9@h', 'sip:%c3%A9@h')).toBe(true);
    expect(same('sip:a@h;x=%41', 'sip:a@h;x=a')).toBe(true);
    // RFC 2396 reserved characters are something else when escaped.
    expect(same('sip:a%3Bx@h', 'sip:a;x@h')).toBe(false);
    expect(same('sip:a%3bx@h', 'sip:a%3Bx@h')).toBe(true);
  });

  it('17, 18: differ by transport, user, ttl, method or maddr in one only, even at the default', () => {
    for (const param of ['transport=udp', 'user=ip', 'ttl=1', 'method=INVITE', 'maddr=h']) {
      expect(same('sip:a@h', `sip:a@h;${param}`), param).toBe(false);
      expect(same(`sip:a@h;${param.toUpperCase()}`, `sip:a@h;${param}`), param).toBe(true);
    }
  });

  it('18: with an unknown parameter in both must agree on it', () => {
    expect(same('sip:a@h;x=1', 'sip:a@h;x=2')).toBe(false);
    expect(same('sip:a@h;x=1', 'sip:a@h;X=1;y')).toBe(true);
    expect(same('sip:a@h;x', 'sip:a@h;x=1')).toBe(false);
    expect(same('sip:a@h;x=On', 'sip:a@h;x=oN')).toBe(true);
  });

  it('18: with many parameters are compared by the same rules', () => {
    const many = (last: string) =>
      `sip:a@h${Array.from({ length: 20 }, (_, i) => `;p${i}=${i}`).join('')};z=${last}`;
    expect(same(many('1'), many('1'))).toBe(true);
    expect(same(many('1'), many('2'))).toBe(false);
    expect(same(many('1'), 'sip:a@h;P3=3')).toBe(true);
    expect(same(many('1'), 'sip:a@h;P3=4')).toBe(false);
    expect(same(`${many('1')};transport=tcp`, many('1'))).toBe(false);
  });

  it('19: must have the same headers, in any order', () => {
    expect(same('sip:h?a=1&b=2', 'sip:h?B=2&a=1')).toBe(true);
    expect(same('sip:h?a=1', 'sip:h?a=2')).toBe(false);
    expect(same('sip:h?a=1&a=2', 'sip:h?a=2&a=1')).toBe(true);
    expect(same('sip:h?a=1&a=1', 'sip:h?a=1')).toBe(false);
    expect(same('sip:h?a=%41', 'sip:h?a=A')).toBe(true);
    expect(same('sip:a@h;lr;x', 'sip:a@h;x;lr')).toBe(true);
  });

  it('20: can both be the same as a third and still differ', () => {
    expect(same('sip:carol@chicago.com;security=on', 'sip:carol@chicago.com')).toBe(true);
    expect(same('sip:carol@chicago.com', 'sip:carol@chicago.com;security=off')).toBe(true);
    expect(same('sip:carol@chicago.com;security=on', 'sip:carol@chicago.com;security=off')).toBe(false);
  });

  it('with IPv6 hosts are compared by address (RFC 5954)', () => {
    expect(same('sip:[2001:DB8::1]', 'sip:[2001:db8:0:0::0001]')).toBe(true);
    expect(same('sip:[2001:db8:::192.0.2.1]', 'sip:[2001:db8::192.0.2.1]')).toBe(true);
    expect(same('sip:[2001:db8:::192.0.2.1]', 'sip:[2001:db8::c000:201]')).toBe(true);
    expect(same('sip:[2001:db8:::192.0.2.1]', 'sip:[2001:db8::192.0.2.2]')).toBe(false);
    expect(same('sip:[::ffff:192.0.2.1]', 'sip:[::FFFF:c000:201]')).toBe(true);
    expect(same('sip:[::1]', 'sip:[::2]')).toBe(false);
    expect(same('sip:[1::]', 'sip:[::1]')).toBe(false);
  });

  it('of other schemes are compared as texts, the scheme without case', () => {
    expect(same('TEL:+1', 'tel:+1')).toBe(true);
    expect(same('tel:+1', 'tel:+2')).toBe(false);
    expect(same('mailto:A@b', 'mailto:a@b')).toBe(false);
    expect(same('sip:a@b', 'mailto:a@b')).toBe(false);
  });

  it('are the same as themselves, and the same both ways round', () => {
    fc.assert(
      fc.property(anyUri, anyUri, (a, b) => {
        expect(sameUri(a, a)).toBe(true);
        expect(sameUri(a, b)).toBe(sameUri(b, a));
      }),
    );
  });
});
