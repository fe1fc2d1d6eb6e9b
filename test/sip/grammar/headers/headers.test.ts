import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDigestCredentials } from '../../../../src/sip/grammar/headers/authorization.js';
import { parseCallId } from '../../../../src/sip/grammar/headers/call-id.js';
import { parseContacts, printContact } from '../../../../src/sip/grammar/headers/contact.js';
import {
  parseContentDisposition,
  printContentDisposition,
} from '../../../../src/sip/grammar/headers/content-disposition.js';
import { parseContentLength } from '../../../../src/sip/grammar/headers/content-length.js';
import { parseContentType, printContentType } from '../../../../src/sip/grammar/headers/content-type.js';
import { parseCSeq, printCSeq } from '../../../../src/sip/grammar/headers/cseq.js';
import { parseExpires } from '../../../../src/sip/grammar/headers/expires.js';
import { parseFrom, parseTo, printFromTo } from '../../../../src/sip/grammar/headers/from-to.js';
import { parseMaxForwards } from '../../../../src/sip/grammar/headers/max-forwards.js';
import { hasOptionTag, parseOptionTags } from '../../../../src/sip/grammar/headers/option-tags.js';
import { parseQValue, printQValue } from '../../../../src/sip/grammar/headers/qvalue.js';
import { printUri } from '../../../../src/sip/grammar/uri.js';
import { anyUri, displayName, headerParams } from '../arbitraries.js';

const BAD_REQUEST = expect.objectContaining({ status: 400 });

/** Checks one parser against a table of inputs and what each gives. */
function table<T>(parse: (input: T) => unknown, rows: readonly (readonly [T, unknown])[]): void {
  for (const [input, expected] of rows) expect(parse(input), JSON.stringify(input)).toEqual(expected);
}

describe('CSeq', () => {
  it('29: is a number below 2^31 and a method', () => {
    table(parseCSeq, [
      ['1 REGISTER', { sequence: 1, method: 'REGISTER' }],
      ['0009   INVITE', { sequence: 9, method: 'INVITE' }],
      ['0\tx', { sequence: 0, method: 'x' }],
      ['2147483647 REGISTER', { sequence: 2_147_483_647, method: 'REGISTER' }],
      ['2147483648 REGISTER', BAD_REQUEST],
      ['36893488147419103232 REGISTER', BAD_REQUEST],
      ['-1 REGISTER', BAD_REQUEST],
      ['1', BAD_REQUEST],
      ['1 ', BAD_REQUEST],
      ['1REGISTER', BAD_REQUEST],
      ['REGISTER 1', BAD_REQUEST],
      ['1 REGI STER', BAD_REQUEST],
      ['', BAD_REQUEST],
    ]);
    expect(printCSeq({ sequence: 7, method: 'REGISTER' })).toBe('7 REGISTER');
  });
});

describe('From and To', () => {
  it('36: have a tag or not', () => {
    table(parseFrom, [
      ['<sip:a@h>;tag=x', expect.objectContaining({ tag: 'x', uriText: 'sip:a@h' })],
      ['sip:a@h;Tag=x;y', expect.objectContaining({ tag: 'x', uriText: 'sip:a@h' })],
      ['<sip:a@h;tag=no>', expect.objectContaining({ tag: undefined })],
      ['<sip:a@h>, <sip:b@h>', expect.objectContaining({ status: 400, reason: 'Malformed From' })],
    ]);
    expect(parseTo('')).toMatchObject({ status: 400, reason: 'Malformed To' });
  });

  it('printed are what was parsed', () => {
    fc.assert(
      fc.property(displayName, anyUri, headerParams, (displayed, uri, params) => {
        const text = printFromTo({
          displayName: displayed,
          uriText: printUri(uri),
          uri,
          params,
          tag: undefined,
        });
        const parsed = parseFrom(text);
        expect(parsed).toMatchObject({ displayName: displayed, uriText: printUri(uri), uri, params });
      }),
    );
  });
});

