import type { Instant } from '../../base/clock.js';
import type { Page, PageRequest } from '../../base/page.js';
import { parseAddressOfRecord } from '../../location/address-of-record.js';
import type { Binding, BindingSortField } from '../../location/binding.js';
import type { AorState, BindingChange, Decision } from '../../location/decision.js';
import type {
  Deregistration,
  DeregistrationEffects,
  DeregistrationFilter,
  DeregistrationMode,
} from '../../location/deregistration.js';
import type { BindingQuery, LocationStore, Owner, SweepStep } from '../../location/location-store.js';
import { networkRange } from './address-key.js';
import { type BindingRow, type BindingRows, toBinding } from './binding-rows.js';
import { CallScriptRows } from './call-script-rows.js';
import { fromJson, toFlag } from './columns.js';
import type { Db } from './database.js';
import type { GroupCommit } from './group-commit.js';
import { Conditions, Lister } from './keyset.js';

interface DeregistrationRow {
  readonly id: string;
  readonly state: string;
  readonly mode: string;
  readonly filter: string;
  readonly reason: string | null;
  readonly block_seconds: number | null;
  readonly blocked_until: number | null;
  readonly close_flows: number;
  readonly matched: number;
  readonly removed: number;
  readonly effects: string;
  readonly sample: string;
  readonly created_by: string;
  readonly created_at: number;
  readonly completed_at: number | null;
}

/** Bindings and deregistrations in SQLite. */
export class SqliteLocationStore implements LocationStore {
  private readonly lister: Lister;
  private readonly statements;
  private readonly callScripts: CallScriptRows;

  constructor(
    db: Db,
    private readonly commit: GroupCommit,
    private readonly rows: BindingRows,
  ) {
    this.lister = new Lister(db);
    this.statements = prepareStatements(db);
    this.callScripts = new CallScriptRows(db);
  }

  onChanges(listener: (changes: readonly BindingChange[]) => void): void {
    this.commit.onBindingChanges(listener);
  }

  update<Outcome>(
    owner: Owner,
    now: Instant,
    decide: (state: AorState) => Decision<Outcome>,
  ): Promise<Outcome> {
    return this.commit.run((announce) => {
      const decision = decide(this.rows.read(owner.userId, now));
      this.rows.apply(decision.changes, announce);
      if (decision.blockUntil !== undefined) this.rows.block(owner.userId, decision.blockUntil);
      if (decision.callScript !== undefined) this.callScripts.save(owner.userId, decision.callScript, now);
      return decision.outcome;
    });
  }

  async getBinding(id: string, now: Instant): Promise<Binding | undefined> {
    const row = this.statements.binding.get(id, now) as BindingRow | undefined;
    return row === undefined ? undefined : toBinding(row);
  }

  async listBindings(query: BindingQuery, page: PageRequest<BindingSortField>): Promise<Page<Binding>> {
    return this.lister.page(
      {
        select: 'SELECT b.* FROM bindings b',
        count: 'SELECT count(*) FROM bindings b',
        where: conditionsOf(query),
        sortColumns: {
          registered_at: 'b.registered_at',
          refreshed_at: 'b.refreshed_at',
          expires_at: 'b.expires_at',
          aor: "b.username || '@' || b.domain",
        },
        idColumn: 'b.id',
      },
      page,
      toBinding,
    );
  }

  async countBindings(query: BindingQuery): Promise<number> {
    return this.lister.count({ count: 'SELECT count(*) FROM bindings b', where: conditionsOf(query) });
  }

  /** Current bindings in all; for the gauge. */
  countCurrent(now: Instant): number {
    return this.statements.countCurrent.get(now) as number;
  }

  async countOnFlow(flowId: string, now: Instant): Promise<number> {
    return this.statements.countOnFlow.get(flowId, now) as number;
  }

  async ownerOf(by: { readonly userId: string } | { readonly aor: string }): Promise<Owner | undefined> {
    const aor = 'aor' in by ? parseAddressOfRecord(by.aor) : undefined;
    const row = (
      'userId' in by
        ? this.statements.ownerById.get(by.userId)
        : this.statements.ownerByName.get(aor?.domain ?? '', aor?.user ?? '')
    ) as { id: string; username: string; domain: string } | undefined;
    if (row === undefined) return undefined;
    return { userId: row.id, aor: { user: row.username, domain: row.domain } };
  }

  sweep(now: Instant, limit: number): Promise<SweepStep> {
    return this.commit.run((announce) => this.rows.sweep(now, limit, announce));
  }

