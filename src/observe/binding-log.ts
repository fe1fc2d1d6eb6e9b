import type { Log } from '../base/log.js';
import { printAddressOfRecord } from '../location/address-of-record.js';
import type { Binding } from '../location/binding.js';
import type { BindingChange } from '../location/decision.js';

/**
 * One log line for each change of a binding: `binding.created`, `binding.updated`, `binding.removed` with its
 * cause; plain refreshes only at level debug, since they come by the thousand.
 */
export function logBindingChanges(log: Log, changes: readonly BindingChange[]): void {
  for (const change of changes) {
    switch (change.kind) {
      case 'refreshed':
        if (log.isLevelEnabled('debug'))
          log.debug({ event: 'binding.refreshed', ...describe(change.binding) });
        break;
      case 'removed':
        log.info({ event: 'binding.removed', cause: change.cause, ...describe(change.binding) });
        break;
      default:
        log.info({ event: `binding.${change.kind}`, ...describe(change.binding) });
    }
  }
}

function describe(binding: Binding) {
  return {
    binding_id: binding.id,
    aor: printAddressOfRecord(binding.aor),
    contact: binding.contact,
    transport: binding.received.transport,
    source_ip: binding.received.ip,
    source_port: binding.received.port,
    user_agent: binding.userAgent,
    call_id: binding.callId,
    expires_at: new Date(binding.expiresAt).toISOString(),
  };
}
