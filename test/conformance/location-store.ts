import { describe, expect, it } from 'vitest';
import type { AccountStore } from '../../src/accounts/account-store.js';
import { BINDING_SORT_FIELDS, type Binding, type BindingSortField } from '../../src/location/binding.js';
import type { AorState, BindingChange } from '../../src/location/decision.js';
import type { Deregistration, DeregistrationFilter } from '../../src/location/deregistration.js';
import type { LocationStore, Owner } from '../../src/location/location-store.js';
import { told } from '../location/commands.js';
import { domainRow, everything, NOW, userRow, walk } from './scene.js';

export interface LocationSubject {
  readonly location: LocationStore;
  /** Of the same database: bindings belong to users. */
  readonly accounts: AccountStore;
}

const LATER = NOW + 1_000_000;

function owner(username: string, domain = 'example.com'): Owner {
  return { userId: `usr_${username}_${domain}`, aor: { user: username, domain } };
}

function bindingOf(of: Owner, id: string, changes: Partial<Binding> = {}): Binding {
  return {
    id,
    userId: of.userId,
    aor: of.aor,
    contact: `sip:${id}@192.0.2.1:5060`,
    displayName: '',
    contactParams: '',
    qThousandths: null,
    instanceId: null,
    regId: null,
    callId: 'call-1',
    cseq: 1,
    userAgent: null,
    received: { transport: 'udp', ip: '192.0.2.1', port: 5060, flowId: null },
    credentialId: null,
    registeredAt: NOW,
    refreshedAt: NOW,
    expiresAt: LATER,
    ...changes,
  };
}

