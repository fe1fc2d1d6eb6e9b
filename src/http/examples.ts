import type { z } from 'zod';
import { ROLE_SCOPES, ROLES } from '../admin/scope.js';
import type { ApiKeyBody, issuedApiKey, me } from './schemas/api-key.js';
import type { AttemptBody, userAttemptList } from './schemas/attempt.js';
import type { BanBody } from './schemas/ban.js';
import type { BindingBody } from './schemas/binding.js';
import type { CredentialBody, IssuedCredentialBody } from './schemas/credential.js';
import type { DeregistrationBody } from './schemas/deregistration.js';
import type { DomainBody } from './schemas/domain.js';
import type { LocationBody } from './schemas/location.js';
import type { server } from './schemas/server.js';
import type { createdUser, UserBody } from './schemas/user.js';

/** The answers the contract shows: one small company, seen from each operation. */

export const exampleDomain: DomainBody = {
  name: 'example.com',
  aliases: ['sip.example.com'],
  realm: 'example.com',
  algorithms: ['SHA-512-256', 'SHA-256', 'MD5'],
  challenge: 'md5',
  allow_no_qop: false,
  min_expires_seconds: 60,
  default_expires_seconds: 3600,
  max_expires_seconds: 86_400,
  max_bindings_per_user: 10,
  overflow: 'reject',
  sequence: 'strict',
  routing: 'off',
  max_users: null,
  created_at: '2026-11-22T10:15:30.000Z',
  updated_at: '2026-11-22T10:15:30.000Z',
};

export const exampleCredential: CredentialBody = {
  id: 'crd_01K8ZV8A6N0P4R7TBCDEFGHJKM',
  auth_username: 'alice',
  realm: 'example.com',
  algorithms: ['SHA-512-256', 'SHA-256', 'MD5'],
  state: 'active',
  label: 'desk phone',
  created_at: '2026-11-22T10:16:00.000Z',
  updated_at: '2026-11-22T10:16:00.000Z',
  expires_at: null,
  revoked_at: null,
  last_used_at: null,
};

export const exampleIssuedCredential: IssuedCredentialBody = {
  ...exampleCredential,
  password: 'kT7wpa-Xm4hRd-9qZbNe-Vs3uYf',
  password_shown_once: true,
};

export const exampleRevokedCredential = {
  ...exampleCredential,
  state: 'revoked' as const,
  updated_at: '2026-11-23T08:00:00.000Z',
  revoked_at: '2026-11-23T08:00:00.000Z',
  last_used_at: '2026-11-23T07:30:12.000Z',
  bindings_removed: 1,
};

export const exampleUser: UserBody = {
  id: 'usr_01K8ZV7Q3M5T9XW2ABCDEFGHJK',
  aor: 'sip:alice@example.com',
  username: 'alice',
  domain: 'example.com',
  display_name: 'Alice',
  state: 'active',
  tags: ['sales'],
  external_id: 'hr-8841',
  max_bindings: 3,
  challenge: null,
  may_register: [],
  expires_at: null,
  blocked_until: null,
  registration: { state: 'never_registered', bindings: 0, last_registered_at: null },
  created_at: '2026-11-22T10:16:00.000Z',
  updated_at: '2026-11-22T10:16:00.000Z',
};

export const exampleCallScript = `<?xml version="1.0" encoding="UTF-8"?>
<cpl xmlns="urn:ietf:params:xml:ns:cpl">
  <incoming>
    <location url="sip:alice@mobile.example.net"><redirect/></location>
  </incoming>
</cpl>
`;

export const exampleCreatedUser: z.infer<typeof createdUser> = {
  ...exampleUser,
  credential: exampleIssuedCredential,
};

