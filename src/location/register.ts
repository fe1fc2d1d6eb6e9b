import type { Instant } from '../base/clock.js';
import { isParseError } from '../sip/grammar/sip-parse-error.js';
import { parseUri, sameUri, type Uri } from '../sip/grammar/uri.js';
import type { AddressOfRecord } from './address-of-record.js';
import type { Binding, ReceivedFrom } from './binding.js';
import { byPreference } from './binding-order.js';
import type { AorState, BindingChange, Decision } from './decision.js';

/** One contact that a REGISTER adds, refreshes or removes. */
export interface ContactUpdate {
  readonly uri: Uri;
  /** The Contact URI, byte for byte. */
  readonly contact: string;
  readonly displayName: string;
  readonly contactParams: string;
  readonly qThousandths: number | null;
  readonly instanceId: string | null;
  readonly regId: number | null;
  /** The interval asked for, of the contact's parameter or the Expires header; undefined takes the default; 0 removes. */
  readonly requestedSeconds: number | undefined;
}

/** What a REGISTER asks of an address-of-record, after authentication (RFC 3261 §10.3 steps 6–8). */
export interface RegisterCommand {
  readonly aor: AddressOfRecord;
  readonly userId: string;
  readonly credentialId: string;
  /** When the nonce that authenticated the request was issued. */
  readonly nonceIssuedAt: Instant;
  readonly callId: string;
  readonly cseq: number;
  readonly userAgent: string | null;
  readonly received: ReceivedFrom;
  readonly action:
    | { readonly kind: 'query' }
    | { readonly kind: 'remove_all' }
    | { readonly kind: 'update'; readonly contacts: readonly ContactUpdate[] };
  /** The call script that came with it; becomes the user's when the rest succeeds. */
  readonly callScript?: string | undefined;
}

/** The rules of the user's domain, with the user's own limits already applied. */
export interface RegisterPolicy {
  readonly minExpiresSeconds: number;
  readonly defaultExpiresSeconds: number;
  readonly maxExpiresSeconds: number;
  readonly maxBindings: number;
  readonly overflow: 'reject' | 'evict_oldest';
  readonly sequence: 'strict' | 'fresh_nonce';
}

/** Every way a REGISTER can end once it has reached the location service. */
export type RegisterOutcome =
  /** `bindings` is the list the 200 carries: all current ones, by preference. */
  | { readonly kind: 'registered'; readonly bindings: readonly Binding[] }
  /** A late copy: same Call-ID, CSeq not higher (R1). Nothing changed. */
  | { readonly kind: 'out_of_order'; readonly contact: string }
  | { readonly kind: 'interval_too_brief'; readonly minExpiresSeconds: number }
  | { readonly kind: 'too_many_bindings'; readonly limit: number; readonly retryAfterSeconds: number }
  | { readonly kind: 'blocked'; readonly until: Instant }
  /** The account went away between authentication and here. */
  | { readonly kind: 'account_closed' };

/** The interval below which only a registrar's minimum above one hour may refuse (RFC 3261 §10.3 step 7). */
const ONE_HOUR_SECONDS = 3600;
/** A phone that found no room asks again after that long at the latest. */
const MAX_RETRY_AFTER_SECONDS = 300;

/**
 * Decides one REGISTER over the current bindings of its address-of-record (RFC 3261 §10.3 steps 6–8). Pure: a
 * refusal carries no changes, so all-or-nothing needs no undo.
 * `newBindingId` names bindings that are created.
 */
export function decideRegister(
  state: AorState,
  command: RegisterCommand,
  policy: RegisterPolicy,
  now: Instant,
  newBindingId: () => string,
): Decision<RegisterOutcome> {
  if (state.standing.kind === 'missing') return refuse({ kind: 'account_closed' });
  if (state.standing.kind === 'blocked') return refuse({ kind: 'blocked', until: state.standing.until });
  const decision = decideAction(state, command, policy, now, newBindingId);
  const { callScript } = command;
  return callScript === undefined || decision.outcome.kind !== 'registered'
    ? decision
    : { ...decision, callScript };
}

