import type { Instant } from '../../base/clock.js';
import type { Binding, TransportName } from '../../location/binding.js';
import type { AorState, BindingChange, RemovalCause } from '../../location/decision.js';
import type { SweepStep } from '../../location/location-store.js';
import { addressKey } from './address-key.js';
import { AorView, type ViewedAor } from './aor-view.js';
import type { Db } from './database.js';
import type { Announcements } from './group-commit.js';

export interface BindingRow {
  readonly seq: number;
  readonly id: string;
  readonly user_id: string;
  readonly domain: string;
  readonly username: string;
  readonly contact: string;
  readonly display_name: string;
  readonly contact_params: string;
  readonly q_thousandths: number | null;
  readonly instance_id: string | null;
  readonly reg_id: number | null;
  readonly call_id: string;
  readonly cseq: number;
  readonly user_agent: string | null;
  readonly transport: string;
  readonly received_ip: string;
  readonly received_port: number;
  readonly flow_id: string | null;
  readonly credential_id: string | null;
  readonly registered_at: number;
  readonly refreshed_at: number;
  readonly expires_at: number;
}

/** The rows of the bindings table: read, changed, removed, always within a unit of the group commit. */
export class BindingRows {
  private readonly view = new AorView();
  private readonly statements;

  constructor(db: Db) {
    this.statements = prepareStatements(db);
  }

  read(userId: string, now: Instant): AorState {
    const aor = this.view.get(userId) ?? this.load(userId);
    if (aor === undefined) return { standing: { kind: 'missing' }, bindings: [] };
    const { blockedUntil, rows } = aor;
    const bindings: Binding[] = [];
    for (const { binding } of rows) if (binding.expiresAt > now) bindings.push(binding);
    return {
      standing:
        blockedUntil !== null && blockedUntil > now
          ? { kind: 'blocked', until: blockedUntil }
          : { kind: 'open' },
      bindings,
    };
  }

  /** Forgets what was read of a user's bindings: the user is going, or coming. */
  forget(userId: string): void {
    this.view.forget(userId);
  }

  /** Forgets everything read: a transaction was undone, or took many users at once. */
  forgetAll(): void {
    this.view.forgetAll();
  }

  private load(userId: string): ViewedAor | undefined {
    // As arrays, not objects: naming 23 columns costs as much as finding them.
    const rows = this.statements.aor.all(userId) as AorTuple[];
    const first = rows[0];
    if (first === undefined) return undefined;
    const aor: ViewedAor = {
      blockedUntil: first[0],
      // The owner's row comes alone, with an empty binding, when there is none.
      rows: first[1] === null ? [] : rows.map((row) => ({ seq: row[22] ?? 0, binding: fromTuple(row) })),
    };
    this.view.set(userId, aor);
    return aor;
  }

  /** Writes changes and notes them for the listeners. */
  apply(changes: readonly BindingChange[], announce: Announcements): void {
    for (const change of changes) {
      const { binding } = change;
      if (change.kind !== 'refreshed') this.view.forget(binding.userId);
      switch (change.kind) {
        case 'created':
          this.statements.insert.run(
            binding.id,
            binding.userId,
            binding.aor.domain,
            binding.aor.user,
            binding.contact,
            binding.displayName,
            binding.contactParams,
            binding.qThousandths,
            binding.instanceId,
            binding.regId,
            binding.callId,
            binding.cseq,
            binding.userAgent,
            binding.received.transport,
            binding.received.ip,
            addressKey(binding.received.ip),
            binding.received.port,
            binding.received.flowId,
            binding.credentialId,
            binding.registeredAt,
            binding.refreshedAt,
            binding.expiresAt,
            binding.expiresAt,
          );
          break;
        case 'refreshed':
          this.refresh(change.before, binding);
          this.sweepSoonEnough(change.before, binding);
          break;
        case 'updated':
          this.statements.update.run(
            binding.contact,
            binding.displayName,
            binding.contactParams,
            binding.qThousandths,
            binding.instanceId,
            binding.regId,
            binding.callId,
            binding.cseq,
            binding.userAgent,
            binding.received.transport,
            binding.received.ip,
            addressKey(binding.received.ip),
            binding.received.port,
            binding.received.flowId,
            binding.credentialId,
            binding.refreshedAt,
            binding.expiresAt,
            binding.id,
          );
          this.sweepSoonEnough(change.before, binding);
          if (change.before.credentialId !== binding.credentialId) {
            this.noteCredentialUse(change.before);
          }
          break;
        case 'removed':
          this.statements.remove.run(binding.id);
          this.noteLastRegistration(binding);
          this.noteCredentialUse(binding);
          break;
      }
      announce.bindings.push(change);
    }
  }

