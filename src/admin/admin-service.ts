import { createHash, createHmac, randomBytes } from 'node:crypto';
import { BlockList, isIP, isIPv6 } from 'node:net';
import type { Clock, Instant } from '../base/clock.js';
import type { Page, PageRequest } from '../base/page.js';
import { newId } from '../base/random.js';
import { isRefusal, Refusal } from '../base/refusal.js';
import type { AdminRefusal, AdminStore, StoredApiKey } from './admin-store.js';
import type { ApiKey, ApiKeySettings, IssuedApiKey } from './api-key.js';
import { effectiveScopes, type Scope } from './scope.js';

export const API_KEY_PREFIX = 'rk_';
/** Shortest key that may be given by setting instead of drawn. */
export const MIN_GIVEN_KEY_LENGTH = 24;
/** How many uses are remembered between two writes of `last_used_at`. */
const MAX_PENDING_USES = 10_000;

/** Who is asking over HTTP, and what they may do. */
export interface Principal {
  readonly keyId: string;
  readonly label: string;
  readonly scopes: readonly Scope[];
  /** Domains the key is confined to; empty means all. */
  readonly domains: readonly string[];
  readonly expiresAt: Instant | null;
}

/** API keys: issuing, verifying, changing. The keys themselves are never stored, only a keyed hash. */
export class AdminService {
  private readonly pendingUses = new Map<string, Instant>();

  constructor(
    private readonly store: AdminStore,
    /** 32 bytes, outside the database. */
    private readonly pepper: Uint8Array,
    private readonly clock: Clock,
  ) {}

  /**
   * Who a presented key belongs to; undefined when it is unknown, revoked, expired, or used from an address
   * outside its networks. `ip` is the peer's address.
   */
  authenticate(presentedKey: string, ip: string): Principal | undefined {
    const key = this.store.apiKeyByHash(this.hash(presentedKey));
    if (key === undefined || key.state !== 'active') return undefined;
    const now = this.clock.now();
    if (key.expiresAt !== null && key.expiresAt <= now) return undefined;
    if (key.allowedCidrs.length > 0 && !isWithin(ip, key.allowedCidrs)) return undefined;
    if (this.pendingUses.size < MAX_PENDING_USES || this.pendingUses.has(key.id)) {
      this.pendingUses.set(key.id, now);
    }
    return {
      keyId: key.id,
      label: key.label,
      scopes: effectiveScopes(key.role, key.scopes),
      domains: key.domains,
      expiresAt: key.expiresAt,
    };
  }

  /** Writes down the uses since the last call; call it about once a minute and at the end. */
  async recordUses(): Promise<void> {
    if (this.pendingUses.size === 0) return;
    const uses = new Map(this.pendingUses);
    this.pendingUses.clear();
    try {
      await this.store.recordApiKeyUses(uses);
    } catch (error) {
      // Not written down: they wait for the next time, unless a later use is there already.
      for (const [id, usedAt] of uses) {
        if (!this.pendingUses.has(id)) this.pendingUses.set(id, usedAt);
      }
      throw error;
    }
  }

  /** Makes the first admin key of an empty database, drawn or `given`; undefined when there are keys already. */
  async bootstrap(given: string | undefined): Promise<IssuedApiKey | undefined> {
    if (this.store.countApiKeys() > 0) return undefined;
    const issued = await this.issue(
      { label: 'first admin key', role: 'admin', scopes: [], domains: [], allowedCidrs: [], expiresAt: null },
      given,
    );
    if (isRefusal(issued)) throw new Error(issued.detail);
    return issued;
  }

  createApiKey(settings: ApiKeySettings): Promise<IssuedApiKey | AdminRefusal> {
    return this.issue(settings, undefined);
  }

  getApiKey(id: string): Promise<ApiKey | undefined> {
    return this.store.getApiKey(id);
  }

  listApiKeys(page: PageRequest<'created_at' | 'label'>): Promise<Page<ApiKey>> {
    return this.store.listApiKeys(page);
  }

