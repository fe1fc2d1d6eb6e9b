import { MAX_BINDINGS_LIMIT } from '../../accounts/rules.js';
import type { User, UserFilter } from '../../accounts/user.js';
import { isRefusal } from '../../base/refusal.js';
import { bindingBody } from '../bodies/binding-body.js';
import { givenCredential, issuedCredentialBody } from '../bodies/credential-body.js';
import { userBody, userSettings, userTag } from '../bodies/user-body.js';
import { printAddress } from '../bodies/wire-text.js';
import {
  exampleBinding,
  exampleCreatedUser,
  exampleList,
  exampleRegisteredUser,
  exampleUser,
} from '../examples.js';
import { listReply, pageRequest } from '../list.js';
import { type Operation, operation } from '../operation.js';
import { Problem, problemOf } from '../problem.js';
import { confinedTo, findUser, insistedRevision, reaches, readAor } from '../reach.js';
import { created, noContent, ok } from '../reply.js';
import type { BindingBody } from '../schemas/binding.js';
import { toInstant } from '../schemas/text.js';
import {
  createdUser,
  newUser,
  type UserBody,
  user,
  userList,
  userListQuery,
  userParams,
  userPatch,
  userQuery,
} from '../schemas/user.js';
import type { HttpDeps } from '../services.js';

const shown = {
  schema: user,
  headers: ['ETag'],
  examples: { user: { summary: 'A registered user', value: exampleRegisteredUser } },
} as const;

const listUsers = operation({
  operationId: 'listUsers',
  method: 'get',
  path: '/v1/users',
  tag: 'Users',
  summary: 'List or search users',
  description:
    'All given filters must hold. registered tells whether a phone of the user is registered at this moment; include=bindings shows where. A key confined to domains sees only the users of those.',
  access: 'users:read',
  query: userListQuery,
  successes: [
    {
      status: 200,
      description: 'A page of users.',
      schema: userList,
      headers: ['Link'],
      examples: {
        page: { summary: 'The only page', value: exampleList(exampleRegisteredUser) },
        bindings: {
          summary: 'With include=bindings',
          value: exampleList({ ...exampleRegisteredUser, bindings: [exampleBinding] }),
        },
      },
    },
  ],
  problems: ['cursor_invalid', 'cursor_mismatch'],
  async handle(call) {
    const { query, deps, principal } = call;
    const request = pageRequest(call);
    if (request instanceof Problem) return request;
    const aor = query.aor === undefined ? undefined : readAor(deps.accounts, query.aor);
    if (query.aor !== undefined && aor === undefined) return notAnAddress();
    const filter: UserFilter = {
      confinedTo: confinedTo(principal),
      domain: query.domain?.toLowerCase(),
      aor: aor === undefined ? undefined : printAddress(aor),
      usernamePrefix: query.username_prefix,
      registered: query.registered,
      tag: query.tag,
      externalId: query.external_id,
      expiresBefore: toInstant(query.expires_before),
      q: query.q,
    };
    const page = await deps.accounts.listUsers(filter, request);
    const bodies = await Promise.all(page.items.map((item) => bodyWith(item, query.include, deps)));
    const fields = query.include === undefined ? query.fields : query.fields?.concat('bindings');
    return listReply(call, page, bodies, fields);
  },
});

const createUser = operation({
  operationId: 'createUser',
  method: 'post',
  path: '/v1/users',
  tag: 'Users',
  summary: 'Create a user',
  description:
    'The user may register as soon as there is a credential, which can be made in the same step. A generated password is shown in this answer only: with Idempotency-Key, a repeated request within 24 hours shows it again to who knows that key. Until then a REGISTER for the address gets the same 401 as a wrong password.',
  access: 'users:write',
  body: {
    schema: newUser,
    mediaType: 'application/json',
    examples: {
      generated: {
        summary: 'With a generated password',
        value: {
          username: 'alice',
          domain: 'example.com',
          display_name: 'Alice',
          tags: ['sales'],
          external_id: 'hr-8841',
          max_bindings: 3,
          expires_at: null,
          credential: { generate: true, label: 'desk phone' },
        },
      },
      migrated: {
        summary: 'Moved here with an HA1',
        value: {
          username: 'bob',
          domain: 'example.com',
          credential: { ha1: { md5: '939e7578ed9e3c518a452acee763bce9' } },
        },
      },
      plain: { summary: 'Without a credential', value: { username: 'carol', domain: 'example.com' } },
    },
  },
  successes: [
    {
      status: 201,
      description: 'The user exists. With a generated password: Cache-Control: no-store.',
      schema: createdUser,
      headers: ['Location', 'ETag'],
      examples: {
        generated: { summary: 'With a generated password', value: exampleCreatedUser },
        plain: { summary: 'Without a credential', value: exampleUser },
      },
      links: {
        GetUser: { operationId: 'getUser', parameters: { id: '$response.body#/id' } },
        UpdateUser: { operationId: 'updateUser', parameters: { id: '$response.body#/id' } },
        DeleteUser: { operationId: 'deleteUser', parameters: { id: '$response.body#/id' } },
        ListCredentials: { operationId: 'listCredentials', parameters: { id: '$response.body#/id' } },
        ListUserBindings: { operationId: 'listUserBindings', parameters: { id: '$response.body#/id' } },
      },
    },
  ],
  problems: [
    'domain_not_found',
    'domain_not_granted',
    'user_exists',
    'user_limit',
    'username_in_use',
    'external_id_in_use',
    'username_invalid',
    'password_too_weak',
    'algorithm_not_enabled',
  ],
  async handle({ body, deps, principal }) {
    const { username, domain, credential, ...given } = body;
    if (!reaches(principal, domain)) {
      return new Problem('domain_not_found', `The domain ${domain} is not served.`);
    }
    const settings = userSettings(given, addressReader(deps), (name) => reaches(principal, name));
    if (settings instanceof Problem) return settings;
    const made = await deps.accounts.createUser({
      username,
      domain,
      settings,
      credential: credential === undefined ? undefined : givenCredential(credential),
    });
    if (isRefusal(made))
      return problemOf(made, CREDENTIAL_POINTERS.has(made.pointer ?? '') ? '/credential' : '');
    const { issued } = made;
    return created(
      {
        ...userBody(made.user),
        ...(issued === undefined ? {} : { credential: issuedCredentialBody(issued) }),
      },
      {
        location: `/v1/users/${made.user.id}`,
        etag: userTag(made.user),
        secret: issued?.password !== undefined,
      },
    );
  },
});

