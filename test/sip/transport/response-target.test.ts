import { expect, it } from 'vitest';
import { parseTopVia, type Via } from '../../../src/sip/grammar/headers/via.js';
import { isParseError } from '../../../src/sip/grammar/sip-parse-error.js';
import { responseTarget, viaStamp } from '../../../src/sip/transport/response-target.js';

function viaOf(text: string): Via {
  const via = parseTopVia(text);
  if (isParseError(via)) throw new Error(via.detail);
  return via;
}

// The request came from 192.0.2.9, port 40000.
it.each([
  ['sent-by port', 'SIP/2.0/UDP 192.0.2.9:5070', '192.0.2.9:5070'],
  ['5060 when sent-by has none', 'SIP/2.0/UDP 192.0.2.9', '192.0.2.9:5060'],
  ['the source address, not a sent-by elsewhere', 'SIP/2.0/UDP 10.0.0.1:5070', '192.0.2.9:5070'],
  ['the source address, not a name', 'SIP/2.0/UDP phone.example:5070', '192.0.2.9:5070'],
  ['rport wins over sent-by', 'SIP/2.0/UDP 10.0.0.1:5070;rport', '192.0.2.9:40000'],
  ['rport in any case, whatever it says', 'SIP/2.0/UDP 10.0.0.1;RPort=7', '192.0.2.9:40000'],
  [
    'a received that the client made up does not count',
    'SIP/2.0/UDP 10.0.0.1;received=203.0.113.1',
    '192.0.2.9:5060',
  ],
  ['maddr first', 'SIP/2.0/UDP 10.0.0.1:5070;maddr=224.0.1.75', '224.0.1.75:5070'],
  ['maddr before rport', 'SIP/2.0/UDP 10.0.0.1;rport;maddr=224.0.1.75', '224.0.1.75:5060'],
  ['a maddr that is a name is not looked up', 'SIP/2.0/UDP 10.0.0.1;maddr=group.example', '192.0.2.9:5060'],
  ['a stream: where a new connection would go', 'SIP/2.0/TCP 10.0.0.1:5070', '192.0.2.9:5070'],
  ['a stream does not know rport', 'SIP/2.0/TCP 10.0.0.1;rport', '192.0.2.9:5060'],
  ['a stream does not know maddr', 'SIP/2.0/TCP 10.0.0.1;maddr=224.0.1.75', '192.0.2.9:5060'],
])('39: %s', (_, text, expected) => {
  const { address, port } = responseTarget(viaOf(text), !text.startsWith('SIP/2.0/TCP'), '192.0.2.9', 40_000);
  expect(`${address}:${port}`).toBe(expected);
});

it('39: a datagram is answered as one, whatever transport its Via claims', () => {
  const { port } = responseTarget(viaOf('SIP/2.0/TCP 10.0.0.1:5070;rport'), true, '192.0.2.9', 40_000);
  expect(port).toBe(40_000);
});

it.each<[string, string, string, string | undefined, number | undefined]>([
  ['nothing when sent-by is the source', 'SIP/2.0/UDP 192.0.2.9:5070', '192.0.2.9', undefined, undefined],
  ['received when sent-by is another address', 'SIP/2.0/UDP 10.0.0.1', '192.0.2.9', '192.0.2.9', undefined],
  ['received when sent-by is a name', 'SIP/2.0/UDP phone.example', '192.0.2.9', '192.0.2.9', undefined],
  ['both when rport is asked for', 'SIP/2.0/UDP 10.0.0.1;rport', '192.0.2.9', '192.0.2.9', 40_000],
  [
    'RFC 3581: received with rport, also when the address is right',
    'SIP/2.0/UDP 192.0.2.9;rport',
    '192.0.2.9',
    '192.0.2.9',
    40_000,
  ],
  ['an rport with a value is filled anew', 'SIP/2.0/UDP 192.0.2.9;rport=1', '192.0.2.9', '192.0.2.9', 40_000],
  [
    'nothing when an IPv6 sent-by is the source',
    'SIP/2.0/UDP [2001:db8::1]',
    '2001:db8::1',
    undefined,
    undefined,
  ],
  [
    'nothing when it is so in another spelling',
    'SIP/2.0/UDP [2001:0DB8:0::1]:5060',
    '2001:db8::1',
    undefined,
    undefined,
  ],
  [
    'received when an IPv6 sent-by is another',
    'SIP/2.0/UDP [2001:db8::2]',
    '2001:db8::1',
    '2001:db8::1',
    undefined,
  ],
])('38: %s', (_, text, source, received, rport) => {
  expect(viaStamp(viaOf(text), source, 40_000)).toEqual({ received, rport });
});
