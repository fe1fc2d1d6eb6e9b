import { describe, expect, it } from 'vitest';
import { AdminService, isWithin } from '../../src/admin/admin-service.js';
import type { ApiKeySettings } from '../../src/admin/api-key.js';
import { effectiveScopes, ROLES, SCOPES } from '../../src/admin/scope.js';
import { StoreFailed } from '../../src/base/store-error.js';
import { granted, octetsOnDisk, openStore, verdict } from '../store/open-store.js';

const PEPPER = Buffer.alloc(32, 3);
const ANYWHERE = '203.0.113.9';

function scene() {
  const opened = openStore();
  const admin = new AdminService(opened.store.admin, PEPPER, opened.clock);
  return { ...opened, store: opened.store, admin };
}

function settings(changes: Partial<ApiKeySettings> = {}): ApiKeySettings {
  return {
    label: 'test',
    role: 'admin',
    scopes: [],
    domains: [],
    allowedCidrs: [],
    expiresAt: null,
    ...changes,
  };
}

describe('the first key', () => {
  it('is made once, for an empty database', async () => {
    const { admin } = scene();
    const issued = await admin.bootstrap(undefined);
    expect(issued?.key).toMatch(/^rk_[A-Za-z0-9_-]{43}$/);
    expect(issued?.apiKey).toMatchObject({ role: 'admin', expiresAt: null, lastFour: issued?.key.slice(-4) });
    expect(await admin.bootstrap(undefined)).toBeUndefined();
    expect(await admin.bootstrap('another-key-that-was-given')).toBeUndefined();
  });

  it('is the one that was given', async () => {
    const { admin } = scene();
    expect((await admin.bootstrap('a-key-that-was-given'))?.key).toBe('a-key-that-was-given');
    expect(admin.authenticate('a-key-that-was-given', ANYWHERE)?.label).toBe('first admin key');
  });
});

describe('a presented key', () => {
  it('says who it is and what it may do', async () => {
    const { admin } = scene();
    const { key, apiKey } = granted(
      await admin.createApiKey(settings({ role: 'viewer', scopes: ['keys:read'], domains: ['example.com'] })),
    );
    expect(admin.authenticate(key, ANYWHERE)).toEqual({
      keyId: apiKey.id,
      label: 'test',
      scopes: [
        'domains:read',
        'users:read',
        'credentials:read',
        'bindings:read',
        'bans:read',
        'keys:read',
        'server:read',
      ],
      domains: ['example.com'],
      expiresAt: null,
    });
  });

  it.each(['', 'rk_', 'rk_unknown', 'x'.repeat(10_000)])('that is unknown is nobody: %j', async (key) => {
    const { admin } = scene();
    await admin.bootstrap(undefined);
    expect(admin.authenticate(key, ANYWHERE)).toBeUndefined();
  });

  it('is good until its very moment', async () => {
    const { admin, clock } = scene();
    const { key } = granted(await admin.createApiKey(settings({ expiresAt: clock.now() + 1_000 })));
    clock.at += 999;
    expect(admin.authenticate(key, ANYWHERE)).toBeDefined();
    clock.at += 1;
    expect(admin.authenticate(key, ANYWHERE)).toBeUndefined();
  });

  it('is good from its networks only', async () => {
    const { admin } = scene();
    const { key } = granted(
      await admin.createApiKey(settings({ allowedCidrs: ['10.0.0.0/8', '2001:db8::/32'] })),
    );
    const isKnown = (ip: string) => admin.authenticate(key, ip) !== undefined;
    expect(['10.1.2.3', '::ffff:10.1.2.3', '2001:db8::9'].map(isKnown)).toEqual([true, true, true]);
    expect(['11.1.2.3', '::ffff:11.1.2.3', '2001:db9::9', ''].map(isKnown)).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });

  it('is worth nothing once it is revoked or deleted, and under another pepper', async () => {
    const { admin, store, clock } = scene();
    await admin.bootstrap(undefined);
    const one = granted(await admin.createApiKey(settings()));
    const two = granted(await admin.createApiKey(settings()));
    expect(
      new AdminService(store.admin, Buffer.alloc(32, 4), clock).authenticate(one.key, ANYWHERE),
    ).toBeUndefined();
    await admin.updateApiKey(one.apiKey.id, { state: 'revoked' });
    await admin.deleteApiKey(two.apiKey.id);
    expect([one, two].map(({ key }) => admin.authenticate(key, ANYWHERE))).toEqual([undefined, undefined]);
  });

  it('is told from keys of another pepper, so that a start with the wrong master key can be refused', async () => {
    const { admin, store, clock } = scene();
    const other = new AdminService(store.admin, Buffer.alloc(32, 4), clock);
    expect([admin.knowsStoredKeys(), other.knowsStoredKeys()]).toEqual([true, true]);
    await admin.bootstrap(undefined);
    expect([admin.knowsStoredKeys(), other.knowsStoredKeys()]).toEqual([true, false]);
  });

  it('is not on disk, nor is its plain hash', async () => {
    const { admin, path, store } = scene();
    const issued = await admin.bootstrap(undefined);
    for (let closed = 0; closed < 2; closed++) {
      const octets = octetsOnDisk(path);
      expect(octets).toContain('first admin key');
      expect(octets).not.toContain(issued?.key);
      expect(octets).not.toContain(issued?.key.slice('rk_'.length, 30));
      await store.close();
    }
  });
});