  block(userId: string, until: Instant): void {
    this.view.forget(userId);
    this.statements.block.run(until, userId);
  }

  /**
   * One step of the sweep: of the rows that are due to be looked at, at most `limit`, those whose time has passed
   * go and those refreshed since are looked at again when it will have. Returns how many were looked at, and of
   * them how many went.
   */
  sweep(now: Instant, limit: number, announce: Announcements): SweepStep {
    const due = this.statements.due.all(now, limit) as BindingRow[];
    const expired: BindingRow[] = [];
    for (const row of due) {
      if (row.expires_at <= now) expired.push(row);
      else this.statements.lookAgain.run(row.expires_at, row.seq);
    }
    this.remove(expired, () => 'expired', announce);
    return { looked: due.length, removed: expired.length };
  }

  removeOfUser(userId: string, cause: RemovalCause, now: Instant, announce: Announcements): number {
    return this.remove(
      this.statements.ofUser.all(userId) as BindingRow[],
      causeUnlessExpired(cause, now),
      announce,
    );
  }

  removeOfDomain(domain: string, cause: RemovalCause, now: Instant, announce: Announcements): number {
    return this.remove(
      this.statements.ofDomain.all(domain) as BindingRow[],
      causeUnlessExpired(cause, now),
      announce,
    );
  }

  removeOfCredential(
    credentialId: string,
    cause: RemovalCause,
    now: Instant,
    announce: Announcements,
  ): number {
    return this.remove(
      this.statements.ofCredential.all(credentialId) as BindingRow[],
      causeUnlessExpired(cause, now),
      announce,
    );
  }

  /** Removes rows; returns how many of them were still current. */
  private remove(
    rows: readonly BindingRow[],
    causeOf: (binding: Binding) => RemovalCause,
    announce: Announcements,
  ): number {
    const changes = rows.map((row) => {
      const binding = toBinding(row);
      return { kind: 'removed', binding, cause: causeOf(binding) } as const;
    });
    this.apply(changes, announce);
    return changes.filter(({ cause }) => cause !== 'expired').length;
  }

  private refresh(before: Binding, binding: Binding): void {
    const aor = this.view.get(binding.userId);
    const row = aor?.rows.find((each) => each.binding === before);
    const seq = row?.seq ?? (this.statements.seq.get(binding.id) as number);
    this.statements.refresh.run(
      binding.displayName,
      binding.callId,
      binding.cseq,
      binding.received.flowId,
      binding.refreshedAt,
      binding.expiresAt,
      seq,
    );
    if (aor === undefined || row === undefined) this.view.forget(binding.userId);
    else this.view.refresh(binding.userId, aor, { seq, binding: withTextsOf(before, binding) });
  }

  /** A row is looked at no later than it expires; only an interval cut short can break that. */
  private sweepSoonEnough(before: Binding, after: Binding): void {
    if (after.expiresAt < before.expiresAt) this.statements.sweepSooner.run(after.expiresAt, after.id);
  }

  private noteLastRegistration(binding: Binding): void {
    this.statements.lastRegistration.run(binding.refreshedAt, binding.userId, binding.refreshedAt);
  }

  private noteCredentialUse(binding: Binding): void {
    if (binding.credentialId === null) return;
    this.statements.credentialUse.run(binding.refreshedAt, binding.credentialId, binding.refreshedAt);
  }
}

/** A row that had expired before the operator came says so. */
function causeUnlessExpired(cause: RemovalCause, now: Instant): (binding: Binding) => RemovalCause {
  return (binding) => (binding.expiresAt <= now ? 'expired' : cause);
}

