import type { Deregistration, DeregistrationFilter } from '../../location/deregistration.js';
import type { DeregistrationBody, GivenDeregistrationFilter } from '../schemas/deregistration.js';
import { fromInstant } from '../schemas/text.js';
import { fromOctets } from './wire-text.js';

export function deregistrationBody(deregistration: Deregistration): DeregistrationBody {
  const { effects } = deregistration;
  return {
    id: deregistration.id,
    state: deregistration.state,
    mode: deregistration.mode,
    filter: filterBody(deregistration.filter),
    reason: deregistration.reason,
    block_seconds: deregistration.blockSeconds,
    blocked_until: fromInstant(deregistration.blockedUntil),
    close_flows: deregistration.closeFlows,
    matched: deregistration.matched,
    removed: deregistration.removed,
    effects: {
      users_blocked: effects.usersBlocked,
      flows_closed: effects.flowsClosed,
      flows_kept_shared: effects.flowsKeptShared,
    },
    sample: [...deregistration.sample],
    created_by: deregistration.createdBy,
    created_at: fromInstant(deregistration.createdAt),
    completed_at: fromInstant(deregistration.completedAt),
  };
}

export function deregistrationTag(deregistration: Deregistration): string {
  return `"${deregistration.state}-${deregistration.removed}"`;
}

function filterBody(filter: DeregistrationFilter): GivenDeregistrationFilter {
  const { userAgentPrefix, instanceId, expiresBefore, registeredAfter } = filter;
  return withoutUndefined({
    binding_id: filter.bindingId,
    domain: filter.domain,
    user_id: filter.userId,
    aor: filter.aor,
    transport: filter.transport,
    source_ip: filter.sourceIp,
    user_agent_prefix: userAgentPrefix === undefined ? undefined : fromOctets(userAgentPrefix),
    instance_id: instanceId === undefined ? undefined : fromOctets(instanceId),
    credential_id: filter.credentialId,
    expires_before: expiresBefore === undefined ? undefined : fromInstant(expiresBefore),
    registered_after: registeredAfter === undefined ? undefined : fromInstant(registeredAfter),
    all: filter.all === true ? true : undefined,
  });
}

function withoutUndefined<Body extends object>(body: Body): Body {
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined)) as Body;
}
