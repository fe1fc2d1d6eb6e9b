import { expect, it } from 'vitest';
import { LogLimiter, MAX_LIMITED_SOURCES } from '../../src/guard/log-limiter.js';

const START = 2_000_000_040_000;
const LIMITS = { linesPerSecond: 5, linesPerSourceAMinute: 3 };

it('a source gets so many lines a minute, and the others theirs', () => {
  const limiter = new LogLimiter(LIMITS);
  const taken = (source: string, now: number) => limiter.take(source, 'a', now);
  expect([1, 2, 3, 4].map((i) => taken('one', START + i * 1_000))).toEqual([true, true, true, false]);
  expect(taken('two', START + 5_000)).toBe(true);
  expect(taken('one', START + 60_000)).toBe(true);
});

it('all together get so many a second', () => {
  const limiter = new LogLimiter(LIMITS);
  const taken = Array.from({ length: 8 }, (_, i) => limiter.take(`source ${i}`, 'a', START + i));
  expect(taken).toEqual([true, true, true, true, true, false, false, false]);
  expect(limiter.take('another', 'a', START + 1_000)).toBe(true);
});

it('what was left out is told once, by name', () => {
  const limiter = new LogLimiter(LIMITS);
  expect(limiter.drain()).toBeUndefined();
  for (let i = 0; i < 10; i++) limiter.take('one', i % 2 === 0 ? 'even' : 'odd', START);
  expect(limiter.drain()).toEqual({ total: 7, byName: { even: 3, odd: 4 } });
  expect(limiter.drain()).toBeUndefined();
});

it('100,000 sources take bounded room, and are held by the limit a second', () => {
  const limiter = new LogLimiter({ linesPerSecond: Number.POSITIVE_INFINITY, linesPerSourceAMinute: 1 });
  for (let i = 0; i < 100_000; i++) limiter.take(`source ${i}`, 'a', START);
  const counted = (limiter as unknown as { linesBySource: Map<string, number> }).linesBySource;
  expect(counted.size).toBe(MAX_LIMITED_SOURCES);
});