describe('Contact', () => {
  const uris = (...lines: string[]) => {
    const header = parseContacts(lines);
    return 'contacts' in header ? header.contacts.map(({ uriText }) => uriText) : header;
  };

  it('8: may be absent', () => {
    expect(parseContacts([])).toEqual({ kind: 'none' });
  });

  it('41: comes as a list, as several header fields, or both', () => {
    expect(uris('<sip:a@h>')).toEqual(['sip:a@h']);
    expect(uris('<sip:a@h>;q=1, "x,y" <sip:b,c@h>;z=","', 'sip:d@h;expires=60,sip:e@h')).toEqual([
      'sip:a@h',
      'sip:b,c@h',
      'sip:d@h',
      'sip:e@h',
    ]);
  });

  it('10, 11, 42: gives URI, expires and q as sent', () => {
    const first = (line: string) => {
      const header = parseContacts([line]);
      return 'contacts' in header ? header.contacts[0] : header;
    };
    expect(first('<sip:%61@H;Lr>;expires=60;q=0.5')).toMatchObject({
      uriText: 'sip:%61@H;Lr',
      expires: '60',
      q: '0.5',
    });
    expect(first('sip:u@h;Expires=x;Q=')).toEqual(BAD_REQUEST);
    expect(first('sip:u@h;Expires=x;Q')).toMatchObject({ expires: 'x', q: '' });
    expect(first('<sip:u@h;expires=1>')).toMatchObject({ expires: undefined, q: undefined });
    expect(first('<tel:+1>')).toMatchObject({ uriText: 'tel:+1' });
  });

  it('4: is * alone or not at all', () => {
    expect(parseContacts(['*'])).toEqual({ kind: 'star' });
    for (const lines of [
      ['*', '*'],
      ['*, <sip:a@h>'],
      ['<sip:a@h>', '*'],
      ['*', 'sip:a@h'],
      ['*;expires=0'],
      ['*,'],
    ]) {
      expect(parseContacts(lines), lines.join(' | ')).toEqual(BAD_REQUEST);
    }
  });

  it('5: is a 400 as a whole when one of several is malformed', () => {
    for (const lines of [
      ['<sip:a@h>', 'x'],
      ['<sip:a@h>, <sip:b@>'],
      ['<sip:a@h>,'],
      ['<sip:a@h>;;;;'],
      [''],
    ]) {
      expect(parseContacts(lines), lines.join(' | ')).toMatchObject({
        status: 400,
        reason: 'Malformed Contact',
      });
    }
  });

  it('printed is what was parsed', () => {
    const contact = fc.record({ displayName, uri: anyUri, params: headerParams });
    fc.assert(
      fc.property(fc.array(contact, { minLength: 1, maxLength: 4 }), (contacts) => {
        const values = contacts.map((parts) => ({
          ...parts,
          uriText: printUri(parts.uri),
          expires: undefined,
          q: undefined,
        }));
        const header = parseContacts([values.map(printContact).join(', ')]);
        expect(header).toMatchObject({ kind: 'list', contacts });
      }),
    );
  });
});

