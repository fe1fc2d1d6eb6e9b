import type { CredentialPatch } from '../../accounts/credential.js';
import { isRefusal } from '../../base/refusal.js';
import {
  credentialBody,
  credentialTag,
  givenCredential,
  issuedCredentialBody,
} from '../bodies/credential-body.js';
import {
  exampleCredential,
  exampleIssuedCredential,
  exampleList,
  exampleRevokedCredential,
} from '../examples.js';
import { listReply, pageOfArray, pageRequest } from '../list.js';
import { type Call, type Operation, operation } from '../operation.js';
import { Problem, problemOf } from '../problem.js';
import { findUser, insistedRevision } from '../reach.js';
import { created, ok, type Reply } from '../reply.js';
import {
  credential,
  credentialList,
  credentialListQuery,
  credentialPatch,
  deregisterQuery,
  issuedCredential,
  newCredential,
  revokedCredential,
} from '../schemas/credential.js';
import { toInstant } from '../schemas/text.js';
import { credentialParams, userParams } from '../schemas/user.js';

const listCredentials = operation({
  operationId: 'listCredentials',
  method: 'get',
  path: '/v1/users/{id}/credentials',
  tag: 'Credentials',
  summary: 'List the credentials of a user',
  description:
    'Active and revoked ones, without secrets. last_used_at tells which a phone still authenticates with.',
  access: 'credentials:read',
  params: userParams,
  query: credentialListQuery,
  successes: [
    {
      status: 200,
      description: 'A page of credentials.',
      schema: credentialList,
      headers: ['Link'],
      examples: { page: { summary: 'The only page', value: exampleList(exampleCredential) } },
    },
  ],
  problems: ['user_not_found', 'cursor_invalid', 'cursor_mismatch'],
  async handle(call) {
    const user = await findUser(call);
    if (user instanceof Problem) return user;
    const request = pageRequest(call);
    if (request instanceof Problem) return request;
    const all = await call.deps.accounts.listCredentials(user.id);
    const page = pageOfArray(all, request, (item) => item.createdAt);
    return listReply(call, page, page.items.map(credentialBody));
  },
});

const createCredential = operation({
  operationId: 'createCredential',
  method: 'post',
  path: '/v1/users/{id}/credentials',
  tag: 'Credentials',
  summary: 'Give a user a credential',
  description:
    'A phone may authenticate with it from the next REGISTER on; credentials that exist stay valid, at most four being active. The secret is kept only as HA1 values for the algorithms of the domain, encrypted. A generated password is shown in this answer only.',
  access: 'credentials:write',
  params: userParams,
  body: {
    schema: newCredential,
    mediaType: 'application/json',
    examples: {
      generated: { summary: 'Let the server draw it', value: { generate: true, label: 'desk phone' } },
      password: {
        summary: 'A password of your own',
        value: { password: 'correct-horse-battery-staple', auth_username: 'alice-desk' },
      },
      ha1: {
        summary: 'Moved from another server',
        value: {
          ha1: {
            md5: '939e7578ed9e3c518a452acee763bce9',
            sha_256: '7987c64c30e25f1b74be53f966b49b90f2808aa92faf9a00262392d7b4794232',
          },
        },
      },
    },
  },
  successes: [
    {
      status: 201,
      description: 'The credential is valid. With a generated password: Cache-Control: no-store.',
      schema: issuedCredential,
      headers: ['Location', 'ETag'],
      examples: {
        generated: { summary: 'Generated', value: exampleIssuedCredential },
        given: { summary: 'From a password or HA1 values', value: exampleCredential },
      },
      links: {
        GetCredential: {
          operationId: 'getCredential',
          parameters: { id: '$request.path.id', cid: '$response.body#/id' },
        },
        RevokeCredential: {
          operationId: 'revokeCredential',
          parameters: { id: '$request.path.id', cid: '$response.body#/id' },
        },
      },
    },
  ],
  problems: [
    'user_not_found',
    'domain_not_found',
    'credential_limit',
    'username_in_use',
    'username_invalid',
    'password_too_weak',
    'algorithm_not_enabled',
  ],
  async handle(call) {
    const user = await findUser(call);
    if (user instanceof Problem) return user;
    const issued = await call.deps.accounts.createCredential(user, givenCredential(call.body));
    if (isRefusal(issued)) return problemOf(issued);
    return created(issuedCredentialBody(issued), {
      location: `/v1/users/${user.id}/credentials/${issued.credential.id}`,
      etag: credentialTag(issued.credential),
      secret: issued.password !== undefined,
    });
  },
});