function decideAction(
  state: AorState,
  command: RegisterCommand,
  policy: RegisterPolicy,
  now: Instant,
  newBindingId: () => string,
): Decision<RegisterOutcome> {
  const { action } = command;
  switch (action.kind) {
    case 'query':
      return { outcome: registered([...state.bindings]), changes: [] };
    case 'remove_all':
      return removeAll(state.bindings, command, policy);
    case 'update':
      return updateContacts(state.bindings, action.contacts, command, policy, now, newBindingId);
  }
}

function removeAll(
  current: readonly Binding[],
  command: RegisterCommand,
  policy: RegisterPolicy,
): Decision<RegisterOutcome> {
  for (const binding of current) {
    if (isLateCopy(binding, command, policy)) {
      return refuse({ kind: 'out_of_order', contact: binding.contact });
    }
  }
  return {
    outcome: registered([]),
    changes: current.map((binding) => ({ kind: 'removed', binding, cause: 'unregistered' })),
  };
}

function updateContacts(
  current: readonly Binding[],
  contacts: readonly ContactUpdate[],
  command: RegisterCommand,
  policy: RegisterPolicy,
  now: Instant,
  newBindingId: () => string,
): Decision<RegisterOutcome> {
  const working = new WorkingSet(current);
  for (const update of contacts) {
    const seconds = grantedSeconds(update.requestedSeconds, policy);
    if (seconds === 'too_brief') {
      return refuse({ kind: 'interval_too_brief', minExpiresSeconds: policy.minExpiresSeconds });
    }
    const matches = working.matching(update);
    for (const { before } of matches) {
      if (before !== undefined && isLateCopy(before, command, policy)) {
        return refuse({ kind: 'out_of_order', contact: update.contact });
      }
    }
    if (seconds === 0) {
      for (const slot of matches) slot.after = undefined;
      continue;
    }
    const slot = matches[0];
    if (slot?.after === undefined) {
      working.add(boundContact(newBindingId(), now, update, command, now, seconds));
    } else {
      const { id, registeredAt } = slot.after;
      slot.after = boundContact(id, registeredAt, update, command, now, seconds);
    }
  }
  if (!working.fit(policy.maxBindings, policy.overflow)) {
    return refuse({
      kind: 'too_many_bindings',
      limit: policy.maxBindings,
      retryAfterSeconds: secondsUntilRoom(current, now),
    });
  }
  return { outcome: registered(working.remaining()), changes: working.changes() };
}

/** What is granted: never more than asked, at most the maximum; `too_brief` by the one-hour rule; 0 removes. */
function grantedSeconds(requested: number | undefined, policy: RegisterPolicy): number | 'too_brief' {
  if (requested === undefined) return policy.defaultExpiresSeconds;
  if (requested > 0 && requested < ONE_HOUR_SECONDS && requested < policy.minExpiresSeconds) {
    return 'too_brief';
  }
  return Math.min(requested, policy.maxExpiresSeconds);
}

/**
 * Whether the request is older than what the binding shows, or a copy of it. With `fresh_nonce`, a nonce issued
 * after the binding's last update proves that the request was made later, whatever its CSeq says.
 */
function isLateCopy(binding: Binding, command: RegisterCommand, policy: RegisterPolicy): boolean {
  if (binding.callId !== command.callId || command.cseq > binding.cseq) return false;
  return !(policy.sequence === 'fresh_nonce' && command.nonceIssuedAt > binding.refreshedAt);
}

function boundContact(
  id: string,
  registeredAt: Instant,
  update: ContactUpdate,
  command: RegisterCommand,
  now: Instant,
  seconds: number,
): Binding {
  return {
    id,
    userId: command.userId,
    aor: command.aor,
    contact: update.contact,
    displayName: update.displayName,
    contactParams: update.contactParams,
    qThousandths: update.qThousandths,
    instanceId: update.instanceId,
    regId: update.regId,
    callId: command.callId,
    cseq: command.cseq,
    userAgent: command.userAgent,
    received: command.received,
    credentialId: command.credentialId,
    registeredAt,
    refreshedAt: now,
    expiresAt: now + seconds * 1000,
  };
}