describe('the last lasting admin key', () => {
  it.each<[string, Parameters<AdminService['updateApiKey']>[1]]>([
    ['revoked', { state: 'revoked' }],
    ['given another role', { role: 'provisioner' }],
    ['given no role', { role: null, scopes: [...SCOPES] }],
    ['confined to a domain', { domains: ['example.com'] }],
    ['confined to networks', { allowedCidrs: ['10.0.0.0/8'] }],
    ['set to expire', { expiresAt: 4_000_000_000_000 }],
  ])('can not be %s, unless there is another', async (_, patch) => {
    const { admin } = scene();
    const id = (await admin.bootstrap(undefined))?.apiKey.id ?? '';
    // None of these is another one: they end, or do less.
    await admin.createApiKey(settings({ expiresAt: 4_000_000_000_000 }));
    await admin.createApiKey(settings({ role: 'viewer' }));
    expect(verdict(await admin.updateApiKey(id, patch))).toBe('last_admin_key');
    expect(verdict(await admin.deleteApiKey(id))).toBe('last_admin_key');
    await admin.createApiKey(settings());
    expect(verdict(await admin.updateApiKey(id, patch))).toBe('granted');
    expect(await admin.deleteApiKey(id)).toBe('deleted');
  });

  it('two keys revoked in one turn: the second is kept', async () => {
    const { admin } = scene();
    const one = (await admin.bootstrap(undefined))?.apiKey.id ?? '';
    const two = granted(await admin.createApiKey(settings())).apiKey.id;
    const results = await Promise.all([one, two].map((id) => admin.updateApiKey(id, { state: 'revoked' })));
    expect(results.map(verdict)).toEqual(['granted', 'last_admin_key']);
  });

  it('its label may change', async () => {
    const { admin } = scene();
    const id = (await admin.bootstrap(undefined))?.apiKey.id ?? '';
    expect(granted(await admin.updateApiKey(id, { label: 'ours' }))).toMatchObject({
      label: 'ours',
      revision: 2,
    });
  });
});

describe('changes', () => {
  it('insist on their revision, and leave a revoked key alone', async () => {
    const { admin } = scene();
    await admin.bootstrap(undefined);
    const { id } = granted(await admin.createApiKey(settings())).apiKey;
    expect(verdict(await admin.updateApiKey(id, { label: 'a' }, { ifRevision: 2 }))).toBe(
      'revision_mismatch',
    );
    expect(verdict(await admin.deleteApiKey(id, { ifRevision: 2 }))).toBe('revision_mismatch');
    expect(verdict(await admin.updateApiKey(id, { state: 'revoked' }, { ifRevision: 1 }))).toBe('granted');
    expect(verdict(await admin.updateApiKey(id, { label: 'a' }))).toBe('api_key_revoked');
    expect(verdict(await admin.updateApiKey('key_0', { label: 'a' }))).toBe('api_key_not_found');
  });
});

describe('uses', () => {
  it('are written down together, and not before', async () => {
    const { admin, clock, store } = scene();
    const issued = await admin.bootstrap(undefined);
    const id = issued?.apiKey.id ?? '';
    admin.authenticate(issued?.key ?? '', ANYWHERE);
    clock.at += 5;
    admin.authenticate(issued?.key ?? '', ANYWHERE);
    const commits = store.stats.commits;
    await admin.recordUses();
    await admin.recordUses();
    expect(store.stats.commits).toBe(commits + 1);
    expect((await admin.getApiKey(id))?.lastUsedAt).toBe(clock.now());
  });

  it('that could not be written down wait for the next time', async () => {
    const { admin, store, clock } = scene();
    const issued = await admin.bootstrap(undefined);
    const recordUses = store.admin.recordApiKeyUses.bind(store.admin);
    store.admin.recordApiKeyUses = () => Promise.reject(new StoreFailed('disk full'));
    admin.authenticate(issued?.key ?? '', ANYWHERE);
    await expect(admin.recordUses()).rejects.toThrow('disk full');
    store.admin.recordApiKeyUses = recordUses;
    await admin.recordUses();
    expect((await admin.getApiKey(issued?.apiKey.id ?? ''))?.lastUsedAt).toBe(clock.now());
  });
});

it.each<[string, readonly string[], boolean]>([
  ['192.0.2.1', ['192.0.2.1'], true],
  ['192.0.2.1', ['192.0.2.0/31'], true],
  ['192.0.2.2', ['192.0.2.0/31'], false],
  ['192.0.2.1', ['198.51.100.0/24', '192.0.2.0/24'], true],
  ['192.0.2.1', ['0.0.0.0/0'], true],
  ['192.0.2.1', ['::/0'], true],
  ['2001:db8::1', ['2001:db8::/64'], true],
  ['2001:db8:0:1::1', ['2001:db8::/64'], false],
  ['fe80::1%eth0', ['fe80::/10'], true],
  ['::ffff:192.0.2.1', ['192.0.2.0/24'], true],
  ['no address', ['0.0.0.0/0'], false],
])('%s within %j: %s', (ip, cidrs, expected) => {
  expect(isWithin(ip, cidrs)).toBe(expected);
});

it('roles hold what they say, each scope once and in order', () => {
  for (const role of ROLES) {
    const scopes = effectiveScopes(role, []);
    expect(scopes).toEqual(SCOPES.filter((scope) => scopes.includes(scope)));
  }
  expect(effectiveScopes('admin', ['users:read'])).toEqual(SCOPES);
  expect(effectiveScopes(null, ['users:write', 'users:read', 'users:write'])).toEqual([
    'users:read',
    'users:write',
  ]);
  expect(effectiveScopes('helpdesk', [])).not.toContain('users:write');
});
