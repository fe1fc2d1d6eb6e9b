import type { Instant } from '../../base/clock.js';
import type { Binding } from '../../location/binding.js';
import type { BindingBody } from '../schemas/binding.js';
import type { LocationBody } from '../schemas/location.js';
import { fromInstant } from '../schemas/text.js';
import { fromOctets, nullableFromOctets, printAddress } from './wire-text.js';

export function bindingBody(binding: Binding, now: Instant): BindingBody {
  const { transport, ip, port, flowId } = binding.received;
  return {
    id: binding.id,
    user_id: binding.userId,
    aor: printAddress(binding.aor),
    contact: fromOctets(binding.contact),
    display_name: fromOctets(binding.displayName),
    q: binding.qThousandths === null ? null : binding.qThousandths / 1000,
    params: fromOctets(binding.contactParams),
    received: { transport, ip, port },
    instance_id: nullableFromOctets(binding.instanceId),
    reg_id: binding.regId,
    user_agent: nullableFromOctets(binding.userAgent),
    call_id: fromOctets(binding.callId),
    cseq: binding.cseq,
    credential_id: binding.credentialId,
    flow: flowId === null ? null : { id: flowId },
    registered_at: fromInstant(binding.registeredAt),
    refreshed_at: fromInstant(binding.refreshedAt),
    expires_at: fromInstant(binding.expiresAt),
    expires_in_seconds: secondsLeft(binding, now),
  };
}

/** Changes with each REGISTER; the seconds left do not count, since expires_at says the same. */
export function bindingTag(binding: Binding): string {
  return `"${Math.floor(binding.refreshedAt)}-${binding.cseq}"`;
}

export function locationContactBody(binding: Binding, now: Instant): LocationBody['contacts'][number] {
  const body = bindingBody(binding, now);
  return {
    binding_id: body.id,
    contact: body.contact,
    display_name: body.display_name,
    q: body.q,
    params: body.params,
    received: body.received,
    instance_id: body.instance_id,
    reg_id: body.reg_id,
    flow: body.flow,
    expires_at: body.expires_at,
    expires_in_seconds: body.expires_in_seconds,
  };
}

function secondsLeft(binding: Binding, now: Instant): number {
  return Math.max(0, Math.ceil((binding.expiresAt - now) / 1000));
}
