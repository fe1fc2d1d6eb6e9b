import type { BindingFilter } from '../../location/binding.js';
import { bindingBody, bindingTag } from '../bodies/binding-body.js';
import { bindingFilter, deregister, onTheSipSide, removalRequest } from '../deregister.js';
import { namesTag } from '../etag.js';
import { exampleBinding, exampleBlock, exampleKick, exampleList } from '../examples.js';
import { listReply, pageRequest } from '../list.js';
import { type Call, type Operation, operation } from '../operation.js';
import { Problem } from '../problem.js';
import { confinedTo, findUser, reaches } from '../reach.js';
import { ok } from '../reply.js';
import {
  binding,
  bindingList,
  bindingListQuery,
  bindingParams,
  userBindingListQuery,
} from '../schemas/binding.js';
import { deregistration, removalQuery } from '../schemas/deregistration.js';
import { userParams } from '../schemas/user.js';

const listed = {
  status: 200,
  description: 'A page of bindings.',
  schema: bindingList,
  headers: ['Link'],
  examples: { page: { summary: 'The only page', value: exampleList(exampleBinding) } },
} as const;

const removed = {
  status: 200,
  description: 'What was removed, and what that did.',
  schema: deregistration,
  examples: {
    kick: { summary: 'Mode kick', value: exampleKick },
    block: { summary: 'Mode block', value: exampleBlock },
  },
} as const;

const listBindings = operation({
  operationId: 'listBindings',
  method: 'get',
  path: '/v1/bindings',
  tag: 'Bindings',
  summary: 'List or search bindings',
  description:
    'Every current binding: one contact of one user, made by an authenticated REGISTER (RFC 3261 §10). Expired ones are not among them. All given filters must hold.',
  access: 'bindings:read',
  query: bindingListQuery,
  successes: [listed],
  problems: ['cursor_invalid', 'cursor_mismatch'],
  async handle(call) {
    const filter = bindingFilter(call.query, call.deps);
    if (filter instanceof Problem) return filter;
    return list(call, { ...filter, confinedTo: confinedTo(call.principal) });
  },
});

const getBinding = operation({
  operationId: 'getBinding',
  method: 'get',
  path: '/v1/bindings/{id}',
  tag: 'Bindings',
  summary: 'Show a binding',
  description:
    'The ETag changes with each refresh of the phone; expires_in_seconds, which counts down, does not count.',
  access: 'bindings:read',
  params: bindingParams,
  successes: [
    {
      status: 200,
      description: 'The binding.',
      schema: binding,
      headers: ['ETag'],
      examples: { binding: { summary: 'A binding', value: exampleBinding } },
    },
  ],
  problems: ['binding_not_found'],
  async handle(call) {
    const found = await findBinding(call);
    if (found instanceof Problem) return found;
    return ok(bindingBody(found, call.deps.clock.now()), bindingTag(found));
  },
});

const deleteBinding = operation({
  operationId: 'deleteBinding',
  method: 'delete',
  path: '/v1/bindings/{id}',
  tag: 'Bindings',
  summary: 'Deregister one phone',
  description: `Short for POST /v1/deregistrations with the filter binding_id; mode block refuses every phone of the user. If-Match is compared right before the removal.\n\n${onTheSipSide}`,
  access: 'bindings:deregister',
  ifMatch: 'loose',
  params: bindingParams,
  query: removalQuery,
  successes: [removed],
  problems: ['binding_not_found', 'revision_mismatch'],
  async handle(call) {
    const found = await findBinding(call);
    if (found instanceof Problem) return found;
    const { ifMatch } = call;
    if (ifMatch !== undefined && !namesTag(ifMatch, bindingTag(found), false)) {
      return new Problem('revision_mismatch', 'The phone has refreshed the binding since it was read.');
    }
    return deregister(call, removalRequest(call, { bindingId: found.id }), 200);
  },
});

const listUserBindings = operation({
  operationId: 'listUserBindings',
  method: 'get',
  path: '/v1/users/{id}/bindings',
  tag: 'Bindings',
  summary: 'List the bindings of a user',
  description: 'Where the phones of the user are reachable now. A user without any gets an empty list.',
  access: 'bindings:read',
  params: userParams,
  query: userBindingListQuery,
  successes: [listed],
  problems: ['user_not_found', 'cursor_invalid', 'cursor_mismatch'],
  async handle(call) {
    const user = await findUser(call);
    return user instanceof Problem ? user : list(call, { userId: user.id });
  },
});

const deleteUserBindings = operation({
  operationId: 'deleteUserBindings',
  method: 'delete',
  path: '/v1/users/{id}/bindings',
  tag: 'Bindings',
  summary: 'Deregister all phones of a user',
  description: `Short for POST /v1/deregistrations with the filter user_id. A user without bindings gets matched: 0; mode block refuses the user all the same.\n\n${onTheSipSide}`,
  access: 'bindings:deregister',
  params: userParams,
  query: removalQuery,
  successes: [removed],
  problems: ['user_not_found'],
  async handle(call) {
    const user = await findUser(call);
    if (user instanceof Problem) return user;
    return deregister(call, removalRequest(call, { userId: user.id }), 200);
  },
});

type ListCall = Parameters<typeof pageRequest<'registered_at' | 'refreshed_at' | 'expires_at' | 'aor'>>[0] &
  Pick<Call<unknown, { readonly fields?: readonly string[] | undefined }, unknown>, 'query' | 'deps'>;

async function list(call: ListCall, filter: BindingFilter) {
  const request = pageRequest(call);
  if (request instanceof Problem) return request;
  const page = await call.deps.location.listBindings(filter, request);
  const now = call.deps.clock.now();
  const bodies = page.items.map((item) => bindingBody(item, now));
  return listReply(call, page, bodies, call.query.fields);
}

async function findBinding({
  params,
  deps,
  principal,
}: Pick<Call<{ readonly id: string }, unknown, unknown>, 'params' | 'deps' | 'principal'>) {
  const found = await deps.location.getBinding(params.id);
  if (found === undefined || !reaches(principal, found.aor.domain)) {
    return new Problem('binding_not_found', `There is no binding ${params.id}.`);
  }
  return found;
}

export const bindingOperations: readonly Operation[] = [
  listBindings,
  getBinding,
  deleteBinding,
  listUserBindings,
  deleteUserBindings,
];
