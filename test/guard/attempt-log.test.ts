import { describe, expect, it } from 'vitest';
import type { AttemptReason, NewAttempt } from '../../src/guard/attempt.js';
import {
  AttemptLog,
  MAX_ATTEMPTS_A_SOURCE,
  MAX_ATTEMPTS_A_USER,
  MAX_ATTEMPTS_OF_STRANGERS,
  MAX_ATTEMPTS_OF_USERS,
  MAX_STALE,
  MAX_TEXT_LENGTH,
} from '../../src/guard/attempt-log.js';
import { COLLAPSE_SECONDS } from '../../src/guard/attempt-memory.js';
import { parseNetwork } from '../../src/guard/network.js';

const START = 2_000_000_000_000;

function attempt(changes: Partial<NewAttempt> = {}): NewAttempt {
  return {
    reason: 'wrong_password',
    status: 401,
    transport: 'udp',
    ip: '192.0.2.1',
    port: 5060,
    username: 'alice',
    userId: 'usr_alice',
    aor: 'sip:alice@example.com',
    domain: 'example.com',
    userAgent: 'Phone/1',
    callId: 'c',
    facts: {},
    ...changes,
  };
}

/** A refusal of somebody who does not exist. */
function stranger(changes: Partial<NewAttempt> = {}): NewAttempt {
  return attempt({
    reason: 'unknown_user',
    username: 'mallory',
    userId: null,
    aor: 'sip:mallory@example.com',
    ...changes,
  });
}

const ALICE = { userId: 'usr_alice', aors: ['sip:alice@example.com'] };

describe('refusals alike', () => {
  it('are one record with a count, the last of them, and when it began', () => {
    const log = new AttemptLog();
    for (let i = 0; i < 100; i++)
      log.record(attempt({ port: 1_000 + i, callId: `c${i}` }), START + i * 60_000);
    expect(log.list({})).toMatchObject([
      { count: 100, port: 1_099, callId: 'c99', firstSeenAt: START, lastSeenAt: START + 99 * 60_000 },
    ]);
  });

  it('after a longer pause are another one', () => {
    const log = new AttemptLog();
    log.record(attempt(), START);
    log.record(attempt(), START + COLLAPSE_SECONDS * 1000);
    log.record(attempt(), START + 2 * COLLAPSE_SECONDS * 1000 + 1);
    log.record(attempt(), START + 2 * COLLAPSE_SECONDS * 1000 + 2);
    expect(log.list({}).map(({ count }) => count)).toEqual([2, 2]);
    expect(new Set(log.list({}).map(({ id }) => id)).size).toBe(2);
  });

  it.each<Partial<NewAttempt>>([
    { reason: 'uri_mismatch' },
    { ip: '192.0.2.2' },
    { transport: 'tcp' },
    { username: 'alice@example.com' },
    { aor: 'sip:bob@example.com' },
  ])('are told from %j', (changes) => {
    const log = new AttemptLog();
    log.record(attempt(), START);
    log.record(attempt(changes), START);
    expect(log.size).toBe(2);
  });
});

describe('what a user is told', () => {
  it('is what concerns the username, and what concerns the address', () => {
    const log = new AttemptLog();
    log.record(attempt(), START);
    log.record(attempt({ aor: 'sip:reception@example.com', reason: 'not_authorized' }), START);
    log.record(stranger({ aor: 'sip:alice@example.com' }), START);
    log.record(stranger(), START);
    log.record(attempt({ reason: 'nonce_replayed' }), START);
    expect(
      log
        .ofUser(ALICE)
        .map(({ reason }) => reason)
        .sort(),
    ).toEqual(['nonce_replayed', 'not_authorized', 'unknown_user', 'wrong_password']);
  });
});

