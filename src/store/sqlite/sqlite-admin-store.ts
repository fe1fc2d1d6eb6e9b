import type { AdminRefusal, AdminStore, IdempotentResponse, StoredApiKey } from '../../admin/admin-store.js';
import type { ApiKey } from '../../admin/api-key.js';
import type { Role, Scope } from '../../admin/scope.js';
import type { Instant } from '../../base/clock.js';
import type { Page, PageRequest } from '../../base/page.js';
import { isRefusal, Refusal } from '../../base/refusal.js';
import { fromJson } from './columns.js';
import type { Db } from './database.js';
import type { GroupCommit } from './group-commit.js';
import { Conditions, Lister } from './keyset.js';

interface ApiKeyRow {
  readonly id: string;
  readonly key_hash: Buffer;
  readonly pepper_id: string;
  readonly last_four: string;
  readonly label: string;
  readonly role: string | null;
  readonly scopes: string;
  readonly domains: string;
  readonly allowed_cidrs: string;
  readonly state: string;
  readonly expires_at: number | null;
  readonly last_used_at: number | null;
  readonly created_at: number;
  readonly updated_at: number;
  readonly revision: number;
}

interface IdempotentResponseRow {
  readonly scope_hash: string;
  readonly request_hash: string;
  readonly sealed_response: Buffer;
  readonly expires_at: number;
}

/** API keys and kept answers in SQLite. */
export class SqliteAdminStore implements AdminStore {
  private readonly lister: Lister;
  private readonly statements;

  constructor(
    db: Db,
    private readonly commit: GroupCommit,
  ) {
    this.lister = new Lister(db);
    this.statements = prepareStatements(db);
  }

  apiKeyByHash(keyHash: Uint8Array): StoredApiKey | undefined {
    const row = this.statements.apiKeyByHash.get(keyHash) as ApiKeyRow | undefined;
    return row === undefined
      ? undefined
      : { ...toApiKey(row), keyHash: row.key_hash, pepperId: row.pepper_id };
  }

  countApiKeys(): number {
    return this.statements.countApiKeys.get() as number;
  }

  pepperIdsInUse(): readonly string[] {
    return this.statements.pepperIds.all() as string[];
  }

  async getApiKey(id: string): Promise<ApiKey | undefined> {
    return this.readApiKey(id);
  }

  async listApiKeys(page: PageRequest<'created_at' | 'label'>): Promise<Page<ApiKey>> {
    return this.lister.page(
      {
        select: 'SELECT k.* FROM api_keys k',
        count: 'SELECT count(*) FROM api_keys k',
        where: new Conditions(),
        sortColumns: { created_at: 'k.created_at', label: 'k.label' },
        idColumn: 'k.id',
      },
      page,
      toApiKey,
    );
  }

  insertApiKey(key: StoredApiKey): Promise<ApiKey | AdminRefusal> {
    return this.commit.run(() => {
      if (this.statements.apiKeyByHash.get(key.keyHash) !== undefined) {
        return new Refusal('api_key_exists', 'That key exists already.');
      }
      this.statements.insertApiKey.run({
        ...apiKeyParameters(key),
        key_hash: key.keyHash,
        pepper_id: key.pepperId,
        last_four: key.lastFour,
      });
      const { keyHash: _, pepperId: __, ...shown } = key;
      return shown;
    });
  }

  updateApiKey(
    id: string,
    change: (current: ApiKey, otherAdmins: number) => ApiKey | AdminRefusal,
  ): Promise<ApiKey | AdminRefusal> {
    return this.commit.run(() => {
      const current = this.readApiKey(id);
      if (current === undefined) return apiKeyNotFound(id);
      const next = change(current, this.otherAdmins(id));
      if (isRefusal(next)) return next;
      this.statements.updateApiKey.run(apiKeyParameters(next));
      return next;
    });
  }

  deleteApiKey(
    id: string,
    check: (current: ApiKey, otherAdmins: number) => AdminRefusal | undefined,
  ): Promise<'deleted' | AdminRefusal> {
    return this.commit.run(() => {
      const current = this.readApiKey(id);
      if (current === undefined) return apiKeyNotFound(id);
      const refused = check(current, this.otherAdmins(id));
      if (refused !== undefined) return refused;
      this.statements.deleteApiKey.run(id);
      return 'deleted';
    });
  }

  recordApiKeyUses(uses: ReadonlyMap<string, Instant>): Promise<void> {
    return this.commit.run(() => {
      for (const [id, usedAt] of uses) this.statements.recordUse.run(usedAt, id);
    });
  }

