import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  allValues,
  type BrokenMessage,
  firstValue,
  MAX_HEADER_FIELDS,
  MAX_HEADER_LINE_BYTES,
  MAX_MESSAGE_BYTES,
  MAX_REQUEST_URI_BYTES,
  parseMessage,
  printMessage,
  type SipMessage,
  singleValue,
} from '../../../src/sip/grammar/message.js';
import { isParseError } from '../../../src/sip/grammar/sip-parse-error.js';

const START = 'REGISTER sip:example.com SIP/2.0\r\n';

function parse(text: string, framing: 'datagram' | 'stream' = 'datagram'): SipMessage {
  const message = parseMessage(text, { framing });
  if (message.kind === 'broken') throw new Error(message.error.detail);
  return message;
}

function broken(text: string, framing: 'datagram' | 'stream' = 'datagram'): BrokenMessage {
  const message = parseMessage(text, { framing });
  if (message.kind !== 'broken') throw new Error('expected a broken message');
  return message;
}

/** The one header of a message that has these lines. */
function value(lines: string): string | undefined {
  return parse(`${START}${lines}\r\n`).headers[0]?.value;
}

describe('the start line', () => {
  it('of a request gives method and Request-URI as sent', () => {
    expect(parse('REGISTER sip:Example.COM;transport=udp SIP/2.0\r\n\r\n')).toEqual({
      kind: 'request',
      method: 'REGISTER',
      requestUri: 'sip:Example.COM;transport=udp',
      headers: [],
      body: '',
    });
  });

  it('27: takes any token as method, and keeps its case (RFC 4475 intmeth)', () => {
    const method = "!interesting-Method0123456789_*+`.%indeed'~";
    expect(parse(`${method} sip:a SIP/2.0\r\n\r\n`)).toMatchObject({ method });
    expect(parse('register sip:a SIP/2.0\r\n\r\n')).toMatchObject({ method: 'register' });
  });

  it('of a response gives status and reason', () => {
    const check = (line: string, status: number, reason: string) =>
      expect(parse(`${line}\r\n\r\n`)).toMatchObject({ kind: 'response', status, reason });
    check('SIP/2.0 200 OK', 200, 'OK');
    check('sip/2.0 404 Not Found Here', 404, 'Not Found Here');
    check('SIP/2.0 100 ', 100, '');
    check('SIP/2.0 100', 100, '');
    check('SIP/2.0 200 = 2**3 * 5**2 \xd0\xbd\xd0\xbe', 200, '= 2**3 * 5**2 \xd0\xbd\xd0\xbe');
  });

  it('knows its version in any case', () => {
    expect(parse('REGISTER sip:a sip/2.0\r\n\r\n').kind).toBe('request');
  });

  it('28: with another SIP version is a 505 (RFC 4475 badvers)', () => {
    for (const version of ['SIP/7.0', 'SIP/2.1', 'sip/1.0', 'SIP/20.0', 'SIP/2.00']) {
      expect(broken(`OPTIONS sip:a ${version}\r\n\r\n`)).toMatchObject({
        isRequest: true,
        method: 'OPTIONS',
        error: { status: 505, reason: 'Version Not Supported' },
      });
    }
  });

  it('of a request that is not three words between single spaces is a 400', () => {
    const lines = [
      'REGISTER  sip:a SIP/2.0', // lwsstart
      'REGISTER sip:a  SIP/2.0',
      'REGISTER sip:a SIP/2.0 ', // trws
      'REGISTER sip:a; lr SIP/2.0', // lwsruri
      'REGISTER sip:a\tSIP/2.0',
      'REGISTER\tsip:a SIP/2.0',
      'REGISTER sip:a',
      'REGISTER',
      ' REGISTER sip:a SIP/2.0',
      'REGI@STER sip:a SIP/2.0',
      'REGISTER sip:a HTTP/1.1',
      'REGISTER sip:a SIP/2',
      'REGISTER sip:a SIP/.0',
      'REGISTER sip:a SIP/2.x',
      'REGISTER sip:a SIP\x0f2.0',
      '{}',
    ];
    for (const line of lines) {
      expect(broken(`${line}\r\n\r\n`), line).toMatchObject({ isRequest: true, error: { status: 400 } });
    }
  });

  it('29: of a broken response is told from a request', () => {
    for (const line of [
      'SIP/2.0 4294967301 better',
      'SIP/2.0 99 x',
      'SIP/2.0 700 x',
      'SIP/2.0 2x0 OK',
      'SIP/3.0 200 OK',
    ]) {
      expect(broken(`${line}\r\n\r\n`), line).toMatchObject({ isRequest: false, method: undefined });
    }
  });

  it('longer than its bound is a 400', () => {
    const line = (length: number) => `${'A'.repeat(length - 14)} sip:a SIP/2.0`;
    expect(parse(`${line(MAX_HEADER_LINE_BYTES)}\r\n\r\n`).kind).toBe('request');
    expect(broken(`${line(MAX_HEADER_LINE_BYTES + 1)}\r\n\r\n`)).toMatchObject({
      isRequest: true,
      error: { status: 400, bound: 'header_length' },
    });
  });

  it('with a Request-URI longer than its bound is a 414', () => {
    const line = (length: number) => `REGISTER sip:${'a'.repeat(length - 4)} SIP/2.0`;
    expect(parse(`${line(MAX_REQUEST_URI_BYTES)}\r\n\r\n`).kind).toBe('request');
    for (const length of [MAX_REQUEST_URI_BYTES + 1, 60_000]) {
      expect(broken(`${line(length)}\r\n\r\n`)).toMatchObject({
        isRequest: true,
        method: 'REGISTER',
        error: { status: 414, bound: 'request_uri_length' },
      });
    }
  });

  it('40: may come after empty lines', () => {
    expect(parse(`\r\n\r\n\n${START}\r\n`).kind).toBe('request');
  });
});

