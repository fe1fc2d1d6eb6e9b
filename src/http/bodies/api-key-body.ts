import type { ApiKey } from '../../admin/api-key.js';
import { revisionTag } from '../etag.js';
import type { ApiKeyBody } from '../schemas/api-key.js';
import { fromInstant } from '../schemas/text.js';

export function apiKeyBody(apiKey: ApiKey): ApiKeyBody {
  return {
    id: apiKey.id,
    label: apiKey.label,
    role: apiKey.role,
    scopes: [...apiKey.scopes],
    domains: [...apiKey.domains],
    allowed_cidrs: [...apiKey.allowedCidrs],
    last_four: apiKey.lastFour,
    state: apiKey.state,
    expires_at: fromInstant(apiKey.expiresAt),
    last_used_at: fromInstant(apiKey.lastUsedAt),
    created_at: fromInstant(apiKey.createdAt),
    updated_at: fromInstant(apiKey.updatedAt),
  };
}

export function apiKeyTag(apiKey: ApiKey): string {
  return revisionTag(apiKey.revision, [apiKey.lastUsedAt]);
}
