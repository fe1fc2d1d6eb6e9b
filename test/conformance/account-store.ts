import { describe, expect, it } from 'vitest';
import type { AccountStore, AccountsChange } from '../../src/accounts/account-store.js';
import { MAX_ACTIVE_CREDENTIALS } from '../../src/accounts/credential.js';
import { USER_SORT_FIELDS, type UserFilter } from '../../src/accounts/user.js';
import { Refusal } from '../../src/base/refusal.js';
import type { LocationStore } from '../../src/location/location-store.js';
import { binding as bindingRow } from '../location/commands.js';
import { verdict } from '../store/open-store.js';
import { credentialRow, domainRow, everything, NOW, userRow, walk } from './scene.js';

export interface AccountSubject {
  readonly accounts: AccountStore;
  readonly location: LocationStore;
}

/** What every AccountStore must do. */
export function testAccountStore(make: () => Promise<AccountSubject>): void {
  const alice = userRow('alice');
  const bob = userRow('bob');

  /** A store with example.com, alice with credential crd_a, and bob without one. */
  async function subject(): Promise<AccountSubject> {
    const made = await make();
    await made.accounts.insertDomain(domainRow('example.com'));
    await made.accounts.insertUser(alice, credentialRow('crd_a', alice));
    await made.accounts.insertUser(bob, undefined);
    return made;
  }

  async function store(): Promise<AccountStore> {
    return (await subject()).accounts;
  }

  describe('call scripts', () => {
    it('are one a user, changed by what the change decides over the one there is', async () => {
      const accounts = await store();
      const seen: unknown[] = [];
      const change = (next: string | undefined, now = NOW) =>
        accounts.updateCallScript(alice.id, now, (current) => {
          seen.push(current);
          return next;
        });
      expect(await accounts.getCallScript(alice.id)).toBeUndefined();
      expect(await change(undefined)).toBe('unchanged');
      expect(await change('<a>☎</a>\0')).toBe('created');
      expect(await change('<b/>', NOW + 1)).toBe('replaced');
      expect(await accounts.getCallScript(alice.id)).toEqual({ text: '<b/>', updatedAt: NOW + 1 });
      expect(await accounts.getCallScript(bob.id)).toBeUndefined();
      expect(await change(undefined)).toBe('deleted');
      expect(seen).toEqual([undefined, undefined, '<a>☎</a>\0', '<b/>']);
    });

    it('stay as they are when the change is refused, and there are none of nobody', async () => {
      const accounts = await store();
      await accounts.updateCallScript(alice.id, NOW, () => '<a/>');
      const refusal = new Refusal('revision_mismatch', 'no');
      expect(verdict(await accounts.updateCallScript(alice.id, NOW, () => refusal))).toBe(
        'revision_mismatch',
      );
      expect((await accounts.getCallScript(alice.id))?.text).toBe('<a/>');
      expect(verdict(await accounts.updateCallScript('usr_none', NOW, () => '<a/>'))).toBe('user_not_found');
    });

    it('go with their user', async () => {
      const accounts = await store();
      for (const { id } of [alice, bob]) await accounts.updateCallScript(id, NOW, () => '<a/>');
      await accounts.deleteUser(alice.id, { ifRevision: undefined, now: NOW });
      expect(await accounts.getCallScript(alice.id)).toBeUndefined();
      expect((await accounts.getCallScript(bob.id))?.text).toBe('<a/>');
      await accounts.deleteDomain('example.com', { cascade: true, ifRevision: undefined, now: NOW });
      expect(await accounts.getCallScript(bob.id)).toBeUndefined();
    });
  });

  describe('domains', () => {
    it('are found by name and by alias, as they were written', async () => {
      const accounts = (await make()).accounts;
      const row = domainRow('example.net', {
        aliases: ['a.example.net', 'b.example.net'],
        realm: 'r',
        algorithms: ['MD5'],
        challenge: 'all',
        allowNoQop: true,
        minExpiresSeconds: 1,
        defaultExpiresSeconds: 2,
        maxExpiresSeconds: 3,
        maxBindingsPerUser: 4,
        overflow: 'evict_oldest',
        sequence: 'fresh_nonce',
        routing: 'redirect',
        maxUsers: 5,
      });
      expect(await accounts.insertDomain(row)).toEqual(row);
      expect(await accounts.getDomain('example.net')).toEqual(row);
      expect(accounts.domainByHost('b.example.net')).toEqual(row);
      expect(accounts.domainByHost('c.example.net')).toBeUndefined();
      expect(await accounts.getDomain('a.example.net')).toBeUndefined();
    });

    it.each<[string, string, readonly string[], string]>([
      ['the name of another', 'example.com', [], 'domain_exists'],
      ['an alias of another', 'taken.example.com', [], 'domain_alias_in_use'],
      ['an alias that is the name of another', 'example.net', ['example.com'], 'domain_alias_in_use'],
      ['an alias that is an alias of another', 'example.net', ['taken.example.com'], 'domain_alias_in_use'],
      ['names of its own', 'example.net', ['sip.example.net'], 'granted'],
    ])('a host name stands for one domain: %s', async (_, name, aliases, expected) => {
      const accounts = await store();
      await accounts.updateDomain('example.com', (current) => ({
        ...current,
        aliases: ['taken.example.com'],
      }));
      expect(verdict(await accounts.insertDomain(domainRow(name, { aliases })))).toBe(expected);
    });

    it('an alias that was given up is free again', async () => {
      const accounts = await store();
      await accounts.updateDomain('example.com', (current) => ({ ...current, aliases: ['x.example'] }));
      await accounts.updateDomain('example.com', (current) => ({ ...current, aliases: [] }));
      expect(accounts.domainByHost('x.example')).toBeUndefined();
      expect(verdict(await accounts.insertDomain(domainRow('x.example')))).toBe('granted');
    });

    it('tell whether they have active credentials', async () => {
      const accounts = await store();
      await accounts.insertDomain(domainRow('empty.example'));
      const seen: boolean[] = [];
      for (const name of ['example.com', 'empty.example']) {
        await accounts.updateDomain(name, (current, hasCredentials) => {
          seen.push(hasCredentials);
          return current;
        });
      }
      expect(seen).toEqual([true, false]);
    });

    it('with users are deleted only in cascade, with everything in them', async () => {
      const { accounts, location } = await subject();
      const row = bindingRow('sip:a@h', { userId: alice.id });
      await location.update({ userId: alice.id, aor: row.aor }, NOW, () => ({
        outcome: undefined,
        changes: [{ kind: 'created', binding: row }],
      }));
      const plain = { cascade: false, ifRevision: undefined, now: NOW };
      expect(verdict(await accounts.deleteDomain('example.com', plain))).toBe('domain_not_empty');
      const stale = { cascade: true, ifRevision: 9, now: NOW };
      expect(verdict(await accounts.deleteDomain('example.com', stale))).toBe('revision_mismatch');
      expect(await accounts.deleteDomain('example.com', { ...plain, cascade: true })).toEqual({
        bindingsRemoved: 1,
      });
      expect(await accounts.getUser(alice.id, NOW)).toBeUndefined();
      expect(await accounts.listCredentials(alice.id)).toEqual([]);
      expect(accounts.subscriberByAuthUsername('example.com', 'alice')).toBeUndefined();
      expect(await location.getBinding(row.id, NOW)).toBeUndefined();
      expect(verdict(await accounts.deleteDomain('example.com', plain))).toBe('domain_not_found');
    });

    it.each([
      ['name', false],
      ['name', true],
      ['created_at', false],
      ['created_at', true],
    ] as const)('are listed, each once, by %s, descending: %s', async (sort, descending) => {
      const accounts = (await make()).accounts;
      for (let i = 0; i < 9; i++) {
        await accounts.insertDomain(domainRow(`d${i}.example`, { createdAt: NOW + (i % 2) }));
      }
      const seen = await walk((page) => accounts.listDomains({}, page), { sort, descending, limit: 2 });
      expect(new Set(seen.map(({ name }) => name)).size).toBe(9);
      expect(seen).toHaveLength(9);
      const some = await accounts.listDomains(
        { q: 'd1', confinedTo: ['d1.example', 'd2.example'] },
        everything(sort),
      );
      expect(some.items.map(({ name }) => name)).toEqual(['d1.example']);
    });
  });

  describe('users', () => {
    it('are found by id and by address, as they were written', async () => {
      const accounts = await store();
      const row = userRow('carol', 'example.com', {
        displayName: 'Carol é',
        tags: ['a', 'b'],
        externalId: 'x-1',
        maxBindings: 3,
        challenge: 'sha-256',
        mayRegister: ['sip:bob@example.com'],
        expiresAt: NOW + 9,
      });
      expect(await accounts.insertUser(row, undefined)).toEqual(row);
      expect(await accounts.getUser(row.id, NOW)).toEqual(row);
      expect(await accounts.getUser('carol@EXAMPLE.com', NOW)).toEqual(row);
      expect(await accounts.getUser('Carol@example.com', NOW)).toBeUndefined();
      expect(await accounts.getUser('@', NOW)).toBeUndefined();
    });

    it.each([
      ['a name that is taken', userRow('alice', 'example.com', { id: 'usr_2' }), 'user_exists'],
      ['a domain that is not served', userRow('x', 'example.net'), 'domain_not_found'],
      [
        'an external id that is taken',
        userRow('x', 'example.com', { externalId: 'x-1' }),
        'external_id_in_use',
      ],
      ['an external id of another domain', userRow('x', 'example.org', { externalId: 'x-1' }), 'granted'],
      ['one user more than the domain may have', userRow('x', 'full.example'), 'user_limit'],
    ])('%s', async (_, row, expected) => {
      const accounts = await store();
      await accounts.insertDomain(domainRow('example.org'));
      await accounts.insertDomain(domainRow('full.example', { maxUsers: 1 }));
      await accounts.insertUser(userRow('first', 'full.example'), undefined);
      await accounts.insertUser(userRow('carol', 'example.com', { externalId: 'x-1' }), undefined);
      expect(verdict(await accounts.insertUser(row, undefined))).toBe(expected);
    });

    it('a user who was deleted makes room', async () => {
      const accounts = await store();
      await accounts.insertDomain(domainRow('full.example', { maxUsers: 1 }));
      const first = userRow('first', 'full.example');
      await accounts.insertUser(first, undefined);
      await accounts.deleteUser(first.id, { ifRevision: undefined, now: NOW });
      expect(verdict(await accounts.insertUser(userRow('x', 'full.example'), undefined))).toBe('granted');
    });

    it('a credential that is refused keeps its user from being made', async () => {
      const accounts = await store();
      const carol = userRow('carol');
      const taken = credentialRow('crd_c', carol, { authUsername: 'alice' });
      expect(verdict(await accounts.insertUser(carol, taken))).toBe('username_in_use');
      expect(await accounts.getUser(carol.id, NOW)).toBeUndefined();
    });

    it('a change does not undo a block', async () => {
      const { accounts, location } = await subject();
      await location.update({ userId: alice.id, aor: { user: 'alice', domain: 'example.com' } }, NOW, () => ({
        outcome: undefined,
        changes: [],
        blockUntil: NOW + 100,
      }));
      await accounts.updateUser(alice.id, NOW, (current) => ({ ...current, displayName: 'A', revision: 2 }));
      expect(await accounts.getUser(alice.id, NOW)).toMatchObject({
        displayName: 'A',
        blockedUntil: NOW + 100,
      });
    });

    const people = [
      userRow('anna', 'example.com', {
        displayName: 'Zoe',
        tags: ['vip', 'a'],
        externalId: 'e1',
        createdAt: NOW + 1,
      }),
      userRow('anton', 'example.com', { tags: ['vi'], expiresAt: NOW + 5, createdAt: NOW + 1 }),
      userRow('zoe', 'example.org', { displayName: 'An%', externalId: 'an', updatedAt: NOW + 1 }),
    ];

    it.each<[string, UserFilter, readonly string[]]>([
      ['nothing', {}, ['alice', 'anna', 'anton', 'bob', 'zoe']],
      ['domain', { domain: 'example.org' }, ['zoe']],
      ['confinedTo', { confinedTo: ['example.org'] }, ['zoe']],
      ['aor', { aor: 'sip:anna@example.com' }, ['anna']],
      ['aor that is none', { aor: 'anna' }, []],
      ['usernamePrefix', { usernamePrefix: 'an' }, ['anna', 'anton']],
      ['tag, whole', { tag: 'vip' }, ['anna']],
      ['tag that is not there', { tag: 'v' }, []],
      ['externalId', { externalId: 'e1' }, ['anna']],
      ['expiresBefore', { expiresBefore: NOW + 6 }, ['anton']],
      ['expiresBefore, the moment itself', { expiresBefore: NOW + 5 }, []],
      ['registered', { registered: true }, ['alice']],
      ['not registered', { registered: false }, ['anna', 'anton', 'bob', 'zoe']],
      ['q over username and external id', { q: 'an' }, ['anna', 'anton', 'zoe']],
      ['q over the display name', { q: 'Zo' }, ['anna']],
      ['q with wild cards that mean themselves', { q: 'An%' }, ['zoe']],
      ['several together', { q: 'an', domain: 'example.com', tag: 'vip' }, ['anna']],
    ])('are filtered by %s', async (_, filter, expected) => {
      const { accounts, location } = await subject();
      await accounts.insertDomain(domainRow('example.org'));
      for (const person of people) await accounts.insertUser(person, undefined);
      const rows = [
        bindingRow('sip:live@h', { userId: alice.id, expiresAt: NOW + 1 }),
        bindingRow('sip:gone@h', {
          userId: bob.id,
          aor: { user: 'bob', domain: 'example.com' },
          expiresAt: NOW,
        }),
      ];
      for (const row of rows) {
        await location.update(row, NOW, () => ({
          outcome: undefined,
          changes: [{ kind: 'created', binding: row }],
        }));
      }
      const page = await accounts.listUsers(filter, everything('username'), NOW);
      expect(page.items.map(({ username }) => username)).toEqual(expected);
      expect(page.total).toBe(expected.length);
    });

    it.each(USER_SORT_FIELDS.flatMap((sort) => [false, true].map((descending) => ({ sort, descending }))))(
      'each is listed once, by $sort, descending: $descending',
      async (way) => {
        const accounts = await store();
        await accounts.insertDomain(domainRow('example.org'));
        for (let i = 0; i < 12; i++) {
          // The same names in two domains: equal in what they are sorted by.
          const [username, domainName] = [`u${i >> 1}`, i % 2 === 0 ? 'example.com' : 'example.org'];
          const times = { createdAt: NOW + (i % 2), updatedAt: NOW + (i % 3) };
          await accounts.insertUser(userRow(username, domainName, times), undefined);
        }
        const seen = await walk((page) => accounts.listUsers({}, page, NOW), { ...way, limit: 3 });
        expect(seen).toHaveLength(14);
        expect(new Set(seen.map(({ id }) => id)).size).toBe(14);
      },
    );
  });

  describe('when a user last registered, and a credential was last used', () => {
    const first = bindingRow('sip:1@h', { userId: alice.id, credentialId: 'crd_a', refreshedAt: NOW + 1 });
    const second = bindingRow('sip:2@h', { userId: alice.id, credentialId: 'crd_a', refreshedAt: NOW + 2 });

    it('follows the bindings, also when the newest is gone before the others', async () => {
      const { accounts, location } = await subject();
      const registration = async () => (await accounts.getUser(alice.id, NOW))?.registration;
      const lastUsed = async () => (await accounts.getCredential(alice.id, 'crd_a'))?.lastUsedAt;
      expect(await registration()).toEqual({
        state: 'never_registered',
        bindings: 0,
        lastRegisteredAt: null,
      });
      await location.update(first, NOW, () => ({
        outcome: undefined,
        changes: [
          { kind: 'created', binding: first },
          { kind: 'created', binding: second },
        ],
      }));
      expect(await registration()).toEqual({ state: 'registered', bindings: 2, lastRegisteredAt: NOW + 2 });
      for (const [gone, left] of [
        [second, 1],
        [first, 0],
      ] as const) {
        await location.update(first, NOW, () => ({
          outcome: undefined,
          changes: [{ kind: 'removed', binding: gone, cause: 'unregistered' }],
        }));
        expect(await registration()).toMatchObject({ bindings: left, lastRegisteredAt: NOW + 2 });
        expect(await lastUsed()).toBe(NOW + 2);
      }
      expect((await registration())?.state).toBe('not_registered');
    });

    it('another credential on the same binding leaves the first its last use', async () => {
      const { accounts, location } = await subject();
      await accounts.insertCredential(credentialRow('crd_b', alice));
      const moved = { ...first, credentialId: 'crd_b', refreshedAt: NOW + 9 };
      await location.update(first, NOW, () => ({
        outcome: undefined,
        changes: [
          { kind: 'created', binding: first },
          { kind: 'updated', before: first, binding: moved },
        ],
      }));
      const uses = (await accounts.listCredentials(alice.id)).map(({ id, lastUsedAt }) => [id, lastUsedAt]);
      expect(uses).toEqual([
        ['crd_a', NOW + 1],
        ['crd_b', NOW + 9],
      ]);
    });
  });

  describe('deleting a user', () => {
    it('takes credentials and bindings along, and tells how many were current', async () => {
      const { accounts, location } = await subject();
      const rows = [
        bindingRow('sip:live@h', { userId: alice.id }),
        bindingRow('sip:gone@h', { userId: alice.id, expiresAt: NOW }),
      ];
      await location.update(
        { userId: alice.id, aor: { user: 'alice', domain: 'example.com' } },
        NOW - 1,
        () => ({
          outcome: undefined,
          changes: rows.map((row) => ({ kind: 'created', binding: row }) as const),
        }),
      );
      const causes: string[] = [];
      location.onChanges((changes) => {
        for (const change of changes) if (change.kind === 'removed') causes.push(change.cause);
      });
      const stale = { ifRevision: 2, now: NOW };
      expect(verdict(await accounts.deleteUser(alice.id, stale))).toBe('revision_mismatch');
      expect(await accounts.deleteUser('alice@example.com', { ifRevision: 1, now: NOW })).toEqual({
        bindingsRemoved: 1,
      });
      expect(causes.sort()).toEqual(['expired', 'user_deleted']);
      expect(await accounts.listCredentials(alice.id)).toEqual([]);
      expect(accounts.subscriberByAuthUsername('example.com', 'alice')).toBeUndefined();
      expect(verdict(await accounts.deleteUser(alice.id, stale))).toBe('user_not_found');
    });
  });

  describe('credentials', () => {
    const revoke = (accounts: AccountStore, id: string, now = NOW, deregister = false) =>
      accounts.updateCredential(alice.id, id, { deregister, now }, (current) => ({
        ...current,
        state: 'revoked',
        revokedAt: now,
        revision: current.revision + 1,
      }));

    it('4 active ones are the limit; expired and revoked ones do not count', async () => {
      const accounts = await store();
      const add = async (id: string, changes = {}) =>
        verdict(await accounts.insertCredential(credentialRow(id, alice, changes)));
      expect(await add('crd_old', { expiresAt: NOW })).toBe('granted');
      for (let i = 1; i < MAX_ACTIVE_CREDENTIALS; i++) expect(await add(`crd_${i}`)).toBe('granted');
      expect(await add('crd_x')).toBe('credential_limit');
      await revoke(accounts, 'crd_1');
      expect(await add('crd_x')).toBe('granted');
    });

    it('an expired one that is given time again counts', async () => {
      const accounts = await store();
      await accounts.insertCredential(credentialRow('crd_old', alice, { expiresAt: NOW }));
      const revive = async () =>
        verdict(
          await accounts.updateCredential(
            alice.id,
            'crd_old',
            { deregister: false, now: NOW },
            (current) => ({
              ...current,
              expiresAt: null,
            }),
          ),
        );
      for (let i = 1; i < MAX_ACTIVE_CREDENTIALS; i++) {
        await accounts.insertCredential(credentialRow(`crd_${i}`, alice));
      }
      expect(await revive()).toBe('credential_limit');
      await revoke(accounts, 'crd_1');
      expect(await revive()).toBe('granted');
    });

    it('expired ones never hide one that works', async () => {
      const accounts = await store();
      await revoke(accounts, 'crd_a');
      for (let i = 0; i < 6; i++) {
        await accounts.insertCredential(credentialRow(`crd_old${i}`, alice, { expiresAt: NOW - i }));
      }
      await accounts.insertCredential(credentialRow('crd_new', alice, { expiresAt: NOW + 1_000 }));
      await accounts.insertCredential(credentialRow('crd_ever', alice));
      const subscriber = accounts.subscriberByAuthUsername('example.com', 'alice');
      expect(subscriber?.credentials.map(({ id }) => id)).toEqual([
        'crd_ever',
        'crd_new',
        'crd_old0',
        'crd_old1',
      ]);
    });

    it('a digest username belongs to one user of a domain', async () => {
      const accounts = await store();
      const add = async (id: string, authUsername: string) =>
        verdict(await accounts.insertCredential(credentialRow(id, bob, { authUsername })));
      expect(await add('crd_b', 'alice')).toBe('username_in_use');
      expect(await add('crd_b', 'Alice')).toBe('granted');
      await revoke(accounts, 'crd_a');
      expect(await add('crd_c', 'alice')).toBe('granted');
      expect(accounts.subscriberByAuthUsername('example.com', 'alice')?.userId).toBe(bob.id);
    });

    it('an HA1 for a realm that the domain no longer has is refused', async () => {
      const accounts = await store();
      const late = credentialRow('crd_b', bob, { realm: 'before' });
      expect(verdict(await accounts.insertCredential(late))).toBe('revision_mismatch');
      const carol = userRow('carol');
      const withUser = credentialRow('crd_c', carol, { realm: 'before' });
      expect(verdict(await accounts.insertUser(carol, withUser))).toBe('revision_mismatch');
      expect(await accounts.getUser(carol.id, NOW)).toBeUndefined();
    });

    it('revoking erases the secret and takes the bindings along when asked', async () => {
      const { accounts, location } = await subject();
      const rows = [
        bindingRow('sip:1@h', { userId: alice.id, credentialId: 'crd_a' }),
        bindingRow('sip:2@h', { userId: alice.id, credentialId: 'crd_other' }),
      ];
      await location.update({ userId: alice.id, aor: { user: 'alice', domain: 'example.com' } }, NOW, () => ({
        outcome: undefined,
        changes: rows.map((row) => ({ kind: 'created', binding: row }) as const),
      }));
      const causes: string[] = [];
      location.onChanges((changes) => {
        for (const change of changes) if (change.kind === 'removed') causes.push(change.cause);
      });
      expect(await revoke(accounts, 'crd_a', NOW, true)).toMatchObject({
        credential: { state: 'revoked', revokedAt: NOW },
        bindingsRemoved: 1,
      });
      expect(causes).toEqual(['credential_revoked']);
      expect(accounts.keyIdsInUse()).toEqual([]);
      expect(accounts.subscriberByAuthUsername('example.com', 'alice')).toBeUndefined();
    });

    it('of revoked ones the last twenty are kept', async () => {
      const accounts = await store();
      for (let i = 0; i < 25; i++) {
        await accounts.insertCredential(credentialRow(`crd_${i}`, alice));
        await revoke(accounts, `crd_${i}`, NOW + i);
      }
      const kept = (await accounts.listCredentials(alice.id)).filter(({ state }) => state === 'revoked');
      expect(kept.map(({ revokedAt }) => Number(revokedAt)).sort((a, b) => a - b)).toEqual(
        Array.from({ length: 20 }, (_, i) => NOW + 5 + i),
      );
    });

    it('one of another user is not found', async () => {
      const accounts = await store();
      const change = accounts.updateCredential(
        bob.id,
        'crd_a',
        { deregister: false, now: NOW },
        (current) => current,
      );
      expect(verdict(await change)).toBe('credential_not_found');
      expect(await accounts.getCredential(bob.id, 'crd_a')).toBeUndefined();
    });
  });

  describe('what listeners hear', () => {
    async function heard(
      act: (accounts: AccountStore) => Promise<unknown>,
    ): Promise<readonly AccountsChange[]> {
      const accounts = await store();
      const changes: AccountsChange[] = [];
      accounts.onChanges((change) => changes.push(change));
      await act(accounts);
      return changes;
    }
    const ofAlice = { kind: 'user', domain: 'example.com', userId: alice.id };

    it.each<[string, (accounts: AccountStore) => Promise<unknown>, readonly unknown[]]>([
      [
        'a new domain',
        (a) => a.insertDomain(domainRow('x.example')),
        [{ kind: 'domain', domain: 'x.example' }],
      ],
      [
        'a changed domain',
        (a) => a.updateDomain('example.com', (c) => c),
        [{ kind: 'domain', domain: 'example.com' }],
      ],
      [
        'a deleted domain',
        (a) => a.deleteDomain('example.com', { cascade: true, ifRevision: undefined, now: NOW }),
        [{ kind: 'domain', domain: 'example.com' }],
      ],
      [
        'a changed user',
        (a) => a.updateUser(alice.id, NOW, (c) => c),
        [{ ...ofAlice, authUsernames: ['alice'] }],
      ],
      [
        'a deleted user',
        (a) => a.deleteUser(alice.id, { ifRevision: undefined, now: NOW }),
        [{ ...ofAlice, authUsernames: ['alice'] }],
      ],
      [
        'a new credential',
        (a) => a.insertCredential(credentialRow('crd_z', alice, { authUsername: 'al' })),
        [{ ...ofAlice, authUsernames: expect.arrayContaining(['alice', 'al']) }],
      ],
      [
        'a change of nothing',
        (a) => a.updateCredential(alice.id, 'crd_a', { deregister: false, now: NOW }, (c) => c),
        [],
      ],
      ['a refusal', (a) => a.insertDomain(domainRow('example.com')), []],
    ])('%s', async (_, act, expected) => {
      expect(await heard(act)).toEqual(expected);
    });

    it('a revocation is heard with its digest username, also when the row is forgotten at once', async () => {
      // The clock was set back: the credential revoked now is older than the twenty that are kept.
      const changes = await heard(async (accounts) => {
        for (let i = 0; i < 21; i++) {
          const id = `crd_${i}`;
          await accounts.insertCredential(credentialRow(id, alice, { authUsername: `name${i}` }));
          await accounts.updateCredential(alice.id, id, { deregister: false, now: NOW }, (current) => ({
            ...current,
            state: 'revoked',
            revokedAt: i === 20 ? NOW - 1 : NOW + i,
          }));
        }
      });
      expect(changes.at(-1)).toMatchObject({ authUsernames: expect.arrayContaining(['name20']) });
    });
  });

  it('the census counts users, and those with a challenge of their own by policy', async () => {
    const accounts = await store();
    await accounts.insertUser(userRow('c', 'example.com', { challenge: 'sha-256' }), undefined);
    await accounts.insertUser(userRow('d', 'example.com', { challenge: 'all' }), undefined);
    await accounts.insertUser(userRow('e', 'example.com', { challenge: 'all' }), undefined);
    expect(accounts.challengeCensus('example.com')).toEqual({
      users: 5,
      overrides: { 'sha-256': 1, all: 2 },
    });
    expect(accounts.challengeCensus('example.net')).toEqual({ users: 0, overrides: {} });
  });
}
