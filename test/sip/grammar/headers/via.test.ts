import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  branchOf,
  parseTopVia,
  parseTopViaToRefuse,
  printVia,
  stampTopVia,
  type Via,
} from '../../../../src/sip/grammar/headers/via.js';
import { isParseError } from '../../../../src/sip/grammar/sip-parse-error.js';
import { headerParams, host, port } from '../arbitraries.js';

function parse(text: string): Via {
  const via = parseTopVia(text);
  if (isParseError(via)) throw new Error(`${text}: ${via.detail}`);
  return via;
}

describe('Via', () => {
  it('is read from the first of a list', () => {
    const check = (text: string, expected: Partial<Via>) => expect(parse(text), text).toMatchObject(expected);
    check('SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx;rport', {
      protocol: 'SIP/2.0',
      transport: 'UDP',
      host: '192.0.2.1',
      port: 5060,
    });
    check('SIP/2.0/TLS [2001:db8::9:1];received=[2001:db8::9:255]', {
      transport: 'TLS',
      host: '[2001:db8::9:1]',
      port: undefined,
    });
    check('sip/2.0/udp Example.com', {
      protocol: 'SIP/2.0',
      transport: 'UDP',
      host: 'Example.com',
      params: [],
    });
    check('SIP/2.0/WSS x.invalid;branch=1', { transport: 'WSS', host: 'x.invalid' });
    check('SIP/2.0/UNKNOWN a', { transport: 'UNKNOWN' }); // transports
    check('SIP/2.0/UDP a;x=1, SIP/2.0/UDP b', { host: 'a', params: [{ name: 'x', value: '1' }] });
    check('SIP/2.0/UDP a,SIP/2.0/UDP b', { host: 'a', params: [] });
    check('SIP/7.0/UDP c.example.com;branch=x', { protocol: 'SIP/7.0' }); // badvers
  });

  it('41: may have blanks around slashes, colon, semicolons and equals (RFC 4475 wsinv)', () => {
    expect(
      parse(
        'SIP  / 2.0  / TCP     spindle.example.com   : 5060 ; branch  =   z9hG4bK9ikj8  , SIP  /    2.0   / UDP  192.168.255.111   ; branch= z9hG4bK30239',
      ),
    ).toEqual({
      protocol: 'SIP/2.0',
      transport: 'TCP',
      host: 'spindle.example.com',
      port: 5060,
      params: [{ name: 'branch', value: 'z9hG4bK9ikj8' }],
    });
  });

  it('that breaks the grammar is a 400', () => {
    const malformed = [
      ...[
        '',
        'SIP',
        'SIP/2.0',
        'SIP/2.0/',
        'SIP/2.0/UDP',
        'SIP/2.0/UDP ',
        'SIP/2.0 UDP a',
        'SIP/2.0/UDPa',
        'HTTP/1.1/TCP a',
      ],
      ...[
        'SIP//UDP a',
        '/2.0/UDP a',
        'SIP/2.0/UDP a b',
        'SIP/2.0/UDP a:0',
        'SIP/2.0/UDP a:',
        'SIP/2.0/UDP a:70000',
        'SIP/2.0/UDP ::1',
      ],
      ...[
        'SIP/2.0/UDP a;',
        'SIP/2.0/UDP a;;x',
        'SIP/2.0/UDP a;x=',
        'SIP/2.0/UDP 192.0.2.15;;,;,,',
        'SIP/2.0/UDP a;x="',
      ],
    ];
    for (const text of malformed)
      expect(parseTopVia(text), text).toMatchObject({ status: 400, header: 'via' });
  });

  it('whose parameters alone are malformed still says where a refusal goes (RFC 4475 badinv01)', () => {
    const check = (text: string, expected: object) => {
      expect(parseTopVia(text), text).toMatchObject({ status: 400, header: 'via' });
      expect(parseTopViaToRefuse(text), text).toMatchObject(expected);
    };
    check('SIP/2.0/UDP 192.0.2.15;;,;,,', { host: '192.0.2.15', port: undefined, params: [] });
    check('SIP/2.0/UDP h:5070;rport;;branch=x', {
      port: 5070,
      params: [{ name: 'rport', value: undefined }],
    });
    check('SIP/2.0/UDP h;branch=', { host: 'h', params: [] });
    check('SIP/2.0/UDP :5070;branch=x', { status: 400, header: 'via' });
  });

  it('gives its branch', () => {
    expect(branchOf(parse('SIP/2.0/UDP a;Branch=z9hG4bKx'))).toBe('z9hG4bKx');
    expect(branchOf(parse('SIP/2.0/UDP a'))).toBeUndefined();
    expect(branchOf(parse('SIP/2.0/UDP a;branch'))).toBeUndefined();
  });

  it('printed is what was parsed', () => {
    const via = fc.record({
      protocol: fc.constantFrom('SIP/2.0', 'SIP/7.0'),
      transport: fc.constantFrom('UDP', 'TCP', 'TLS', 'WS', 'WSS', 'SCTP', 'X-Y'),
      host,
      port,
      params: headerParams,
    });
    fc.assert(
      fc.property(via, fc.constantFrom('', ', SIP/2.0/UDP b'), (value, more) => {
        expect(parseTopVia(printVia(value) + more)).toEqual(value);
      }),
    );
  });
});

