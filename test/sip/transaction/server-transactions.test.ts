import { describe, expect, it } from 'vitest';
import {
  ServerTransactions,
  type ServerTransactionsOptions,
} from '../../../src/sip/transaction/server-transactions.js';

const NOW = 1_000_000;
const OK = Buffer.alloc(400, 'x');

function transactions(options: Partial<ServerTransactionsOptions> = {}): ServerTransactions {
  return new ServerTransactions({
    maxVerifiedBytes: 100_000,
    maxUnverifiedBytes: 100_000,
    maxInProgress: 100,
    ...options,
  });
}

/** A request that is answered at once. */
function exchange(
  all: ServerTransactions,
  key: string,
  about: { now?: number; verified?: boolean; reliable?: boolean } = {},
): string {
  const { now = NOW, verified = true, reliable = false } = about;
  const arrival = all.arrive(key, undefined, now, reliable);
  if (arrival.kind === 'new') all.answer(key, undefined, OK, { now, reliable, verified });
  return arrival.kind;
}

const ask = (all: ServerTransactions, key: string, now = NOW) => all.arrive(key, undefined, now, false).kind;

it('32: a retransmission while it is worked on is absorbed, then gets the very same octets', () => {
  const all = transactions();
  expect(ask(all, 'a')).toBe('new');
  expect(ask(all, 'a')).toBe('absorbed');
  all.answer('a', undefined, OK, { now: NOW, reliable: false, verified: true });
  expect(all.arrive('a', undefined, NOW, false)).toEqual({ kind: 'replay', response: OK });
});

it.each([true, false])('32: an answer is kept for 32 s, whenever it came (verified: %s)', (verified) => {
  for (const offset of [0, 1, 15_999, 31_999, 32_000]) {
    const all = transactions();
    exchange(all, 'first', { verified });
    exchange(all, 'a', { now: NOW + offset, verified });
    for (let now = NOW + offset; now < NOW + offset + 32_000; now += 4_999) {
      all.sweep(now);
      exchange(all, `other ${now}`, { now, verified });
      expect(ask(all, 'a', now)).toBe('replay');
    }
    expect(ask(all, 'a', NOW + offset + 31_999)).toBe('replay');
    expect(ask(all, 'a', NOW + offset + 32_000)).toBe('new');
  }
});

it('32: over a stream nothing is kept', () => {
  const all = transactions();
  exchange(all, 'a', { reliable: true });
  expect([all.keptBytes, ask(all, 'a')]).toEqual([0, 'new']);
});

it('an idle server forgets what timer J has ended', () => {
  const all = transactions();
  exchange(all, 'a');
  expect(all.keptBytes).toBeGreaterThan(OK.length);
  for (let now = NOW; now <= NOW + 70_000; now += 5_000) all.sweep(now);
  expect(all.keptBytes).toBe(0);
});

describe('bounds', () => {
  it('answers take no more room than they may, and the latest are kept', () => {
    const all = transactions({ maxVerifiedBytes: 20_000 });
    for (let i = 0; i < 1_000; i++) {
      exchange(all, `key ${i}`);
      expect(all.keptBytes).toBeLessThanOrEqual(20_000);
    }
    // Half the room holds at least the last fifteen of some 600 bytes.
    for (let i = 985; i < 1_000; i++) expect(ask(all, `key ${i}`)).toBe('replay');
    expect(ask(all, 'key 0')).toBe('new');
  });

  it('strangers can not push out the answers of those who authenticated', () => {
    const all = transactions({ maxUnverifiedBytes: 5_000 });
    exchange(all, 'phone');
    for (let i = 0; i < 10_000; i++) exchange(all, `stranger ${i}`, { verified: false });
    expect(ask(all, 'phone')).toBe('replay');
  });

  it('56: more than may be worked on at a time is told so, and there is room again after an answer', () => {
    const all = transactions({ maxInProgress: 2 });
    expect(['a', 'b', 'c', 'a'].map((key) => ask(all, key))).toEqual([
      'new',
      'new',
      'overloaded',
      'absorbed',
    ]);
    all.answer('a', undefined, OK, { now: NOW, reliable: false, verified: false });
    expect(all.inProgressCount).toBe(1);
    expect(ask(all, 'c')).toBe('new');
  });
});

describe('34: one request by two ways', () => {
  it('is merged while the first is worked on, and not any more afterwards', () => {
    const all = transactions();
    expect(all.arrive('way 1', 'merge', NOW, false).kind).toBe('new');
    expect(all.arrive('way 2', 'merge', NOW, false).kind).toBe('merged');
    expect(all.arrive('way 1', 'merge', NOW, false).kind).toBe('absorbed');
    all.answer('way 1', 'merge', OK, { now: NOW, reliable: false, verified: true });
    expect(all.arrive('way 2', 'merge', NOW, false).kind).toBe('new');
    expect(all.arrive('way 1', 'merge', NOW, false).kind).toBe('replay');
  });

  it('another request is another request', () => {
    const all = transactions();
    expect(all.arrive('a', 'merge a', NOW, false).kind).toBe('new');
    expect(all.arrive('b', 'merge b', NOW, false).kind).toBe('new');
    expect(all.arrive('c', undefined, NOW, false).kind).toBe('new');
  });
});
