import type { StoredCredential } from '../../accounts/account-store.js';
import type { Credential } from '../../accounts/credential.js';
import type { ChallengePolicy, DigestAlgorithm, Domain } from '../../accounts/domain.js';
import type { User } from '../../accounts/user.js';
import type { Instant } from '../../base/clock.js';
import { fromJson, toFlag } from './columns.js';

/* Domains, users and credentials: what a row of each table is, and the way between rows and values. */

export interface DomainRow {
  readonly name: string;
  readonly realm: string;
  readonly algorithms: string;
  readonly challenge: string;
  readonly allow_no_qop: number;
  readonly min_expires_seconds: number;
  readonly default_expires_seconds: number;
  readonly max_expires_seconds: number;
  readonly max_bindings_per_user: number;
  readonly overflow: string;
  readonly sequence: string;
  readonly routing: string;
  readonly max_users: number | null;
  readonly user_count: number;
  readonly created_at: number;
  readonly updated_at: number;
  readonly revision: number;
  readonly aliases: string;
}

export interface UserRow {
  readonly id: string;
  readonly domain: string;
  readonly username: string;
  readonly display_name: string | null;
  readonly tags: string;
  readonly external_id: string | null;
  readonly max_bindings: number | null;
  readonly challenge: string | null;
  readonly may_register: string;
  readonly expires_at: number | null;
  readonly blocked_until: number | null;
  readonly last_registered_at: number | null;
  readonly created_at: number;
  readonly updated_at: number;
  readonly revision: number;
  readonly live_bindings: number;
  readonly live_refreshed_at: number | null;
}

export interface CredentialRow {
  readonly id: string;
  readonly user_id: string;
  readonly auth_username: string;
  readonly realm: string;
  readonly algorithms: string;
  readonly label: string | null;
  readonly state: string;
  readonly sealed_secret: Buffer;
  readonly key_id: string;
  readonly expires_at: number | null;
  readonly revoked_at: number | null;
  readonly last_used_at: number | null;
  readonly live_used_at: number | null;
  readonly created_at: number;
  readonly updated_at: number;
  readonly revision: number;
}

export function domainParameters(domain: Domain) {
  return {
    name: domain.name,
    realm: domain.realm,
    algorithms: JSON.stringify(domain.algorithms),
    challenge: domain.challenge,
    allow_no_qop: toFlag(domain.allowNoQop),
    min_expires_seconds: domain.minExpiresSeconds,
    default_expires_seconds: domain.defaultExpiresSeconds,
    max_expires_seconds: domain.maxExpiresSeconds,
    max_bindings_per_user: domain.maxBindingsPerUser,
    overflow: domain.overflow,
    sequence: domain.sequence,
    routing: domain.routing,
    max_users: domain.maxUsers,
    created_at: domain.createdAt,
    updated_at: domain.updatedAt,
    revision: domain.revision,
  };
}

export function toDomain(row: DomainRow): Domain {
  return {
    name: row.name,
    aliases: fromJson<string[]>(row.aliases).sort(),
    realm: row.realm,
    algorithms: fromJson<DigestAlgorithm[]>(row.algorithms),
    challenge: row.challenge as ChallengePolicy,
    allowNoQop: row.allow_no_qop === 1,
    minExpiresSeconds: row.min_expires_seconds,
    defaultExpiresSeconds: row.default_expires_seconds,
    maxExpiresSeconds: row.max_expires_seconds,
    maxBindingsPerUser: row.max_bindings_per_user,
    overflow: row.overflow as Domain['overflow'],
    sequence: row.sequence as Domain['sequence'],
    routing: row.routing as Domain['routing'],
    maxUsers: row.max_users,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    revision: row.revision,
  };
}

export function userParameters(user: User) {
  return {
    id: user.id,
    domain: user.domain,
    username: user.username,
    display_name: user.displayName,
    tags: JSON.stringify(user.tags),
    external_id: user.externalId,
    max_bindings: user.maxBindings,
    challenge: user.challenge,
    may_register: JSON.stringify(user.mayRegister),
    expires_at: user.expiresAt,
    created_at: user.createdAt,
    updated_at: user.updatedAt,
    revision: user.revision,
  };
}

export function toUser(row: UserRow): User {
  // A binding that is gone may have been refreshed after one that is still there.
  const lastRegisteredAt = later(row.last_registered_at, row.live_refreshed_at);
  return {
    id: row.id,
    username: row.username,
    domain: row.domain,
    displayName: row.display_name,
    state: 'active',
    tags: fromJson(row.tags),
    externalId: row.external_id,
    maxBindings: row.max_bindings,
    challenge: row.challenge as ChallengePolicy | null,
    mayRegister: fromJson(row.may_register),
    expiresAt: row.expires_at,
    blockedUntil: row.blocked_until,
    registration: {
      state:
        row.live_bindings > 0
          ? 'registered'
          : lastRegisteredAt === null
            ? 'never_registered'
            : 'not_registered',
      bindings: row.live_bindings,
      lastRegisteredAt,
    },
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    revision: row.revision,
  };
}

export function credentialParameters(credential: StoredCredential, domain: string) {
  return {
    id: credential.id,
    user_id: credential.userId,
    domain,
    auth_username: credential.authUsername,
    realm: credential.realm,
    algorithms: JSON.stringify(credential.algorithms),
    label: credential.label,
    state: credential.state,
    sealed_secret: credential.sealedSecret,
    key_id: credential.keyId,
    expires_at: credential.expiresAt,
    revoked_at: credential.revokedAt,
    created_at: credential.createdAt,
    updated_at: credential.updatedAt,
    revision: credential.revision,
  };
}

export function toCredential(row: CredentialRow): Credential {
  return {
    id: row.id,
    userId: row.user_id,
    authUsername: row.auth_username,
    realm: row.realm,
    algorithms: fromJson<DigestAlgorithm[]>(row.algorithms),
    label: row.label,
    state: row.state as Credential['state'],
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
    lastUsedAt: later(row.last_used_at, row.live_used_at),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    revision: row.revision,
  };
}

export function toStoredCredential(row: CredentialRow): StoredCredential {
  return { ...toCredential(row), sealedSecret: row.sealed_secret, keyId: row.key_id };
}

function later(a: Instant | null, b: Instant | null): Instant | null {
  if (a === null || b === null) return a ?? b;
  return Math.max(a, b);
}
