import { describe, expect, it } from 'vitest';
import type { AccountService } from '../../src/accounts/account-service.js';
import type { DomainSettings } from '../../src/accounts/domain.js';
import { ha1OfText } from '../../src/auth/digest.js';
import {
  accountsOf,
  domain,
  granted,
  octetsOnDisk,
  openStore,
  PASSWORD,
  user,
  verdict,
} from '../store/open-store.js';

async function scene(settings: Partial<DomainSettings> = {}) {
  const opened = openStore();
  const accounts = accountsOf(opened.store, opened.clock);
  await domain(accounts, 'example.com', settings);
  return { ...opened, accounts, store: opened.store };
}

describe('the challenge of a user', () => {
  it('must be one that the domain has the algorithm for, or no phone could answer it', async () => {
    const { accounts } = await scene({ algorithms: ['MD5'] });
    const make = (challenge: 'sha-256' | 'md5' | 'all') =>
      accounts.createUser({ username: challenge, domain: 'example.com', settings: { challenge } });
    expect(verdict(await make('sha-256'))).toBe('algorithm_not_enabled');
    expect(verdict(await make('md5'))).toBe('granted');
    expect(verdict(await make('all'))).toBe('granted');
    const change = (challenge: 'sha-256' | null) => accounts.updateUser('md5@example.com', { challenge });
    expect(verdict(await change('sha-256'))).toBe('algorithm_not_enabled');
    expect(verdict(await change(null))).toBe('granted');
  });
});

describe('domains', () => {
  it.each<[string, Partial<DomainSettings>, string]>([
    ['nothing but the name', {}, 'granted'],
    [
      'a default below the minimum',
      { minExpiresSeconds: 600, defaultExpiresSeconds: 300 },
      'domain_settings_invalid',
    ],
    ['a default above the maximum', { maxExpiresSeconds: 300 }, 'domain_settings_invalid'],
    [
      'all three the same',
      { minExpiresSeconds: 300, defaultExpiresSeconds: 300, maxExpiresSeconds: 300 },
      'granted',
    ],
    ['a challenge without its algorithm', { algorithms: ['SHA-256'] }, 'domain_settings_invalid'],
    ['no algorithm at all', { algorithms: [], challenge: 'all' }, 'domain_settings_invalid'],
    ['all of one algorithm', { algorithms: ['SHA-256'], challenge: 'all' }, 'granted'],
    ['an alias of itself', { aliases: ['example.net'] }, 'domain_alias_in_use'],
  ])('%s', async (_, settings, expected) => {
    const { accounts } = await scene();
    expect(verdict(await accounts.createDomain('example.net', settings))).toBe(expected);
    await accounts.createDomain('example.net', {});
    expect(verdict(await accounts.updateDomain('example.net', settings))).toBe(expected);
  });

  it('a change insists on the revision it was made from, when it says one', async () => {
    const { accounts } = await scene();
    const change = (ifRevision?: number) =>
      accounts.updateDomain('example.com', { maxUsers: 7 }, ifRevision === undefined ? {} : { ifRevision });
    expect(granted(await change(1))).toMatchObject({ maxUsers: 7, revision: 2 });
    expect(verdict(await change(1))).toBe('revision_mismatch');
    expect(granted(await change())).toMatchObject({ revision: 3 });
  });

  it('two changes from the same revision: one of them is lost to nobody', async () => {
    const { accounts } = await scene();
    const results = await Promise.all([
      accounts.updateDomain('example.com', { maxUsers: 7 }, { ifRevision: 1 }),
      accounts.updateDomain('example.com', { maxUsers: 8 }, { ifRevision: 1 }),
    ]);
    expect(results.map(verdict)).toEqual(['granted', 'revision_mismatch']);
  });

  it('the realm is fixed while there are active credentials', async () => {
    const { accounts } = await scene();
    expect(granted(await accounts.updateDomain('example.com', { realm: 'other' })).realm).toBe('other');
    const alice = await user(accounts, 'alice');
    const move = async () => verdict(await accounts.updateDomain('example.com', { realm: 'third' }));
    expect(await move()).toBe('realm_immutable_with_credentials');
    const [credential] = await accounts.listCredentials(alice.id);
    await accounts.updateCredential(
      alice.id,
      credential?.id ?? '',
      { state: 'revoked' },
      { deregister: false },
    );
    expect(await move()).toBe('granted');
  });

  it('a credential made while the realm changes is refused, not stored for a realm that is gone', async () => {
    const { accounts } = await scene();
    const alice = granted(
      await accounts.createUser({ username: 'alice', domain: 'example.com', settings: {} }),
    ).user;
    const [moved, made] = await Promise.all([
      accounts.updateDomain('example.com', { realm: 'other' }),
      accounts.createCredential(alice, { source: { kind: 'generate' } }),
    ]);
    expect([verdict(moved), verdict(made)]).toEqual(['granted', 'revision_mismatch']);
  });
});

