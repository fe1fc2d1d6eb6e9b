import type { Instant } from '../base/clock.js';
import type { Page, PageRequest } from '../base/page.js';
import type { Refusal } from '../base/refusal.js';
import type { ApiKey } from './api-key.js';

export type AdminRefusalCode =
  | 'api_key_not_found'
  | 'api_key_exists'
  | 'api_key_revoked'
  | 'last_admin_key'
  | 'if_match_required'
  | 'revision_mismatch'
  | 'idempotency_key_reused'
  | 'idempotency_in_flight';
export type AdminRefusal = Refusal<AdminRefusalCode>;

/** A stored API key: the key itself only as a keyed hash. */
export interface StoredApiKey extends ApiKey {
  /** HMAC-SHA-256 of the key under the server's pepper, 32 bytes. */
  readonly keyHash: Uint8Array;
  /** Names the pepper of the hash. */
  readonly pepperId: string;
}

/** A response kept so that a repeated POST gets the same answer. */
export interface IdempotentResponse {
  /** Keyed hash over API key id, method, route and Idempotency-Key. */
  readonly scopeHash: string;
  /** Hash of the request body: another body under the same key is refused. */
  readonly requestHash: string;
  /** Status, headers and body, encrypted under a key derived from the Idempotency-Key, which is not stored. */
  readonly sealedResponse: Uint8Array;
  readonly expiresAt: Instant;
}

/** Where API keys and repeated-request answers live. */
export interface AdminStore {
  apiKeyByHash(keyHash: Uint8Array): StoredApiKey | undefined;
  countApiKeys(): number;
  /** Names of the peppers that active keys are hashed with. */
  pepperIdsInUse(): readonly string[];
  getApiKey(id: string): Promise<ApiKey | undefined>;
  listApiKeys(page: PageRequest<'created_at' | 'label'>): Promise<Page<ApiKey>>;
  insertApiKey(key: StoredApiKey): Promise<ApiKey | AdminRefusal>;
  /** Reads, lets `change` decide, and writes, in one transaction. `otherAdmins` counts the active, unrestricted admin keys beside this one that never expire. */
  updateApiKey(
    id: string,
    change: (current: ApiKey, otherAdmins: number) => ApiKey | AdminRefusal,
  ): Promise<ApiKey | AdminRefusal>;
  /** Deletes the row; refused by `check` returning a refusal. */
  deleteApiKey(
    id: string,
    check: (current: ApiKey, otherAdmins: number) => AdminRefusal | undefined,
  ): Promise<'deleted' | AdminRefusal>;
  /** Notes uses, one write for many keys. */
  recordApiKeyUses(uses: ReadonlyMap<string, Instant>): Promise<void>;

  idempotentResponse(scopeHash: string, now: Instant): IdempotentResponse | undefined;
  saveIdempotentResponse(response: IdempotentResponse): Promise<void>;
  deleteExpiredIdempotentResponses(now: Instant): Promise<number>;
}
