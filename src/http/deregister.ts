import type { Principal } from '../admin/admin-service.js';
import { isRefusal } from '../base/refusal.js';
import type { BindingFilter, TransportName } from '../location/binding.js';
import type { DeregistrationFilter, DeregistrationRequest } from '../location/deregistration.js';
import { deregistrationBody, deregistrationTag } from './bodies/deregistration-body.js';
import { printAddress, toOctets } from './bodies/wire-text.js';
import { Problem, problemOf } from './problem.js';
import { confinedTo, reaches, readAor } from './reach.js';
import { json, ok, type Reply } from './reply.js';
import { DEFAULT_BLOCK_SECONDS, type RemovalQuery } from './schemas/deregistration.js';
import { toInstant } from './schemas/text.js';
import type { HttpDeps } from './services.js';

/** What a forced deregistration does and does not do; part of each operation that does one. */
export const onTheSipSide = `What happens on the SIP side:

1. The bindings leave the location table, each user's in one transaction that is on disk before the answer. From then on new requests are not sent there; GET /v1/locations agrees at once.
2. **The phone is not told**: SIP has no message with which a registrar ends a registration. Established calls continue; the registrar does not own dialogs.
3. With close_flows (close_flow) the TCP connection is closed if no other binding uses it; most phones reconnect and register again. UDP has no connection to close.
4. Otherwise the phone believes it is registered until its next refresh, at most expires_in_seconds away, and then **registers again successfully**, unless the mode is block (REGISTER is answered 403 for block_seconds), the account is deleted, or its credential is revoked (401). A REGISTER already on its way may make the binding anew, with a new id.
5. Mode block refuses whole users: every phone of each user concerned, with any credential.`;

interface GivenConditions {
  readonly domain?: string | undefined;
  readonly user_id?: string | undefined;
  readonly aor?: string | undefined;
  readonly transport?: TransportName | undefined;
  readonly source_ip?: string | undefined;
  readonly user_agent_prefix?: string | undefined;
  readonly instance_id?: string | undefined;
  readonly credential_id?: string | undefined;
  readonly expires_before?: string | undefined;
  readonly registered_after?: string | undefined;
}

/** The conditions on bindings as the location service takes them; the problem is an aor that is none. */
export function bindingFilter(
  given: GivenConditions,
  { accounts }: HttpDeps,
  place: 'parameter' | 'pointer' = 'parameter',
): BindingFilter | Problem {
  const aor = given.aor === undefined ? undefined : readAor(accounts, given.aor);
  if (given.aor !== undefined && aor === undefined) {
    const where = place === 'parameter' ? { parameter: 'aor' } : { pointer: '/filter/aor' };
    const part = { ...where, code: 'invalid_format', detail: 'This is no address-of-record.' };
    return new Problem('validation_failed', undefined, [part]);
  }
  return {
    domain: given.domain?.toLowerCase(),
    userId: given.user_id,
    aor: aor === undefined ? undefined : printAddress(aor),
    transport: given.transport,
    sourceIp: given.source_ip,
    userAgentPrefix: toOctets(given.user_agent_prefix),
    instanceId: toOctets(given.instance_id),
    credentialId: given.credential_id,
    expiresBefore: toInstant(given.expires_before),
    registeredAfter: toInstant(given.registered_after),
  };
}

/** The deregistration that a DELETE is short for. */
export function removalRequest(
  { query, principal }: { readonly query: RemovalQuery; readonly principal: Principal },
  filter: DeregistrationFilter,
): DeregistrationRequest {
  return {
    filter,
    reason: query.reason ?? null,
    mode: query.mode,
    blockSeconds: blockSeconds(query.mode, query.block_seconds),
    dryRun: false,
    expectedCount: undefined,
    closeFlows: query.close_flow,
    createdBy: principal.keyId,
  };
}

export function blockSeconds(mode: DeregistrationRequest['mode'], given: number | undefined): number | null {
  return mode === 'block' ? (given ?? DEFAULT_BLOCK_SECONDS) : null;
}

/**
 * Has the location service deregister, within the domains of the asking key, and tells what came of it: with
 * `status` when it is done, with 202 when it runs on.
 */
export async function deregister(
  { deps, principal }: { readonly deps: HttpDeps; readonly principal: Principal },
  request: DeregistrationRequest,
  status: 200 | 201,
): Promise<Reply | Problem> {
  const outside = await namesOutsider(request.filter, deps, principal);
  if (outside !== undefined) return outside;
  const filter = { ...request.filter, confinedTo: confinedTo(principal) };
  const result = await deps.location.deregister({ ...request, filter });
  if (isRefusal(result)) return problemOf(result);
  if (result.kind === 'previewed') {
    const { matched, sample } = result.preview;
    return ok({ dry_run: true, matched, sample });
  }
  const { deregistration } = result;
  const location = `/v1/deregistrations/${deregistration.id}`;
  const body = deregistrationBody(deregistration);
  if (status === 200) return ok(body);
  if (deregistration.state === 'running') return json(202, body, { location });
  return json(201, body, { location, etag: deregistrationTag(deregistration) });
}

/** Mode block reaches users by name, without a binding that the confinement could be checked on. */
async function namesOutsider(
  { userId, aor }: DeregistrationFilter,
  { accounts }: HttpDeps,
  principal: Principal,
): Promise<Problem | undefined> {
  if (confinedTo(principal) === undefined) return undefined;
  const user = userId === undefined ? undefined : await accounts.getUser(userId);
  const aorDomain = aor?.slice(aor.lastIndexOf('@') + 1);
  const isOutside =
    (user !== undefined && !reaches(principal, user.domain)) ||
    (aorDomain !== undefined && !reaches(principal, aorDomain));
  if (!isOutside) return undefined;
  return new Problem('user_not_found', 'The filter names a user who does not exist.', [
    { pointer: '/filter', code: 'user_not_found', detail: 'There is no such user.' },
  ]);
}