describe('filters', () => {
  const log = new AttemptLog();
  log.record(attempt({ username: 'alice@example.com' }), START);
  log.record(stranger({ ip: '2001:db8::1' }), START + 1_000);
  log.record(stranger({ reason: 'domain_not_served', domain: 'example.org', username: null }), START + 2_000);
  log.record(attempt({ reason: 'nonce_expired' }), START + 3_000);

  const reasons = (filter: Parameters<AttemptLog['list']>[0]): readonly AttemptReason[] =>
    log
      .list(filter)
      .map(({ reason }) => reason)
      .sort();

  it('stale nonces are no failures, and shown when asked for', () => {
    expect(reasons({})).toEqual(['domain_not_served', 'unknown_user', 'wrong_password']);
    expect(reasons({ reason: 'nonce_expired' })).toEqual(['nonce_expired']);
  });

  it.each([
    [{ from: parseNetwork('192.0.2.0/24') }, ['domain_not_served', 'wrong_password']],
    [{ from: parseNetwork('2001:db8::/32') }, ['unknown_user']],
    [{ aor: 'sip:alice@example.com' }, ['wrong_password']],
    [{ username: 'alice' }, ['wrong_password']],
    [{ username: 'alice@example.com' }, ['wrong_password']],
    [{ domain: 'example.org' }, ['domain_not_served']],
    [{ domain: 'example.com' }, ['domain_not_served', 'unknown_user', 'wrong_password']],
    [{ confinedTo: ['example.net'] }, []],
    [{ confinedTo: ['example.org'] }, ['domain_not_served']],
    [{ since: START + 1_000 }, ['domain_not_served', 'unknown_user']],
    [{ reason: 'unknown_user' as const, since: START + 1_001 }, []],
  ])('%j', (filter, found) => expect(reasons(filter)).toEqual(found));
});

describe('bounds', () => {
  it('so many a user, and the oldest goes first', () => {
    const log = new AttemptLog();
    for (let i = 0; i < 100; i++) log.record(attempt({ ip: `192.0.2.${i}` }), START + i);
    const kept = log.ofUser(ALICE).map(({ ip }) => ip);
    expect(kept).toHaveLength(MAX_ATTEMPTS_A_USER);
    expect(kept).toContain('192.0.2.99');
    expect(kept).not.toContain('192.0.2.79');
  });

  it('100,000 strangers push out nothing of those who exist, and one source nothing of the others', () => {
    const log = new AttemptLog();
    log.record(attempt(), START);
    for (let i = 0; i < 100_000; i++) {
      const ip = `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;
      log.record(stranger({ ip, username: `u${i}`, aor: `sip:u${i}@example.com` }), START + i);
    }
    expect(log.ofUser(ALICE)).toHaveLength(1);
    expect(log.size).toBe(1 + MAX_ATTEMPTS_OF_STRANGERS);

    const calm = new AttemptLog();
    calm.record(stranger({ ip: '192.0.2.9' }), START);
    for (let i = 0; i < 100_000; i++) calm.record(stranger({ username: `u${i}` }), START + i);
    expect(calm.size).toBe(1 + MAX_ATTEMPTS_A_SOURCE);
  });

  it('so many in all of users, and of stale nonces', () => {
    const log = new AttemptLog();
    for (let i = 0; i < 30_000; i++) {
      log.record(attempt({ userId: `usr_${i}` }), START + i);
      log.record(attempt({ userId: `usr_${i}`, reason: 'nonce_forgotten' }), START + i);
    }
    expect(log.size).toBe(MAX_ATTEMPTS_OF_USERS + MAX_STALE);
    expect(log.ofUser({ userId: 'usr_29999', aors: [] })).toHaveLength(2);
  });

  it('texts are cut', () => {
    const log = new AttemptLog();
    const long = 'x'.repeat(10_000);
    log.record(
      stranger({
        username: long,
        aor: long,
        domain: long,
        userAgent: long,
        callId: long,
        facts: { answeredAlgorithm: long, fault: long },
      }),
      START,
    );
    expect(JSON.stringify(log.list({})).length).toBeLessThan(7 * MAX_TEXT_LENGTH + 500);
  });
});