describe('users and their credentials', () => {
  it.each([
    ['alice', 'granted'],
    ["a-_.!~*'()&=+$,;?/", 'granted'],
    ['a'.repeat(64), 'granted'],
    ['', 'username_invalid'],
    ['a'.repeat(65), 'username_invalid'],
    ['al ice', 'username_invalid'],
    ['alice@example.com', 'username_invalid'],
    ['al%69ce', 'username_invalid'],
    ['alicé', 'username_invalid'],
    ['alice\n', 'username_invalid'],
  ])('the username %j', async (username, expected) => {
    const { accounts } = await scene();
    const given = { username, domain: 'example.com', settings: {} };
    expect(verdict(await accounts.createUser(given))).toBe(expected);
    const owner = await user(accounts, 'owner');
    const credential = { source: { kind: 'generate' }, authUsername: username } as const;
    const again = expected === 'granted' ? `${username.slice(0, 60)}x` : username;
    expect(verdict(await accounts.createCredential(owner, { ...credential, authUsername: again }))).toBe(
      expected,
    );
  });

  it.each([
    ['x'.repeat(11), 'password_too_weak'],
    ['x'.repeat(12), 'granted'],
    ['x'.repeat(256), 'granted'],
    ['x'.repeat(257), 'password_too_weak'],
    ['my-ALICE-password', 'password_too_weak'],
  ])('the password %j', async (password, expected) => {
    const { accounts } = await scene();
    const given = { username: 'alice', domain: 'example.com', settings: {} };
    const credential = { source: { kind: 'password', password } } as const;
    expect(verdict(await accounts.createUser({ ...given, credential }))).toBe(expected);
  });

  it('a generated password is shown this once and opens the account', async () => {
    const { accounts } = await scene();
    const { issued } = granted(
      await accounts.createUser({
        username: 'alice',
        domain: 'example.com',
        settings: {},
        credential: { source: { kind: 'generate' } },
      }),
    );
    expect(issued?.password).toMatch(/^([2-9A-HJ-NP-Za-km-z]{6}-){3}[2-9A-HJ-NP-Za-km-z]{6}$/);
    const secret = accounts.subscriber('example.com', 'alice')?.credentials[0]?.secret;
    expect(secret?.ha1.MD5).toBe(ha1OfText('MD5', 'alice', 'example.com', issued?.password ?? ''));
    expect(secret?.ha1WithDomain['SHA-256']).toBe(
      ha1OfText('SHA-256', 'alice@example.com', 'example.com', issued?.password ?? ''),
    );
    expect(JSON.stringify(issued?.credential)).not.toContain('sealed');
  });

  it('HA1 values are taken for enabled algorithms only, and for the plain name alone', async () => {
    const { accounts } = await scene({ algorithms: ['MD5'] });
    const alice = await user(accounts, 'alice');
    const md5 = 'a'.repeat(32);
    const taken = granted(
      await accounts.createCredential(alice, {
        source: { kind: 'ha1', ha1: { MD5: md5 } },
        authUsername: 'al',
      }),
    );
    expect([taken.credential.algorithms, taken.password]).toEqual([['MD5'], undefined]);
    expect(accounts.subscriber('example.com', 'al')?.credentials[0]?.secret).toEqual({
      ha1: { MD5: md5 },
      ha1WithDomain: {},
    });
    const other = { source: { kind: 'ha1', ha1: { 'SHA-256': 'b'.repeat(64) } } } as const;
    expect(verdict(await accounts.createCredential(alice, other))).toBe('algorithm_not_enabled');
  });

  it('a revoked credential stays as it is; revoking it again is no error', async () => {
    const { accounts } = await scene();
    const alice = await user(accounts, 'alice');
    const id = (await accounts.listCredentials(alice.id))[0]?.id ?? '';
    const change = async (patch: Parameters<AccountService['updateCredential']>[2]) =>
      verdict(await accounts.updateCredential(alice.id, id, patch, { deregister: false }));
    expect(await change({ label: 'desk' })).toBe('granted');
    expect(await change({ state: 'revoked' })).toBe('granted');
    expect(await change({ state: 'revoked' })).toBe('granted');
    expect(await change({ label: 'again' })).toBe('credential_revoked');
    expect(await change({ state: 'revoked', expiresAt: null })).toBe('credential_revoked');
    expect(await accounts.getCredential(alice.id, id)).toMatchObject({
      state: 'revoked',
      label: 'desk',
      revision: 3,
    });
  });

  it.each<[string, (accounts: AccountService, id: string, credential: string) => Promise<unknown>]>([
    ['user', (accounts, id) => accounts.updateUser(id, { displayName: 'x' }, { ifRevision: 9 })],
    ['deletion of a user', (accounts, id) => accounts.deleteUser(id, { ifRevision: 9 })],
    [
      'credential',
      (accounts, id, credential) =>
        accounts.updateCredential(id, credential, { label: 'x' }, { deregister: false, ifRevision: 9 }),
    ],
  ])('a change of a %s from a revision that is past is refused', async (_, change) => {
    const { accounts } = await scene();
    const alice = await user(accounts, 'alice');
    const credential = (await accounts.listCredentials(alice.id))[0]?.id ?? '';
    expect(verdict(await change(accounts, alice.id, credential))).toBe('revision_mismatch');
    expect(await accounts.getUser(alice.id)).toMatchObject({ displayName: null, revision: 1 });
  });

  it('neither passwords nor HA1 values are on disk in clear', async () => {
    const { accounts, path, store } = await scene();
    await user(accounts, 'alice');
    const ha1 = ha1OfText('MD5', 'alice', 'example.com', PASSWORD);
    for (let closed = 0; closed < 2; closed++) {
      const octets = octetsOnDisk(path);
      expect(octets).toContain('alice');
      expect(octets).not.toContain(PASSWORD);
      expect(octets).not.toContain(ha1);
      expect(octets).not.toContain(Buffer.from(ha1, 'hex').toString('latin1'));
      await store.close();
    }
  });

  it('what a revoked credential held is overwritten in its row', async () => {
    const { accounts, store } = await scene();
    const alice = await user(accounts, 'alice');
    const id = (await accounts.listCredentials(alice.id))[0]?.id ?? '';
    await accounts.updateCredential(alice.id, id, { state: 'revoked' }, { deregister: false });
    expect(store.accounts.keyIdsInUse()).toEqual([]);
  });
});