export const exampleBinding: BindingBody = {
  id: 'bnd_01K8ZVC5D7F9H1J3KMNPQRSTVW',
  user_id: exampleUser.id,
  aor: 'sip:alice@example.com',
  contact: 'sip:alice@10.0.0.7:5060;transport=tcp',
  display_name: '',
  q: 0.7,
  params: ';q=0.7',
  received: { transport: 'tcp', ip: '203.0.113.9', port: 41_822 },
  instance_id: 'urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6',
  reg_id: null,
  user_agent: 'Yealink SIP-T54W 96.86.0.100',
  call_id: 'f2b1c9d0@10.0.0.7',
  cseq: 12,
  credential_id: exampleCredential.id,
  flow: { id: 'flw_01K8ZVB2C4D6E8G0HJKMNPQRST' },
  registered_at: '2026-11-23T07:30:12.000Z',
  refreshed_at: '2026-11-23T08:00:12.000Z',
  expires_at: '2026-11-23T09:00:12.000Z',
  expires_in_seconds: 3540,
};

export const exampleRegisteredUser: UserBody = {
  ...exampleUser,
  registration: { state: 'registered', bindings: 1, last_registered_at: exampleBinding.refreshed_at },
};

export const exampleLocation: LocationBody = {
  aor: 'sip:alice@example.com',
  contacts: [
    {
      binding_id: exampleBinding.id,
      contact: exampleBinding.contact,
      display_name: exampleBinding.display_name,
      q: exampleBinding.q,
      params: exampleBinding.params,
      received: exampleBinding.received,
      instance_id: exampleBinding.instance_id,
      reg_id: exampleBinding.reg_id,
      flow: exampleBinding.flow,
      expires_at: exampleBinding.expires_at,
      expires_in_seconds: exampleBinding.expires_in_seconds,
    },
  ],
};

export const exampleDeregistration: DeregistrationBody = {
  id: 'drg_01K8ZVE7F9H1J3KMNPQRSTVWXY',
  state: 'completed',
  mode: 'kick',
  filter: { domain: 'example.com', user_agent_prefix: 'OldPhone/1.' },
  reason: 'firmware CVE',
  block_seconds: null,
  blocked_until: null,
  close_flows: true,
  matched: 41,
  removed: 41,
  effects: { users_blocked: 0, flows_closed: 35, flows_kept_shared: 2 },
  sample: [exampleBinding.id],
  created_by: 'key_01K8ZVG9H1J3KMNPQRSTVWXYZ0',
  created_at: '2026-11-23T09:00:00.000Z',
  completed_at: '2026-11-23T09:00:00.120Z',
};

export const exampleRunningDeregistration: DeregistrationBody = {
  ...exampleDeregistration,
  state: 'running',
  filter: { domain: 'example.com' },
  reason: 'move to the new data centre',
  matched: 25_000,
  removed: 0,
  effects: { users_blocked: 0, flows_closed: 0, flows_kept_shared: 0 },
  completed_at: null,
};

export const exampleKick: DeregistrationBody = {
  ...exampleDeregistration,
  filter: { binding_id: exampleBinding.id },
  reason: 'stuck behind NAT',
  matched: 1,
  removed: 1,
  effects: { users_blocked: 0, flows_closed: 1, flows_kept_shared: 0 },
};

export const exampleBlock: DeregistrationBody = {
  ...exampleDeregistration,
  mode: 'block',
  filter: { user_id: exampleUser.id },
  reason: 'lost handset',
  block_seconds: 3600,
  blocked_until: '2026-11-23T10:00:00.000Z',
  matched: 1,
  removed: 1,
  effects: { users_blocked: 1, flows_closed: 0, flows_kept_shared: 0 },
};

export const exampleAttempt: AttemptBody = {
  id: 'att_01K8ZVK5D7F9H1J3KMNPQRSTVW',
  reason: 'wrong_password',
  explanation:
    'The password is wrong: the username “alice” exists, and the phone’s response does not fit. Enter the password again, or rotate the credential and enter the new one.',
  details: { offered_algorithms: ['MD5'], answered_algorithm: 'MD5' },
  status: 401,
  source: { transport: 'udp', ip: '203.0.113.66', port: 41_822 },
  username: 'alice',
  user_id: exampleUser.id,
  aor: exampleUser.aor,
  domain: 'example.com',
  user_agent: 'Yealink SIP-T54W 96.86.0.100',
  call_id: 'f2b1c9d0@10.0.0.7',
  count: 31,
  first_seen_at: '2026-11-23T08:50:00.000Z',
  last_seen_at: '2026-11-23T08:59:30.000Z',
};

