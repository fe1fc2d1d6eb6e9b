import type {
  AccountRefusal,
  AccountStore,
  AccountsChange,
  ChallengeCensus,
  Deleted,
  StoredCredential,
  StoredSubscriber,
} from '../../accounts/account-store.js';
import type { CallScriptChange, StoredCallScript } from '../../accounts/call-script.js';
import { type Credential, MAX_ACTIVE_CREDENTIALS } from '../../accounts/credential.js';
import type { ChallengePolicy, Domain, DomainFilter, DomainSortField } from '../../accounts/domain.js';
import type { User, UserFilter, UserSortField } from '../../accounts/user.js';
import type { Instant } from '../../base/clock.js';
import type { Page, PageRequest } from '../../base/page.js';
import { isRefusal, Refusal } from '../../base/refusal.js';
import { parseAddressOfRecord } from '../../location/address-of-record.js';
import {
  type CredentialRow,
  credentialParameters,
  type DomainRow,
  domainParameters,
  toCredential,
  toDomain,
  toStoredCredential,
  toUser,
  type UserRow,
  userParameters,
} from './account-rows.js';
import { DOMAIN_COLUMNS, prepareAccountStatements, USER_COLUMNS } from './account-statements.js';
import type { BindingRows } from './binding-rows.js';
import { CallScriptRows } from './call-script-rows.js';
import { fromJson } from './columns.js';
import type { Db } from './database.js';
import type { Announcements, GroupCommit } from './group-commit.js';
import { Conditions, Lister, upperBound } from './keyset.js';

/** Revoked credentials a user keeps for the record; older ones are deleted. */
export const MAX_REVOKED_CREDENTIALS = 20;

/** Domains, users and credentials in SQLite. */
export class SqliteAccountStore implements AccountStore {
  private readonly lister: Lister;
  private readonly statements;
  private readonly callScripts: CallScriptRows;

  constructor(
    db: Db,
    private readonly commit: GroupCommit,
    private readonly bindings: BindingRows,
  ) {
    this.lister = new Lister(db);
    this.statements = prepareAccountStatements(db);
    this.callScripts = new CallScriptRows(db);
  }

  onChanges(listener: (change: AccountsChange) => void): void {
    this.commit.onAccountChange(listener);
  }

  // --- reads on the way of a REGISTER ---

  domainByHost(host: string): Domain | undefined {
    const row = this.statements.domainByHost.get(host, host) as DomainRow | undefined;
    return row === undefined ? undefined : toDomain(row);
  }

  subscriberByAuthUsername(domain: string, authUsername: string): StoredSubscriber | undefined {
    // Those that last longest: expired ones, of which there may be many, never take a current one's place.
    const rows = this.statements.credentialsByName.all(domain, authUsername) as CredentialRow[];
    const userId = rows[0]?.user_id;
    if (userId === undefined) return undefined;
    const user = this.statements.plainUser.get(userId) as UserRow | undefined;
    if (user === undefined) return undefined;
    return {
      userId,
      username: user.username,
      domain: user.domain,
      challenge: user.challenge as ChallengePolicy | null,
      maxBindings: user.max_bindings,
      mayRegister: fromJson(user.may_register),
      expiresAt: user.expires_at,
      credentials: rows.map(toStoredCredential),
    };
  }

  challengeCensus(domain: string): ChallengeCensus {
    const users = this.statements.userCount.get(domain) as number | undefined;
    const overrides = this.statements.challengeOverrides.all(domain) as {
      challenge: ChallengePolicy;
      users: number;
    }[];
    return {
      users: users ?? 0,
      overrides: Object.fromEntries(overrides.map(({ challenge, users }) => [challenge, users])),
    };
  }

  keyIdsInUse(): readonly string[] {
    return this.statements.keyIds.all() as string[];
  }

  // --- domains ---

  async getDomain(name: string): Promise<Domain | undefined> {
    return this.readDomain(name);
  }

  async listDomains(filter: DomainFilter, page: PageRequest<DomainSortField>): Promise<Page<Domain>> {
    const where = new Conditions().prefix('d.name', filter.q).among('d.name', filter.confinedTo);
    return this.lister.page(
      {
        select: `SELECT ${DOMAIN_COLUMNS} FROM domains d`,
        count: 'SELECT count(*) FROM domains d',
        where,
        sortColumns: { name: 'd.name', created_at: 'd.created_at' },
        idColumn: 'd.name',
      },
      page,
      toDomain,
    );
  }

