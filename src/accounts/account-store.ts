import type { Instant } from '../base/clock.js';
import type { Page, PageRequest } from '../base/page.js';
import type { Refusal } from '../base/refusal.js';
import type { CallScriptChange, StoredCallScript } from './call-script.js';
import type { Credential } from './credential.js';
import type { ChallengePolicy, Domain, DomainFilter, DomainSortField } from './domain.js';
import type { Subscriber } from './subscriber.js';
import type { User, UserFilter, UserSortField } from './user.js';

/** Why an account operation is refused; stable codes that faces translate. */
export type AccountRefusalCode =
  | 'domain_exists'
  | 'domain_not_found'
  | 'domain_not_empty'
  | 'domain_alias_in_use'
  | 'domain_settings_invalid'
  | 'realm_immutable_with_credentials'
  | 'user_limit'
  | 'user_exists'
  | 'user_not_found'
  | 'username_in_use'
  | 'external_id_in_use'
  | 'username_invalid'
  | 'call_script_not_found'
  | 'credential_not_found'
  | 'credential_limit'
  | 'credential_revoked'
  | 'algorithm_not_enabled'
  | 'password_too_weak'
  | 'if_match_required'
  | 'revision_mismatch';
export type AccountRefusal = Refusal<AccountRefusalCode>;

/** A credential as it is stored: the secret sealed with the key named by `keyId`. */
export interface StoredCredential extends Credential {
  readonly sealedSecret: Uint8Array;
  readonly keyId: string;
}

/** A subscriber as stored, with the secrets still sealed. */
export interface StoredSubscriber extends Omit<Subscriber, 'credentials'> {
  readonly credentials: readonly StoredCredential[];
}

/**
 * Where domains, users and credentials live. Single reads on the SIP path are synchronous, because nothing may
 * run between them and what they decide; everything else may take its time. Each write is one durable
 * transaction: when its promise resolves, it is on disk.
 * Writes reject with StoreOverloaded or StoreFailed when the store can't take them.
 */
export interface AccountStore {
  domainByHost(host: string): Domain | undefined;
  subscriberByAuthUsername(domain: string, authUsername: string): StoredSubscriber | undefined;
  /** How many users of the domain override its challenge policy, by policy, and how many users it has. */
  challengeCensus(domain: string): ChallengeCensus;
  /** Names of the keys that stored secrets are sealed with. */
  keyIdsInUse(): readonly string[];

  getDomain(name: string): Promise<Domain | undefined>;
  listDomains(filter: DomainFilter, page: PageRequest<DomainSortField>): Promise<Page<Domain>>;
  insertDomain(domain: Domain): Promise<Domain | AccountRefusal>;
  /** Reads, lets `change` decide, and writes, in one transaction. */
  updateDomain(
    name: string,
    change: (current: Domain, hasCredentials: boolean) => Domain | AccountRefusal,
  ): Promise<Domain | AccountRefusal>;
  /** Deletes the domain, with `cascade` all its users, credentials and bindings too (cause `user_deleted`). */
  deleteDomain(
    name: string,
    options: { readonly cascade: boolean; readonly ifRevision: number | undefined; readonly now: Instant },
  ): Promise<Deleted | AccountRefusal>;

  /** By id, or by address `alice@example.com`. */
  getUser(idOrAddress: string, now: Instant): Promise<User | undefined>;
  listUsers(filter: UserFilter, page: PageRequest<UserSortField>, now: Instant): Promise<Page<User>>;
  insertUser(user: User, credential: StoredCredential | undefined): Promise<User | AccountRefusal>;
  updateUser(
    idOrAddress: string,
    now: Instant,
    change: (current: User) => User | AccountRefusal,
  ): Promise<User | AccountRefusal>;
  /** Deletes the user with credentials and bindings (cause `user_deleted`). */
  deleteUser(
    idOrAddress: string,
    options: { readonly ifRevision: number | undefined; readonly now: Instant },
  ): Promise<Deleted | AccountRefusal>;

  getCallScript(userId: string): Promise<StoredCallScript | undefined>;
  /** Reads, lets `change` decide (undefined deletes it), and writes, in one transaction. */
  updateCallScript(
    userId: string,
    now: Instant,
    change: (current: string | undefined) => string | undefined | AccountRefusal,
  ): Promise<CallScriptChange | AccountRefusal>;

  listCredentials(userId: string): Promise<readonly Credential[]>;
  getCredential(userId: string, credentialId: string): Promise<Credential | undefined>;
  insertCredential(credential: StoredCredential): Promise<Credential | AccountRefusal>;
  updateCredential(
    userId: string,
    credentialId: string,
    options: { readonly deregister: boolean; readonly now: Instant },
    change: (current: Credential) => Credential | AccountRefusal,
  ): Promise<{ readonly credential: Credential; readonly bindingsRemoved: number } | AccountRefusal>;

  /** Calls `listener` right after each COMMIT that touched an account, before any promise resolves. */
  onChanges(listener: (change: AccountsChange) => void): void;
}

/** What a commit changed, for views that must forget it. */
export type AccountsChange =
  | { readonly kind: 'domain'; readonly domain: string }
  | {
      readonly kind: 'user';
      readonly domain: string;
      readonly userId: string;
      /** The digest usernames of all the user's credentials, revoked ones too. */
      readonly authUsernames: readonly string[];
    };

export interface Deleted {
  readonly bindingsRemoved: number;
}

export interface ChallengeCensus {
  readonly users: number;
  readonly overrides: Readonly<Partial<Record<ChallengePolicy, number>>>;
}
