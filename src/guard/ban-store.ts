import type { Instant } from '../base/clock.js';
import type { Ban } from './ban.js';

/**
 * Where bans by operators outlive the process. Each write is on disk when its promise resolves, and rejects with
 * StoreOverloaded or StoreFailed when the store can't take it.
 */
export interface BanStore {
  /** All that have not ended by then; read once, at start. */
  loadBans(now: Instant): readonly Ban[];
  insertBan(ban: Ban): Promise<void>;
  deleteBan(id: string): Promise<void>;
  /** Deletes those that have ended; returns how many. */
  deleteExpiredBans(now: Instant): Promise<number>;
}