  /** Changes settings or revokes; the last active admin key can't be revoked, weakened or set to expire. */
  async updateApiKey(
    id: string,
    patch: Partial<ApiKeySettings> & { readonly state?: 'revoked' | undefined },
    options: { readonly ifRevision?: number | undefined } = {},
  ): Promise<ApiKey | AdminRefusal> {
    const now = this.clock.now();
    return this.store.updateApiKey(id, (current, otherAdmins) => {
      if (options.ifRevision !== undefined && options.ifRevision !== current.revision) {
        return new Refusal('revision_mismatch', `The key is at revision ${current.revision} by now.`);
      }
      if (current.state === 'revoked') {
        return new Refusal('api_key_revoked', 'A revoked key does not change any more.');
      }
      const next: ApiKey = {
        ...current,
        ...patch,
        state: patch.state ?? current.state,
        updatedAt: now,
        revision: current.revision + 1,
      };
      if (otherAdmins === 0 && isLastingAdmin(current) && !isLastingAdmin(next)) return lastAdminKey();
      return next;
    });
  }

  deleteApiKey(
    id: string,
    options: { readonly ifRevision?: number | undefined } = {},
  ): Promise<'deleted' | AdminRefusal> {
    return this.store.deleteApiKey(id, (current, otherAdmins) => {
      if (options.ifRevision !== undefined && options.ifRevision !== current.revision) {
        return new Refusal('revision_mismatch', `The key is at revision ${current.revision} by now.`);
      }
      return otherAdmins === 0 && isLastingAdmin(current) ? lastAdminKey() : undefined;
    });
  }

  private async issue(
    settings: ApiKeySettings,
    given: string | undefined,
  ): Promise<IssuedApiKey | AdminRefusal> {
    const now = this.clock.now();
    const key = given ?? `${API_KEY_PREFIX}${randomBytes(32).toString('base64url')}`;
    const stored: StoredApiKey = {
      ...settings,
      id: newId('key', now),
      lastFour: key.slice(-4),
      state: 'active',
      lastUsedAt: null,
      createdAt: now,
      updatedAt: now,
      revision: 1,
      keyHash: this.hash(key),
      pepperId: this.pepperId,
    };
    const apiKey = await this.store.insertApiKey(stored);
    return isRefusal(apiKey) ? apiKey : { apiKey, key };
  }

  /** Whether the keys on disk were hashed with this pepper; with another one, every key would be refused. */
  knowsStoredKeys(): boolean {
    return this.store.pepperIdsInUse().every((used) => used === this.pepperId);
  }

  /** Names the pepper without telling it. */
  private get pepperId(): string {
    return createHash('sha256').update(this.pepper).digest('hex').slice(0, 16);
  }

  private hash(key: string): Buffer {
    return createHmac('sha256', this.pepper).update(key).digest();
  }
}

/** A key that can make keys from anywhere and for ever: the one kind that must never run out. */
function isLastingAdmin(key: ApiKey): boolean {
  return (
    key.state === 'active' &&
    key.role === 'admin' &&
    key.domains.length === 0 &&
    key.allowedCidrs.length === 0 &&
    key.expiresAt === null
  );
}

function lastAdminKey(): AdminRefusal {
  return new Refusal(
    'last_admin_key',
    'This is the last unrestricted admin key that does not expire; make another one first.',
  );
}

/** Whether an address lies within one of the networks (`192.0.2.0/24`, `2001:db8::/32`, or single addresses). */
export function isWithin(ip: string, cidrs: readonly string[]): boolean {
  const address = ip.startsWith('::ffff:') && ip.includes('.') ? ip.slice('::ffff:'.length) : ip;
  if (isIP(address) === 0) return false;
  const networks = new BlockList();
  for (const cidr of cidrs) {
    const [network = '', prefix] = cidr.split('/');
    const family = isIPv6(network) ? 'ipv6' : 'ipv4';
    if (prefix === undefined) networks.addAddress(network, family);
    else networks.addSubnet(network, Number(prefix), family);
  }
  return networks.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}
