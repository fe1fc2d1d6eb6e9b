import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createLog } from '../../src/base/log.js';
import { isRefusal } from '../../src/base/refusal.js';
import type { Binding } from '../../src/location/binding.js';
import {
  BACKGROUND_THRESHOLD,
  type Deregistration,
  type DeregistrationRequest,
  SAMPLE_SIZE,
} from '../../src/location/deregistration.js';
import { type DeregistrationResult, LocationService } from '../../src/location/location-service.js';
import type { SqliteStore } from '../../src/store/sqlite/sqlite.js';
import { accountsOf, domain, openStore, user } from '../store/open-store.js';
import type { VirtualClock } from '../support/virtual-clock.js';
import { binding, contact, listed, POLICY, told, update } from './commands.js';

const LOG = createLog('silent');

/** The connections there are, and those that were closed. */
class Flows {
  readonly open = new Set<string>();
  readonly closed: string[] = [];
  close(flowId: string): boolean {
    if (!this.open.delete(flowId)) return false;
    this.closed.push(flowId);
    return true;
  }
}

async function scene(users: readonly string[] = ['alice', 'bob']) {
  const opened = openStore();
  const { clock } = opened;
  const accounts = accountsOf(opened.store, clock);
  await domain(accounts);
  await domain(accounts, 'example.org');
  const ids = new Map<string, string>();
  for (const name of users) ids.set(name, (await user(accounts, name)).id);
  const carol = await user(accounts, 'carol', {}, 'example.org');
  ids.set('carol', carol.id);
  const flows = new Flows();
  const service = new LocationService(opened.store.location, flows, clock, LOG);
  const register = (name: string, uri: string, seconds = 3600, flowId: string | null = null) =>
    service.register(
      update([contact(uri, seconds)], {
        aor: { user: name, domain: name === 'carol' ? 'example.org' : 'example.com' },
        userId: ids.get(name) ?? '',
        callId: uri,
        cseq: clock.now() % 1_000_000_000,
        received: { transport: flowId === null ? 'udp' : 'tcp', ip: '192.0.2.1', port: 5060, flowId },
      }),
      POLICY,
    );
  return { opened, clock, accounts, ids, flows, service, register };
}

function request(changes: Partial<DeregistrationRequest> = {}): DeregistrationRequest {
  return {
    filter: {},
    reason: null,
    mode: 'kick',
    blockSeconds: null,
    dryRun: false,
    expectedCount: undefined,
    closeFlows: false,
    createdBy: 'key_1',
    ...changes,
  };
}

const block = (filter: DeregistrationRequest['filter'], blockSeconds = 60) =>
  request({ filter, mode: 'block', blockSeconds });

function done(result: DeregistrationResult): Deregistration {
  if (isRefusal(result)) throw new Error(`refused: ${result.code}`);
  if (result.kind !== 'started') throw new Error(`only ${result.kind}`);
  return result.deregistration;
}

/** The code of a refusal, or what became of it. */
function ending(result: DeregistrationResult): string {
  if (isRefusal(result)) return result.code;
  return result.kind === 'started' ? result.deregistration.state : result.kind;
}

/** Puts bindings of one user straight into the store, many at a time. */
async function fill(
  store: SqliteStore,
  clock: VirtualClock,
  userId: string,
  count: number,
  changes: Partial<Binding> = {},
) {
  const now = clock.now();
  await store.location.update({ userId, aor: { user: 'alice', domain: 'example.com' } }, now, () => ({
    outcome: undefined,
    changes: Array.from({ length: count }, (_, i) => {
      const id = `bnd_${String(i).padStart(5, '0')}`;
      return {
        kind: 'created' as const,
        binding: binding(`sip:${i}@h`, {
          id,
          userId,
          registeredAt: now,
          refreshedAt: now,
          expiresAt: now + 1e7,
          ...changes,
        }),
      };
    }),
  }));
}

/** The deregistration once it runs no more. */
async function ended(service: LocationService, id: string): Promise<Deregistration> {
  for (let i = 0; i < 500; i++) {
    const found = await service.getDeregistration(id);
    if (found?.state === 'completed') return found;
    await pause(5);
  }
  throw new Error('still running');
}