describe('the directory is true after each kind of change', () => {
  /** What authentication sees of a name: nothing, or the credentials and settings behind it. */
  function seen(accounts: AccountService, name = 'alice'): unknown {
    const found = accounts.subscriber('example.com', name);
    return (
      found && { credentials: found.credentials.length, max: found.maxBindings, expires: found.expiresAt }
    );
  }

  it('users and credentials', async () => {
    const { accounts } = await scene();
    expect(seen(accounts)).toBeUndefined();
    const alice = await user(accounts, 'alice');
    expect(seen(accounts)).toEqual({ credentials: 1, max: null, expires: null });
    await accounts.updateUser(alice.id, { maxBindings: 3, expiresAt: 7 });
    expect(seen(accounts)).toEqual({ credentials: 1, max: 3, expires: 7 });
    const second = granted(await accounts.createCredential(alice, { source: { kind: 'generate' } }));
    expect(seen(accounts)).toMatchObject({ credentials: 2 });
    expect(seen(accounts, 'desk')).toBeUndefined();
    await accounts.createCredential(alice, { source: { kind: 'generate' }, authUsername: 'desk' });
    expect(seen(accounts, 'desk')).toMatchObject({ credentials: 1 });
    await accounts.updateCredential(alice.id, second.credential.id, { expiresAt: 9 }, { deregister: false });
    expect(
      accounts.subscriber('example.com', 'alice')?.credentials.map(({ expiresAt }) => expiresAt),
    ).toContain(9);
    await accounts.updateCredential(
      alice.id,
      second.credential.id,
      { state: 'revoked' },
      { deregister: false },
    );
    expect(seen(accounts)).toMatchObject({ credentials: 1 });
    await accounts.deleteUser(alice.id);
    expect([seen(accounts), seen(accounts, 'desk')]).toEqual([undefined, undefined]);
    await user(accounts, 'alice');
    expect(seen(accounts)).toMatchObject({ credentials: 1 });
  });

  it('domains and aliases, in any case', async () => {
    const { accounts } = await scene();
    const host = (name: string) => accounts.domainByHost(name)?.name;
    expect([host('EXAMPLE.com'), host('sip.example.com')]).toEqual(['example.com', undefined]);
    await accounts.updateDomain('example.com', { aliases: ['sip.example.com'], maxBindingsPerUser: 2 });
    expect([host('Sip.Example.Com'), accounts.domainByHost('example.com')?.maxBindingsPerUser]).toEqual([
      'example.com',
      2,
    ]);
    await accounts.updateDomain('example.com', { aliases: [] });
    expect(host('Sip.Example.Com')).toBeUndefined();
    await user(accounts, 'alice');
    expect(seen(accounts)).toBeDefined();
    await accounts.deleteDomain('example.com', { cascade: true });
    expect([host('example.com'), seen(accounts)]).toEqual([undefined, undefined]);
    await domain(accounts);
    expect(host('example.com')).toBe('example.com');
  });

  it('a change that is refused or fails leaves the view as it is', async () => {
    const { accounts } = await scene();
    await user(accounts, 'alice');
    const before = accounts.subscriber('example.com', 'alice');
    await accounts.updateUser('alice@example.com', { maxBindings: 1 }, { ifRevision: 9 });
    expect(accounts.subscriber('example.com', 'alice')).toBe(before);
  });

  it('names longer than any account are unknown without being looked for', async () => {
    const { accounts } = await scene();
    expect(accounts.subscriber('example.com', 'x'.repeat(8_000))).toBeUndefined();
    expect(accounts.domainByHost(`${'x'.repeat(300)}.example.com`)).toBeUndefined();
    expect(accounts.challengePolicy('example.com', 'x'.repeat(8_000))).toBe('md5');
  });
});

