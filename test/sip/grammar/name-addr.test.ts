import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type NameAddr, parseNameAddr, printNameAddr } from '../../../src/sip/grammar/name-addr.js';
import { isParseError } from '../../../src/sip/grammar/sip-parse-error.js';
import { printUri } from '../../../src/sip/grammar/uri.js';
import { anyUri, displayName, headerParams } from './arbitraries.js';

function parse(text: string): NameAddr {
  const address = parseNameAddr(text);
  if (isParseError(address)) throw new Error(`${text}: ${address.detail}`);
  return address;
}

describe('an address', () => {
  it('has a display name, a URI as sent, and parameters', () => {
    const check = (
      text: string,
      displayed: string,
      uriText: string,
      params: Record<string, string | undefined>,
    ) => {
      const address = parse(text);
      expect(address.displayName, text).toBe(displayed);
      expect(address.uriText, text).toBe(uriText);
      expect(Object.fromEntries(address.params.map(({ name, value }) => [name, value])), text).toEqual(
        params,
      );
    };
    check('<sip:a@h>', '', 'sip:a@h', {});
    check('Bob <sip:a@h>', 'Bob', 'sip:a@h', {});
    check('Bob  B. <sip:a@h> ', 'Bob  B.', 'sip:a@h', {});
    check('caller<sip:caller@example.com>;tag=323', 'caller', 'sip:caller@example.com', { tag: '323' }); // lwsdisp
    check('"Bob, <x> \\" B" <sip:a@h>;tag=1', '"Bob, <x> \\" B"', 'sip:a@h', { tag: '1' });
    check(
      '"J Rosenberg \\\\\\""       <sip:jdrosen@example.com> ; tag = 98asjd8',
      '"J Rosenberg \\\\\\""',
      'sip:jdrosen@example.com',
      { tag: '98asjd8' },
    ); // wsinv
    check(
      '"BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f" <sip:a@h>',
      '"BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f"',
      'sip:a@h',
      {},
    ); // intmeth
    check(
      '"Quoted string \\"\\"" <sip:a@h> ; newparam = newvalue ; secondparam ; q = 0.33',
      '"Quoted string \\"\\""',
      'sip:a@h',
      { newparam: 'newvalue', secondparam: undefined, q: '0.33' },
    );
    check('<sip:a,b;c?d@h;x=y?e=f>;z="1;2,3"', '', 'sip:a,b;c?d@h;x=y?e=f', { z: '"1;2,3"' });
    check('<sip:a@h>;+sip.instance="<urn:uuid:1>";reg-id=1', '', 'sip:a@h', {
      '+sip.instance': '"<urn:uuid:1>"',
      'reg-id': '1',
    });
    check('<tel:+1>;a=[::1];b=c@d;e=f==', '', 'tel:+1', { a: '[::1]', b: 'c@d', e: 'f==' });
  });

  it('42: without brackets leaves the parameters to the header', () => {
    const address = parse('sip:u@h;expires=60;lr');
    expect(address).toMatchObject({ uriText: 'sip:u@h', uri: { params: [] } });
    expect(address.params).toEqual([
      { name: 'expires', value: '60' },
      { name: 'lr', value: undefined },
    ]);
    expect(parse('sip:u@h ; tag = x').params).toEqual([{ name: 'tag', value: 'x' }]);
    expect(parse('sip:u@h;+sip.instance="<urn:x>"').params).toHaveLength(1);
  });

  it('42: without brackets is malformed with ? or a comma (RFC 4475 regbadct)', () => {
    const malformed = [
      'sip:user@example.com?Route=%3Csip:sip.example.com%3E',
      'sip:u@h,x',
      'sip:u,v@h',
      'sip:u@h;a=b?c=d',
      'sip:bob;x@d',
    ];
    for (const text of malformed) expect(parseNameAddr(text), text).toMatchObject({ status: 400 });
  });

  it('that breaks the grammar is a 400 that names the header', () => {
    const malformed = [
      ...[
        '',
        ' ',
        ';tag=1',
        '<>',
        '<sip:a@h',
        'sip:a@h>',
        '"x" sip:a@h',
        '"x"',
        'Bob',
        'Bob sip:a@h',
        '*',
        '*;expires=0',
      ],
      '"Mr. J. User <sip:j.user@example.com>', // quotbal
      'Bell, Alexander <sip:a.g.bell@example.com>;tag=433423', // baddn
      '"Watson, Thomas" < sip:t.watson@example.org >', // badaspec
      ...[
        '<sip:a@h>;',
        '<sip:a@h>;;;;',
        '<sip:a@h>;=x',
        '<sip:a@h>;x=',
        '<sip:a@h>x',
        '<sip:a@h>;x y',
        '<sip:a@h>;x="',
      ],
      ...['<sip:a@h>,<sip:b@h>', '<sip:a@h>;x=<y>', '<<sip:a@h>>', '<sip:a@h>;x="y"z', 'caf\xe9 <sip:a@h>'],
    ];
    for (const text of malformed) {
      expect(parseNameAddr(text, 'from'), text).toMatchObject({
        status: 400,
        header: 'from',
        reason: 'Malformed From',
      });
    }
  });

  it('printed is what was parsed', () => {
    const address = fc.record({ displayName, uri: anyUri, params: headerParams }).map((parts) => ({
      displayName: parts.displayName,
      uriText: printUri(parts.uri),
      uri: parts.uri,
      params: parts.params,
    }));
    fc.assert(
      fc.property(address, (value) => {
        expect(parseNameAddr(printNameAddr(value))).toEqual(value);
      }),
    );
  });
});
