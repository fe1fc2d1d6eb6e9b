import { describe, expect, it } from 'vitest';
import type { AdminStore, IdempotentResponse } from '../../src/admin/admin-store.js';
import { Refusal } from '../../src/base/refusal.js';
import { apiKeyRow, NOW, walk } from './scene.js';

/** What every AdminStore must do. */
export function testAdminStore(make: () => Promise<AdminStore>): void {
  describe('API keys', () => {
    it('are found by the hash, and never show it in a list', async () => {
      const store = await make();
      expect(store.countApiKeys()).toBe(0);
      const row = apiKeyRow('key_1', {
        role: null,
        scopes: ['users:read'],
        domains: ['example.com'],
        allowedCidrs: ['10.0.0.0/8'],
        expiresAt: NOW + 5,
      });
      const { keyHash, pepperId: _, ...shown } = row;
      expect(await store.insertApiKey(row)).toEqual(shown);
      expect(store.apiKeyByHash(keyHash)).toMatchObject(shown);
      expect(store.apiKeyByHash(Buffer.from('another'))).toBeUndefined();
      expect(await store.getApiKey('key_1')).toEqual(shown);
      expect(store.countApiKeys()).toBe(1);
    });

    it('are refused twice', async () => {
      const store = await make();
      await store.insertApiKey(apiKeyRow('key_1'));
      const twice = await store.insertApiKey(apiKeyRow('key_2', { keyHash: Buffer.from('hash of key_1') }));
      expect(twice).toMatchObject({ code: 'api_key_exists' });
      expect(store.countApiKeys()).toBe(1);
    });

    it.each<[string, Parameters<typeof apiKeyRow>[1], number]>([
      ['an unrestricted admin', {}, 1],
      ['a revoked one', { state: 'revoked' }, 0],
      ['one that expires', { expiresAt: NOW + 1_000_000 }, 0],
      ['one of other networks', { allowedCidrs: ['10.0.0.0/8'] }, 0],
      ['one of one domain', { domains: ['example.com'] }, 0],
      ['another role', { role: 'viewer' }, 0],
    ])('count as other admins: %s', async (_, changes, count) => {
      const store = await make();
      await store.insertApiKey(apiKeyRow('key_1'));
      await store.insertApiKey(apiKeyRow('key_2', changes));
      const counted: number[] = [];
      await store.updateApiKey('key_1', (current, others) => {
        counted.push(others);
        return { ...current, label: 'changed', revision: 2 };
      });
      await store.deleteApiKey('key_1', (_current, others) => {
        counted.push(others);
        return new Refusal('last_admin_key', 'kept');
      });
      expect(counted).toEqual([count, count]);
      expect(await store.getApiKey('key_1')).toMatchObject({ label: 'changed', revision: 2 });
    });

    it('are changed, deleted, and not found', async () => {
      const store = await make();
      await store.insertApiKey(apiKeyRow('key_1'));
      expect(await store.deleteApiKey('key_1', () => undefined)).toBe('deleted');
      expect(await store.getApiKey('key_1')).toBeUndefined();
      expect(await store.deleteApiKey('key_1', () => undefined)).toMatchObject({ code: 'api_key_not_found' });
      expect(await store.updateApiKey('key_1', (current) => current)).toMatchObject({
        code: 'api_key_not_found',
      });
    });

    it('note when they were used', async () => {
      const store = await make();
      await store.insertApiKey(apiKeyRow('key_1'));
      await store.recordApiKeyUses(
        new Map([
          ['key_1', NOW + 7],
          ['key_gone', NOW],
        ]),
      );
      expect((await store.getApiKey('key_1'))?.lastUsedAt).toBe(NOW + 7);
    });

    it.each([
      ['created_at', false],
      ['created_at', true],
      ['label', false],
      ['label', true],
    ] as const)('are listed, each once, by %s, descending: %s', async (sort, descending) => {
      const store = await make();
      for (let i = 0; i < 9; i++) {
        await store.insertApiKey(
          apiKeyRow(`key_${i}`, { createdAt: NOW + (i % 2), label: `label ${i % 3}` }),
        );
      }
      const seen = await walk((page) => store.listApiKeys(page), { sort, descending, limit: 2 });
      expect(seen).toHaveLength(9);
      expect(new Set(seen.map(({ id }) => id)).size).toBe(9);
    });
  });

  describe('answers kept for repeated requests', () => {
    const kept: IdempotentResponse = {
      scopeHash: 'scope',
      requestHash: 'request',
      sealedResponse: Buffer.from('sealed'),
      expiresAt: NOW + 10,
    };

    it('are given back until their time, and then deleted', async () => {
      const store = await make();
      await store.saveIdempotentResponse(kept);
      expect(store.idempotentResponse('scope', NOW + 9)).toEqual(kept);
      expect(store.idempotentResponse('scope', NOW + 10)).toBeUndefined();
      expect(store.idempotentResponse('other', NOW)).toBeUndefined();
      expect(await store.deleteExpiredIdempotentResponses(NOW + 9)).toBe(0);
      expect(await store.deleteExpiredIdempotentResponses(NOW + 10)).toBe(1);
    });

    it('give way to a newer one under the same scope', async () => {
      const store = await make();
      await store.saveIdempotentResponse(kept);
      await store.saveIdempotentResponse({ ...kept, requestHash: 'newer', expiresAt: NOW + 20 });
      expect(store.idempotentResponse('scope', NOW + 15)?.requestHash).toBe('newer');
    });
  });
}
