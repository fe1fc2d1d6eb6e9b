import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NonceCounts } from '../../src/auth/nonce-counts.js';

test('43: nc must rise within a nonce, and may leave gaps', () => {
  const counts = new NonceCounts(10);
  expect(counts.claim('a', 100, 1)).toBe('accepted');
  expect(counts.claim('a', 100, 1)).toBe('replayed');
  expect(counts.claim('a', 100, 5)).toBe('accepted');
  expect(counts.claim('a', 100, 4)).toBe('replayed');
  expect(counts.claim('a', 100, 0xffff_ffff)).toBe('accepted');
  expect(counts.claim('a', 100, 0xffff_ffff)).toBe('replayed');
});

test('43: each nonce has its own count', () => {
  const counts = new NonceCounts(10);
  expect(counts.claim('a', 100, 7)).toBe('accepted');
  expect(counts.claim('b', 100, 1)).toBe('accepted');
  expect(counts.size).toBe(2);
});

test('43: a nonce is known once used', () => {
  const counts = new NonceCounts(10);
  expect(counts.isKnown('a')).toBe(false);
  expect(counts.issuedAt('a')).toBeUndefined();
  counts.claim('a', 100, 1);
  expect(counts.isKnown('a')).toBe(true);
  expect(counts.issuedAt('a')).toBe(100);
});

test('43: when full, the nonce used first goes, and what was issued until then is forgotten', () => {
  const counts = new NonceCounts(2);
  counts.claim('a', 100, 1);
  counts.claim('b', 200, 1);
  counts.claim('c', 300, 1);
  expect(counts.size).toBe(2);
  expect(counts.claim('a', 100, 1)).toBe('forgotten');
  expect(counts.claim('a', 100, 2)).toBe('forgotten');
  expect(counts.claim('never used, as old', 100, 1)).toBe('forgotten');
  expect(counts.claim('never used, older', 50, 1)).toBe('forgotten');
  expect(counts.claim('b', 200, 2)).toBe('accepted');
  expect(counts.claim('never used, younger', 101, 1)).toBe('accepted');
});

test('43: the horizon never falls when an older nonce is evicted after a younger one', () => {
  const counts = new NonceCounts(2);
  counts.claim('young', 500, 1);
  counts.claim('old', 100, 1);
  counts.claim('c', 600, 1);
  counts.claim('d', 700, 1);
  expect(counts.claim('between', 300, 1)).toBe('forgotten');
  expect(counts.claim('young', 500, 2)).toBe('forgotten');
});

test('43: nonces issued before the counting began are forgotten, those of the same millisecond are not', () => {
  const counts = new NonceCounts(10, 1000.75);
  expect(counts.claim('a', 999, 1)).toBe('forgotten');
  expect(counts.claim('b', 1000, 1)).toBe('accepted');
});

test('43: whatever is evicted, no nc is accepted twice', () => {
  const claims = fc.array(fc.record({ nonce: fc.nat(12), nc: fc.integer({ min: 1, max: 4 }) }), {
    maxLength: 200,
  });
  fc.assert(
    fc.property(claims, fc.integer({ min: 1, max: 6 }), (sequence, maxEntries) => {
      const counts = new NonceCounts(maxEntries);
      const highest = new Map<number, number>();
      for (const { nonce, nc } of sequence) {
        const result = counts.claim(`n${nonce}`, 1000 + Math.floor(nonce / 2), nc);
        if (counts.size > maxEntries) return false;
        if (result !== 'accepted') continue;
        if (nc <= (highest.get(nonce) ?? 0)) return false;
        highest.set(nonce, nc);
      }
      return true;
    }),
  );
});

test('43: a size that is not a positive integer is refused', () => {
  for (const size of [0, -1, 1.5, Number.NaN]) expect(() => new NonceCounts(size)).toThrow(RangeError);
});
