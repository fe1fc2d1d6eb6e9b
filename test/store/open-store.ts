import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { AccountService } from '../../src/accounts/account-service.js';
import type { DomainSettings } from '../../src/accounts/domain.js';
import { SecretSeal } from '../../src/accounts/secret-seal.js';
import type { User, UserSettings } from '../../src/accounts/user.js';
import { ha1OfText } from '../../src/auth/digest.js';
import { createLog } from '../../src/base/log.js';
import { isRefusal } from '../../src/base/refusal.js';
import { openSqliteStore, type SqliteOptions, type SqliteStore } from '../../src/store/sqlite/sqlite.js';
import { VirtualClock } from '../support/virtual-clock.js';

/* A real SQLite file in a folder of its own, closed and removed when the test is over. */

export const MASTER_KEY = Buffer.alloc(32, 7);
export const PASSWORD = 'Zx81-open-Sesame';

export function tempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sip-registrar-store-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface OpenedStore {
  readonly store: SqliteStore;
  readonly path: string;
  readonly clock: VirtualClock;
  /** Closes and opens the same file again; the one handed out before is of no use then. */
  reopen(): Promise<SqliteStore>;
}

export function openStore(options: Partial<SqliteOptions> = {}): OpenedStore {
  const clock = new VirtualClock();
  const path = options.path ?? join(tempFolder(), 'registrar.db');
  const settings = { path, clock, log: createLog('silent'), maxQueued: 10_000, ...options };
  const opened = { store: openSqliteStore(settings) };
  onTestFinished(() => opened.store.close());
  return {
    get store() {
      return opened.store;
    },
    path,
    clock,
    reopen: async () => {
      await opened.store.close();
      opened.store = openSqliteStore(settings);
      return opened.store;
    },
  };
}

export function accountsOf(store: SqliteStore, clock: VirtualClock, masterKey = MASTER_KEY): AccountService {
  return new AccountService(store.accounts, new SecretSeal(masterKey), ha1OfText, clock, Buffer.alloc(32, 9));
}

/** The result, or the test fails with the refusal's words. */
export function granted<T>(result: T): Exclude<T, { readonly code: string; readonly detail: string }> {
  if (isRefusal(result as never)) {
    const { code, detail } = result as { code: string; detail: string };
    throw new Error(`refused: ${code}: ${detail}`);
  }
  return result as Exclude<T, { readonly code: string; readonly detail: string }>;
}

/** The code a refusal has; `granted` when it is none. */
export function verdict(result: unknown): string {
  return isRefusal(result as never) ? (result as { code: string }).code : 'granted';
}

export async function domain(
  accounts: AccountService,
  name = 'example.com',
  settings: Partial<DomainSettings> = {},
): Promise<void> {
  granted(await accounts.createDomain(name, settings));
}

/** A user with a password credential. */
export async function user(
  accounts: AccountService,
  username: string,
  settings: Partial<UserSettings> = {},
  domainName = 'example.com',
): Promise<User> {
  const created = await accounts.createUser({
    username,
    domain: domainName,
    settings,
    credential: { source: { kind: 'password', password: PASSWORD } },
  });
  return granted(created).user;
}

/** All octets of the database's files, read by another process: closing a file here would drop SQLite's locks. */
export function octetsOnDisk(path: string): string {
  return execFileSync('sh', ['-c', `cat "${path}"*`], { maxBuffer: 1 << 28 }).toString('latin1');
}
