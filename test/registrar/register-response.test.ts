import { expect, it } from 'vitest';
import type { RegisterOutcome } from '../../src/location/register.js';
import { answerOutcome } from '../../src/registrar/register-response.js';
import { binding } from '../location/commands.js';

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

it.each<[string, RegisterOutcome, string, readonly string[]]>([
  [
    '8: an empty list has no Contact',
    { kind: 'registered', bindings: [] },
    '200 OK',
    ['Date: Fri, 02 Jan 2026 03:04:05 GMT'],
  ],
  ['R1: a late copy', { kind: 'out_of_order', contact: 'x' }, '500 CSeq Not Higher Than Last Time', []],
  [
    '13: too brief',
    { kind: 'interval_too_brief', minExpiresSeconds: 60 },
    '423 Interval Too Brief',
    ['Min-Expires: 60'],
  ],
  [
    'R2, 56: too many',
    { kind: 'too_many_bindings', limit: 1, retryAfterSeconds: 7 },
    '503 Too Many Bindings',
    ['Retry-After: 7'],
  ],
  ['50: blocked', { kind: 'blocked', until: NOW }, '403 Forbidden', []],
  ['the account is gone', { kind: 'account_closed' }, '403 Forbidden', []],
])('%s', (_, outcome, start, headers) => {
  const given = answerOutcome(outcome, NOW);
  expect(`${given.status} ${given.reason}`).toBe(start);
  expect(given.headers.map(([name, value]) => `${name}: ${value}`)).toEqual(headers);
  expect(given.verified).toBe(true);
});

it('9, 10: each current binding with the seconds left, rounded up, and nothing that has run out meanwhile', () => {
  const bindings = [
    binding('sip:a@h', { expiresAt: NOW + 59_001, displayName: '"A"', contactParams: ';q=0.5;+x="y"' }),
    binding('sip:b@h', { expiresAt: NOW + 1 }),
    binding('sip:c@h', { expiresAt: NOW }),
    binding('sip:d@h', { expiresAt: NOW - 1_500 }),
  ];
  const { headers } = answerOutcome({ kind: 'registered', bindings }, NOW);
  expect(headers.filter(([name]) => name === 'Contact').map(([, value]) => value)).toEqual([
    '"A" <sip:a@h>;q=0.5;+x="y";expires=60',
    '<sip:b@h>;expires=1',
  ]);
});

it('the Date moves on with the second', () => {
  const dateOf = (now: number) =>
    answerOutcome({ kind: 'registered', bindings: [] }, now).headers.at(-1)?.[1];
  expect([dateOf(NOW), dateOf(NOW + 321), dateOf(NOW + 322)]).toEqual([
    'Fri, 02 Jan 2026 03:04:05 GMT',
    'Fri, 02 Jan 2026 03:04:05 GMT',
    'Fri, 02 Jan 2026 03:04:06 GMT',
  ]);
});