  idempotentResponse(scopeHash: string, now: Instant): IdempotentResponse | undefined {
    const row = this.statements.idempotentResponse.get(scopeHash, now) as IdempotentResponseRow | undefined;
    if (row === undefined) return undefined;
    return {
      scopeHash: row.scope_hash,
      requestHash: row.request_hash,
      sealedResponse: row.sealed_response,
      expiresAt: row.expires_at,
    };
  }

  saveIdempotentResponse(response: IdempotentResponse): Promise<void> {
    return this.commit.run(() => {
      this.statements.saveIdempotentResponse.run(
        response.scopeHash,
        response.requestHash,
        response.sealedResponse,
        response.expiresAt,
      );
    });
  }

  deleteExpiredIdempotentResponses(now: Instant): Promise<number> {
    return this.commit.run(() => this.statements.deleteExpiredResponses.run(now).changes);
  }

  private readApiKey(id: string): ApiKey | undefined {
    const row = this.statements.apiKey.get(id) as ApiKeyRow | undefined;
    return row === undefined ? undefined : toApiKey(row);
  }

  private otherAdmins(id: string): number {
    return this.statements.otherAdmins.get(id) as number;
  }
}

function prepareStatements(db: Db) {
  return {
    apiKey: db.prepare('SELECT * FROM api_keys WHERE id = ?'),
    apiKeyByHash: db.prepare('SELECT * FROM api_keys WHERE key_hash = ?'),
    countApiKeys: db.prepare('SELECT count(*) FROM api_keys').pluck(),
    pepperIds: db.prepare(`SELECT DISTINCT pepper_id FROM api_keys WHERE state = 'active'`).pluck(),
    otherAdmins: db
      .prepare(
        `SELECT count(*) FROM api_keys WHERE id <> ? AND role = 'admin' AND state = 'active'
           AND domains = '[]' AND allowed_cidrs = '[]' AND expires_at IS NULL`,
      )
      .pluck(),
    insertApiKey: db.prepare(
      `INSERT INTO api_keys (id, key_hash, pepper_id, last_four, label, role, scopes, domains, allowed_cidrs, state, expires_at,
         created_at, updated_at, revision)
       VALUES (:id, :key_hash, :pepper_id, :last_four, :label, :role, :scopes, :domains, :allowed_cidrs, :state, :expires_at,
         :created_at, :updated_at, :revision)`,
    ),
    updateApiKey: db.prepare(
      `UPDATE api_keys SET label = :label, role = :role, scopes = :scopes, domains = :domains,
         allowed_cidrs = :allowed_cidrs, state = :state, expires_at = :expires_at, updated_at = :updated_at,
         revision = :revision
       WHERE id = :id`,
    ),
    deleteApiKey: db.prepare('DELETE FROM api_keys WHERE id = ?'),
    recordUse: db.prepare('UPDATE api_keys SET last_used_at = ? WHERE id = ?'),
    idempotentResponse: db.prepare(
      'SELECT * FROM idempotent_responses WHERE scope_hash = ? AND expires_at > ?',
    ),
    saveIdempotentResponse: db.prepare(
      `INSERT INTO idempotent_responses (scope_hash, request_hash, sealed_response, expires_at) VALUES (?, ?, ?, ?)
       ON CONFLICT (scope_hash) DO UPDATE SET request_hash = excluded.request_hash,
         sealed_response = excluded.sealed_response, expires_at = excluded.expires_at`,
    ),
    deleteExpiredResponses: db.prepare('DELETE FROM idempotent_responses WHERE expires_at <= ?'),
  };
}

function apiKeyParameters(key: ApiKey) {
  return {
    id: key.id,
    label: key.label,
    role: key.role,
    scopes: JSON.stringify(key.scopes),
    domains: JSON.stringify(key.domains),
    allowed_cidrs: JSON.stringify(key.allowedCidrs),
    state: key.state,
    expires_at: key.expiresAt,
    created_at: key.createdAt,
    updated_at: key.updatedAt,
    revision: key.revision,
  };
}

function toApiKey(row: ApiKeyRow): ApiKey {
  return {
    id: row.id,
    label: row.label,
    role: row.role as Role | null,
    scopes: fromJson<Scope[]>(row.scopes),
    domains: fromJson<string[]>(row.domains),
    allowedCidrs: fromJson<string[]>(row.allowed_cidrs),
    lastFour: row.last_four,
    state: row.state as ApiKey['state'],
    expiresAt: row.expires_at,
    lastUsedAt: row.last_used_at,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    revision: row.revision,
  };
}

function apiKeyNotFound(id: string): AdminRefusal {
  return new Refusal('api_key_not_found', `There is no API key ${id}.`);
}
