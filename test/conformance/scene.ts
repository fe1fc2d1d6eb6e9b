import type { StoredCredential } from '../../src/accounts/account-store.js';
import { type Domain, defaultDomainSettings } from '../../src/accounts/domain.js';
import { DEFAULT_USER_SETTINGS, type User } from '../../src/accounts/user.js';
import type { StoredApiKey } from '../../src/admin/admin-store.js';
import type { Page, PagePosition, PageRequest } from '../../src/base/page.js';

/* Rows as the stores take them, written without the services, and what every suite asks of a list. */

export const NOW = 2_000_000_000_000;

export function domainRow(name: string, changes: Partial<Domain> = {}): Domain {
  return { ...defaultDomainSettings(name), name, createdAt: NOW, updatedAt: NOW, revision: 1, ...changes };
}

export function userRow(username: string, domain = 'example.com', changes: Partial<User> = {}): User {
  return {
    ...DEFAULT_USER_SETTINGS,
    id: `usr_${username}_${domain}`,
    username,
    domain,
    state: 'active',
    blockedUntil: null,
    registration: { state: 'never_registered', bindings: 0, lastRegisteredAt: null },
    createdAt: NOW,
    updatedAt: NOW,
    revision: 1,
    ...changes,
  };
}

export function credentialRow(
  id: string,
  user: User,
  changes: Partial<StoredCredential> = {},
): StoredCredential {
  return {
    id,
    userId: user.id,
    authUsername: user.username,
    realm: user.domain,
    algorithms: ['SHA-512-256', 'SHA-256', 'MD5'],
    label: null,
    state: 'active',
    expiresAt: null,
    revokedAt: null,
    lastUsedAt: null,
    createdAt: NOW,
    updatedAt: NOW,
    revision: 1,
    sealedSecret: Buffer.from(`sealed ${id}`),
    keyId: 'key-1',
    ...changes,
  };
}

export function apiKeyRow(id: string, changes: Partial<StoredApiKey> = {}): StoredApiKey {
  return {
    id,
    label: id,
    role: 'admin',
    scopes: [],
    domains: [],
    allowedCidrs: [],
    lastFour: 'abcd',
    state: 'active',
    expiresAt: null,
    lastUsedAt: null,
    createdAt: NOW,
    updatedAt: NOW,
    revision: 1,
    keyHash: Buffer.from(`hash of ${id}`),
    pepperId: '0123456789abcdef',
    ...changes,
  };
}

/** Walks a list page by page to its end; `between` runs after each page. */
export async function walk<T, Sort extends string>(
  list: (page: PageRequest<Sort>) => Promise<Page<T>>,
  request: { readonly sort: Sort; readonly descending: boolean; readonly limit: number },
  between: (seen: readonly T[]) => Promise<void> | void = () => undefined,
): Promise<readonly T[]> {
  const seen: T[] = [];
  let after: PagePosition | undefined;
  do {
    const page: Page<T> = await list({ ...request, after, includeTotal: false });
    seen.push(...page.items);
    await between(seen);
    after = page.next;
  } while (after !== undefined);
  return seen;
}

/** The first page of up to 1,000, which is all in these suites. */
export function everything<Sort extends string>(sort: Sort): PageRequest<Sort> {
  return { limit: 1_000, sort, descending: false, includeTotal: true };
}
