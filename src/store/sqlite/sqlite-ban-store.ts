import type { Instant } from '../../base/clock.js';
import type { Ban } from '../../guard/ban.js';
import type { BanStore } from '../../guard/ban-store.js';
import { parseNetwork, printNetwork } from '../../guard/network.js';
import type { Db } from './database.js';
import type { GroupCommit } from './group-commit.js';

interface BanRow {
  readonly id: string;
  readonly network: string;
  readonly domain: string | null;
  readonly username: string | null;
  readonly reason: string | null;
  readonly created_at: number;
  readonly expires_at: number;
  readonly created_by: string | null;
}

/** Bans by operators in SQLite. */
export class SqliteBanStore implements BanStore {
  private readonly statements;

  constructor(
    db: Db,
    private readonly commit: GroupCommit,
  ) {
    this.statements = {
      load: db.prepare('SELECT * FROM bans WHERE expires_at > ? ORDER BY id'),
      insert: db.prepare(
        `INSERT INTO bans (id, network, domain, username, reason, created_at, expires_at, created_by)
         VALUES (:id, :network, :domain, :username, :reason, :created_at, :expires_at, :created_by)`,
      ),
      delete: db.prepare('DELETE FROM bans WHERE id = ?'),
      deleteExpired: db.prepare('DELETE FROM bans WHERE expires_at <= ?'),
    };
  }

  loadBans(now: Instant): readonly Ban[] {
    return (this.statements.load.all(now) as BanRow[]).flatMap((row) => toBan(row) ?? []);
  }

  insertBan(ban: Ban): Promise<void> {
    return this.commit.run(() => {
      this.statements.insert.run({
        id: ban.id,
        network: printNetwork(ban.network),
        domain: ban.domain,
        username: ban.username,
        reason: ban.reason,
        created_at: ban.createdAt,
        expires_at: ban.expiresAt,
        created_by: ban.createdBy,
      });
    });
  }

  deleteBan(id: string): Promise<void> {
    return this.commit.run(() => {
      this.statements.delete.run(id);
    });
  }

  deleteExpiredBans(now: Instant): Promise<number> {
    return this.commit.run(() => this.statements.deleteExpired.run(now).changes);
  }
}

function toBan(row: BanRow): Ban | undefined {
  const network = parseNetwork(row.network);
  if (network === undefined) return undefined;
  return {
    id: row.id,
    kind: 'manual',
    network,
    domain: row.domain,
    username: row.username,
    reason: row.reason,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    createdBy: row.created_by,
  };
}
