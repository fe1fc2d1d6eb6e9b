import type { Principal } from '../../admin/admin-service.js';
import { isRefusal } from '../../base/refusal.js';
import type { BanScope, CountedBan } from '../../guard/ban.js';
import { parseNetwork } from '../../guard/network.js';
import { banBody, banTag } from '../bodies/ban-body.js';
import { exampleAutomaticBan, exampleBan, exampleList } from '../examples.js';
import { listReply, pageOfArray, pageRequest } from '../list.js';
import { type Call, type Operation, operation } from '../operation.js';
import { Problem, problemOf } from '../problem.js';
import { confinedTo, reaches } from '../reach.js';
import { created, noContent, ok } from '../reply.js';
import { ban, banList, banListQuery, banParams, newBan } from '../schemas/ban.js';

const onTheSipSide =
  'A REGISTER that meets a ban is answered 503 with Retry-After, before anything about it is looked at: phones come back by themselves when it has ended. Bindings stay until they expire; deregister them to end them at once.';

const shown = {
  schema: ban,
  headers: ['ETag'],
  examples: {
    automatic: { summary: 'By the server itself', value: exampleAutomaticBan },
    manual: { summary: 'By an operator', value: exampleBan },
  },
} as const;

const listBans = operation({
  operationId: 'listBans',
  method: 'get',
  path: '/v1/bans',
  tag: 'Bans',
  summary: 'List the bans in force',
  description:
    'By operators, and by the server itself: a source that sends too many distinct wrong responses for one user is refused for that user, one that does so for many users or all too often is refused for all. All given filters must hold. A key confined to domains sees the bans that hold within those alone.',
  access: 'bans:read',
  query: banListQuery,
  successes: [
    {
      status: 200,
      description: 'A page of bans.',
      schema: banList,
      headers: ['Link'],
      examples: { page: { summary: 'The only page', value: exampleList(exampleAutomaticBan) } },
    },
  ],
  problems: ['cursor_invalid', 'cursor_mismatch'],
  handle(call) {
    const { query, deps, principal } = call;
    const request = pageRequest(call);
    if (request instanceof Problem) return request;
    const found = deps.guard.listBans({
      kind: query.kind,
      covering: query.ip === undefined ? undefined : parseNetwork(query.ip),
      domain: query.domain?.toLowerCase(),
      confinedTo: confinedTo(principal),
    });
    const page = pageOfArray(found, request, (item) =>
      request.sort === 'created_at' ? item.createdAt : item.expiresAt,
    );
    const now = deps.clock.now();
    return listReply(
      call,
      page,
      page.items.map((item) => banBody(item, now)),
    );
  },
});

const createBan = operation({
  operationId: 'createBan',
  method: 'post',
  path: '/v1/bans',
  tag: 'Bans',
  summary: 'Ban an address or a network',
  description: `Holds when the answer comes, and over a restart. Without domain it holds for all domains, which a key confined to domains can’t ask for; with username for that one user, wherever in the network. Unlike a ban by the server itself, it spares nobody: phones that gave the right password from there before are refused too. An automatic ban of the same network, domain and user gives way to it.\n\n${onTheSipSide}`,
  access: 'bans:write',
  body: {
    schema: newBan,
    mediaType: 'application/json',
    examples: {
      scanner: {
        summary: 'A scanner, for a day',
        value: { network: '203.0.113.66', seconds: 86_400, reason: 'scanner' },
      },
      user: {
        summary: 'One user, from one network',
        value: { network: '198.51.100.0/24', domain: 'example.com', username: 'alice', seconds: 3600 },
      },
    },
  },
  successes: [
    {
      ...shown,
      status: 201,
      description: 'The ban, in force.',
      headers: ['Location', 'ETag'],
      examples: { manual: { summary: 'The new ban', value: exampleBan } },
      links: {
        GetBan: { operationId: 'getBan', parameters: { id: '$response.body#/id' } },
        DeleteBan: { operationId: 'deleteBan', parameters: { id: '$response.body#/id' } },
      },
    },
  ],
  problems: ['domain_not_found', 'domain_not_granted', 'ban_exists', 'ban_limit', 'network_too_wide'],
  async handle({ body, deps, principal }) {
    const network = parseNetwork(body.network);
    if (network === undefined) {
      return new Problem('validation_failed', undefined, [
        { pointer: '/network', code: 'invalid_format', detail: 'This is no network.' },
      ]);
    }
    const domain = body.domain === undefined ? null : deps.accounts.domainByHost(body.domain);
    if (domain === undefined || (domain !== null && !reaches(principal, domain.name))) {
      return new Problem('domain_not_found', `The domain ${body.domain} is not served.`);
    }
    if (domain === null && confinedTo(principal) !== undefined) {
      return new Problem('domain_not_granted', 'The key is confined to domains; name one of them.', [
        { pointer: '/domain', code: 'domain_not_granted', detail: 'Name the domain that the ban is for.' },
      ]);
    }
    const made = await deps.guard.addBan({
      network,
      domain: domain?.name ?? null,
      username: body.username ?? null,
      seconds: body.seconds,
      reason: body.reason ?? null,
      createdBy: principal.keyId,
    });
    if (isRefusal(made)) return problemOf(made);
    return created(banBody(made, deps.clock.now()), { location: `/v1/bans/${made.id}`, etag: banTag(made) });
  },
});

const getBan = operation({
  operationId: 'getBan',
  method: 'get',
  path: '/v1/bans/{id}',
  tag: 'Bans',
  summary: 'Show a ban',
  description: 'The ETag changes with what the ban refuses.',
  access: 'bans:read',
  params: banParams,
  successes: [{ ...shown, status: 200, description: 'The ban.' }],
  problems: ['ban_not_found'],
  handle(call) {
    const found = findBan(call);
    return found instanceof Problem ? found : ok(banBody(found, call.deps.clock.now()), banTag(found));
  },
});

const deleteBan = operation({
  operationId: 'deleteBan',
  method: 'delete',
  path: '/v1/bans/{id}',
  tag: 'Bans',
  summary: 'Lift a ban',
  description:
    'The next REGISTER is looked at as ever. What was counted against the source is forgotten with the ban, and the next one would be short again. A phone comes back when the Retry-After it was given is over: ten minutes at the most.',
  access: 'bans:write',
  params: banParams,
  successes: [{ status: 204, description: 'The ban is lifted.' }],
  problems: ['ban_not_found'],
  async handle(call) {
    const found = findBan(call);
    if (found instanceof Problem) return found;
    const lifted = await call.deps.guard.liftBan(found.id, call.principal.keyId);
    return isRefusal(lifted) ? problemOf(lifted) : noContent();
  },
});

type BanCall = Pick<Call<{ readonly id: string }, unknown, unknown>, 'params' | 'deps' | 'principal'>;

function findBan({ params, deps, principal }: BanCall): CountedBan | Problem {
  const found = deps.guard.getBan(params.id);
  if (found === undefined || !isVisible(principal, found)) {
    return new Problem('ban_not_found', `There is no ban ${params.id}.`);
  }
  return found;
}

function isVisible(principal: Principal, { domain }: BanScope): boolean {
  if (confinedTo(principal) === undefined) return true;
  return domain !== null && reaches(principal, domain);
}

export const banOperations: readonly Operation[] = [listBans, createBan, getBan, deleteBan];