/** What every LocationStore must do. */
export function testLocationStore(make: () => Promise<LocationSubject>): void {
  const alice = owner('alice');
  const bob = owner('bob');
  const carol = owner('carol', 'example.org');

  async function subject(): Promise<LocationSubject> {
    const made = await make();
    for (const name of ['example.com', 'example.org']) await made.accounts.insertDomain(domainRow(name));
    for (const { aor } of [alice, bob, carol]) {
      await made.accounts.insertUser(userRow(aor.user, aor.domain), undefined);
    }
    return made;
  }

  async function store(): Promise<LocationStore> {
    return (await subject()).location;
  }

  function change(location: LocationStore, of: Owner, ...changes: readonly BindingChange[]): Promise<void> {
    return location.update(of, NOW, () => ({ outcome: undefined, changes }));
  }

  async function create(location: LocationStore, of: Owner, ...rows: readonly Binding[]): Promise<void> {
    await change(location, of, ...rows.map((binding) => ({ kind: 'created', binding }) as const));
  }

  function read(location: LocationStore, of: Owner, now = NOW): Promise<AorState> {
    return location.update(of, now, (state) => ({ outcome: state, changes: [] }));
  }

  describe('update', () => {
    it('what is written is what is read, to the last octet', async () => {
      const location = await store();
      const full = bindingOf(alice, 'bnd_1', {
        contact: 'sip:al%69ce\u00e4@[2001:db8::1]:5060;transport=tcp;x="\u0000"',
        displayName: '"Al, ice" ',
        contactParams: ';q=0.5;+sip.instance="<urn:uuid:1>"',
        qThousandths: 500,
        instanceId: 'urn:uuid:1',
        regId: 2,
        callId: 'a\u00ffb',
        cseq: 2 ** 31 - 1,
        userAgent: 'Phone \u00e9',
        received: { transport: 'tcp', ip: '2001:db8::1', port: 65_535, flowId: 'flw_1' },
        credentialId: 'crd_1',
        registeredAt: NOW - 5,
        refreshedAt: NOW - 3,
      });
      await create(location, alice, full);
      expect(await location.getBinding('bnd_1', NOW)).toEqual(full);
      expect((await read(location, alice)).bindings).toEqual([full]);
    });

    it('an updated row is as the change says, a refreshed one moves on in time and sequence', async () => {
      const location = await store();
      const before = bindingOf(alice, 'bnd_1');
      await create(location, alice, before);
      const refreshed = { ...before, callId: 'call-2', cseq: 7, refreshedAt: NOW + 1, expiresAt: LATER + 1 };
      await change(location, alice, { kind: 'refreshed', before, binding: refreshed });
      expect(await location.getBinding('bnd_1', NOW)).toEqual(refreshed);
      const updated: Binding = {
        ...refreshed,
        contact: 'sip:new@h',
        contactParams: ';x',
        userAgent: 'New',
        instanceId: 'urn:x',
        received: { transport: 'tcp', ip: '198.51.100.7', port: 1, flowId: 'flw_9' },
        credentialId: 'crd_2',
        expiresAt: LATER - 1,
      };
      await change(location, alice, { kind: 'updated', before: refreshed, binding: updated });
      expect(await location.getBinding('bnd_1', NOW)).toEqual(updated);
    });

    it('a decision sees what the decisions before it did, and no expired row', async () => {
      const location = await store();
      const [first, second] = await Promise.all([
        location.update(alice, NOW, () => ({
          outcome: 'written',
          changes: [{ kind: 'created', binding: bindingOf(alice, 'bnd_1', { expiresAt: NOW + 10 }) }],
        })),
        read(location, alice),
      ]);
      expect([first, second.bindings.map(({ id }) => id)]).toEqual(['written', ['bnd_1']]);
      expect((await read(location, alice, NOW + 9)).bindings).toHaveLength(1);
      expect((await read(location, alice, NOW + 10)).bindings).toHaveLength(0);
    });

    it('an owner without bindings is open, one who does not exist is missing', async () => {
      const location = await store();
      expect(await read(location, alice)).toEqual({ standing: { kind: 'open' }, bindings: [] });
      expect(await read(location, owner('nobody'))).toEqual({ standing: { kind: 'missing' }, bindings: [] });
    });

    it('a block holds until its moment, and a shorter one does not cut it', async () => {
      const location = await store();
      const block = (until: number) =>
        location.update(alice, NOW, () => ({ outcome: undefined, changes: [], blockUntil: until }));
      await block(NOW + 100);
      await block(NOW + 50);
      expect((await read(location, alice, NOW + 99)).standing).toEqual({ kind: 'blocked', until: NOW + 100 });
      expect((await read(location, alice, NOW + 100)).standing).toEqual({ kind: 'open' });
      expect((await read(location, bob)).standing).toEqual({ kind: 'open' });
    });

    it('a call script that a decision brings is the owner’s, together with the bindings', async () => {
      const { location, accounts } = await subject();
      const changes = [{ kind: 'created', binding: bindingOf(alice, 'bnd_1') }] as const;
      await location.update(alice, NOW, () => ({ outcome: undefined, changes, callScript: '<a/>' }));
      await expect(
        location.update(alice, NOW, () => ({
          outcome: undefined,
          // The id is taken: the row cannot be written, so the script is not either.
          changes,
          callScript: '<b/>',
        })),
      ).rejects.toThrow();
      await read(location, alice);
      expect(await accounts.getCallScript(alice.userId)).toEqual({ text: '<a/>', updatedAt: NOW });
      expect(await accounts.getCallScript(bob.userId)).toBeUndefined();
    });

    it('a decision that throws changes nothing', async () => {
      const location = await store();
      const failing = location.update(alice, NOW, () => {
        throw new Error('no decision');
      });
      await expect(failing).rejects.toThrow('no decision');
      expect((await read(location, alice)).bindings).toEqual([]);
    });

    it('listeners hear each change once, after it is there', async () => {
      const location = await store();
      const heard: string[] = [];
      location.onChanges((changes) => heard.push(...told(changes)));
      const row = bindingOf(alice, 'bnd_1');
      await create(location, alice, row);
      await change(location, alice, { kind: 'removed', binding: row, cause: 'unregistered' });
      await read(location, alice);
      expect(heard).toEqual([`created ${row.contact}`, `removed ${row.contact} (unregistered)`]);
    });
  });

  describe('filters', () => {
    const rows: readonly (readonly [Owner, string, Partial<Binding>])[] = [
      [alice, 'a4', { received: { transport: 'udp', ip: '10.0.0.1', port: 1, flowId: null } }],
      [alice, 'a6', { received: { transport: 'tcp', ip: '2001:db8::1', port: 1, flowId: 'flw_1' } }],
      [
        bob,
        'b4',
        { received: { transport: 'tcp', ip: '10.0.1.255', port: 1, flowId: 'flw_1' }, userAgent: 'Acme/2' },
      ],
      [bob, 'b5', { userAgent: 'Acme/10', instanceId: 'urn:uuid:7', credentialId: 'crd_7' }],
      [carol, 'c1', { registeredAt: NOW - 50, expiresAt: NOW + 500 }],
      [carol, 'gone', { expiresAt: NOW }],
    ];

    it.each<[string, DeregistrationFilter, readonly string[]]>([
      ['nothing', {}, ['a4', 'a6', 'b4', 'b5', 'c1']],
      ['bindingId', { bindingId: 'a6' }, ['a6']],
      ['bindingId of an expired row', { bindingId: 'gone' }, []],
      ['domain', { domain: 'example.org' }, ['c1']],
      ['confinedTo one domain', { confinedTo: ['example.org'] }, ['c1']],
      ['confinedTo several', { confinedTo: ['example.org', 'example.com'] }, ['a4', 'a6', 'b4', 'b5', 'c1']],
      ['confinedTo none', { confinedTo: [] }, []],
      ['userId', { userId: bob.userId }, ['b4', 'b5']],
      ['aor as a URI', { aor: 'sip:alice@example.com' }, ['a4', 'a6']],
      ['aor as an address, any case of the host', { aor: 'alice@EXAMPLE.com' }, ['a4', 'a6']],
      ['aor in another case of the user', { aor: 'Alice@example.com' }, []],
      ['aor that is none', { aor: 'alice' }, []],
      ['transport', { transport: 'tcp' }, ['a6', 'b4']],
      ['sourceIp, IPv4', { sourceIp: '10.0.0.1' }, ['a4']],
      ['sourceIp, an IPv4 network', { sourceIp: '10.0.0.0/23' }, ['a4', 'b4']],
      ['sourceIp, a narrower one', { sourceIp: '10.0.1.128/25' }, ['b4']],
      ['sourceIp, all of IPv4', { sourceIp: '0.0.0.0/0' }, ['a4', 'b4', 'b5', 'c1']],
      ['sourceIp, IPv6 in another spelling', { sourceIp: '2001:0DB8:0:0::1' }, ['a6']],
      ['sourceIp, an IPv6 network', { sourceIp: '2001:db8::/32' }, ['a6']],
      ['sourceIp, a network beside it', { sourceIp: '2001:db9::/32' }, []],
      ['sourceIp without a prefix length', { sourceIp: '10.0.0.0/' }, []],
      ['sourceIp with too long a prefix', { sourceIp: '10.0.0.0/33' }, []],
      ['sourceIp that is none', { sourceIp: 'everywhere' }, []],
      ['userAgentPrefix', { userAgentPrefix: 'Acme/' }, ['b4', 'b5']],
      ['userAgentPrefix, narrower', { userAgentPrefix: 'Acme/1' }, ['b5']],
      ['userAgentPrefix, wild cards mean themselves', { userAgentPrefix: 'A%' }, []],
      ['instanceId', { instanceId: 'urn:uuid:7' }, ['b5']],
      ['credentialId', { credentialId: 'crd_7' }, ['b5']],
      ['expiresBefore', { expiresBefore: NOW + 501 }, ['c1']],
      ['expiresBefore, the moment itself', { expiresBefore: NOW + 500 }, []],
      ['registeredAfter', { registeredAfter: NOW - 50 }, ['a4', 'a6', 'b4', 'b5']],
      ['several together', { domain: 'example.com', transport: 'tcp', sourceIp: '10.0.0.0/8' }, ['b4']],
    ])('%s', async (_, filter, expected) => {
      const location = await store();
      for (const [of, id, changes] of rows) await create(location, of, bindingOf(of, id, changes));
      const page = await location.listBindings({ filter, now: NOW }, everything('registered_at'));
      expect(page.items.map(({ id }) => id).sort()).toEqual(expected);
      expect(page.total).toBe(expected.length);
      expect(await location.countBindings({ filter, now: NOW })).toBe(expected.length);
    });

    it('registeredUpTo leaves out what came later', async () => {
      const location = await store();
      await create(
        location,
        alice,
        bindingOf(alice, 'old'),
        bindingOf(alice, 'new', { registeredAt: NOW + 1 }),
      );
      const query = { filter: {}, now: NOW, registeredUpTo: NOW };
      expect(await location.countBindings(query)).toBe(1);
    });

    it('counts current bindings of a connection', async () => {
      const location = await store();
      for (const [of, id, changes] of rows) await create(location, of, bindingOf(of, id, changes));
      expect(await location.countOnFlow('flw_1', NOW)).toBe(2);
      expect(await location.countOnFlow('flw_1', LATER)).toBe(0);
      expect(await location.countOnFlow('flw_2', NOW)).toBe(0);
    });
  });

  describe('pages', () => {
    const COUNT = 23;
    // Few different values, so that most rows are equal in what they are sorted by.
    const rowOf = (i: number) =>
      bindingOf([alice, bob, carol][i % 3] ?? alice, `bnd_${String(i).padStart(2, '0')}`, {
        registeredAt: NOW + (i % 2),
        refreshedAt: NOW + (i % 3),
        expiresAt: LATER + (i % 4),
      });
    const ownerOfRow = (row: Binding): Owner => ({ userId: row.userId, aor: row.aor });

    async function filled(): Promise<LocationStore> {
      const location = await store();
      for (let i = 0; i < COUNT; i++) await create(location, ownerOfRow(rowOf(i)), rowOf(i));
      return location;
    }

    const ways = BINDING_SORT_FIELDS.flatMap((sort) =>
      [false, true].map((descending) => ({ sort, descending })),
    );
    const sortedBy: Readonly<Record<BindingSortField, (row: Binding) => string | number>> = {
      registered_at: (row) => row.registeredAt,
      refreshed_at: (row) => row.refreshedAt,
      expires_at: (row) => row.expiresAt,
      aor: (row) => `${row.aor.user}@${row.aor.domain}`,
    };

    it.each(ways)('each row comes once and in order, by $sort, descending: $descending', async (way) => {
      const location = await filled();
      for (const limit of [1, 2, 5, 23, 24]) {
        const seen = await walk((page) => location.listBindings({ filter: {}, now: NOW }, page), {
          ...way,
          limit,
        });
        expect(new Set(seen.map(({ id }) => id)).size).toBe(COUNT);
        expect(seen).toHaveLength(COUNT);
        const values = seen.map(sortedBy[way.sort]);
        const sorted = [...values].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
        expect(values).toEqual(way.descending ? sorted.reverse() : sorted);
      }
    });

    it.each(ways)(
      'rows that stay come exactly once while others come and go, by $sort, descending: $descending',
      async (way) => {
        const location = await filled();
        let count = COUNT;
        const doomed = new Set(['bnd_03', 'bnd_10', 'bnd_17', 'bnd_21']);
        const seen = await walk(
          (page) => location.listBindings({ filter: {}, now: NOW }, page),
          { ...way, limit: 4 },
          async () => {
            if (count > 40) return;
            const added = rowOf(count);
            await create(location, ownerOfRow(added), added);
            count++;
            const [id] = doomed;
            if (id === undefined) return;
            doomed.delete(id);
            const row = rowOf(Number(id.slice(4)));
            await change(location, ownerOfRow(row), { kind: 'removed', binding: row, cause: 'unregistered' });
          },
        );
        const ids = seen.map(({ id }) => id);
        expect(new Set(ids).size).toBe(ids.length);
        for (let i = 0; i < COUNT; i++) {
          if (![3, 10, 17, 21].includes(i)) expect(ids).toContain(rowOf(i).id);
        }
      },
    );

    it('a page says its total only when asked, and nothing comes after the last', async () => {
      const location = await filled();
      const query = { filter: {}, now: NOW };
      const page = { sort: 'registered_at', descending: false, limit: COUNT, includeTotal: false } as const;
      expect(await location.listBindings(query, page)).toMatchObject({ next: undefined, total: undefined });
      expect(await location.listBindings(query, { ...page, limit: 2, includeTotal: true })).toMatchObject({
        total: COUNT,
      });
    });
  });

  describe('the sweep', () => {
    it('51: removes what has expired at that very moment, and nothing else', async () => {
      const location = await store();
      const heard: string[] = [];
      await create(location, alice, bindingOf(alice, 'due', { expiresAt: NOW + 10 }));
      await create(location, alice, bindingOf(alice, 'not yet', { expiresAt: NOW + 11 }));
      location.onChanges((changes) => heard.push(...told(changes)));
      expect(await location.sweep(NOW + 9, 100)).toEqual({ looked: 0, removed: 0 });
      expect(await location.sweep(NOW + 10, 100)).toEqual({ looked: 1, removed: 1 });
      expect(heard).toEqual(['removed sip:due@192.0.2.1:5060 (expired)']);
    });

    it('51: a row refreshed at its last moment stays, and goes when its new time has come', async () => {
      const location = await store();
      const before = bindingOf(alice, 'bnd_1', { expiresAt: NOW + 10 });
      await create(location, alice, before);
      await change(location, alice, {
        kind: 'refreshed',
        before,
        binding: { ...before, expiresAt: NOW + 20 },
      });
      expect((await location.sweep(NOW + 10, 100)).removed).toBe(0);
      expect(await location.getBinding('bnd_1', NOW + 19)).toBeDefined();
      expect((await location.sweep(NOW + 20, 100)).removed).toBe(1);
    });

    it.each(['refreshed', 'updated'] as const)('a row cut short goes at its new time (%s)', async (kind) => {
      const location = await store();
      const before = bindingOf(alice, 'bnd_1', { expiresAt: NOW + 100 });
      await create(location, alice, before);
      await change(location, alice, { kind, before, binding: { ...before, expiresAt: NOW + 10 } });
      expect((await location.sweep(NOW + 10, 100)).removed).toBe(1);
    });

    it('looks at no more than the limit', async () => {
      const location = await store();
      for (let i = 0; i < 5; i++)
        await create(location, alice, bindingOf(alice, `bnd_${i}`, { expiresAt: NOW + i }));
      expect(await location.sweep(NOW + 10, 3)).toEqual({ looked: 3, removed: 3 });
      expect(await location.sweep(NOW + 10, 3)).toEqual({ looked: 2, removed: 2 });
    });
  });

  describe('owners', () => {
    it('are found by id and by address', async () => {
      const location = await store();
      expect(await location.ownerOf({ userId: alice.userId })).toEqual(alice);
      expect(await location.ownerOf({ aor: 'sip:carol@example.org' })).toEqual(carol);
      expect(await location.ownerOf({ aor: 'nobody@example.org' })).toBeUndefined();
      expect(await location.ownerOf({ userId: 'usr_0' })).toBeUndefined();
    });
  });

  describe('deregistrations', () => {
    const begun: Deregistration = {
      id: 'drg_1',
      state: 'running',
      mode: 'block',
      filter: { domain: 'example.com', transport: 'tcp' },
      reason: 'firmware',
      blockSeconds: 60,
      blockedUntil: NOW + 60_000,
      closeFlows: true,
      matched: 3,
      removed: 0,
      effects: { usersBlocked: 0, flowsClosed: 0, flowsKeptShared: 0 },
      sample: ['bnd_1'],
      createdBy: 'key_1',
      createdAt: NOW,
      completedAt: null,
    };

    it('are kept, moved on, and found again after an interruption', async () => {
      const location = await store();
      await location.saveDeregistration(begun);
      expect(await location.getDeregistration('drg_1')).toEqual(begun);
      expect(await location.runningDeregistrations()).toEqual([begun]);
      const done: Deregistration = {
        ...begun,
        state: 'completed',
        removed: 2,
        effects: { usersBlocked: 1, flowsClosed: 1, flowsKeptShared: 1 },
        completedAt: NOW + 5,
      };
      await location.saveDeregistration(done);
      expect(await location.getDeregistration('drg_1')).toEqual(done);
      expect(await location.runningDeregistrations()).toEqual([]);
      expect(await location.getDeregistration('drg_2')).toBeUndefined();
    });

    it('are listed page by page', async () => {
      const location = await store();
      for (let i = 0; i < 7; i++) {
        await location.saveDeregistration({ ...begun, id: `drg_${i}`, createdAt: NOW + (i % 2) });
      }
      const seen = await walk((page) => location.listDeregistrations(page), {
        sort: 'created_at',
        descending: true,
        limit: 2,
      });
      expect(seen.map(({ id }) => id)).toEqual([
        'drg_5',
        'drg_3',
        'drg_1',
        'drg_6',
        'drg_4',
        'drg_2',
        'drg_0',
      ]);
    });
  });
}