function prepareStatements(db: Db) {
  return {
    aor: db
      .prepare(
        `SELECT u.blocked_until, b.id, b.user_id, b.username, b.domain, b.contact, b.display_name,
           b.contact_params, b.q_thousandths, b.instance_id, b.reg_id, b.call_id, b.cseq, b.user_agent, b.transport,
           b.received_ip, b.received_port, b.flow_id, b.credential_id, b.registered_at, b.refreshed_at, b.expires_at,
           b.seq
         FROM users u LEFT JOIN bindings b ON b.user_id = u.id WHERE u.id = ?`,
      )
      .raw(),
    insert: db.prepare(
      `INSERT INTO bindings (id, user_id, domain, username, contact, display_name, contact_params, q_thousandths,
         instance_id, reg_id, call_id, cseq, user_agent, transport, received_ip, received_key, received_port,
         flow_id, credential_id, registered_at, refreshed_at, expires_at, sweep_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    refresh: db.prepare(
      `UPDATE bindings SET display_name = ?, call_id = ?, cseq = ?, flow_id = ?, refreshed_at = ?, expires_at = ?
       WHERE seq = ?`,
    ),
    seq: db.prepare('SELECT seq FROM bindings WHERE id = ?').pluck(),
    update: db.prepare(
      `UPDATE bindings SET contact = ?, display_name = ?, contact_params = ?, q_thousandths = ?, instance_id = ?,
         reg_id = ?, call_id = ?, cseq = ?, user_agent = ?, transport = ?, received_ip = ?, received_key = ?,
         received_port = ?, flow_id = ?, credential_id = ?, refreshed_at = ?, expires_at = ? WHERE id = ?`,
    ),
    remove: db.prepare('DELETE FROM bindings WHERE id = ?'),
    block: db.prepare('UPDATE users SET blocked_until = max(coalesce(blocked_until, 0), ?) WHERE id = ?'),
    due: db.prepare('SELECT * FROM bindings WHERE sweep_at <= ? ORDER BY sweep_at LIMIT ?'),
    sweepSooner: db.prepare('UPDATE bindings SET sweep_at = min(sweep_at, ?) WHERE id = ?'),
    lookAgain: db.prepare('UPDATE bindings SET sweep_at = ? WHERE seq = ?'),
    ofUser: db.prepare('SELECT * FROM bindings WHERE user_id = ?'),
    ofDomain: db.prepare('SELECT * FROM bindings WHERE domain = ?'),
    ofCredential: db.prepare('SELECT * FROM bindings WHERE credential_id = ?'),
    lastRegistration: db.prepare(
      'UPDATE users SET last_registered_at = ? WHERE id = ? AND coalesce(last_registered_at, 0) < ?',
    ),
    credentialUse: db.prepare(
      'UPDATE credentials SET last_used_at = ? WHERE id = ? AND coalesce(last_used_at, 0) < ?',
    ),
  };
}

/** The columns of the read above, in its order. */
type AorTuple = readonly [
  blockedUntil: number | null,
  id: string | null,
  userId: string,
  username: string,
  domain: string,
  contact: string,
  displayName: string,
  contactParams: string,
  qThousandths: number | null,
  instanceId: string | null,
  regId: number | null,
  callId: string,
  cseq: number,
  userAgent: string | null,
  transport: string,
  receivedIp: string,
  receivedPort: number,
  flowId: string | null,
  credentialId: string | null,
  registeredAt: number,
  refreshedAt: number,
  expiresAt: number,
  seq: number | null,
];

function fromTuple(row: AorTuple): Binding {
  return {
    id: row[1] ?? '',
    userId: row[2],
    aor: { user: row[3], domain: row[4] },
    contact: row[5],
    displayName: row[6],
    contactParams: row[7],
    qThousandths: row[8],
    instanceId: row[9],
    regId: row[10],
    callId: row[11],
    cseq: row[12],
    userAgent: row[13],
    received: { transport: row[14] as TransportName, ip: row[15], port: row[16], flowId: row[17] },
    credentialId: row[18],
    registeredAt: row[19],
    refreshedAt: row[20],
    expiresAt: row[21],
  };
}

/**
 * The refreshed binding with the texts of the one before where they are the same. Texts of a message are slices that
 * keep the whole message in memory; those that were read from the database stand by themselves.
 */
function withTextsOf(before: Binding, after: Binding): Binding {
  return {
    ...after,
    aor: before.aor,
    contact: before.contact,
    displayName: after.displayName === before.displayName ? before.displayName : detached(after.displayName),
    contactParams: before.contactParams,
    instanceId: before.instanceId,
    callId: after.callId === before.callId ? before.callId : detached(after.callId),
    userAgent: before.userAgent,
    userId: before.userId,
    credentialId: before.credentialId,
  };
}

/** The text with octets of its own. */
function detached(octets: string): string {
  return Buffer.from(octets, 'latin1').toString('latin1');
}

export function toBinding(row: BindingRow): Binding {
  return {
    id: row.id,
    userId: row.user_id,
    aor: { user: row.username, domain: row.domain },
    contact: row.contact,
    displayName: row.display_name,
    contactParams: row.contact_params,
    qThousandths: row.q_thousandths,
    instanceId: row.instance_id,
    regId: row.reg_id,
    callId: row.call_id,
    cseq: row.cseq,
    userAgent: row.user_agent,
    received: {
      transport: row.transport as TransportName,
      ip: row.received_ip,
      port: row.received_port,
      flowId: row.flow_id,
    },
    credentialId: row.credential_id,
    registeredAt: row.registered_at,
    refreshedAt: row.refreshed_at,
    expiresAt: row.expires_at,
  };
}
