import type {
  Credential,
  Ha1ByAlgorithm,
  IssuedCredential,
  NewCredential,
  SecretSource,
} from '../../accounts/credential.js';
import { revisionTag } from '../etag.js';
import type { CredentialBody, GivenCredential, IssuedCredentialBody } from '../schemas/credential.js';
import { fromInstant, toInstant } from '../schemas/text.js';

export function credentialBody(credential: Credential): CredentialBody {
  return {
    id: credential.id,
    auth_username: credential.authUsername,
    realm: credential.realm,
    algorithms: [...credential.algorithms],
    state: credential.state,
    label: credential.label,
    created_at: fromInstant(credential.createdAt),
    updated_at: fromInstant(credential.updatedAt),
    expires_at: fromInstant(credential.expiresAt),
    revoked_at: fromInstant(credential.revokedAt),
    last_used_at: fromInstant(credential.lastUsedAt),
  };
}

export function credentialTag(credential: Credential): string {
  return revisionTag(credential.revision, [credential.lastUsedAt]);
}

/** The one body that may show a password. */
export function issuedCredentialBody({ credential, password }: IssuedCredential): IssuedCredentialBody {
  return {
    ...credentialBody(credential),
    ...(password === undefined ? {} : { password, password_shown_once: true }),
  };
}

export function givenCredential(given: GivenCredential): NewCredential {
  return {
    source: secretSource(given),
    authUsername: given.auth_username,
    label: given.label,
    expiresAt: toInstant(given.expires_at),
  };
}

function secretSource({ password, ha1 }: GivenCredential): SecretSource {
  if (password !== undefined) return { kind: 'password', password };
  if (ha1 === undefined) return { kind: 'generate' };
  const byAlgorithm: Ha1ByAlgorithm = {
    ...(ha1.md5 === undefined ? {} : { MD5: ha1.md5 }),
    ...(ha1.sha_256 === undefined ? {} : { 'SHA-256': ha1.sha_256 }),
    ...(ha1.sha_512_256 === undefined ? {} : { 'SHA-512-256': ha1.sha_512_256 }),
  };
  return { kind: 'ha1', ha1: byAlgorithm };
}
