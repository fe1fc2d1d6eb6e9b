import type { StoredCallScript } from '../../accounts/call-script.js';
import type { Instant } from '../../base/clock.js';
import type { Db } from './database.js';

/** The rows of the call_scripts table; they go with their users. */
export class CallScriptRows {
  private readonly statements;

  constructor(db: Db) {
    this.statements = {
      select: db.prepare('SELECT script, updated_at FROM call_scripts WHERE user_id = ?'),
      save: db.prepare(
        `INSERT INTO call_scripts (user_id, script, updated_at) VALUES (?, ?, ?)
         ON CONFLICT (user_id) DO UPDATE SET script = excluded.script, updated_at = excluded.updated_at`,
      ),
      remove: db.prepare('DELETE FROM call_scripts WHERE user_id = ?'),
    };
  }

  read(userId: string): StoredCallScript | undefined {
    const row = this.statements.select.get(userId) as { script: string; updated_at: number } | undefined;
    return row === undefined ? undefined : { text: row.script, updatedAt: row.updated_at };
  }

  save(userId: string, text: string, now: Instant): void {
    this.statements.save.run(userId, text, now);
  }

  remove(userId: string): void {
    this.statements.remove.run(userId);
  }
}
