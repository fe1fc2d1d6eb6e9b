import type { Binding } from '../../src/location/binding.js';
import type { AorState, BindingChange } from '../../src/location/decision.js';
import type {
  ContactUpdate,
  RegisterCommand,
  RegisterOutcome,
  RegisterPolicy,
} from '../../src/location/register.js';
import { isParseError } from '../../src/sip/grammar/sip-parse-error.js';
import { parseUri } from '../../src/sip/grammar/uri.js';

/* Bindings, commands and policies as the tests of the domain need them: everything has a value, tests say what matters. */

export const NOW = 2_000_000_000_000;
export const ALICE = { user: 'alice', domain: 'example.com' };
export const POLICY: RegisterPolicy = {
  minExpiresSeconds: 60,
  defaultExpiresSeconds: 3600,
  maxExpiresSeconds: 86_400,
  maxBindings: 10,
  overflow: 'reject',
  sequence: 'strict',
};

export function binding(contact: string, changes: Partial<Binding> = {}): Binding {
  return {
    id: `bnd_${contact}`,
    userId: 'usr_alice',
    aor: ALICE,
    contact,
    displayName: '',
    contactParams: '',
    qThousandths: null,
    instanceId: null,
    regId: null,
    callId: 'call-1',
    cseq: 10,
    userAgent: 'Phone/1.0',
    received: { transport: 'udp', ip: '192.0.2.1', port: 5060, flowId: null },
    credentialId: 'crd_1',
    registeredAt: NOW - 10_000,
    refreshedAt: NOW - 10_000,
    expiresAt: NOW + 1_000_000,
    ...changes,
  };
}

/** A contact of a REGISTER; `seconds` undefined asks for no interval. */
export function contact(
  text: string,
  seconds: number | undefined,
  changes: Partial<ContactUpdate> = {},
): ContactUpdate {
  const uri = parseUri(text);
  if (isParseError(uri)) throw new Error(`no URI: ${text}`);
  return {
    uri,
    contact: text,
    displayName: '',
    contactParams: '',
    qThousandths: null,
    instanceId: null,
    regId: null,
    requestedSeconds: seconds,
    ...changes,
  };
}

export function update(
  contacts: readonly ContactUpdate[],
  changes: Partial<RegisterCommand> = {},
): RegisterCommand {
  return {
    aor: ALICE,
    userId: 'usr_alice',
    credentialId: 'crd_1',
    nonceIssuedAt: NOW - 60_000,
    callId: 'call-1',
    cseq: 11,
    userAgent: 'Phone/1.0',
    received: { transport: 'udp', ip: '192.0.2.1', port: 5060, flowId: null },
    action: { kind: 'update', contacts },
    ...changes,
  };
}

export function open(...bindings: readonly Binding[]): AorState {
  return { standing: { kind: 'open' }, bindings };
}

export function idsFrom(prefix = 'bnd_new'): () => string {
  let count = 0;
  return () => {
    count++;
    return `${prefix}${count}`;
  };
}

/** `created a`, `refreshed b`, `removed c (evicted)`: changes as one reads them. */
export function told(changes: readonly BindingChange[]): readonly string[] {
  return changes.map((change) =>
    change.kind === 'removed'
      ? `removed ${change.binding.contact} (${change.cause})`
      : `${change.kind} ${change.binding.contact}`,
  );
}

export function listed(outcome: RegisterOutcome): readonly string[] {
  if (outcome.kind !== 'registered') throw new Error(`expected registered, got ${outcome.kind}`);
  return outcome.bindings.map((bound) => bound.contact);
}

/** What the rows are after the changes were made. */
export function applied(
  current: readonly Binding[],
  changes: readonly BindingChange[],
): ReadonlyMap<string, Binding> {
  const rows = new Map(current.map((row) => [row.id, row]));
  for (const change of changes) {
    if (change.kind === 'removed') rows.delete(change.binding.id);
    else rows.set(change.binding.id, change.binding);
  }
  return rows;
}