/** One binding on its way through a REGISTER: what it was (absent when new) and what it becomes (absent when removed). */
interface Slot {
  readonly before: Binding | undefined;
  after: Binding | undefined;
  evicted: boolean;
}

class WorkingSet {
  private readonly slots: Slot[];

  constructor(current: readonly Binding[]) {
    this.slots = current.map((binding) => ({ before: binding, after: binding, evicted: false }));
  }

  /**
   * The bindings that the contact means, best first. URI equality is not transitive (§19.1.4), so several may
   * match: the one with the very same bytes comes first, then the youngest. A refresh changes the first; a
   * removal takes them all.
   */
  matching(update: ContactUpdate): readonly Slot[] {
    const found = this.slots.filter(
      (slot) => slot.after !== undefined && sameContact(slot.after.contact, update),
    );
    if (found.length > 1) {
      found.sort(
        (a, b) =>
          Number(b.after?.contact === update.contact) - Number(a.after?.contact === update.contact) ||
          (b.after?.refreshedAt ?? 0) - (a.after?.refreshedAt ?? 0),
      );
    }
    return found;
  }

  add(binding: Binding): void {
    this.slots.push({ before: undefined, after: binding, evicted: false });
  }

  remaining(): Binding[] {
    return this.slots.flatMap((slot) => (slot.after === undefined ? [] : [slot.after]));
  }

  /**
   * Brings the set back within `limit` after additions. A set that did not grow is left alone, so that lowering
   * a limit never locks out phones that are already bound. Only bindings the request did not touch may be
   * evicted, oldest refresh first. False when that is not enough, or the policy is to reject.
   */
  fit(limit: number, overflow: RegisterPolicy['overflow']): boolean {
    const live = this.slots.filter((slot) => slot.after !== undefined);
    const grew = live.length > this.slots.filter((slot) => slot.before !== undefined).length;
    const excess = live.length - limit;
    if (excess <= 0 || !grew) return true;
    if (overflow === 'reject') return false;
    const untouched = live
      .filter((slot) => slot.after === slot.before)
      .sort((a, b) => (a.before?.refreshedAt ?? 0) - (b.before?.refreshedAt ?? 0));
    if (untouched.length < excess) return false;
    for (const slot of untouched.slice(0, excess)) {
      slot.after = undefined;
      slot.evicted = true;
    }
    return true;
  }

  changes(): readonly BindingChange[] {
    const changes: BindingChange[] = [];
    for (const { before, after, evicted } of this.slots) {
      if (before === after) continue;
      if (before === undefined) {
        if (after !== undefined) changes.push({ kind: 'created', binding: after });
      } else if (after === undefined) {
        changes.push({ kind: 'removed', binding: before, cause: evicted ? 'evicted' : 'unregistered' });
      } else {
        changes.push({
          kind: isPlainRefresh(before, after) ? 'refreshed' : 'updated',
          before,
          binding: after,
        });
      }
    }
    return changes;
  }
}

function sameContact(stored: string, update: ContactUpdate): boolean {
  if (stored === update.contact) return true;
  const uri = parseUri(stored);
  return !isParseError(uri) && sameUri(uri, update.uri);
}

/** Whether nothing but time and sequence moved: the refresh that happens by the thousand and interests nobody. */
function isPlainRefresh(before: Binding, after: Binding): boolean {
  return (
    before.contact === after.contact &&
    before.contactParams === after.contactParams &&
    before.userAgent === after.userAgent &&
    before.credentialId === after.credentialId &&
    before.received.ip === after.received.ip &&
    before.received.port === after.received.port &&
    before.received.transport === after.received.transport
  );
}

function secondsUntilRoom(current: readonly Binding[], now: Instant): number {
  let earliest = Number.POSITIVE_INFINITY;
  for (const binding of current) earliest = Math.min(earliest, binding.expiresAt);
  const seconds = Math.ceil((earliest - now) / 1000);
  return Math.min(Math.max(seconds, 1), MAX_RETRY_AFTER_SECONDS);
}

function registered(bindings: Binding[]): RegisterOutcome {
  return { kind: 'registered', bindings: bindings.sort(byPreference) };
}

function refuse(outcome: RegisterOutcome): Decision<RegisterOutcome> {
  return { outcome, changes: [] };
}
