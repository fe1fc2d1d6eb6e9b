import type { User } from '../../accounts/user.js';
import type { Attempt, AttemptOwner } from '../../guard/attempt.js';
import { parseNetwork } from '../../guard/network.js';
import { attemptBody } from '../bodies/attempt-body.js';
import { printAddress } from '../bodies/wire-text.js';
import { exampleAttempt, exampleList, exampleUserAttempts } from '../examples.js';
import { listReply, pageOfArray, pageRequest } from '../list.js';
import { obstaclesOf } from '../obstacles.js';
import { type Operation, operation } from '../operation.js';
import { Problem } from '../problem.js';
import { confinedTo, findUser, readAor } from '../reach.js';
import { json } from '../reply.js';
import { attemptList, attemptListQuery, userAttemptList, userAttemptListQuery } from '../schemas/attempt.js';
import { fromInstant, toInstant } from '../schemas/text.js';
import { userParams } from '../schemas/user.js';
import type { HttpDeps } from '../services.js';

const listAuthFailures = operation({
  operationId: 'listAuthFailures',
  method: 'get',
  path: '/v1/auth-failures',
  tag: 'Failed registrations',
  summary: 'List refused registrations',
  description:
    'The latest REGISTERs that were refused, and why: wrong passwords, unknown users, and every other reason. First challenges, which every phone gets, are not among them. Refusals alike count up in one entry. The server keeps them in memory, the latest 20 of a user and of a stranger’s address, and forgets them when it restarts: what anybody can cause without a password never touches the disk. A key confined to domains sees what was asked of those, or in the name of their addresses. An entry that is seen again moves to the front, so a later page may miss one.',
  access: 'bans:read',
  query: attemptListQuery,
  successes: [
    {
      status: 200,
      description: 'A page of refused registrations.',
      schema: attemptList,
      headers: ['Link'],
      examples: { page: { summary: 'The only page', value: exampleList(exampleAttempt) } },
    },
  ],
  problems: ['cursor_invalid', 'cursor_mismatch'],
  handle(call) {
    const { query, deps, principal } = call;
    const request = pageRequest(call);
    if (request instanceof Problem) return request;
    const aor = query.aor === undefined ? undefined : readAor(deps.accounts, query.aor);
    if (query.aor !== undefined && aor === undefined) {
      return new Problem('validation_failed', undefined, [
        { parameter: 'aor', code: 'invalid_format', detail: 'This is no address-of-record.' },
      ]);
    }
    const found = deps.guard.listAttempts({
      from: query.source_ip === undefined ? undefined : parseNetwork(query.source_ip),
      aor: aor === undefined ? undefined : printAddress(aor),
      username: query.username,
      domain: query.domain?.toLowerCase(),
      reason: query.reason,
      since: toInstant(query.since),
      confinedTo: confinedTo(principal),
    });
    const page = pageOfArray(found, request, lastSeen);
    return listReply(call, page, page.items.map(attemptBody));
  },
});

const listUserAttempts = operation({
  operationId: 'listUserAttempts',
  method: 'get',
  path: '/v1/users/{id}/attempts',
  tag: 'Failed registrations',
  summary: 'Why can this phone not register?',
  description:
    'The latest refusals that concern the user, each explained in words: with a digest username of the user, or with the user’s address in To. summary says how things stand now: whether a phone is registered, and what is in the way, such as an expired account or credential, a block, or a ban of an address that the user’s phones come from. A stale nonce (reason nonce_…) is part of everyday life. Kept in memory: empty after a restart.',
  access: 'users:read',
  params: userParams,
  query: userAttemptListQuery,
  successes: [
    {
      status: 200,
      description: 'How things stand, and a page of refused registrations.',
      schema: userAttemptList,
      headers: ['Link'],
      examples: { page: { summary: 'A wrong password, then a ban', value: exampleUserAttempts } },
    },
  ],
  problems: ['user_not_found', 'cursor_invalid', 'cursor_mismatch'],
  async handle(call) {
    const user = await findUser(call);
    if (user instanceof Problem) return user;
    const request = pageRequest(call);
    if (request instanceof Problem) return request;
    const attempts = call.deps.guard.attemptsOf(await ownerOf(user, call.deps));
    const page = pageOfArray(attempts, request, lastSeen);
    const reply = listReply(call, page, page.items.map(attemptBody));
    if (reply.content.kind !== 'json') return reply;
    const { state, bindings, lastRegisteredAt } = user.registration;
    const summary = {
      state,
      bindings,
      last_registered_at: fromInstant(lastRegisteredAt),
      obstacles: await obstaclesOf(user, attempts, call.deps),
    };
    return json(reply.status, { summary, ...Object(reply.content.body) }, reply.headers);
  },
});

function lastSeen({ lastSeenAt }: Attempt): number {
  return lastSeenAt;
}

async function ownerOf({ id, username, domain }: User, { accounts }: HttpDeps): Promise<AttemptOwner> {
  const aliases = (await accounts.getDomain(domain))?.aliases ?? [];
  const aors = [domain, ...aliases].map((host) => printAddress({ user: username, domain: host }));
  return { userId: id, aors };
}

export const failedRegistrationOperations: readonly Operation[] = [listAuthFailures, listUserAttempts];
