import type { Clock, Instant } from '../base/clock.js';
import type { Log } from '../base/log.js';
import type { Page, PageRequest } from '../base/page.js';
import { newId } from '../base/random.js';
import { Refusal } from '../base/refusal.js';
import { type AddressOfRecord, printAddressOfRecord } from './address-of-record.js';
import type { Binding, BindingFilter, BindingSortField } from './binding.js';
import { byPreference } from './binding-order.js';
import {
  BACKGROUND_THRESHOLD,
  type Deregistration,
  type DeregistrationFilter,
  type DeregistrationPreview,
  type DeregistrationRefusalCode,
  type DeregistrationRequest,
  SAMPLE_SIZE,
} from './deregistration.js';
import type { Location } from './location.js';
import type { BindingQuery, FlowControl, LocationStore, Owner } from './location-store.js';
import {
  decideRegister,
  type RegisterCommand,
  type RegisterOutcome,
  type RegisterPolicy,
} from './register.js';
import { decideRemove } from './remove.js';

/** How many bindings one step of a deregistration takes, so that REGISTERs run between steps. */
const STEP_SIZE = 200;
/** How many rows one step of the expiry sweep looks at. */
const SWEEP_SIZE = 200;

export type DeregistrationResult =
  | { readonly kind: 'previewed'; readonly preview: DeregistrationPreview }
  /** Done, or running in the background when `state` says so. */
  | { readonly kind: 'started'; readonly deregistration: Deregistration }
  | Refusal<DeregistrationRefusalCode>;

/**
 * Where users are (RFC 3261 §10.1): the one place that changes or reads bindings. Both faces, SIP and HTTP,
 * come through here. Every change is on disk when its promise resolves.
 */
export class LocationService {
  private closing = false;
  private readonly background = new Set<Promise<void>>();

