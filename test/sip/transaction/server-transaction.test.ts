import { expect, it } from 'vitest';
import {
  type ServerInput,
  type ServerTransaction,
  stepServerTransaction,
  TIMER_J_MS,
} from '../../../src/sip/transaction/server-transaction.js';

const NOW = 1_000;
const RESPONSE = Buffer.from('SIP/2.0 200 OK');
const OTHER = Buffer.from('SIP/2.0 500');
const REQUEST: ServerInput = { kind: 'request' };
const FINAL: ServerInput = { kind: 'final_response', response: RESPONSE };
const trying: ServerTransaction = { state: 'trying' };
const completed = (endsAt: number): ServerTransaction => ({ state: 'completed', response: OTHER, endsAt });

it.each<
  [
    string,
    ServerTransaction | undefined,
    ServerInput,
    boolean,
    ServerTransaction | undefined,
    readonly string[],
  ]
>([
  ['a first request is passed up', undefined, REQUEST, false, trying, ['pass_up']],
  ['a request again while it is worked on is absorbed', trying, REQUEST, false, trying, []],
  [
    'a request again after the answer gets the very same answer',
    completed(NOW + 1),
    REQUEST,
    false,
    completed(NOW + 1),
    ['send 500'],
  ],
  [
    'a request again when timer J has fired is a new one',
    completed(NOW),
    REQUEST,
    false,
    trying,
    ['pass_up'],
  ],
  [
    'the answer over UDP is kept for timer J',
    trying,
    FINAL,
    false,
    { state: 'completed', response: RESPONSE, endsAt: NOW + TIMER_J_MS },
    ['send 200'],
  ],
  ['the answer over a stream ends it: timer J is zero', trying, FINAL, true, undefined, ['send 200']],
])('32: %s', (_, transaction, input, reliable, next, effects) => {
  const step = stepServerTransaction(transaction, input, { now: NOW, reliable });
  expect(step.transaction).toEqual(next);
  const told = step.effects.map((effect) =>
    effect.kind === 'send' ? `send ${effect.response.toString().split(' ')[1]}` : effect.kind,
  );
  expect(told).toEqual(effects);
});

it('32: timer J is 32 seconds', () => {
  expect(TIMER_J_MS).toBe(32_000);
});
