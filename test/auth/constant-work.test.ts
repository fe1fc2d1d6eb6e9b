import { hash } from 'node:crypto';
import { describe, expect, test, vi } from 'vitest';
import { MAX_ACTIVE_CREDENTIALS } from '../../src/accounts/credential.js';
import { type Answer, answer, credentialOf, START, scene, subscriberOf, verdict } from './scene.js';

// Counts every hash the code under test computes; the client of the scene computes its own by createHash.
vi.mock('node:crypto', async (importOriginal) => {
  const actual = await importOriginal<typeof import('node:crypto')>();
  return { ...actual, hash: vi.fn(actual.hash) };
});

const subscribers = [
  subscriberOf('one', [credentialOf('one', 'secret')]),
  subscriberOf('four', [
    credentialOf('four', 'a'),
    credentialOf('four', 'b'),
    credentialOf('four', 'c'),
    credentialOf('four', 'd'),
  ]),
  subscriberOf('none', []),
  subscriberOf('md5', [credentialOf('md5', 'secret', { algorithms: ['MD5'] })]),
  subscriberOf('lapsed', [credentialOf('lapsed', 'secret')], { expiresAt: START }),
  subscriberOf('old', [credentialOf('old', 'secret', { expiresAt: START })]),
];

/** The hashes computed for one REGISTER, by algorithm. */
function work(more: Omit<Answer, 'nonce'> & { nonce?: string }): {
  hashes: Record<string, number>;
  verdict: string;
} {
  const s = scene({ subscribers, policy: 'all', domain: { allowNoQop: true } });
  const value = answer({ nonce: s.nonce(), ...more });
  vi.mocked(hash).mockClear();
  const result = verdict(s.register([value]));
  const hashes: Record<string, number> = {};
  for (const [algorithm] of vi.mocked(hash).mock.calls) hashes[algorithm] = (hashes[algorithm] ?? 0) + 1;
  return { hashes, verdict: result };
}

const FAILURES = [
  ['an unknown user', { username: 'nobody', password: 'secret' }, 'unknown_user'],
  ['an unknown user with @domain', { username: 'nobody@example.com', password: 'secret' }, 'unknown_user'],
  ['a wrong password', { username: 'one', password: 'wrong' }, 'wrong_password'],
  ['a wrong password with @domain', { username: 'one@example.com', password: 'wrong' }, 'wrong_password'],
  ['a wrong password with four credentials', { username: 'four', password: 'wrong' }, 'wrong_password'],
  ['a user without credentials', { username: 'none', password: 'secret' }, 'no_secret_for_algorithm'],
  ['an expired account', { username: 'lapsed', password: 'secret' }, 'account_expired'],
  ['an expired account, wrong password', { username: 'lapsed', password: 'wrong' }, 'wrong_password'],
  ['an expired credential', { username: 'old', password: 'secret' }, 'credential_expired'],
  [
    'a wrong password and a foreign nonce',
    { username: 'one', password: 'wrong', nonce: 'x' },
    'wrong_password',
  ],
  ['an unknown user and a foreign nonce', { username: 'nobody', password: 'x', nonce: 'x' }, 'unknown_user'],
] as const;

describe('22, R5: the same work for whoever is not let in', () => {
  test.each(FAILURES)('22: %s costs the same number of MD5 computations', (_who, claim, reason) => {
    const done = work(claim);
    expect(done.verdict).toBe(reason);
    // HA2 and the responses; the two SHA-256 are the signature of the new nonce.
    expect(done.hashes).toEqual({ md5: 1 + MAX_ACTIVE_CREDENTIALS, sha256: 2 });
  });

  test.each([
    ['an unknown user', 'nobody'],
    ['a wrong password', 'one'],
    ['a user with no HA1 for the algorithm', 'md5'],
    ['a wrong password with four credentials', 'four'],
  ])('22: %s costs the same number of SHA-512-256 computations', (_who, username) => {
    expect(work({ username, password: 'wrong', algorithm: 'SHA-512-256' }).hashes).toEqual({
      'sha512-256': 1 + MAX_ACTIVE_CREDENTIALS,
      sha256: 2,
    });
  });

  test.each(['nobody', 'one', 'four'])('22: without qop or with auth-int, %s costs the same', (username) => {
    expect(work({ username, password: 'wrong', qop: null }).hashes).toEqual({
      md5: 1 + MAX_ACTIVE_CREDENTIALS,
      sha256: 2,
    });
    expect(work({ username, password: 'wrong', qop: 'auth-int' }).hashes).toEqual({
      md5: 2 + MAX_ACTIVE_CREDENTIALS,
      sha256: 2,
    });
  });

  test('22: unknown user and wrong password get the same answer but for the nonce', () => {
    const s = scene({ subscribers });
    const [unknown, wrong] = ['nobody', 'one'].map((username) => {
      const result = s.register([answer({ username, password: 'wrong', nonce: s.nonce() })]);
      if (result.kind !== 'challenge') throw new Error('expected a challenge');
      return result.challenges.map((value) => value.replace(/nonce="[^"]*"/, 'nonce'));
    });
    expect(unknown).toEqual(wrong);
  });
});

test('43: a refresh with a known nonce costs two hashes: HA2 and one response', () => {
  const s = scene({ subscribers });
  const nonce = s.nonce();
  const one = { username: 'one', password: 'secret', nonce };
  expect(verdict(s.register([answer(one)]))).toBe('authenticated crd_one');
  const refresh = answer({ ...one, nc: '00000002' });
  vi.mocked(hash).mockClear();
  expect(verdict(s.register([refresh]))).toBe('authenticated crd_one');
  expect(vi.mocked(hash).mock.calls.map(([algorithm]) => algorithm)).toEqual(['md5', 'md5']);
});
