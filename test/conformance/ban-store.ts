import { expect, it } from 'vitest';
import type { Ban } from '../../src/guard/ban.js';
import type { BanStore } from '../../src/guard/ban-store.js';
import { parseNetwork } from '../../src/guard/network.js';
import { NOW } from './scene.js';

function banRow(id: string, changes: Partial<Ban> = {}): Ban {
  return {
    id,
    kind: 'manual',
    network: parseNetwork('192.0.2.0/24')!,
    domain: null,
    username: null,
    reason: null,
    createdAt: NOW,
    expiresAt: NOW + 60_000,
    createdBy: 'key_1',
    ...changes,
  };
}

/** What every BanStore must do. */
export function testBanStore(make: () => Promise<BanStore>): void {
  it('keeps bans as they are', async () => {
    const store = await make();
    const rows = [
      banRow('ban_1'),
      banRow('ban_2', {
        network: parseNetwork('2001:db8:0:1::/64')!,
        domain: 'example.com',
        username: 'alice',
        reason: 'why "not"',
        createdBy: null,
      }),
    ];
    for (const row of rows) await store.insertBan(row);
    expect(store.loadBans(NOW)).toEqual(rows);
  });

  it('lets go of those that are lifted, and of those that have ended', async () => {
    const store = await make();
    for (const [index, expiresAt] of [NOW + 1, NOW, NOW - 1, NOW + 2].entries()) {
      await store.insertBan(banRow(`ban_${index}`, { expiresAt }));
    }
    await store.deleteBan('ban_3');
    await store.deleteBan('ban_none');
    expect(store.loadBans(NOW).map(({ id }) => id)).toEqual(['ban_0']);
    expect(await store.deleteExpiredBans(NOW)).toBe(2);
    expect(store.loadBans(0).map(({ id }) => id)).toEqual(['ban_0']);
  });
}
