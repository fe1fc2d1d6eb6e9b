/** What an API key may do. `:write` does not include `:read`; roles bundle them. */
export const SCOPES = [
  'domains:read',
  'domains:write',
  'users:read',
  'users:write',
  'credentials:read',
  'credentials:write',
  'bindings:read',
  'bindings:deregister',
  'bans:read',
  'bans:write',
  'keys:read',
  'keys:write',
  'server:read',
] as const;
export type Scope = (typeof SCOPES)[number];

export const ROLES = ['viewer', 'helpdesk', 'provisioner', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** The fixed bundles. */
export const ROLE_SCOPES: Readonly<Record<Role, readonly Scope[]>> = {
  viewer: ['domains:read', 'users:read', 'credentials:read', 'bindings:read', 'bans:read', 'server:read'],
  helpdesk: [
    'users:read',
    'credentials:read',
    'credentials:write',
    'bindings:read',
    'bindings:deregister',
    'bans:read',
    'bans:write',
  ],
  provisioner: [
    'domains:read',
    'users:read',
    'users:write',
    'credentials:read',
    'credentials:write',
    'bindings:read',
    'bindings:deregister',
    'bans:read',
  ],
  admin: SCOPES,
};

/** The scopes of a role and of single grants together, each once, in the order of SCOPES. */
export function effectiveScopes(role: Role | null, scopes: readonly Scope[]): readonly Scope[] {
  const granted = new Set<Scope>([...(role === null ? [] : ROLE_SCOPES[role]), ...scopes]);
  return SCOPES.filter((scope) => granted.has(scope));
}