  insertDomain(domain: Domain): Promise<Domain | AccountRefusal> {
    return this.commit.run((announce) => {
      if (this.readDomain(domain.name) !== undefined) {
        return new Refusal('domain_exists', `The domain ${domain.name} exists already.`, '/name');
      }
      const taken = this.takenName(domain);
      if (taken !== undefined) return taken;
      this.statements.insertDomain.run(domainParameters(domain));
      this.writeAliases(domain);
      announce.accounts.push({ kind: 'domain', domain: domain.name });
      return domain;
    });
  }

  updateDomain(
    name: string,
    change: (current: Domain, hasCredentials: boolean) => Domain | AccountRefusal,
  ): Promise<Domain | AccountRefusal> {
    return this.commit.run((announce) => {
      const current = this.readDomain(name);
      if (current === undefined) return domainNotFound(name);
      const next = change(current, this.statements.hasCredentials.get(name) !== undefined);
      if (isRefusal(next)) return next;
      const taken = this.takenName(next);
      if (taken !== undefined) return taken;
      this.statements.updateDomain.run(domainParameters(next));
      this.statements.deleteAliases.run(name);
      this.writeAliases(next);
      announce.accounts.push({ kind: 'domain', domain: name });
      return next;
    });
  }

  deleteDomain(
    name: string,
    options: { readonly cascade: boolean; readonly ifRevision: number | undefined; readonly now: Instant },
  ): Promise<Deleted | AccountRefusal> {
    return this.commit.run((announce) => {
      const current = this.readDomain(name);
      if (current === undefined) return domainNotFound(name);
      if (options.ifRevision !== undefined && options.ifRevision !== current.revision) {
        return revisionMismatch(current.revision);
      }
      const users = this.statements.userCount.get(name) as number;
      if (users > 0 && !options.cascade) {
        return new Refusal('domain_not_empty', `The domain still has ${users} users.`);
      }
      const bindingsRemoved = this.bindings.removeOfDomain(name, 'user_deleted', options.now, announce);
      this.statements.deleteUsersOfDomain.run(name);
      this.bindings.forgetAll();
      this.statements.deleteDomain.run(name);
      announce.accounts.push({ kind: 'domain', domain: name });
      return { bindingsRemoved };
    });
  }

  // --- users ---

  async getUser(idOrAddress: string, now: Instant): Promise<User | undefined> {
    return this.readUser(idOrAddress, now);
  }

  async listUsers(filter: UserFilter, page: PageRequest<UserSortField>, now: Instant): Promise<Page<User>> {
    const where = new Conditions()
      .add('u.domain = ?', filter.domain)
      .among('u.domain', filter.confinedTo)
      .prefix('u.username', filter.usernamePrefix)
      .add('u.external_id = ?', filter.externalId)
      .add('u.expires_at < ?', filter.expiresBefore)
      .add('EXISTS (SELECT 1 FROM json_each(u.tags) t WHERE t.value = ?)', filter.tag);
    if (filter.aor !== undefined) {
      const aor = parseAddressOfRecord(filter.aor);
      where.add('u.domain = ?', aor?.domain ?? '').add('u.username = ?', aor?.user ?? '');
    }
    if (filter.registered !== undefined) {
      where.add(
        `${filter.registered ? '' : 'NOT '}EXISTS (SELECT 1 FROM bindings b WHERE b.user_id = u.id AND b.expires_at > ?)`,
        now,
      );
    }
    if (filter.q !== undefined && filter.q !== '') {
      const [from, to] = [filter.q, upperBound(filter.q)];
      where.add(
        `((u.username >= ? AND u.username < ?) OR (u.display_name >= ? AND u.display_name < ?)
          OR (u.external_id >= ? AND u.external_id < ?))`,
        from,
        to,
        from,
        to,
        from,
        to,
      );
    }
    return this.lister.page(
      {
        select: `SELECT ${USER_COLUMNS} FROM users u`,
        selectValues: [now],
        count: 'SELECT count(*) FROM users u',
        where,
        sortColumns: { username: 'u.username', created_at: 'u.created_at', updated_at: 'u.updated_at' },
        idColumn: 'u.id',
      },
      page,
      toUser,
    );
  }

  insertUser(user: User, credential: StoredCredential | undefined): Promise<User | AccountRefusal> {
    return this.commit.run((announce) => {
      const domain = this.readDomain(user.domain);
      if (domain === undefined) return domainNotFound(user.domain, '/domain');
      if (this.statements.userIdByName.get(user.domain, user.username) !== undefined) {
        return new Refusal('user_exists', `${user.username}@${user.domain} is taken.`, '/username');
      }
      if (
        domain.maxUsers !== null &&
        (this.statements.userCount.get(user.domain) as number) >= domain.maxUsers
      ) {
        return new Refusal('user_limit', `The domain is limited to ${domain.maxUsers} users.`);
      }
      const refused =
        this.takenExternalId(user) ??
        (credential === undefined
          ? undefined
          : (this.realmChanged(domain, credential) ?? this.takenAuthUsername(user.domain, credential)));
      if (refused !== undefined) return refused;
      this.statements.insertUser.run(userParameters(user));
      if (credential !== undefined) {
        this.statements.insertCredential.run(credentialParameters(credential, user.domain));
      }
      this.announceUser(announce, user.domain, user.id);
      return user;
    });
  }