describe('header fields', () => {
  it('41: have names without case, and the long name in lower case', () => {
    const check = (sent: string, name: string) =>
      expect(parse(`${START}${sent}: x\r\n\r\n`).headers).toEqual([{ name, value: 'x' }]);
    check('Via', 'via');
    check('VIA', 'via');
    check('Call-id', 'call-id');
    check('cSeQ', 'cseq');
    check('MaX-fOrWaRdS', 'max-forwards');
    check('X-Foo', 'x-foo');
    check('WWW-Authenticate', 'www-authenticate');
  });

  it('41: compact forms stand for long names, in either case', () => {
    const forms = {
      ...{
        v: 'via',
        f: 'from',
        t: 'to',
        m: 'contact',
        i: 'call-id',
        e: 'content-encoding',
        c: 'content-type',
      },
      ...{ s: 'subject', k: 'supported', o: 'event', u: 'allow-events', r: 'refer-to', b: 'referred-by' },
      ...{ x: 'session-expires', j: 'reject-contact', d: 'request-disposition', y: 'identity' },
      ...{ a: 'accept-contact', n: 'identity-info' },
    };
    for (const [compact, name] of Object.entries(forms)) {
      expect(parse(`${START}${compact}: x\r\n\r\n`).headers).toEqual([{ name, value: 'x' }]);
      expect(parse(`${START}${compact.toUpperCase()}: x\r\n\r\n`).headers).toEqual([{ name, value: 'x' }]);
    }
    expect(parse(`${START}l: 2\r\n\r\nabc`).body).toBe('ab');
  });

  it('41: folded over several lines are one value with single blanks', () => {
    const check = (lines: string, expected: string) => expect(value(lines)).toBe(expected);
    check('Subject: a\r\n b\r\n', 'a b');
    check('Subject: a\r\n\t  b  \r\n c\r\n', 'a b c');
    check('Subject:\r\n a\r\n', 'a');
    check(
      'TO :\r\n sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n\r\n',
      'sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n',
    );
    check('Subject: a\r\n \r\n b\r\n', 'a b');
    check('Subject: a\n b\n', 'a b');
  });

  it('may have blanks before the colon and around the value', () => {
    expect(parse(`${START}Subject \t :  a b \t\r\n\r\n`).headers).toEqual([
      { name: 'subject', value: 'a b' },
    ]);
    expect(value('Subject:a\r\n')).toBe('a');
    expect(value('Subject:\r\n')).toBe('');
  });

  it('keep every octet of their values', () => {
    const octets = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).join('');
    const line = `x${octets.replace(/[\r\n]/g, '')}x`;
    expect(value(`Subject: ${line}\r\n`)).toBe(line);
  });

  it('30: that are malformed but not needed do no harm', () => {
    const message = parse(`${START}Date: yesterday\r\nUnknownHeaderWithUnusualValue: ;;,,;;,;\r\n\r\n`);
    expect(message.headers).toHaveLength(2);
  });

  it('end with CRLF or LF alone, mixed as well', () => {
    const message = parse('REGISTER sip:a SIP/2.0\nTo: a\r\nFrom: b\n\nbody');
    expect(message).toMatchObject({ headers: [{ value: 'a' }, { value: 'b' }], body: 'body' });
  });

  it('with a bare CR are a 400, and that field is not given on', () => {
    const message = broken(`${START}Subject: a\rVia: b\r\nTo: c\r\n\r\n`);
    expect(message.error.status).toBe(400);
    expect(message.headers).toEqual([{ name: 'to', value: 'c' }]);
    expect(broken(`REGISTER sip:a\rb SIP/2.0\r\n\r\n`).error.status).toBe(400);
    for (const lines of ['a\r\n b\rc', 'a\rb\r\n c', 'a\r\n b\rc\r\n d', 'a\r', '\ra\n b']) {
      const folded = broken(`${START}To: x\r\nSubject: ${lines}\r\n\r\n`);
      expect(folded.headers, JSON.stringify(lines)).toEqual([{ name: 'to', value: 'x' }]);
    }
  });

  it('29: of a broken message can still be read, before and after the fault', () => {
    const check = (line: string) => {
      const message = broken(`${START}Via: v\r\n${line}\r\nTo: t\r\n\r\n`);
      expect(message, line).toMatchObject({ isRequest: true, method: 'REGISTER', error: { status: 400 } });
      expect(firstValue(message.headers, 'via')).toBe('v');
      expect(firstValue(message.headers, 'to')).toBe('t');
    };
    check('no colon here');
    check(': no name');
    check('bad name: x');
    check('b@d: x');
    check(`Subject: ${'x'.repeat(MAX_HEADER_LINE_BYTES)}`);
    check('Content-Length: -1');
  });

  it('may not begin with a fold', () => {
    expect(broken(`${START} folded: x\r\nVia: v\r\n\r\n`).error.status).toBe(400);
  });

  it('longer than their bound are a 400, folds included', () => {
    const filler = 'x'.repeat(MAX_HEADER_LINE_BYTES - 'Subject: \r\n'.length);
    expect(value(`Subject: ${filler}\r\n`)).toBe(filler);
    expect(broken(`${START}Subject: ${filler}x\r\n\r\n`).error.status).toBe(400);
    expect(broken(`${START}Subject: ${filler.slice(2)}\r\n xx\r\n\r\n`).error.status).toBe(400);
  });

  it('of more than the bound are a 400', () => {
    expect(parse(`${START}${'a: 1\r\n'.repeat(MAX_HEADER_FIELDS)}\r\n`).headers).toHaveLength(
      MAX_HEADER_FIELDS,
    );
    const message = broken(`${START}${'a: 1\r\n'.repeat(MAX_HEADER_FIELDS + 1)}\r\n`);
    expect(message.error.status).toBe(400);
    expect(message.headers).toHaveLength(MAX_HEADER_FIELDS);
  });

  it('that do not end with an empty line are a 400', () => {
    for (const text of ['', START, `${START}Via: v\r\n`, `${START}Via: v`, 'REGISTER sip:a SIP/2.0']) {
      expect(broken(text), JSON.stringify(text)).toMatchObject({ error: { status: 400 } });
    }
  });

  it('are found by name: the first, all, or the only one', () => {
    const { headers } = parse(`${START}v: 1\r\nTo: 2\r\nVia: 3, 4\r\n\r\n`);
    expect(firstValue(headers, 'via')).toBe('1');
    expect(firstValue(headers, 'from')).toBeUndefined();
    expect(allValues(headers, 'via')).toEqual(['1', '3, 4']);
    expect(allValues(headers, 'from')).toEqual([]);
    expect(singleValue(headers, 'to')).toBe('2');
    expect(singleValue(headers, 'from')).toBeUndefined();
    expect(singleValue(headers, 'via')).toMatchObject({ status: 400, reason: 'Malformed Via' });
  });
});

