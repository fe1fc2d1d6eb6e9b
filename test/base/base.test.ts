import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { newId, newSecret, randomText, secretBytes } from '../../src/base/random.js';
import { RecentMap } from '../../src/base/recent-map.js';
import { isRefusal, Refusal } from '../../src/base/refusal.js';
import { Tally } from '../../src/base/tally.js';

describe('a map of what was asked for lately', () => {
  it('holds at least the latest half, and never more than it may', () => {
    const map = new RecentMap<number>(10);
    for (let i = 0; i < 100; i++) {
      map.set(`key ${i}`, i);
      expect(map.size).toBeLessThanOrEqual(10);
    }
    for (let i = 95; i < 100; i++) expect(map.get(`key ${i}`)).toBe(i);
    expect(map.get('key 0')).toBeUndefined();
  });

  it('keeps what is asked for', () => {
    const map = new RecentMap<number>(10);
    map.set('wanted', 1);
    for (let i = 0; i < 100; i++) {
      map.set(`key ${i}`, i);
      expect(map.get('wanted')).toBe(1);
    }
  });

  it('gives the latest value of a key, and forgets both when it is deleted', () => {
    const map = new RecentMap<string>(4);
    map.set('a', 'old');
    map.set('b', '');
    map.set('c', '');
    map.set('a', 'new');
    expect(map.get('a')).toBe('new');
    map.delete('a');
    expect(map.get('a')).toBeUndefined();
    map.clear();
    expect([map.size, map.get('b')]).toEqual([0, undefined]);
  });
});

describe('what is drawn', () => {
  it('ids carry their prefix, sort by time and differ', () => {
    const ids = Array.from({ length: 2_000 }, () => newId('usr', 1_700_000_000_000));
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^usr_[0-9A-HJKMNP-TV-Z]{26}$/);
    expect(newId('usr', 1_700_000_000_001) > (ids[0] ?? '')).toBe(true);
  });

  it('secrets have four groups of six characters that nobody confuses', () => {
    for (let i = 0; i < 200; i++)
      expect(newSecret()).toMatch(/^[2-9a-km-zA-HJ-NP-Z]{6}(-[2-9a-km-zA-HJ-NP-Z]{6}){3}$/);
  });

  it('each character comes equally often', () => {
    const counts = new Map<string, number>();
    for (const character of randomText(56_000)) counts.set(character, (counts.get(character) ?? 0) + 1);
    expect(counts.size).toBe(56);
    // A thousand each, with a standard deviation of about 31.
    for (const count of counts.values()) expect(Math.abs(count - 1_000)).toBeLessThan(250);
  });

  it('secret bytes are as many as asked for', () => {
    expect([secretBytes(0).length, secretBytes(7).length]).toEqual([0, 7]);
  });
});

it('the clock gives whole milliseconds that never go back, near those of the wall', () => {
  let last = systemClock.now();
  expect(Math.abs(last - Date.now())).toBeLessThan(5_000);
  for (let i = 0; i < 1_000; i++) {
    const now = systemClock.now();
    expect(Number.isInteger(now) && now >= last).toBe(true);
    last = now;
  }
});

it('a refusal is told from a result', () => {
  expect(isRefusal(new Refusal('a', 'b'))).toBe(true);
  expect([isRefusal(undefined as never), isRefusal({ code: 'a', detail: 'b' } as never)]).toEqual([
    false,
    false,
  ]);
});

it('a tally counts by name', () => {
  const tally = new Tally<'a' | 'b'>();
  tally.count('a');
  tally.count('a');
  expect([tally.of('a'), tally.of('b'), [...tally.entries()]]).toEqual([2, 0, [['a', 2]]]);
});