  updateUser(
    idOrAddress: string,
    now: Instant,
    change: (current: User) => User | AccountRefusal,
  ): Promise<User | AccountRefusal> {
    return this.commit.run((announce) => {
      const current = this.readUser(idOrAddress, now);
      if (current === undefined) return userNotFound(idOrAddress);
      const next = change(current);
      if (isRefusal(next)) return next;
      const refused = this.takenExternalId(next);
      if (refused !== undefined) return refused;
      this.statements.updateUser.run(userParameters(next));
      this.announceUser(announce, next.domain, next.id);
      return next;
    });
  }

  deleteUser(
    idOrAddress: string,
    options: { readonly ifRevision: number | undefined; readonly now: Instant },
  ): Promise<Deleted | AccountRefusal> {
    return this.commit.run((announce) => {
      const current = this.readUser(idOrAddress, options.now);
      if (current === undefined) return userNotFound(idOrAddress);
      if (options.ifRevision !== undefined && options.ifRevision !== current.revision) {
        return revisionMismatch(current.revision);
      }
      const bindingsRemoved = this.bindings.removeOfUser(current.id, 'user_deleted', options.now, announce);
      this.announceUser(announce, current.domain, current.id);
      this.statements.deleteUser.run(current.id);
      this.bindings.forget(current.id);
      return { bindingsRemoved };
    });
  }

  // --- call scripts ---

  async getCallScript(userId: string): Promise<StoredCallScript | undefined> {
    return this.callScripts.read(userId);
  }

  updateCallScript(
    userId: string,
    now: Instant,
    change: (current: string | undefined) => string | undefined | AccountRefusal,
  ): Promise<CallScriptChange | AccountRefusal> {
    return this.commit.run(() => {
      if (this.statements.plainUser.get(userId) === undefined) return userNotFound(userId);
      const current = this.callScripts.read(userId)?.text;
      const next = change(current);
      if (isRefusal(next)) return next;
      if (next !== undefined) {
        this.callScripts.save(userId, next, now);
        return current === undefined ? 'created' : 'replaced';
      }
      if (current === undefined) return 'unchanged';
      this.callScripts.remove(userId);
      return 'deleted';
    });
  }

  // --- credentials ---

  async listCredentials(userId: string): Promise<readonly Credential[]> {
    return (this.statements.credentialsOfUser.all(userId) as CredentialRow[]).map(toCredential);
  }

  async getCredential(userId: string, credentialId: string): Promise<Credential | undefined> {
    return this.readCredential(userId, credentialId);
  }

  insertCredential(credential: StoredCredential): Promise<Credential | AccountRefusal> {
    return this.commit.run((announce) => {
      const user = this.statements.plainUser.get(credential.userId) as UserRow | undefined;
      if (user === undefined) return userNotFound(credential.userId);
      const refused =
        this.tooManyCredentials(credential, credential.createdAt) ??
        this.realmChanged(this.readDomain(user.domain), credential) ??
        this.takenAuthUsername(user.domain, credential);
      if (refused !== undefined) return refused;
      this.statements.insertCredential.run(credentialParameters(credential, user.domain));
      this.announceUser(announce, user.domain, user.id);
      const { sealedSecret: _, keyId: __, ...shown } = credential;
      return shown;
    });
  }

  updateCredential(
    userId: string,
    credentialId: string,
    options: { readonly deregister: boolean; readonly now: Instant },
    change: (current: Credential) => Credential | AccountRefusal,
  ): Promise<{ readonly credential: Credential; readonly bindingsRemoved: number } | AccountRefusal> {
    return this.commit.run((announce: Announcements) => {
      const current = this.readCredential(userId, credentialId);
      if (current === undefined) {
        return new Refusal('credential_not_found', `The user has no credential ${credentialId}.`);
      }
      const next = change(current);
      if (isRefusal(next)) return next;
      if (next !== current) {
        if (next.expiresAt !== current.expiresAt) {
          // An expired one that is given time again is one more.
          const refused = this.tooManyCredentials(next, options.now);
          if (refused !== undefined) return refused;
        }
        this.statements.updateCredential.run({
          id: next.id,
          label: next.label,
          state: next.state,
          expires_at: next.expiresAt,
          revoked_at: next.revokedAt,
          updated_at: next.updatedAt,
          revision: next.revision,
        });
        // Before old ones are forgotten: among them may be this one, if the clock was set back.
        this.announceUser(announce, this.statements.domainOfUser.get(userId) as string, userId);
        if (next.state === 'revoked') {
          this.statements.eraseSecret.run(next.id);
          this.statements.forgetOldRevoked.run(userId, userId, MAX_REVOKED_CREDENTIALS);
        }
      }
      const bindingsRemoved =
        next.state === 'revoked' && options.deregister
          ? this.bindings.removeOfCredential(next.id, 'credential_revoked', options.now, announce)
          : 0;
      return { credential: next, bindingsRemoved };
    });
  }