/** Where a refusal points when it is about the credential within the user. */
const CREDENTIAL_POINTERS = new Set(['/password', '/ha1', '/auth_username']);

const getUser = operation({
  operationId: 'getUser',
  method: 'get',
  path: '/v1/users/{id}',
  tag: 'Users',
  summary: 'Show a user',
  description:
    'With the state of the registration at this moment. The ETag changes when a phone registers, too; If-Match does not mind that.',
  access: 'users:read',
  params: userParams,
  query: userQuery,
  successes: [{ ...shown, status: 200, description: 'The user.' }],
  problems: ['user_not_found'],
  async handle(call) {
    const found = await findUser(call);
    if (found instanceof Problem) return found;
    const body = await bodyWith(found, call.query.include, call.deps);
    // The tag does not know of single refreshes, which the bindings show.
    return call.query.include === undefined ? ok(body, userTag(found)) : ok(body);
  },
});

const updateUser = operation({
  operationId: 'updateUser',
  method: 'patch',
  path: '/v1/users/{id}',
  tag: 'Users',
  summary: 'Change a user',
  description:
    'Holds for the next REGISTER; bindings stay. An expires_at that has passed refuses the next authentication with the same 401 as a wrong password, while bindings live until they expire: deregister the user to end them at once. username and domain never change.',
  access: 'users:write',
  ifMatch: 'revision',
  params: userParams,
  body: {
    schema: userPatch,
    mediaType: 'application/merge-patch+json',
    examples: {
      rename: { summary: 'Another name on the display', value: { display_name: 'Alice L.' } },
      clear: { summary: 'Back to the limit of the domain', value: { max_bindings: null } },
    },
  },
  successes: [{ ...shown, status: 200, description: 'The user as it is now.' }],
  problems: [
    'user_not_found',
    'external_id_in_use',
    'domain_not_granted',
    'algorithm_not_enabled',
    'revision_mismatch',
  ],
  async handle(call) {
    const { deps, principal } = call;
    const current = await findUser(call);
    if (current instanceof Problem) return current;
    const ifRevision = insistedRevision(call, current);
    if (ifRevision instanceof Problem) return ifRevision;
    const settings = userSettings(call.body, addressReader(deps), (name) => reaches(principal, name));
    if (settings instanceof Problem) return settings;
    const changed = await deps.accounts.updateUser(current.id, settings, { ifRevision });
    return isRefusal(changed) ? problemOf(changed) : ok(userBody(changed), userTag(changed));
  },
});

const deleteUser = operation({
  operationId: 'deleteUser',
  method: 'delete',
  path: '/v1/users/{id}',
  tag: 'Users',
  summary: 'Delete a user',
  description:
    'Credentials and bindings go with the user in one transaction: new requests are no longer sent to the phones. The phones are not told; their next refresh is answered with the same 401 as a wrong password. Established calls continue.',
  access: 'users:write',
  ifMatch: 'revision',
  params: userParams,
  successes: [{ status: 204, description: 'The user is gone.' }],
  problems: ['user_not_found', 'revision_mismatch'],
  async handle(call) {
    const current = await findUser(call);
    if (current instanceof Problem) return current;
    const ifRevision = insistedRevision(call, current);
    if (ifRevision instanceof Problem) return ifRevision;
    const deleted = await call.deps.accounts.deleteUser(current.id, { ifRevision });
    return isRefusal(deleted) ? problemOf(deleted) : noContent();
  },
});

async function bodyWith(
  found: User,
  include: readonly 'bindings'[] | undefined,
  deps: HttpDeps,
): Promise<UserBody> {
  if (include === undefined) return userBody(found);
  return { ...userBody(found), bindings: await currentBindings(found, deps) };
}

async function currentBindings(found: User, { location, clock }: HttpDeps): Promise<BindingBody[]> {
  const page = await location.listBindings(
    { userId: found.id },
    { limit: MAX_BINDINGS_LIMIT, sort: 'registered_at', descending: true, includeTotal: false },
  );
  return page.items.map((binding) => bindingBody(binding, clock.now()));
}

function addressReader({ accounts }: HttpDeps) {
  return (text: string) => readAor(accounts, text);
}

function notAnAddress(): Problem {
  return new Problem('validation_failed', undefined, [
    { parameter: 'aor', code: 'invalid_format', detail: 'This is no address-of-record.' },
  ]);
}

export const userOperations: readonly Operation[] = [listUsers, createUser, getUser, updateUser, deleteUser];