describe('the body', () => {
  it('40: of a datagram is cut to Content-Length, or is all that is left', () => {
    const check = (header: string, sent: string, body: string) =>
      expect(parse(`${START}${header}\r\n${sent}`).body).toBe(body);
    check('Content-Length: 3\r\n', 'abcdef', 'abc');
    check('Content-Length: 0\r\n', 'abc', '');
    check('Content-Length:  0003\r\n', 'abc', 'abc');
    check('', 'abc', 'abc');
    check('', '', '');
    check('Content-Length : 2\r\n', 'abc', 'ab');
  });

  it('40: shorter than Content-Length is a 400 (RFC 4475 clerr)', () => {
    expect(broken(`${START}Content-Length: 9999\r\n\r\nabc`)).toMatchObject({
      isRequest: true,
      error: { status: 400, header: 'content-length' },
    });
    expect(broken('SIP/2.0 200 OK\r\nContent-Length: 9999\r\n\r\nabc').isRequest).toBe(false);
  });

  it('with a Content-Length that is no number is a 400 (RFC 4475 ncl)', () => {
    for (const length of ['-999', '+1', '1 1', '1,1', '0x1', '', '1.0', '99999999999999999999']) {
      expect(broken(`${START}Content-Length: ${length}\r\n\r\nabc`).error.status, length).toBe(400);
    }
  });

  it('with two Content-Lengths is a 400 unless they agree (RFC 4475 mcl01)', () => {
    expect(broken(`${START}Content-Length: 1\r\nl: 2\r\n\r\nabc`).error.status).toBe(400);
    expect(parse(`${START}Content-Length: 1\r\nl: 1\r\n\r\nabc`).body).toBe('a');
  });

  it('40: on a stream needs Content-Length', () => {
    expect(broken(`${START}\r\n`, 'stream').error).toMatchObject({ status: 400, header: 'content-length' });
    expect(parse(`${START}l:0\r\n\r\n`, 'stream').kind).toBe('request');
  });

  it('28: of a message over the bound is a 513, with the headers at hand', () => {
    const head = `${START}Via: v\r\n\r\n`;
    expect(parse(head + 'x'.repeat(MAX_MESSAGE_BYTES - head.length)).kind).toBe('request');
    const message = broken(head + 'x'.repeat(MAX_MESSAGE_BYTES - head.length + 1));
    expect(message).toMatchObject({
      error: { status: 513, reason: 'Message Too Large' },
      method: 'REGISTER',
    });
    expect(firstValue(message.headers, 'via')).toBe('v');
  });
});

