import { expect, it } from 'vitest';
import { parseTopVia } from '../../../src/sip/grammar/headers/via.js';
import { isParseError } from '../../../src/sip/grammar/sip-parse-error.js';
import { type KeyParts, transactionKey } from '../../../src/sip/transaction/transaction-key.js';

const COOKIE = 'SIP/2.0/UDP phone.example:5060;branch=z9hG4bK1';
const PLAIN = 'SIP/2.0/UDP phone.example:5060;branch=1';

function keyOf(viaText: string, parts: Partial<Omit<KeyParts, 'via' | 'viaText'>> = {}): string {
  const via = parseTopVia(viaText);
  if (isParseError(via)) throw new Error(via.detail);
  return transactionKey({
    method: 'REGISTER',
    requestUri: 'sip:example.com',
    fromTag: 'a',
    callId: 'call',
    cseq: 1,
    ...parts,
    via,
    viaText,
  });
}

it.each<[string, string, string, Partial<Omit<KeyParts, 'via' | 'viaText'>>, 'same' | 'other']>([
  ['a retransmission', COOKIE, COOKIE, {}, 'same'],
  ['other parameters beside the branch', COOKIE, `${COOKIE};rport;alias`, {}, 'same'],
  ['another case of the host', COOKIE, COOKIE.replace('phone', 'PHONE'), {}, 'same'],
  [
    'another From tag and Request-URI, which the branch stands for',
    COOKIE,
    COOKIE,
    { fromTag: 'b', requestUri: 'sip:x' },
    'same',
  ],
  ['another branch', COOKIE, COOKIE.replace('bK1', 'bK2'), {}, 'other'],
  ['another host in sent-by', COOKIE, COOKIE.replace('phone', 'other'), {}, 'other'],
  ['another port in sent-by', COOKIE, COOKIE.replace('5060', '5061'), {}, 'other'],
  ['no port in sent-by', COOKIE, COOKIE.replace(':5060', ''), {}, 'other'],
  ['another method', COOKIE, COOKIE, { method: 'OPTIONS' }, 'other'],
  [
    'another phone behind another NAT, counting branches from one',
    COOKIE,
    COOKIE,
    { callId: 'theirs' },
    'other',
  ],
  ['the next request of a phone that never changes its branch', COOKIE, COOKIE, { cseq: 2 }, 'other'],
  ['RFC 2543: a retransmission', PLAIN, PLAIN, {}, 'same'],
  ['RFC 2543: another From tag', PLAIN, PLAIN, { fromTag: 'b' }, 'other'],
  ['RFC 2543: another Request-URI', PLAIN, PLAIN, { requestUri: 'sip:example.org' }, 'other'],
  ['RFC 2543: another Call-ID', PLAIN, PLAIN, { callId: 'c' }, 'other'],
  ['RFC 2543: another CSeq', PLAIN, PLAIN, { cseq: 2 }, 'other'],
  ['RFC 2543: another top Via', PLAIN, `${PLAIN};x`, {}, 'other'],
  ['RFC 2543: no branch at all', 'SIP/2.0/UDP phone.example', 'SIP/2.0/UDP phone.example', {}, 'same'],
  ['a cookie in other letters is none', COOKIE, COOKIE.replace('z9hG4bK', 'Z9HG4BK'), {}, 'other'],
])('33: %s', (_, first, second, parts, expected) => {
  expect(keyOf(first) === keyOf(second, parts) ? 'same' : 'other').toBe(expected);
});