  constructor(
    private readonly store: LocationStore,
    private readonly flows: FlowControl,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  /** Carries out one authenticated REGISTER. */
  register(command: RegisterCommand, policy: RegisterPolicy): Promise<RegisterOutcome> {
    const now = this.clock.now();
    return this.store.update(command, now, (state) =>
      decideRegister(state, command, policy, now, () => newId('bnd', now)),
    );
  }

  getBinding(id: string): Promise<Binding | undefined> {
    return this.store.getBinding(id, this.clock.now());
  }

  listBindings(filter: BindingFilter, page: PageRequest<BindingSortField>): Promise<Page<Binding>> {
    return this.store.listBindings({ filter, now: this.clock.now() }, page);
  }

  /** Where a user is now; an empty list when nowhere. Never writes. */
  async locate(aor: AddressOfRecord): Promise<Location> {
    const query: BindingQuery = { filter: { aor: printAddressOfRecord(aor) }, now: this.clock.now() };
    const page = await this.store.listBindings(query, {
      limit: MAX_CONTACTS_OF_A_LOCATION,
      sort: 'registered_at',
      descending: true,
      includeTotal: false,
    });
    return { aor, contacts: [...page.items].sort(byPreference) };
  }

  /**
   * Forced deregistration (REST.md §5): removes what the filter matches, blocks the users concerned when asked,
   * closes connections that carry no other binding, and reports what happened. More than BACKGROUND_THRESHOLD
   * matches run in the background; a restart resumes them.
   */
  async deregister(request: DeregistrationRequest): Promise<DeregistrationResult> {
    const { filter } = request;
    if (filter.all !== true && !narrows(filter)) {
      return new Refusal(
        'filter_required',
        'The filter matches everything; say {"all": true} if that is meant.',
        '/filter',
      );
    }
    const now = this.clock.now();
    const named = await this.namedOwner(filter);
    if (named instanceof Refusal) return named;
    const query: BindingQuery = { filter, now, registeredUpTo: now };
    const matched = await this.store.countBindings(query);
    if (filter.bindingId !== undefined && matched === 0) {
      return new Refusal('binding_not_found', `There is no binding ${filter.bindingId}.`);
    }
    if (request.expectedCount !== undefined && request.expectedCount !== matched) {
      return new Refusal(
        'expected_count_mismatch',
        `${matched} bindings match, ${request.expectedCount} were expected; nothing was removed.`,
        '/expected_count',
      );
    }
    const sample = await this.sample(query);
    if (request.dryRun) return { kind: 'previewed', preview: { matched, sample } };

    const begun: Deregistration = {
      id: newId('drg', now),
      state: 'running',
      mode: request.mode,
      filter,
      reason: request.reason,
      blockSeconds: request.blockSeconds,
      blockedUntil: request.blockSeconds === null ? null : now + request.blockSeconds * 1000,
      closeFlows: request.closeFlows,
      matched,
      removed: 0,
      effects: { usersBlocked: 0, flowsClosed: 0, flowsKeptShared: 0 },
      sample,
      createdBy: request.createdBy,
      createdAt: now,
      completedAt: null,
    };
    await this.store.saveDeregistration(begun);
    if (matched <= BACKGROUND_THRESHOLD) {
      return { kind: 'started', deregistration: await this.carryOut(begun, named) };
    }
    this.inBackground(this.carryOut(begun, named));
    return { kind: 'started', deregistration: begun };
  }

  getDeregistration(id: string): Promise<Deregistration | undefined> {
    return this.store.getDeregistration(id);
  }

  listDeregistrations(page: PageRequest<'created_at'>): Promise<Page<Deregistration>> {
    return this.store.listDeregistrations(page);
  }

  /** Takes up the deregistrations that a restart interrupted. Call once, after start. */
  async resumeDeregistrations(): Promise<number> {
    const interrupted = await this.store.runningDeregistrations();
    for (const deregistration of interrupted) {
      const named = await this.namedOwner(deregistration.filter);
      this.inBackground(this.carryOut(deregistration, named instanceof Refusal ? undefined : named));
    }
    return interrupted.length;
  }

  /** One sweep: removes all rows whose time has passed, in steps. Returns how many went. */
  async removeExpired(): Promise<number> {
    let removed = 0;
    for (;;) {
      const step = await this.store.sweep(this.clock.now(), SWEEP_SIZE);
      removed += step.removed;
      if (step.looked < SWEEP_SIZE || this.closing) return removed;
    }
  }

  /** Lets background work reach its next step and stop there; a later start resumes it. */
  async close(): Promise<void> {
    this.closing = true;
    await Promise.allSettled(this.background);
  }

  private async carryOut(begun: Deregistration, named: Owner | undefined): Promise<Deregistration> {
    let removed = begun.removed;
    const effects = { ...begun.effects };
    const blockedUsers = new Set<string>();
    const flows = { seen: new Set<string>(), shared: new Set<string>() };
    const registeredUpTo = begun.createdAt;
    const blockUntil = begun.blockedUntil ?? undefined;
    // A user named by the filter is blocked also when no phone of theirs is registered just now.
    let toBlock = blockUntil === undefined || effects.usersBlocked > 0 ? undefined : named;

    for (;;) {
      const owners = await this.ownersOfMatches(begun, registeredUpTo);
      if (toBlock !== undefined && !owners.has(toBlock.userId)) {
        owners.set(toBlock.userId, { owner: toBlock, bindingIds: new Set() });
      }
      toBlock = undefined;
      if (owners.size === 0) break;
      const outcomes = await Promise.all(
        [...owners.values()].map(({ owner, bindingIds }) =>
          this.store.update(owner, this.clock.now(), (state) =>
            decideRemove(state, { bindingIds, registeredUpTo, blockUntil }),
          ),
        ),
      );
      for (const [index, userId] of [...owners.keys()].entries()) {
        const outcome = outcomes[index];
        if (outcome === undefined) continue;
        removed += outcome.removed.length;
        if (outcome.blocked) blockedUsers.add(userId);
        for (const { received } of outcome.removed) {
          if (received.flowId !== null) flows.seen.add(received.flowId);
        }
      }
      if (begun.closeFlows) effects.flowsClosed += await this.closeFlows(flows);
      flows.seen.clear();
      // What an earlier life of the process did stays counted.
      effects.usersBlocked = begun.effects.usersBlocked + blockedUsers.size;
      effects.flowsKeptShared = begun.effects.flowsKeptShared + flows.shared.size;
      const progress: Deregistration = { ...begun, removed, effects: { ...effects } };
      if (owners.size > 1 || this.closing) await this.store.saveDeregistration(progress);
      if (this.closing) return progress;
    }
    const completed: Deregistration = {
      ...begun,
      state: 'completed',
      removed,
      effects,
      completedAt: this.clock.now(),
    };
    await this.store.saveDeregistration(completed);
    return completed;
  }

  private async ownersOfMatches(
    begun: Deregistration,
    registeredUpTo: Instant,
  ): Promise<Map<string, { owner: Owner; bindingIds: Set<string> }>> {
    const page = await this.store.listBindings(
      { filter: begun.filter, now: this.clock.now(), registeredUpTo },
      { limit: STEP_SIZE, sort: 'registered_at', descending: false, includeTotal: false },
    );
    const owners = new Map<string, { owner: Owner; bindingIds: Set<string> }>();
    for (const binding of page.items) {
      const entry = owners.get(binding.userId);
      if (entry === undefined) {
        owners.set(binding.userId, { owner: binding, bindingIds: new Set([binding.id]) });
      } else {
        entry.bindingIds.add(binding.id);
      }
    }
    return owners;
  }

  /** Closes those of the flows seen that carry nothing any more, and keeps account of the others in `shared`. */
  private async closeFlows(flows: {
    readonly seen: ReadonlySet<string>;
    readonly shared: Set<string>;
  }): Promise<number> {
    let closed = 0;
    for (const flowId of flows.seen) {
      if ((await this.store.countOnFlow(flowId, this.clock.now())) > 0) {
        flows.shared.add(flowId);
        continue;
      }
      // What an earlier step left open for bindings that have gone since is shared no longer.
      flows.shared.delete(flowId);
      if (this.flows.close(flowId)) closed++;
    }
    return closed;
  }

  private async namedOwner(
    filter: DeregistrationFilter,
  ): Promise<Owner | undefined | Refusal<DeregistrationRefusalCode>> {
    const { userId, aor } = filter;
    if (userId === undefined && aor === undefined) return undefined;
    const owner = await this.store.ownerOf(userId !== undefined ? { userId } : { aor: aor ?? '' });
    // Mode block reaches the owner without a binding, so the rest of the filter must hold for them here.
    const isMeant =
      owner !== undefined &&
      (filter.confinedTo?.includes(owner.aor.domain) ?? true) &&
      (filter.domain === undefined || filter.domain === owner.aor.domain) &&
      (aor === undefined || (await this.store.ownerOf({ aor }))?.userId === owner.userId);
    if (isMeant) return owner;
    return new Refusal('user_not_found', 'The filter names a user who does not exist.', '/filter');
  }

  private async sample(query: BindingQuery): Promise<readonly string[]> {
    const page = await this.store.listBindings(query, {
      limit: SAMPLE_SIZE,
      sort: 'registered_at',
      descending: false,
      includeTotal: false,
    });
    return page.items.map((binding) => binding.id);
  }

  private inBackground(work: Promise<unknown>): void {
    const settled = work.then(
      () => undefined,
      // It stays `running` on disk; the next start takes it up again.
      (error: unknown) => this.log.error({ event: 'deregistration.interrupted', err: error }),
    );
    this.background.add(settled);
    void settled.then(() => this.background.delete(settled));
  }
}

/** More contacts than any binding limit allows. */
const MAX_CONTACTS_OF_A_LOCATION = 1_000;

function narrows(filter: DeregistrationFilter): boolean {
  const { confinedTo: _, all: __, ...conditions } = filter;
  return Object.values(conditions).some((condition) => condition !== undefined && condition !== '');
}