export const exampleAutomaticBan: BanBody = {
  id: 'ban_01K8ZVL7Q3M5T9XW2ABCDEFGHJ',
  kind: 'automatic',
  network: '203.0.113.66',
  domain: 'example.com',
  username: 'alice',
  reason: '31 different wrong responses for alice@example.com within 10 minutes',
  refused_requests: 4,
  created_by: null,
  created_at: '2026-11-23T08:59:30.000Z',
  expires_at: '2026-11-23T09:04:30.000Z',
  expires_in_seconds: 240,
};

export const exampleBan: BanBody = {
  id: 'ban_01K8ZVM7Q3M5T9XW2ABCDEFGHJ',
  kind: 'manual',
  network: '203.0.113.66',
  domain: null,
  username: null,
  reason: 'scanner',
  refused_requests: 0,
  created_by: 'key_01K8ZVG9H1J3KMNPQRSTVWXYZ0',
  created_at: '2026-11-23T09:00:00.000Z',
  expires_at: '2026-11-24T09:00:00.000Z',
  expires_in_seconds: 86_400,
};

export const exampleUserAttempts: z.infer<typeof userAttemptList> = {
  summary: {
    state: 'not_registered',
    bindings: 0,
    last_registered_at: '2026-11-22T18:00:12.000Z',
    obstacles: [
      {
        code: 'banned',
        explanation:
          '203.0.113.66 is banned: 31 different wrong responses for alice@example.com within 10 minutes.',
        until: exampleAutomaticBan.expires_at,
        ban_id: exampleAutomaticBan.id,
      },
    ],
  },
  data: [exampleAttempt],
  page: { next_cursor: null, limit: 50 },
};

export const exampleApiKey: ApiKeyBody = {
  id: 'key_01K8ZVG9H1J3KMNPQRSTVWXYZ0',
  label: 'support desk',
  role: 'helpdesk',
  scopes: [],
  domains: ['example.com'],
  allowed_cidrs: ['192.0.2.0/24'],
  last_four: 'Zk3w',
  state: 'active',
  expires_at: null,
  last_used_at: null,
  created_at: '2026-11-22T10:20:00.000Z',
  updated_at: '2026-11-22T10:20:00.000Z',
};

export const exampleIssuedApiKey: z.infer<typeof issuedApiKey> = {
  ...exampleApiKey,
  key: 'rk_Jm2s4Q0vXr7Tz1NcB8yLfWp5KdHu9GaEo3RiVqZk3w',
  key_shown_once: true,
};

export const exampleMe: z.infer<typeof me> = {
  key_id: exampleApiKey.id,
  label: exampleApiKey.label,
  scopes: [...ROLE_SCOPES.helpdesk],
  domains: ['example.com'],
  expires_at: null,
};

export const exampleRoles = {
  data: ROLES.map((name) => ({ name, scopes: [...ROLE_SCOPES[name]] })),
  page: { next_cursor: null, limit: ROLES.length },
};

export const exampleServer: z.infer<typeof server> = {
  version: '0.1.0',
  node: 'reg-1',
  started_at: '2026-11-22T10:00:00.000Z',
  uptime_seconds: 86_400,
  listeners: [
    { transport: 'udp', address: '0.0.0.0', port: 5060 },
    { transport: 'tcp', address: '0.0.0.0', port: 5060 },
  ],
  algorithms: ['SHA-512-256', 'SHA-256', 'MD5'],
  config_digest: '9f86d081884c7d65',
};

/** The last page of a list, with one entry. */
export function exampleList(item: object): { readonly data: readonly object[]; readonly page: object } {
  return { data: [item], page: { next_cursor: null, limit: 50 } };
}