describe('stamping the top Via', () => {
  const stamp = (value: string, received: string | undefined, rport: number | undefined, expected: string) =>
    expect(stampTopVia(value, received, rport), value).toBe(expected);

  it('38: adds received and fills rport', () => {
    stamp(
      'SIP/2.0/UDP a;branch=x;rport',
      '192.0.2.1',
      5061,
      'SIP/2.0/UDP a;branch=x;rport=5061;received=192.0.2.1',
    );
    stamp('SIP/2.0/UDP a;RPort ;branch=x', '::1', 5061, 'SIP/2.0/UDP a;RPort=5061;branch=x;received=::1');
    stamp('SIP/2.0/UDP a;branch=x', '192.0.2.1', undefined, 'SIP/2.0/UDP a;branch=x;received=192.0.2.1');
    stamp('SIP/2.0/UDP a;rport', undefined, undefined, 'SIP/2.0/UDP a;rport');
    stamp('SIP/2.0/UDP a', '192.0.2.1', 9, 'SIP/2.0/UDP a;received=192.0.2.1;rport=9');
  });

  it('38: removes what the sender forged', () => {
    stamp(
      'SIP/2.0/UDP a;received=6.6.6.6;branch=x;Received=7.7.7.7',
      '1.1.1.1',
      undefined,
      'SIP/2.0/UDP a;branch=x;received=1.1.1.1',
    );
    stamp('SIP/2.0/UDP a;received=6.6.6.6', undefined, undefined, 'SIP/2.0/UDP a');
    stamp('SIP/2.0/UDP a;rport=1;rport=2;x', undefined, 9, 'SIP/2.0/UDP a;rport=9;x');
    stamp('SIP/2.0/UDP a; received = 6.6.6.6 ;x', '1.1.1.1', undefined, 'SIP/2.0/UDP a;x;received=1.1.1.1');
  });

  it('36: leaves every other octet as it was', () => {
    stamp(
      'SIP / 2.0/udp  A : 1 ; Branch = "r;received=x,\\"" ; y , SIP/2.0/UDP b;received=2',
      '1.1.1.1',
      undefined,
      'SIP / 2.0/udp  A : 1 ; Branch = "r;received=x,\\"" ; y;received=1.1.1.1 , SIP/2.0/UDP b;received=2',
    );
    stamp(
      'SIP/2.0/UDP a,SIP/2.0/UDP b;rport',
      '1.1.1.1',
      9,
      'SIP/2.0/UDP a;received=1.1.1.1;rport=9,SIP/2.0/UDP b;rport',
    );
    stamp('SIP/2.0/UDP a;x="', '1.1.1.1', 9, 'SIP/2.0/UDP a;x="');
  });

  it('38: leaves a Via that says where it came from', () => {
    fc.assert(
      fc.property(host, port, headerParams, (sentBy, sentByPort, params) => {
        const via: Via = { protocol: 'SIP/2.0', transport: 'UDP', host: sentBy, port: sentByPort, params };
        const stamped = parse(stampTopVia(printVia(via), '192.0.2.9', 4711));
        const values = (name: string) =>
          stamped.params.filter((param) => param.name.toLowerCase() === name).map((param) => param.value);
        expect(values('received')).toEqual(['192.0.2.9']);
        expect(values('rport')).toEqual(['4711']);
        const others = (list: Via['params']) => list.filter(({ name }) => !/^(received|rport)$/i.test(name));
        expect(others(stamped.params)).toEqual(others(params));
      }),
    );
  });
});