  saveDeregistration(deregistration: Deregistration): Promise<void> {
    return this.commit.run(() => {
      this.statements.saveDeregistration.run({
        id: deregistration.id,
        state: deregistration.state,
        mode: deregistration.mode,
        filter: JSON.stringify(deregistration.filter),
        reason: deregistration.reason,
        block_seconds: deregistration.blockSeconds,
        blocked_until: deregistration.blockedUntil,
        close_flows: toFlag(deregistration.closeFlows),
        matched: deregistration.matched,
        removed: deregistration.removed,
        effects: JSON.stringify(deregistration.effects),
        sample: JSON.stringify(deregistration.sample),
        created_by: deregistration.createdBy,
        created_at: deregistration.createdAt,
        completed_at: deregistration.completedAt,
      });
    });
  }

  async getDeregistration(id: string): Promise<Deregistration | undefined> {
    const row = this.statements.deregistration.get(id) as DeregistrationRow | undefined;
    return row === undefined ? undefined : toDeregistration(row);
  }

  async listDeregistrations(page: PageRequest<'created_at'>): Promise<Page<Deregistration>> {
    return this.lister.page(
      {
        select: 'SELECT d.* FROM deregistrations d',
        count: 'SELECT count(*) FROM deregistrations d',
        where: new Conditions(),
        sortColumns: { created_at: 'd.created_at' },
        idColumn: 'd.id',
      },
      page,
      toDeregistration,
    );
  }

  async runningDeregistrations(): Promise<readonly Deregistration[]> {
    return (this.statements.running.all() as DeregistrationRow[]).map(toDeregistration);
  }
}

function prepareStatements(db: Db) {
  return {
    binding: db.prepare('SELECT * FROM bindings WHERE id = ? AND expires_at > ?'),
    countCurrent: db.prepare('SELECT count(*) FROM bindings WHERE expires_at > ?').pluck(),
    countOnFlow: db.prepare('SELECT count(*) FROM bindings WHERE flow_id = ? AND expires_at > ?').pluck(),
    ownerById: db.prepare('SELECT id, username, domain FROM users WHERE id = ?'),
    ownerByName: db.prepare('SELECT id, username, domain FROM users WHERE domain = ? AND username = ?'),
    saveDeregistration: db.prepare(
      `INSERT INTO deregistrations (id, state, mode, filter, reason, block_seconds, blocked_until, close_flows,
         matched, removed, effects, sample, created_by, created_at, completed_at)
       VALUES (:id, :state, :mode, :filter, :reason, :block_seconds, :blocked_until, :close_flows,
         :matched, :removed, :effects, :sample, :created_by, :created_at, :completed_at)
       ON CONFLICT (id) DO UPDATE SET state = excluded.state, removed = excluded.removed,
         effects = excluded.effects, completed_at = excluded.completed_at`,
    ),
    deregistration: db.prepare('SELECT * FROM deregistrations WHERE id = ?'),
    running: db.prepare(`SELECT * FROM deregistrations WHERE state = 'running' ORDER BY created_at, id`),
  };
}

function conditionsOf({ filter, now, registeredUpTo }: BindingQuery): Conditions {
  const where = new Conditions()
    .add('b.expires_at > ?', now)
    .add('b.registered_at <= ?', registeredUpTo)
    .add('b.id = ?', filter.bindingId)
    .add('b.domain = ?', filter.domain)
    .among('b.domain', filter.confinedTo)
    .add('b.user_id = ?', filter.userId)
    .add('b.transport = ?', filter.transport)
    .prefix('b.user_agent', filter.userAgentPrefix)
    .add('b.instance_id = ?', filter.instanceId)
    .add('b.credential_id = ?', filter.credentialId)
    .add('b.expires_at < ?', filter.expiresBefore)
    .add('b.registered_at > ?', filter.registeredAfter);
  if (filter.aor !== undefined) {
    const aor = parseAddressOfRecord(filter.aor);
    where.add('b.domain = ?', aor?.domain ?? '').add('b.username = ?', aor?.user ?? '');
  }
  if (filter.sourceIp !== undefined) {
    const range = networkRange(filter.sourceIp);
    // What is no network holds no address, not even one that could not be read.
    where.add('b.received_key BETWEEN ? AND ?', range?.first ?? 'none', range?.last ?? '');
  }
  return where;
}

function toDeregistration(row: DeregistrationRow): Deregistration {
  return {
    id: row.id,
    state: row.state as Deregistration['state'],
    mode: row.mode as DeregistrationMode,
    filter: fromJson<DeregistrationFilter>(row.filter),
    reason: row.reason,
    blockSeconds: row.block_seconds,
    blockedUntil: row.blocked_until,
    closeFlows: row.close_flows === 1,
    matched: row.matched,
    removed: row.removed,
    effects: fromJson<DeregistrationEffects>(row.effects),
    sample: fromJson<string[]>(row.sample),
    createdBy: row.created_by,
    createdAt: row.created_at,
    completedAt: row.completed_at,
  };
}
