import { z } from 'zod';
import { ROLES, SCOPES } from '../../admin/scope.js';
import { listOf, ordersOf, pageQuery } from './page.js';
import { givenTime, hostName, network, plainText, shownTime } from './text.js';

export const scope = z.enum(SCOPES).meta({ example: 'users:read' });
export const role = z.enum(ROLES).meta({ example: 'helpdesk' });

const scopes = z
  .array(scope)
  .max(SCOPES.length)
  .meta({
    description: 'Single grants beside those of the role.',
    example: ['domains:read'],
  });
const domains = z
  .array(hostName)
  .max(100)
  .meta({
    description: 'Domains the key is confined to; empty means all.',
    example: ['example.com'],
  });
const allowedCidrs = z
  .array(network)
  .max(50)
  .meta({
    description: 'Networks it may be used from, in CIDR notation; empty means any.',
    example: ['192.0.2.0/24'],
  });

const shown = {
  id: z.string().meta({ example: 'key_01K8ZVG9H1J3KMNPQRSTVWXYZ0' }),
  label: z.string().meta({ example: 'support desk' }),
  role: role.nullable(),
  scopes,
  domains,
  allowed_cidrs: allowedCidrs,
  last_four: z.string().meta({ description: 'The end of the key, to tell keys apart.', example: 'Zk3w' }),
  state: z.enum(['active', 'revoked']).meta({ example: 'active' }),
  expires_at: shownTime.nullable().meta({ example: null }),
  last_used_at: shownTime.nullable().meta({ description: 'To within a minute.', example: null }),
  created_at: shownTime,
  updated_at: shownTime,
};

export const apiKey = z
  .object(shown)
  .meta({ id: 'ApiKey', description: 'A key of this API: everything but the key itself.' });
export type ApiKeyBody = z.infer<typeof apiKey>;

export const issuedApiKey = z
  .object({
    ...shown,
    key: z.string().meta({
      description: 'The key, in this answer only; it cannot be read again.',
      example: 'rk_Jm2s4Q0vXr7Tz1NcB8yLfWp5KdHu9GaEo3RiVqZk3w',
    }),
    key_shown_once: z.literal(true),
  })
  .meta({ id: 'IssuedApiKey', description: 'An API key just made.' });

export const apiKeyList = listOf(apiKey, 'ApiKeyList', 'A page of API keys.');

export const newApiKey = z
  .strictObject({
    label: plainText(100).meta({ example: 'support desk' }),
    role: role.nullish().meta({ description: 'A fixed bundle of scopes; see GET /v1/roles.' }),
    scopes: scopes.optional(),
    domains: domains.optional(),
    allowed_cidrs: allowedCidrs.optional(),
    expires_at: givenTime.nullish().meta({ example: null }),
  })
  .meta({ id: 'NewApiKey', description: 'A key to make.' });

export const apiKeyPatch = z
  .strictObject({
    label: plainText(100).optional().meta({ example: 'support desk, night shift' }),
    role: role.nullish(),
    scopes: scopes.nullish(),
    domains: domains.nullish(),
    allowed_cidrs: allowedCidrs.nullish(),
    expires_at: givenTime.nullish(),
    state: z.literal('revoked').optional().meta({ description: 'Revoking is for good.' }),
  })
  .meta({ id: 'ApiKeyPatch', description: 'What to change (RFC 7396); null clears.' });

export const apiKeyListQuery = z.strictObject({
  ...pageQuery(z.enum(ordersOf(['created_at', 'label'])).default('-created_at')),
});

export const apiKeyParams = z.object({
  id: z.string().meta({ description: 'The id of the API key.', example: 'key_01K8ZVG9H1J3KMNPQRSTVWXYZ0' }),
});

export const roleList = z
  .object({
    data: z.array(
      z
        .object({ name: role, scopes: z.array(scope) })
        .meta({ id: 'Role', description: 'A fixed bundle of scopes.' }),
    ),
    page: z.object({ next_cursor: z.null(), limit: z.int() }),
  })
  .meta({ id: 'RoleList', description: 'All roles.' });

export const me = z
  .object({
    key_id: z.string().meta({ example: 'key_01K8ZVG9H1J3KMNPQRSTVWXYZ0' }),
    label: z.string().meta({ example: 'support desk' }),
    scopes: z.array(scope).meta({ description: 'Of role and single grants together.' }),
    domains: z.array(z.string()).meta({
      description: 'Domains the key is confined to; empty means all.',
      example: ['example.com'],
    }),
    expires_at: shownTime.nullable().meta({ example: null }),
  })
  .meta({ id: 'Me', description: 'What the asking key may do.' });