describe('registering', () => {
  it('what is registered is found: by id, in lists, and as a location', async () => {
    const { service, register } = await scene();
    const outcome = await register('alice', 'sip:alice@192.0.2.1');
    expect(listed(outcome)).toEqual(['sip:alice@192.0.2.1']);
    const [bound] = outcome.kind === 'registered' ? outcome.bindings : [];
    expect(bound?.id).toMatch(/^bnd_/);
    expect(await service.getBinding(bound?.id ?? '')).toEqual(bound);
    const location = await service.locate({ user: 'alice', domain: 'example.com' });
    expect(location.contacts).toEqual([bound]);
    expect((await service.locate({ user: 'nobody', domain: 'example.com' })).contacts).toEqual([]);
  });

  it('concurrent registrations of one user all hold, within the limit', async () => {
    const { service, register } = await scene();
    const outcomes = await Promise.all(
      Array.from({ length: 15 }, (_, i) => register('alice', `sip:a${i}@h`)),
    );
    const kinds = outcomes.map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'registered')).toHaveLength(POLICY.maxBindings);
    expect(kinds.filter((kind) => kind === 'too_many_bindings')).toHaveLength(5);
    expect((await service.locate({ user: 'alice', domain: 'example.com' })).contacts).toHaveLength(
      POLICY.maxBindings,
    );
  });

  it('52: bindings that have expired make room before the sweep has seen them', async () => {
    const { clock, register } = await scene();
    for (let i = 0; i < POLICY.maxBindings; i++) await register('alice', `sip:a${i}@h`, 60);
    expect((await register('alice', 'sip:new@h')).kind).toBe('too_many_bindings');
    clock.advanceSeconds(60);
    expect(listed(await register('alice', 'sip:new@h'))).toEqual(['sip:new@h']);
  });

  it('51: the sweep takes what has expired, and leaves what was refreshed in that second', async () => {
    const { opened, clock, service, register } = await scene();
    await register('alice', 'sip:a@h', 60);
    await register('bob', 'sip:b@h', 60);
    const causes: string[] = [];
    opened.store.location.onChanges((changes) => causes.push(...told(changes)));
    clock.at += 59_999;
    await register('bob', 'sip:b@h', 60);
    clock.at += 1;
    expect(await service.removeExpired()).toBe(1);
    expect(causes).toEqual(['refreshed sip:b@h', 'removed sip:a@h (expired)']);
  });

  it('the sweep goes on until nothing is due', async () => {
    const { opened, clock, ids, service } = await scene();
    await fill(opened.store, clock, ids.get('alice') ?? '', 950, { expiresAt: clock.now() + 1 });
    clock.at += 1;
    expect(await service.removeExpired()).toBe(950);
    expect(await service.removeExpired()).toBe(0);
  });

  it('53: what was registered is there after a restart', async () => {
    const { opened, clock, register } = await scene();
    const before = await register('alice', 'sip:a@h');
    const again = new LocationService((await opened.reopen()).location, new Flows(), clock, LOG);
    const { contacts } = await again.locate({ user: 'alice', domain: 'example.com' });
    expect({ kind: 'registered', bindings: contacts }).toEqual(before);
  });
});

describe('kicking', () => {
  it('removes what matches, says so, and lets the phone come back', async () => {
    const { opened, service, register, clock } = await scene();
    await register('alice', 'sip:a@h');
    await register('bob', 'sip:b@h');
    const causes: string[] = [];
    opened.store.location.onChanges((changes) => causes.push(...told(changes)));
    const result = done(
      await service.deregister(request({ filter: { aor: 'alice@example.com' }, reason: 'why' })),
    );
    expect(result).toMatchObject({
      state: 'completed',
      matched: 1,
      removed: 1,
      mode: 'kick',
      reason: 'why',
      blockedUntil: null,
    });
    expect(result.effects).toEqual({ usersBlocked: 0, flowsClosed: 0, flowsKeptShared: 0 });
    expect(causes).toEqual(['removed sip:a@h (admin_deregistration)']);
    expect(await service.getDeregistration(result.id)).toEqual(result);
    clock.at += 1;
    expect(listed(await register('alice', 'sip:a@h'))).toEqual(['sip:a@h']);
  });

  it('nothing that matches is no error', async () => {
    const { service } = await scene();
    const result = done(await service.deregister(request({ filter: { domain: 'example.com' } })));
    expect(result).toMatchObject({ state: 'completed', matched: 0, removed: 0, sample: [] });
  });

  it('a dry run tells and does nothing, and leaves no record', async () => {
    const { service, register } = await scene();
    await register('alice', 'sip:a@h');
    const result = await service.deregister(request({ ...block({ all: true }), dryRun: true }));
    expect(result).toMatchObject({ kind: 'previewed', preview: { matched: 1 } });
    expect((await service.locate({ user: 'alice', domain: 'example.com' })).contacts).toHaveLength(1);
    const records = await service.listDeregistrations({
      limit: 9,
      sort: 'created_at',
      descending: false,
      includeTotal: true,
    });
    expect(records.total).toBe(0);
    expect((await register('bob', 'sip:b@h')).kind).toBe('registered');
  });

  it('the sample names the first ten', async () => {
    const { opened, clock, ids, service } = await scene();
    await fill(opened.store, clock, ids.get('alice') ?? '', 12);
    const { sample, removed } = done(await service.deregister(request({ filter: { all: true } })));
    expect(sample).toEqual(Array.from({ length: SAMPLE_SIZE }, (_, i) => `bnd_0000${i}`));
    expect(removed).toBe(12);
  });
});

