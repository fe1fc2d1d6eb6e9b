import type { Principal } from '../../admin/admin-service.js';
import type { ApiKey, ApiKeySettings } from '../../admin/api-key.js';
import { effectiveScopes, ROLE_SCOPES, ROLES } from '../../admin/scope.js';
import { isRefusal } from '../../base/refusal.js';
import { apiKeyBody, apiKeyTag } from '../bodies/api-key-body.js';
import { exampleApiKey, exampleIssuedApiKey, exampleList, exampleMe, exampleRoles } from '../examples.js';
import { listReply, pageRequest, visiblePage } from '../list.js';
import { type Call, type Operation, operation } from '../operation.js';
import { Problem, problemOf } from '../problem.js';
import { confinedTo, insistedRevision, reachesAll } from '../reach.js';
import { created, noContent, ok } from '../reply.js';
import {
  apiKey,
  apiKeyList,
  apiKeyListQuery,
  apiKeyParams,
  apiKeyPatch,
  issuedApiKey,
  me,
  newApiKey,
  roleList,
} from '../schemas/api-key.js';
import { fromInstant, toInstant } from '../schemas/text.js';

const shown = {
  schema: apiKey,
  headers: ['ETag'],
  examples: { key: { summary: 'A key', value: exampleApiKey } },
} as const;

const listApiKeys = operation({
  operationId: 'listApiKeys',
  method: 'get',
  path: '/v1/api-keys',
  tag: 'API keys',
  summary: 'List the API keys',
  description:
    'Without the keys themselves, of which only the last four characters are known. Nothing of this touches SIP. A key confined to domains sees keys within those, and gets no total.',
  access: 'keys:read',
  query: apiKeyListQuery,
  successes: [
    {
      status: 200,
      description: 'A page of API keys.',
      schema: apiKeyList,
      headers: ['Link'],
      examples: { page: { summary: 'The only page', value: exampleList(exampleApiKey) } },
    },
  ],
  problems: ['cursor_invalid', 'cursor_mismatch'],
  async handle(call) {
    const { deps, principal } = call;
    const request = pageRequest(call);
    if (request instanceof Problem) return request;
    const { admin } = deps;
    const page =
      confinedTo(principal) === undefined
        ? await admin.listApiKeys(request)
        : await visiblePage(
            request,
            (part) => admin.listApiKeys(part),
            (item) => reachesAll(principal, item.domains),
          );
    return listReply(call, page, page.items.map(apiKeyBody));
  },
});

const createApiKey = operation({
  operationId: 'createApiKey',
  method: 'post',
  path: '/v1/api-keys',
  tag: 'API keys',
  summary: 'Make an API key',
  description:
    'The key is shown in this answer only. It gets no scope and no domain that the asking key does not hold itself. Nothing of this touches SIP.',
  access: 'keys:write',
  body: {
    schema: newApiKey,
    mediaType: 'application/json',
    examples: {
      helpdesk: {
        summary: 'For the support desk of one domain',
        value: {
          label: 'support desk',
          role: 'helpdesk',
          domains: ['example.com'],
          allowed_cidrs: ['192.0.2.0/24'],
        },
      },
      monitoring: { summary: 'For monitoring', value: { label: 'monitoring', scopes: ['server:read'] } },
    },
  },
  successes: [
    {
      status: 201,
      description: 'The key, shown this once. Cache-Control: no-store.',
      schema: issuedApiKey,
      headers: ['Location', 'ETag'],
      examples: { issued: { summary: 'The new key', value: exampleIssuedApiKey } },
      links: {
        GetApiKey: { operationId: 'getApiKey', parameters: { id: '$response.body#/id' } },
        UpdateApiKey: { operationId: 'updateApiKey', parameters: { id: '$response.body#/id' } },
        DeleteApiKey: { operationId: 'deleteApiKey', parameters: { id: '$response.body#/id' } },
      },
    },
  ],
  problems: ['grant_exceeds_own', 'api_key_exists'],
  async handle({ body, deps, principal }) {
    const settings: ApiKeySettings = {
      label: body.label,
      role: body.role ?? null,
      scopes: body.scopes ?? [],
      domains: body.domains ?? [],
      allowedCidrs: body.allowed_cidrs ?? [],
      expiresAt: toInstant(body.expires_at) ?? null,
    };
    const excess = excessGrant(principal, settings);
    if (excess !== undefined) return excess;
    const issued = await deps.admin.createApiKey(settings);
    if (isRefusal(issued)) return problemOf(issued);
    return created(
      { ...apiKeyBody(issued.apiKey), key: issued.key, key_shown_once: true },
      { location: `/v1/api-keys/${issued.apiKey.id}`, etag: apiKeyTag(issued.apiKey), secret: true },
    );
  },
});

const getApiKey = operation({
  operationId: 'getApiKey',
  method: 'get',
  path: '/v1/api-keys/{id}',
  tag: 'API keys',
  summary: 'Show an API key',
  description: 'Without the key itself.',
  access: 'keys:read',
  params: apiKeyParams,
  successes: [{ ...shown, status: 200, description: 'The API key.' }],
  problems: ['api_key_not_found'],
  async handle(call) {
    const found = await findApiKey(call);
    return found instanceof Problem ? found : ok(apiKeyBody(found), apiKeyTag(found));
  },
});