describe('R4: the challenge tells a stranger nothing', () => {
  const NAMES = Array.from({ length: 3_000 }, (_, i) => `stranger${i}`);

  it('the share of unusual challenges is the same among names that exist and names that do not', async () => {
    const { accounts } = await scene();
    for (let i = 0; i < 40; i++) {
      await user(accounts, `user${i}`, { challenge: i < 8 ? 'sha-256' : i < 12 ? 'all' : null });
    }
    const share = (policy: string) =>
      NAMES.filter((name) => accounts.challengePolicy('example.com', name) === policy).length / NAMES.length;
    // Known: 8, 4 and 28 of 40. Three standard deviations of 3,000 draws are about 0.025.
    expect(share('sha-256')).toBeCloseTo(0.2, 1);
    expect(Math.abs(share('sha-256') - 0.2)).toBeLessThan(0.03);
    expect(Math.abs(share('all') - 0.1)).toBeLessThan(0.03);
    expect(Math.abs(share('md5') - 0.7)).toBeLessThan(0.03);
  });

  it('a name keeps its challenge, from one asking to the next and over a restart', async () => {
    const opened = openStore();
    const before = accountsOf(opened.store, opened.clock);
    await domain(before);
    for (let i = 0; i < 4; i++) await user(before, `user${i}`, { challenge: i < 2 ? 'sha-256' : null });
    const policies = (accounts: AccountService) =>
      NAMES.slice(0, 200).map((name) => accounts.challengePolicy('example.com', name));
    const first = policies(before);
    expect(policies(before)).toEqual(first);
    expect(new Set(first)).toEqual(new Set(['md5', 'sha-256']));
    const after = accountsOf(await opened.reopen(), opened.clock);
    expect(policies(after)).toEqual(first);
  });

  it('without overrides everybody gets the domain', async () => {
    const { accounts } = await scene({ challenge: 'sha-256' });
    expect(accounts.challengePolicy('example.com', 'nobody')).toBe('sha-256');
    await user(accounts, 'alice');
    expect(accounts.challengePolicy('example.com', 'alice')).toBe('sha-256');
    await accounts.updateUser('alice@example.com', { challenge: 'all' });
    expect(accounts.challengePolicy('example.com', 'alice')).toBe('all');
  });
});

it('after a restart with another key the secrets do not open', async () => {
  const opened = openStore();
  await domain(accountsOf(opened.store, opened.clock));
  await user(accountsOf(opened.store, opened.clock), 'alice');
  const other = accountsOf(await opened.reopen(), opened.clock, Buffer.alloc(32, 8));
  expect(() => other.subscriber('example.com', 'alice')).toThrow(/does not open/);
});