describe('printing', () => {
  it('writes usual header names, CRLF and the right Content-Length in its place', () => {
    const text = printMessage({
      kind: 'response',
      status: 401,
      reason: 'Unauthorized',
      headers: [
        { name: 'via', value: 'SIP/2.0/UDP a' },
        { name: 'content-length', value: '999' },
        { name: 'call-id', value: 'x' },
        { name: 'cseq', value: '1 REGISTER' },
        { name: 'www-authenticate', value: 'Digest' },
        { name: 'x-foo-bar', value: 'y' },
        { name: 'content-length', value: '998' },
      ],
      body: 'abc',
    });
    expect(text).toBe(
      'SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP a\r\nContent-Length: 3\r\nCall-ID: x\r\nCSeq: 1 REGISTER\r\n' +
        'WWW-Authenticate: Digest\r\nX-Foo-Bar: y\r\n\r\nabc',
    );
  });

  it('adds Content-Length last when there is none', () => {
    const request = {
      kind: 'request',
      method: 'OPTIONS',
      requestUri: 'sip:a',
      headers: [],
      body: '',
    } as const;
    expect(printMessage(request)).toBe('OPTIONS sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n');
  });

  it('lets no value begin a header field of its own', () => {
    const text = printMessage({
      kind: 'response',
      status: 200,
      reason: 'OK\r\nX: 1',
      headers: [{ name: 'server', value: 'a\r\nEvil: 1\nEvil: 2\rEvil: 3' }],
      body: '',
    });
    expect(text.split(/\r\n|\r|\n/)).toHaveLength(5);
  });

  it('is undone by parsing', () => {
    const octet = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code));
    const text = fc.array(octet).map((octets) => octets.join(''));
    const line = text.map((octets) => octets.replace(/[\r\n]/g, '').replace(/^[ \t]+|[ \t]+$/g, ''));
    const name = fc.constantFrom(
      'via',
      'to',
      'from',
      'call-id',
      'cseq',
      'x-foo',
      'www-authenticate',
      'subject',
    );
    const header = fc.record({ name, value: line });
    const start = fc.oneof(
      fc.record({
        kind: fc.constant('request' as const),
        method: fc.constantFrom('REGISTER', 'OPTIONS', "!x'~"),
        requestUri: fc.constantFrom('sip:a', 'tel:+1', 'sips:%00@[::1]:5061;a=b?c=d'),
      }),
      fc.record({
        kind: fc.constant('response' as const),
        status: fc.integer({ min: 100, max: 699 }),
        reason: text.map((octets) => octets.replace(/[\r\n]/g, '')),
      }),
    );
    fc.assert(
      fc.property(start, fc.array(header, { maxLength: 20 }), text, (first, headers, body) => {
        const length = { name: 'content-length', value: String(body.length) };
        const message: SipMessage = { ...first, headers: [...headers, length], body };
        expect(parseMessage(printMessage(message), { framing: 'stream' })).toEqual(message);
      }),
    );
  });
});

it('parsing never throws, whatever comes', () => {
  const piece = fc.constantFrom(
    'REGISTER',
    ' ',
    'sip:a',
    'SIP/2.0',
    '\r\n',
    '\n',
    '\r',
    ':',
    'l',
    '1',
    '\0',
    '\xff',
    '"',
  );
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 60 }),
      fc.constantFrom('datagram', 'stream'),
      (pieces, framing) => {
        const message = parseMessage(pieces.join(''), { framing });
        expect(message.kind !== 'broken' || isParseError(message.error)).toBe(true);
      },
    ),
    { numRuns: 500 },
  );
});