const updateApiKey = operation({
  operationId: 'updateApiKey',
  method: 'patch',
  path: '/v1/api-keys/{id}',
  tag: 'API keys',
  summary: 'Change or revoke an API key',
  description:
    'Holds for the next request with the key. Only a key that holds all scopes and domains of the other, before and after, may change it. The last unrestricted admin key can be neither revoked nor weakened.',
  access: 'keys:write',
  ifMatch: 'revision',
  params: apiKeyParams,
  body: {
    schema: apiKeyPatch,
    mediaType: 'application/merge-patch+json',
    examples: {
      label: { summary: 'Another label', value: { label: 'support desk, night shift' } },
      revoke: { summary: 'Revoke', value: { state: 'revoked' } },
    },
  },
  successes: [{ ...shown, status: 200, description: 'The API key as it is now.' }],
  problems: [
    'api_key_not_found',
    'api_key_revoked',
    'last_admin_key',
    'grant_exceeds_own',
    'revision_mismatch',
  ],
  async handle(call) {
    const { body, deps, principal } = call;
    const current = await findApiKey(call);
    if (current instanceof Problem) return current;
    const ifRevision = insistedRevision(call, current);
    if (ifRevision instanceof Problem) return ifRevision;
    const patch: Partial<ApiKeySettings> & { state?: 'revoked' } = {
      ...(body.label === undefined ? {} : { label: body.label }),
      ...(body.role === undefined ? {} : { role: body.role }),
      ...(body.scopes === undefined ? {} : { scopes: body.scopes ?? [] }),
      ...(body.domains === undefined ? {} : { domains: body.domains ?? [] }),
      ...(body.allowed_cidrs === undefined ? {} : { allowedCidrs: body.allowed_cidrs ?? [] }),
      ...(body.expires_at === undefined ? {} : { expiresAt: toInstant(body.expires_at) }),
      ...(body.state === undefined ? {} : { state: body.state }),
    };
    const excess = excessGrant(principal, current) ?? excessGrant(principal, { ...current, ...patch });
    if (excess !== undefined) return excess;
    const changed = await deps.admin.updateApiKey(current.id, patch, { ifRevision });
    return isRefusal(changed) ? problemOf(changed) : ok(apiKeyBody(changed), apiKeyTag(changed));
  },
});

const deleteApiKey = operation({
  operationId: 'deleteApiKey',
  method: 'delete',
  path: '/v1/api-keys/{id}',
  tag: 'API keys',
  summary: 'Delete an API key',
  description:
    'The next request with the key is answered 401. Only a key that holds all scopes and domains of the other may delete it. The last unrestricted admin key stays.',
  access: 'keys:write',
  ifMatch: 'revision',
  params: apiKeyParams,
  successes: [{ status: 204, description: 'The API key is gone.' }],
  problems: ['api_key_not_found', 'last_admin_key', 'grant_exceeds_own', 'revision_mismatch'],
  async handle(call) {
    const current = await findApiKey(call);
    if (current instanceof Problem) return current;
    const ifRevision = insistedRevision(call, current);
    if (ifRevision instanceof Problem) return ifRevision;
    const excess = excessGrant(call.principal, current);
    if (excess !== undefined) return excess;
    const deleted = await call.deps.admin.deleteApiKey(current.id, { ifRevision });
    return isRefusal(deleted) ? problemOf(deleted) : noContent();
  },
});

const listRoles = operation({
  operationId: 'listRoles',
  method: 'get',
  path: '/v1/roles',
  tag: 'API keys',
  summary: 'List the roles',
  description: 'The fixed bundles of scopes that a key may be given. The list is short and comes whole.',
  access: 'any_key',
  successes: [
    {
      status: 200,
      description: 'All roles.',
      schema: roleList,
      examples: { roles: { summary: 'All roles', value: exampleRoles } },
    },
  ],
  problems: [],
  handle() {
    const data = ROLES.map((name) => ({ name, scopes: ROLE_SCOPES[name] }));
    return ok({ data, page: { next_cursor: null, limit: data.length } });
  },
});

const getMe = operation({
  operationId: 'getMe',
  method: 'get',
  path: '/v1/me',
  tag: 'API keys',
  summary: 'What the asking key may do',
  description: 'Scopes and domains of the key in the Authorization header. Needs a valid key, but no scope.',
  access: 'any_key',
  successes: [
    {
      status: 200,
      description: 'The asking key.',
      schema: me,
      examples: { helpdesk: { summary: 'A key of the support desk', value: exampleMe } },
    },
  ],
  problems: [],
  handle({ principal }) {
    return ok({
      key_id: principal.keyId,
      label: principal.label,
      scopes: principal.scopes,
      domains: principal.domains,
      expires_at: fromInstant(principal.expiresAt),
    });
  },
});

async function findApiKey({
  params,
  deps,
  principal,
}: Pick<Call<{ readonly id: string }, unknown, unknown>, 'params' | 'deps' | 'principal'>): Promise<
  ApiKey | Problem
> {
  const found = await deps.admin.getApiKey(params.id);
  if (found === undefined || !reachesAll(principal, found.domains)) {
    return new Problem('api_key_not_found', `There is no API key ${params.id}.`);
  }
  return found;
}

/** What a key would hold that the asking one does not: nobody hands on, or takes from others, more than their own. */
function excessGrant(
  principal: Principal,
  { role, scopes, domains }: Pick<ApiKeySettings, 'role' | 'scopes' | 'domains'>,
): Problem | undefined {
  const excess = effectiveScopes(role, scopes).filter((scope) => !principal.scopes.includes(scope));
  if (excess.length > 0) {
    return new Problem('grant_exceeds_own', `The asking key does not hold ${excess.join(', ')} itself.`);
  }
  if (!reachesAll(principal, domains)) {
    return new Problem(
      'grant_exceeds_own',
      'The asking key is confined to domains, and the other is not within them.',
    );
  }
  return undefined;
}

export const apiKeyOperations: readonly Operation[] = [
  listApiKeys,
  createApiKey,
  getApiKey,
  updateApiKey,
  deleteApiKey,
  listRoles,
  getMe,
];
