import { describe, expect, it } from 'vitest';
import {
  MAX_PAIR_BAN_SECONDS,
  MAX_PAIRS,
  MAX_SOURCE_BAN_SECONDS,
  MAX_SOURCES,
  MAX_STRIKES,
  PAIR_BAN_SECONDS,
  SOURCE_BAN_SECONDS,
  STRIKE_MEMORY_SECONDS,
  Throttle,
  type Trip,
  WINDOW_SECONDS,
} from '../../src/guard/throttle.js';

const START = 2_000_000_000_000;
const LIMITS = { wrongResponsesPerUser: 30, usernamesPerSource: 15, wrongResponsesPerSource: 200 };

/** A throttle on a clock that is set by hand, asked in the words of a scene. */
class Scene {
  readonly throttle = new Throttle(LIMITS);
  now = START;
  private serial = 0;

  /** Another wrong response with each call, as phones make them: every challenge has another nonce. */
  wrong(username = 'alice', source = '192.0.2.1', domain = 'example.com'): readonly Trip[] {
    return this.again(
      (this.serial++).toString(16).padStart(12, '0').padEnd(32, 'f'),
      username,
      source,
      domain,
    );
  }

  again(response: string, username = 'alice', source = '192.0.2.1', domain = 'example.com'): readonly Trip[] {
    return this.throttle.wrong(source, domain, { username, response }, this.now);
  }

  /** Wrong responses until something trips; gives the trips and how many it took. */
  untilTrip(username?: string, source?: string): { trips: readonly Trip[]; count: number } {
    for (let count = 1; count < 1_000; count++) {
      const trips = this.wrong(username, source);
      if (trips.length > 0) return { trips, count };
    }
    throw new Error('nothing trips');
  }
}

describe('R5: a source and a user', () => {
  it('30 distinct wrong responses within the window are borne, the next trips for five minutes', () => {
    expect(new Scene().untilTrip()).toEqual({
      count: 31,
      trips: [{ kind: 'pair', seconds: PAIR_BAN_SECONDS, count: 31 }],
    });
  });

  it('the same response counts once, however often it comes, in either letter case', () => {
    const scene = new Scene();
    for (let i = 0; i < 1_000; i++) {
      expect(scene.again(i % 2 === 0 ? 'abcdef0123456789' : 'ABCDEF0123456789')).toEqual([]);
    }
    for (let i = 0; i < 29; i++) expect(scene.wrong()).toEqual([]);
    expect(scene.wrong()).toHaveLength(1);
  });

  it('what is older than the window does not count, and a repetition does not renew it', () => {
    const scene = new Scene();
    scene.again('0123456789ab');
    for (let i = 0; i < 29; i++) scene.wrong();
    scene.now += (WINDOW_SECONDS - 1) * 1000;
    scene.again('0123456789ab');
    scene.now += 1_000;
    expect(scene.untilTrip().count).toBe(31);
  });

  it('two wrong passwords of a phone that sends 16 REGISTERs for each are borne', () => {
    const scene = new Scene();
    for (let i = 0; i < 30; i++) expect(scene.wrong()).toEqual([]);
  });

  it('users, sources and domains are counted apart', () => {
    const scene = new Scene();
    for (let i = 0; i < 30; i++) {
      expect(scene.wrong('alice')).toEqual([]);
      expect(scene.wrong('bob')).toEqual([]);
      expect(scene.wrong('alice', '192.0.2.1', 'example.net')).toEqual([]);
      expect(scene.wrong('alice', '192.0.2.2')).toEqual([]);
    }
    expect(scene.wrong('alice', '192.0.2.2')).toHaveLength(1);
  });

  it('each further ban is twice as long, up to an hour, and five minutes again after a quiet day', () => {
    const scene = new Scene();
    const lengths: number[] = [];
    for (let i = 0; i < 6; i++) {
      const { seconds } = scene.untilTrip().trips[0]!;
      lengths.push(seconds);
      scene.now += (seconds + WINDOW_SECONDS) * 1000;
    }
    expect(lengths).toEqual([300, 600, 1_200, 2_400, MAX_PAIR_BAN_SECONDS, MAX_PAIR_BAN_SECONDS]);
    scene.now += (STRIKE_MEMORY_SECONDS + MAX_PAIR_BAN_SECONDS) * 1000;
    expect(scene.untilTrip().trips[0]?.seconds).toBe(PAIR_BAN_SECONDS);
  });

  it('is forgiven whole when an operator lifts the ban', () => {
    const scene = new Scene();
    scene.untilTrip();
    for (let i = 0; i < 30; i++) scene.wrong();
    scene.throttle.forgive('192.0.2.1', 'example.com', 'alice');
    expect(scene.untilTrip()).toMatchObject({ count: 31, trips: [{ seconds: PAIR_BAN_SECONDS }] });
  });
});

describe('R5: a source', () => {
  it('15 usernames with a wrong response are borne, the next trips for ten minutes', () => {
    const scene = new Scene();
    for (let i = 0; i < 15; i++) {
      expect(scene.wrong(`user${i}`)).toEqual([]);
      expect(scene.wrong(`user${i}`)).toEqual([]);
    }
    expect(scene.wrong('user15')).toEqual([{ kind: 'usernames', seconds: SOURCE_BAN_SECONDS, count: 16 }]);
  });

  it('usernames of which the last wrong response is older than the window do not count', () => {
    const scene = new Scene();
    for (let i = 0; i < 15; i++) scene.wrong(`user${i}`);
    scene.now += WINDOW_SECONDS * 1000;
    for (let i = 15; i < 30; i++) expect(scene.wrong(`user${i}`)).toEqual([]);
    expect(scene.wrong('user30')).toHaveLength(1);
  });

  it('200 distinct wrong responses are borne, the next trips', () => {
    const scene = new Scene();
    for (let i = 0; i < 200; i++) expect(scene.wrong(`user${i % 10}`)).toEqual([]);
    expect(scene.wrong('user0')).toEqual([{ kind: 'responses', seconds: SOURCE_BAN_SECONDS, count: 201 }]);
  });

  it('each further ban is twice as long, up to a day', () => {
    const scene = new Scene();
    const lengths: number[] = [];
    for (let i = 0; i < 10; i++) {
      let trips: readonly Trip[] = [];
      for (let name = 0; trips.length === 0; name++) trips = scene.wrong(`user${name}`);
      lengths.push(trips[0]!.seconds);
      scene.now += (trips[0]!.seconds + WINDOW_SECONDS) * 1000;
    }
    expect(lengths.slice(0, 4)).toEqual([600, 1_200, 2_400, 4_800]);
    expect(lengths.slice(7, 9)).toEqual([76_800, MAX_SOURCE_BAN_SECONDS]);
  });
});

it('R5: names that are cut are cut for good: what is longer than any name counts as one', () => {
  const scene = new Scene();
  for (let i = 0; i < 30; i++) expect(scene.wrong(`${'x'.repeat(64)}${i}`)).toEqual([]);
  expect(scene.wrong(`${'x'.repeat(64)}!`)).toMatchObject([{ kind: 'pair' }]);
});

it('R5: 100,000 sources with a wrong response each take bounded room', () => {
  const scene = new Scene();
  for (let i = 0; i < 100_000; i++) scene.wrong(`user${i}`, `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
  expect(scene.throttle.size).toBeLessThanOrEqual(MAX_PAIRS + MAX_SOURCES + MAX_STRIKES);
});