const getCredential = operation({
  operationId: 'getCredential',
  method: 'get',
  path: '/v1/users/{id}/credentials/{cid}',
  tag: 'Credentials',
  summary: 'Show a credential',
  description: 'Everything but the secret, which cannot be read.',
  access: 'credentials:read',
  params: credentialParams,
  successes: [
    {
      status: 200,
      description: 'The credential.',
      schema: credential,
      headers: ['ETag'],
      examples: { credential: { summary: 'A credential', value: exampleCredential } },
    },
  ],
  problems: ['user_not_found', 'credential_not_found'],
  async handle(call) {
    const user = await findUser(call);
    if (user instanceof Problem) return user;
    const found = await call.deps.accounts.getCredential(user.id, call.params.cid);
    return found === undefined ? missing(call.params.cid) : ok(credentialBody(found), credentialTag(found));
  },
});

const updateCredential = operation({
  operationId: 'updateCredential',
  method: 'patch',
  path: '/v1/users/{id}/credentials/{cid}',
  tag: 'Credentials',
  summary: 'Change or revoke a credential',
  description:
    'A new expires_at or state holds from the next challenge on: a REGISTER with a credential that is over is answered 401. Bindings it authenticated stay until they expire; DELETE with deregister=true takes them away in the same transaction. The secret never changes: make a new credential.',
  access: 'credentials:write',
  ifMatch: 'revision',
  params: credentialParams,
  body: {
    schema: credentialPatch,
    mediaType: 'application/merge-patch+json',
    examples: {
      label: { summary: 'Another label', value: { label: 'desk phone, second floor' } },
      expire: { summary: 'Let it run out', value: { expires_at: '2027-01-31T12:00:00Z' } },
      revoke: { summary: 'Revoke', value: { state: 'revoked' } },
    },
  },
  successes: [
    {
      status: 200,
      description: 'The credential as it is now.',
      schema: credential,
      headers: ['ETag'],
      examples: { credential: { summary: 'A credential', value: exampleCredential } },
    },
  ],
  problems: ['user_not_found', 'credential_not_found', 'credential_revoked', 'revision_mismatch'],
  async handle(call) {
    const { label, expires_at: expiresAt, state } = call.body;
    return change(call, { label, expiresAt: toInstant(expiresAt), state }, false, (changed) =>
      credentialBody(changed.credential),
    );
  },
});

const revokeCredential = operation({
  operationId: 'revokeCredential',
  method: 'delete',
  path: '/v1/users/{id}/credentials/{cid}',
  tag: 'Credentials',
  summary: 'Revoke a credential',
  description:
    'The stored secret is erased; the entry stays, to tell what was. From the next challenge on, a REGISTER with it is answered 401. With deregister=true the bindings it authenticated leave the location table in the same transaction, so a lost phone gets no calls any more; the phone itself is not told, and established calls continue. Revoking again is no error.',
  access: 'credentials:write',
  ifMatch: 'revision',
  params: credentialParams,
  query: deregisterQuery,
  successes: [
    {
      status: 200,
      description: 'The credential is revoked.',
      schema: revokedCredential,
      headers: ['ETag'],
      examples: { revoked: { summary: 'With deregister=true', value: exampleRevokedCredential } },
    },
  ],
  problems: ['user_not_found', 'credential_not_found', 'revision_mismatch'],
  async handle(call) {
    return change(call, { state: 'revoked' }, call.query.deregister, (changed) => ({
      ...credentialBody(changed.credential),
      bindings_removed: changed.bindingsRemoved,
    }));
  },
});

type Changed = Exclude<
  Awaited<ReturnType<Call<unknown, unknown, unknown>['deps']['accounts']['updateCredential']>>,
  { readonly detail: string }
>;

async function change(
  call: Pick<
    Call<{ readonly id: string; readonly cid: string }, unknown, unknown>,
    'params' | 'deps' | 'principal' | 'ifMatch'
  >,
  patch: CredentialPatch,
  deregister: boolean,
  show: (changed: Changed) => object,
): Promise<Reply | Problem> {
  const { accounts } = call.deps;
  const user = await findUser(call);
  if (user instanceof Problem) return user;
  const current = await accounts.getCredential(user.id, call.params.cid);
  if (current === undefined) return missing(call.params.cid);
  const ifRevision = insistedRevision(call, current);
  if (ifRevision instanceof Problem) return ifRevision;
  const changed = await accounts.updateCredential(user.id, current.id, patch, { ifRevision, deregister });
  return isRefusal(changed) ? problemOf(changed) : ok(show(changed), credentialTag(changed.credential));
}

function missing(credentialId: string): Problem {
  return new Problem('credential_not_found', `The user has no credential ${credentialId}.`);
}

export const credentialOperations: readonly Operation[] = [
  listCredentials,
  createCredential,
  getCredential,
  updateCredential,
  revokeCredential,
];