describe('numbers', () => {
  it('12: of seconds are 3600 when malformed, and clamped to 2^32 - 1', () => {
    table(parseExpires, [
      [undefined, undefined],
      ['0', 0],
      ['60', 60],
      ['4294967295', 4_294_967_295],
      ['4294967296', 4_294_967_295],
      ['9'.repeat(1000), 4_294_967_295],
      ['', 3600],
      ['-1', 3600],
      ['1.5', 3600],
      ['"60"', 3600],
      ['Thu, 01 Dec 1994 16:00:00 GMT', 3600],
      ['60 ', 3600],
    ]);
  });

  it('55: of preference are 0 to 1 with at most three decimals, in thousandths', () => {
    table(parseQValue, [
      ['0', 0],
      ['1', 1000],
      ['0.', 0],
      ['1.', 1000],
      ['0.5', 500],
      ['0.33', 330],
      ['0.001', 1],
      ['0.999', 999],
      ['1.000', 1000],
      ['1.001', BAD_REQUEST],
      ['1.1', BAD_REQUEST],
      ['0.0001', BAD_REQUEST],
      ['0.5000', BAD_REQUEST],
      ['2', BAD_REQUEST],
      ['00', BAD_REQUEST],
      ['01', BAD_REQUEST],
      ['-0', BAD_REQUEST],
      ['.5', BAD_REQUEST],
      ['0,5', BAD_REQUEST],
      ['0.x', BAD_REQUEST],
      ['', BAD_REQUEST],
      ['high', BAD_REQUEST],
    ]);
    for (let q = 0; q <= 1000; q++) expect(parseQValue(printQValue(q))).toBe(q);
  });

  it('35: of hops are 0 to 255', () => {
    table(parseMaxForwards, [
      ['0', 0],
      ['0068', 68],
      ['255', 255],
      ['256', BAD_REQUEST],
      ['300', BAD_REQUEST],
      ['-1', BAD_REQUEST],
      ['', BAD_REQUEST],
      ['7 0', BAD_REQUEST],
    ]);
  });

  it('40: of octets have no sign', () => {
    table(parseContentLength, [
      ['0', 0],
      ['00150', 150],
      ['-999', BAD_REQUEST],
      ['', BAD_REQUEST],
      ['1 2', BAD_REQUEST],
    ]);
  });
});

describe('option tags', () => {
  it('26: are collected over all lines, as sent', () => {
    const tags = parseOptionTags(['path, GRUU', '', 'outbound']);
    expect(tags).toEqual(['path', 'GRUU', 'outbound']);
    expect(hasOptionTag(tags as readonly string[], 'gruu')).toBe(true);
    expect(hasOptionTag(tags as readonly string[], 'timer')).toBe(false);
    expect(parseOptionTags(['a,,b'], 'require')).toMatchObject({ status: 400, reason: 'Malformed Require' });
    expect(parseOptionTags(['a b'])).toEqual(BAD_REQUEST);
  });
});

describe('Call-ID', () => {
  it('36: is one visible word, as sent', () => {
    for (const id of ['a', 'f81d4fae@foo.bar.com', '<a"b>\\{c}@[::1]', '{}|^`%41'])
      expect(parseCallId(id)).toBe(id);
    for (const id of ['', 'a b', 'a\tb', '\x00', 'a\xe9']) expect(parseCallId(id), id).toEqual(BAD_REQUEST);
  });
});

describe('Content-Type and Content-Disposition', () => {
  it('31: give media type and handling in lower case', () => {
    table(parseContentType, [
      ['application/SDP', { mediaType: 'application/sdp', params: [] }],
      [
        'Multipart / Mixed ; boundary = "x;y"',
        { mediaType: 'multipart/mixed', params: [{ name: 'boundary', value: '"x;y"' }] },
      ],
      ['application', BAD_REQUEST],
      ['application/', BAD_REQUEST],
      ['/sdp', BAD_REQUEST],
      ['a/b;', BAD_REQUEST],
      ['a/b c', BAD_REQUEST],
      ['', BAD_REQUEST],
    ]);
    table(parseContentDisposition, [
      ['Render', { disposition: 'render', handling: 'required', params: [] }],
      ['session;Handling=OPTIONAL', expect.objectContaining({ handling: 'optional' })],
      ['session ; handling="optional"', expect.objectContaining({ handling: 'optional' })],
      ['', BAD_REQUEST],
      ['a;;', BAD_REQUEST],
    ]);
    expect(printContentType({ mediaType: 'a/b', params: [{ name: 'c', value: 'd' }] })).toBe('a/b;c=d');
    expect(
      printContentDisposition({
        disposition: 'a',
        handling: 'optional',
        params: [{ name: 'handling', value: 'optional' }],
      }),
    ).toBe('a;handling=optional');
  });
});