  private announceUser(announce: Announcements, domain: string, userId: string): void {
    const authUsernames = this.statements.authUsernames.all(userId) as string[];
    announce.accounts.push({ kind: 'user', domain, userId, authUsernames });
  }

  private readDomain(name: string): Domain | undefined {
    const row = this.statements.domain.get(name) as DomainRow | undefined;
    return row === undefined ? undefined : toDomain(row);
  }

  private readUser(idOrAddress: string, now: Instant): User | undefined {
    let row: UserRow | undefined;
    if (idOrAddress.includes('@')) {
      const aor = parseAddressOfRecord(idOrAddress);
      if (aor === undefined) return undefined;
      row = this.statements.userByName.get(now, aor.domain, aor.user) as UserRow | undefined;
    } else {
      row = this.statements.userById.get(now, idOrAddress) as UserRow | undefined;
    }
    return row === undefined ? undefined : toUser(row);
  }

  private readCredential(userId: string, credentialId: string): Credential | undefined {
    const row = this.statements.credential.get(credentialId, userId) as CredentialRow | undefined;
    return row === undefined ? undefined : toCredential(row);
  }

  private writeAliases(domain: Domain): void {
    for (const alias of domain.aliases) this.statements.insertAlias.run(alias, domain.name);
  }

  /** A host name stands for one domain only, be it as name or as alias. */
  private takenName(domain: Domain): AccountRefusal | undefined {
    for (const host of [domain.name, ...domain.aliases]) {
      const owner = this.statements.domainNameByHost.get(host, host) as string | undefined;
      if (owner !== undefined && owner !== domain.name) {
        return new Refusal(
          'domain_alias_in_use',
          `${host} already stands for the domain ${owner}.`,
          host === domain.name ? '/name' : '/aliases',
        );
      }
    }
    return undefined;
  }

  private takenExternalId(user: User): AccountRefusal | undefined {
    if (user.externalId === null) return undefined;
    const owner = this.statements.userIdByExternalId.get(user.domain, user.externalId) as string | undefined;
    if (owner === undefined || owner === user.id) return undefined;
    return new Refusal('external_id_in_use', `The external id belongs to ${owner}.`, '/external_id');
  }

  private tooManyCredentials(credential: Credential, now: Instant): AccountRefusal | undefined {
    const { id, userId, state, expiresAt } = credential;
    if (state !== 'active' || (expiresAt !== null && expiresAt <= now)) return undefined;
    const others = this.statements.otherActiveCredentials.get(userId, id, now) as number;
    if (others < MAX_ACTIVE_CREDENTIALS) return undefined;
    return new Refusal(
      'credential_limit',
      `The user has ${others} active credentials, which is the limit; revoke one first.`,
    );
  }

  /** An HA1 is for one realm; if that changed since it was computed, the credential could never be used. */
  private realmChanged(domain: Domain | undefined, credential: StoredCredential): AccountRefusal | undefined {
    if (domain?.realm === credential.realm) return undefined;
    return new Refusal('revision_mismatch', 'The realm of the domain has just changed; ask again.');
  }

  private takenAuthUsername(domain: string, credential: StoredCredential): AccountRefusal | undefined {
    const owner = this.statements.ownerOfAuthUsername.get(
      domain,
      credential.authUsername,
      credential.userId,
    ) as string | undefined;
    if (owner === undefined) return undefined;
    return new Refusal(
      'username_in_use',
      `The digest username ${credential.authUsername} belongs to ${owner} in this domain.`,
      '/auth_username',
    );
  }
}

function domainNotFound(name: string, pointer?: string): AccountRefusal {
  return new Refusal('domain_not_found', `The domain ${name} is not served.`, pointer);
}

function userNotFound(idOrAddress: string): AccountRefusal {
  return new Refusal('user_not_found', `There is no user ${idOrAddress}.`);
}

function revisionMismatch(revision: number): AccountRefusal {
  return new Refusal('revision_mismatch', `The resource is at revision ${revision} by now.`);
}