describe('refusals change nothing', () => {
  it.each<[string, DeregistrationRequest, string]>([
    ['no filter', request(), 'filter_required'],
    [
      'a confinement alone is no filter',
      request({ filter: { confinedTo: ['example.com'] } }),
      'filter_required',
    ],
    ['an empty text is no filter', request({ filter: { userAgentPrefix: '' } }), 'filter_required'],
    [
      'another count than expected',
      request({ filter: { all: true }, expectedCount: 1 }),
      'expected_count_mismatch',
    ],
    [
      'another count than expected, in a dry run',
      request({ filter: { all: true }, expectedCount: 3, dryRun: true }),
      'expected_count_mismatch',
    ],
    ['the count expected', request({ filter: { all: true }, expectedCount: 2, dryRun: true }), 'previewed'],
    ['a binding that is not there', request({ filter: { bindingId: 'bnd_0' } }), 'binding_not_found'],
    ['a user who does not exist', block({ aor: 'nobody@example.com' }), 'user_not_found'],
    [
      'a user outside the domains of the key',
      block({ aor: 'carol@example.org', confinedTo: ['example.com'] }),
      'user_not_found',
    ],
    [
      'a user outside the domain of the filter',
      block({ aor: 'carol@example.org', domain: 'example.com' }),
      'user_not_found',
    ],
  ])('%s', async (_, asked, expected) => {
    const { service, register } = await scene();
    await register('alice', 'sip:a@h');
    await register('bob', 'sip:b@h');
    expect(ending(await service.deregister(asked))).toBe(expected);
    expect(
      (await service.listBindings({}, { limit: 9, sort: 'aor', descending: false, includeTotal: true }))
        .total,
    ).toBe(2);
    expect((await register('carol', 'sip:c@h')).kind).toBe('registered');
  });

  it('a user id and an address that name different users', async () => {
    const { service, ids } = await scene();
    const filter = { userId: ids.get('alice'), aor: 'bob@example.com' };
    expect(ending(await service.deregister(block(filter)))).toBe('user_not_found');
    const same = { userId: ids.get('alice'), aor: 'sip:alice@example.com' };
    expect(ending(await service.deregister(block(same)))).toBe('completed');
  });
});

describe('blocking', () => {
  it('50: refuses every REGISTER of the users concerned until the time is up', async () => {
    const { service, register, clock } = await scene();
    await register('alice', 'sip:a@h');
    const result = done(await service.deregister(block({ domain: 'example.com' })));
    expect(result).toMatchObject({
      removed: 1,
      effects: { usersBlocked: 1 },
      blockedUntil: clock.now() + 60_000,
    });
    expect((await register('alice', 'sip:a@h')).kind).toBe('blocked');
    expect((await register('bob', 'sip:b@h')).kind).toBe('registered');
    clock.at += 59_999;
    expect((await register('alice', 'sip:a@h')).kind).toBe('blocked');
    clock.at += 1;
    expect((await register('alice', 'sip:a@h')).kind).toBe('registered');
  });

  it.each(['userId', 'aor'] as const)('50: a user named by %s is blocked without any binding', async (by) => {
    const { service, register, ids } = await scene();
    const filter = by === 'userId' ? { userId: ids.get('alice') } : { aor: 'sip:alice@example.com' };
    const result = done(await service.deregister(block(filter)));
    expect(result).toMatchObject({
      state: 'completed',
      matched: 0,
      removed: 0,
      effects: { usersBlocked: 1 },
    });
    expect((await register('alice', 'sip:a@h')).kind).toBe('blocked');
  });

  it('a user named whose binding is another than the filter asks for is blocked, and keeps it', async () => {
    const { service, register } = await scene();
    await register('alice', 'sip:a@h');
    const result = done(await service.deregister(block({ aor: 'alice@example.com', transport: 'tcp' })));
    expect(result).toMatchObject({ removed: 0, effects: { usersBlocked: 1 } });
    expect((await service.locate({ user: 'alice', domain: 'example.com' })).contacts).toHaveLength(1);
  });

  it('50: a REGISTER on its way when the block comes does not slip through', async () => {
    const { service, register } = await scene();
    await register('alice', 'sip:a@h');
    await Promise.all([
      service.deregister(block({ all: true })),
      register('alice', 'sip:a2@h'),
      register('alice', 'sip:a3@h'),
    ]);
    expect((await service.locate({ user: 'alice', domain: 'example.com' })).contacts).toEqual([]);
    expect((await register('alice', 'sip:a4@h')).kind).toBe('blocked');
  });

  it('a user deleted meanwhile is not counted as blocked', async () => {
    const { service, accounts, ids } = await scene();
    const [result] = await Promise.all([
      service.deregister(block({ userId: ids.get('alice') })),
      accounts.deleteUser(ids.get('alice') ?? ''),
    ]);
    expect(done(result)).toMatchObject({ state: 'completed', effects: { usersBlocked: 0 } });
  });
});