describe('Authorization', () => {
  const REQUIRED = 'username="bob", realm="r", nonce="n", uri="sip:r", response="0a"';
  const MINIMUM = { username: 'bob', realm: 'r', nonce: 'n', uri: 'sip:r', response: '0a' };

  it('43: gives the parameters unquoted, whether they were quoted or not', () => {
    table(parseDigestCredentials, [
      [`Digest ${REQUIRED}`, MINIMUM],
      [`  DIGEST   ${REQUIRED}`, MINIMUM],
      [
        `Digest ${REQUIRED},algorithm=MD5,nc=00000001,qop=auth,cnonce="c"`,
        { ...MINIMUM, algorithm: 'MD5', nc: '00000001', qop: 'auth', cnonce: 'c' },
      ],
      [
        `Digest ${REQUIRED} , algorithm="SHA-256" , nc = "00000001",  qop="auth-int",opaque="", userhash=false`,
        { ...MINIMUM, algorithm: 'SHA-256', nc: '00000001', qop: 'auth-int', opaque: '', userhash: 'false' },
      ],
      ['Digest USERNAME=bob,Realm=r,nonce=n,URI=sip:r,response=0a', MINIMUM],
      [`Digest ${REQUIRED}, auts="x", new-param=y, new-param=z`, MINIMUM],
    ]);
  });

  it('43: resolves quoted-pairs, and keeps commas and equals in quotes', () => {
    const header =
      'Digest username="b\\"o\\\\b, realm=x@d", realm="a=b,c", nonce="n==", uri="sip:r;a=b", response="0a"';
    expect(parseDigestCredentials(header)).toMatchObject({
      username: 'b"o\\b, realm=x@d',
      realm: 'a=b,c',
      nonce: 'n==',
      uri: 'sip:r;a=b',
    });
  });

  it('45: of another scheme is none of ours', () => {
    expect(parseDigestCredentials('Basic QWxhZGRpbjpvcGVu')).toBeUndefined();
    expect(parseDigestCredentials('Bearer x')).toBeUndefined();
    expect(parseDigestCredentials('Digestive x=y')).toBeUndefined();
  });

  it('43: with a parameter twice, one missing or a broken one is a 400 that echoes nothing', () => {
    const malformed = [
      ...[
        '',
        'Digest',
        'Digest ',
        'Digest username="bob"',
        `Digest ${REQUIRED},`,
        `Digest ,${REQUIRED}`,
        `Digest ${REQUIRED},,qop=auth`,
      ],
      ...[
        `Digest ${REQUIRED}, realm="r"`,
        `Digest ${REQUIRED}, Opaque=a, opaque=a`,
        `Digest ${REQUIRED}, x`,
        `Digest ${REQUIRED}, =x`,
      ],
      ...[
        `Digest ${REQUIRED}, qop=`,
        `Digest ${REQUIRED}, qop="auth`,
        `Digest ${REQUIRED} qop=auth`,
        `Digest ${REQUIRED}, q p=auth`,
      ],
      ...[
        'Digest username="bob" realm="r", nonce="n", uri="sip:r", response="0a"',
        `Digest ${REQUIRED}; qop=auth`,
        `Digest"${REQUIRED}`,
      ],
      ...['username', 'realm', 'nonce', 'uri', 'response'].map(
        (name) => `Digest ${REQUIRED.replace(`${name}=`, `x${name}=`)}`,
      ),
    ];
    for (const header of malformed) {
      const error = parseDigestCredentials(header);
      expect(error, header).toMatchObject({
        status: 400,
        header: 'authorization',
        reason: 'Malformed Authorization',
      });
      expect(JSON.stringify(error)).not.toMatch(/bob|0a/);
    }
  });
});