describe('connections', () => {
  it('that carry nothing any more are closed, those that others use are kept, others are left alone', async () => {
    const { service, register, flows } = await scene();
    for (const id of ['flw_own', 'flw_shared', 'flw_other']) flows.open.add(id);
    await register('alice', 'sip:a1@h', 3600, 'flw_own');
    await register('alice', 'sip:a2@h', 3600, 'flw_shared');
    await register('alice', 'sip:a3@h', 3600, 'flw_gone');
    await register('bob', 'sip:b@h', 3600, 'flw_shared');
    await register('bob', 'sip:b2@h', 3600, 'flw_other');
    const asked = request({ filter: { aor: 'alice@example.com' }, closeFlows: true });
    const { effects, removed } = done(await service.deregister(asked));
    expect([removed, effects]).toEqual([3, { usersBlocked: 0, flowsClosed: 1, flowsKeptShared: 1 }]);
    expect(flows.closed).toEqual(['flw_own']);
  });

  it('stay open when nobody asked to close them', async () => {
    const { service, register, flows } = await scene();
    flows.open.add('flw_1');
    await register('alice', 'sip:a@h', 3600, 'flw_1');
    expect(done(await service.deregister(request({ filter: { all: true } }))).effects.flowsClosed).toBe(0);
    expect(flows.closed).toEqual([]);
  });

  it('one that the bindings of several steps use is closed once, and counted as nothing else', async () => {
    const { opened, clock, ids, service, flows } = await scene();
    flows.open.add('flw_gateway');
    const received = { transport: 'tcp', ip: '192.0.2.1', port: 1, flowId: 'flw_gateway' } as const;
    await fill(opened.store, clock, ids.get('alice') ?? '', 450, { received });
    const { effects } = done(await service.deregister(request({ filter: { all: true }, closeFlows: true })));
    expect(effects).toEqual({ usersBlocked: 0, flowsClosed: 1, flowsKeptShared: 0 });
  });
});

describe('many', () => {
  it('up to the threshold it is done when it answers', async () => {
    const { opened, clock, ids, service } = await scene();
    await fill(opened.store, clock, ids.get('alice') ?? '', BACKGROUND_THRESHOLD);
    const result = done(await service.deregister(request({ filter: { all: true } })));
    expect(result).toMatchObject({ state: 'completed', removed: BACKGROUND_THRESHOLD });
  });

  it('beyond it runs in the background, and its record tells how far it is', async () => {
    const { opened, clock, ids, service } = await scene();
    const count = BACKGROUND_THRESHOLD + 1;
    await fill(opened.store, clock, ids.get('alice') ?? '', count);
    const begun = done(await service.deregister(block({ all: true })));
    expect(begun).toMatchObject({ state: 'running', matched: count, removed: 0, completedAt: null });
    const result = await ended(service, begun.id);
    expect(result).toMatchObject({ removed: count, effects: { usersBlocked: 1 }, completedAt: clock.now() });
  });

  it('an interruption loses no count, and the next start finishes it; who came back since stays', async () => {
    const { opened, clock, ids, service } = await scene();
    const count = BACKGROUND_THRESHOLD + 1;
    await fill(opened.store, clock, ids.get('alice') ?? '', count);
    const begun = done(await service.deregister(block({ all: true }, 5)));
    await service.close();
    const interrupted = await service.getDeregistration(begun.id);
    const left = await opened.store.location.countBindings({ filter: {}, now: clock.now() });
    expect(interrupted?.state).toBe('running');
    expect(left).toBeGreaterThan(0);
    expect(interrupted?.removed).toBe(count - left);
    expect(interrupted?.effects.usersBlocked).toBe(1);

    const store = await opened.reopen();
    clock.advanceSeconds(10);
    await fill(store, clock, ids.get('alice') ?? '', 1, { id: 'bnd_back', registeredAt: clock.now() });
    const next = new LocationService(store.location, new Flows(), clock, LOG);
    expect(await next.resumeDeregistrations()).toBe(1);
    const result = await ended(next, begun.id);
    expect(result).toMatchObject({ matched: count, removed: count });
    const still = await next.listBindings(
      {},
      { limit: 9, sort: 'aor', descending: false, includeTotal: false },
    );
    expect(still.items.map(({ id }) => id)).toEqual(['bnd_back']);
    await next.close();
  });

  it('nothing interrupted is nothing to resume', async () => {
    const { service } = await scene();
    expect(await service.resumeDeregistrations()).toBe(0);
  });
});
