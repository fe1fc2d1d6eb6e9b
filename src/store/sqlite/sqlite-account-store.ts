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
import type {
  ChallengePolicy,
  DigestAlgorithm,
  Domain,
  DomainFilter,
  DomainSortField,
} from '../../accounts/domain.js';
import type { User, UserFilter, UserSortField } from '../../accounts/user.js';
import type { Instant } from '../../base/clock.js';
import type { Page, PageRequest } from '../../base/page.js';
import { isRefusal, Refusal } from '../../base/refusal.js';
import { parseAddressOfRecord } from '../../location/address-of-record.js';
import type { BindingRows } from './binding-rows.js';
import { CallScriptRows } from './call-script-rows.js';
import { fromJson, toFlag } from './columns.js';
import type { Db } from './database.js';
import type { Announcements, GroupCommit } from './group-commit.js';
import { Conditions, Lister, upperBound } from './keyset.js';

/** Revoked credentials a user keeps for the record; older ones are deleted. */
export const MAX_REVOKED_CREDENTIALS = 20;

interface DomainRow {
  readonly name: string;
  readonly realm: string;
  readonly algorithms: string;
  readonly challenge: string;
  readonly allow_no_qop: number;
  readonly min_expires_seconds: number;
  readonly default_expires_seconds: number;
  readonly max_expires_seconds: number;
  readonly max_bindings_per_user: number;
  readonly overflow: string;
  readonly sequence: string;
  readonly routing: string;
  readonly max_users: number | null;
  readonly user_count: number;
  readonly created_at: number;
  readonly updated_at: number;
  readonly revision: number;
  readonly aliases: string;
}

interface UserRow {
  readonly id: string;
  readonly domain: string;
  readonly username: string;
  readonly display_name: string | null;
  readonly tags: string;
  readonly external_id: string | null;
  readonly max_bindings: number | null;
  readonly challenge: string | null;
  readonly may_register: string;
  readonly expires_at: number | null;
  readonly blocked_until: number | null;
  readonly last_registered_at: number | null;
  readonly created_at: number;
  readonly updated_at: number;
  readonly revision: number;
  readonly live_bindings: number;
  readonly live_refreshed_at: number | null;
}

interface CredentialRow {
  readonly id: string;
  readonly user_id: string;
  readonly auth_username: string;
  readonly realm: string;
  readonly algorithms: string;
  readonly label: string | null;
  readonly state: string;
  readonly sealed_secret: Buffer;
  readonly key_id: string;
  readonly expires_at: number | null;
  readonly revoked_at: number | null;
  readonly last_used_at: number | null;
  readonly live_used_at: number | null;
  readonly created_at: number;
  readonly updated_at: number;
  readonly revision: number;
}

const DOMAIN_COLUMNS = `d.*, (SELECT json_group_array(a.alias) FROM domain_aliases a WHERE a.domain = d.name) AS aliases`;
// What is live says itself when it was last used; the stored columns speak of what is gone.
const USER_COLUMNS = `u.*,
  (SELECT count(*) FROM bindings b WHERE b.user_id = u.id AND b.expires_at > ?) AS live_bindings,
  (SELECT max(b.refreshed_at) FROM bindings b WHERE b.user_id = u.id) AS live_refreshed_at`;
const CREDENTIAL_COLUMNS = `c.*,
  (SELECT max(b.refreshed_at) FROM bindings b WHERE b.credential_id = c.id) AS live_used_at`;

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
    this.statements = prepareStatements(db);
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

function prepareStatements(db: Db) {
  return {
    domain: db.prepare(`SELECT ${DOMAIN_COLUMNS} FROM domains d WHERE d.name = ?`),
    domainByHost: db.prepare(
      `SELECT ${DOMAIN_COLUMNS} FROM domains d
       WHERE d.name = ? OR d.name = (SELECT domain FROM domain_aliases WHERE alias = ?)`,
    ),
    domainNameByHost: db
      .prepare(
        'SELECT name FROM domains WHERE name = ? UNION ALL SELECT domain FROM domain_aliases WHERE alias = ? ORDER BY 1',
      )
      .pluck(),
    insertDomain: db.prepare(
      `INSERT INTO domains (name, realm, algorithms, challenge, allow_no_qop, min_expires_seconds,
         default_expires_seconds, max_expires_seconds, max_bindings_per_user, overflow, sequence, routing, max_users,
         created_at, updated_at, revision)
       VALUES (:name, :realm, :algorithms, :challenge, :allow_no_qop, :min_expires_seconds,
         :default_expires_seconds, :max_expires_seconds, :max_bindings_per_user, :overflow, :sequence, :routing,
         :max_users, :created_at, :updated_at, :revision)`,
    ),
    updateDomain: db.prepare(
      `UPDATE domains SET realm = :realm, algorithms = :algorithms, challenge = :challenge,
         allow_no_qop = :allow_no_qop, min_expires_seconds = :min_expires_seconds,
         default_expires_seconds = :default_expires_seconds, max_expires_seconds = :max_expires_seconds,
         max_bindings_per_user = :max_bindings_per_user, overflow = :overflow, sequence = :sequence,
         routing = :routing, max_users = :max_users, updated_at = :updated_at, revision = :revision
       WHERE name = :name`,
    ),
    deleteDomain: db.prepare('DELETE FROM domains WHERE name = ?'),
    insertAlias: db.prepare('INSERT INTO domain_aliases (alias, domain) VALUES (?, ?)'),
    deleteAliases: db.prepare('DELETE FROM domain_aliases WHERE domain = ?'),
    userCount: db.prepare('SELECT user_count FROM domains WHERE name = ?').pluck(),
    challengeOverrides: db.prepare(
      'SELECT challenge, count(*) AS users FROM users WHERE domain = ? AND challenge IS NOT NULL GROUP BY challenge',
    ),
    hasCredentials: db
      .prepare(`SELECT 1 FROM credentials WHERE domain = ? AND state = 'active' LIMIT 1`)
      .pluck(),
    plainUser: db.prepare('SELECT * FROM users WHERE id = ?'),
    userById: db.prepare(`SELECT ${USER_COLUMNS} FROM users u WHERE u.id = ?`),
    userByName: db.prepare(`SELECT ${USER_COLUMNS} FROM users u WHERE u.domain = ? AND u.username = ?`),
    userIdByName: db.prepare('SELECT id FROM users WHERE domain = ? AND username = ?').pluck(),
    userIdByExternalId: db.prepare('SELECT id FROM users WHERE domain = ? AND external_id = ?').pluck(),
    domainOfUser: db.prepare('SELECT domain FROM users WHERE id = ?').pluck(),
    insertUser: db.prepare(
      `INSERT INTO users (id, domain, username, display_name, tags, external_id, max_bindings, challenge,
         may_register, expires_at, created_at, updated_at, revision)
       VALUES (:id, :domain, :username, :display_name, :tags, :external_id, :max_bindings, :challenge,
         :may_register, :expires_at, :created_at, :updated_at, :revision)`,
    ),
    updateUser: db.prepare(
      `UPDATE users SET display_name = :display_name, tags = :tags, external_id = :external_id,
         max_bindings = :max_bindings, challenge = :challenge, may_register = :may_register,
         expires_at = :expires_at, updated_at = :updated_at, revision = :revision
       WHERE id = :id AND domain = :domain AND username = :username`,
    ),
    deleteUser: db.prepare('DELETE FROM users WHERE id = ?'),
    deleteUsersOfDomain: db.prepare('DELETE FROM users WHERE domain = ?'),
    credential: db.prepare(
      `SELECT ${CREDENTIAL_COLUMNS} FROM credentials c WHERE c.id = ? AND c.user_id = ?`,
    ),
    credentialsOfUser: db.prepare(
      `SELECT ${CREDENTIAL_COLUMNS} FROM credentials c WHERE c.user_id = ? ORDER BY c.created_at, c.id`,
    ),
    credentialsByName: db.prepare(
      `SELECT c.*, NULL AS live_used_at FROM credentials c
       WHERE c.domain = ? AND c.auth_username = ? AND c.state = 'active'
       ORDER BY c.expires_at IS NOT NULL, c.expires_at DESC, c.seq LIMIT ${MAX_ACTIVE_CREDENTIALS}`,
    ),
    keyIds: db.prepare(`SELECT DISTINCT key_id FROM credentials WHERE state = 'active'`).pluck(),
    authUsernames: db.prepare('SELECT DISTINCT auth_username FROM credentials WHERE user_id = ?').pluck(),
    ownerOfAuthUsername: db
      .prepare(
        `SELECT user_id FROM credentials
         WHERE domain = ? AND auth_username = ? AND state = 'active' AND user_id <> ? LIMIT 1`,
      )
      .pluck(),
    otherActiveCredentials: db
      .prepare(
        `SELECT count(*) FROM credentials
         WHERE user_id = ? AND id <> ? AND state = 'active' AND (expires_at IS NULL OR expires_at > ?)`,
      )
      .pluck(),
    insertCredential: db.prepare(
      `INSERT INTO credentials (id, user_id, domain, auth_username, realm, algorithms, label, state, sealed_secret,
         key_id, expires_at, revoked_at, created_at, updated_at, revision)
       VALUES (:id, :user_id, :domain, :auth_username, :realm, :algorithms, :label, :state, :sealed_secret,
         :key_id, :expires_at, :revoked_at, :created_at, :updated_at, :revision)`,
    ),
    updateCredential: db.prepare(
      `UPDATE credentials SET label = :label, state = :state, expires_at = :expires_at, revoked_at = :revoked_at,
         updated_at = :updated_at, revision = :revision WHERE id = :id`,
    ),
    eraseSecret: db.prepare(`UPDATE credentials SET sealed_secret = x'' WHERE id = ?`),
    forgetOldRevoked: db.prepare(
      `DELETE FROM credentials WHERE user_id = ? AND state = 'revoked' AND id NOT IN (
         SELECT id FROM credentials WHERE user_id = ? AND state = 'revoked' ORDER BY revoked_at DESC, id DESC LIMIT ?)`,
    ),
  };
}

function domainParameters(domain: Domain) {
  return {
    name: domain.name,
    realm: domain.realm,
    algorithms: JSON.stringify(domain.algorithms),
    challenge: domain.challenge,
    allow_no_qop: toFlag(domain.allowNoQop),
    min_expires_seconds: domain.minExpiresSeconds,
    default_expires_seconds: domain.defaultExpiresSeconds,
    max_expires_seconds: domain.maxExpiresSeconds,
    max_bindings_per_user: domain.maxBindingsPerUser,
    overflow: domain.overflow,
    sequence: domain.sequence,
    routing: domain.routing,
    max_users: domain.maxUsers,
    created_at: domain.createdAt,
    updated_at: domain.updatedAt,
    revision: domain.revision,
  };
}

function toDomain(row: DomainRow): Domain {
  return {
    name: row.name,
    aliases: fromJson<string[]>(row.aliases).sort(),
    realm: row.realm,
    algorithms: fromJson<DigestAlgorithm[]>(row.algorithms),
    challenge: row.challenge as ChallengePolicy,
    allowNoQop: row.allow_no_qop === 1,
    minExpiresSeconds: row.min_expires_seconds,
    defaultExpiresSeconds: row.default_expires_seconds,
    maxExpiresSeconds: row.max_expires_seconds,
    maxBindingsPerUser: row.max_bindings_per_user,
    overflow: row.overflow as Domain['overflow'],
    sequence: row.sequence as Domain['sequence'],
    routing: row.routing as Domain['routing'],
    maxUsers: row.max_users,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    revision: row.revision,
  };
}

function userParameters(user: User) {
  return {
    id: user.id,
    domain: user.domain,
    username: user.username,
    display_name: user.displayName,
    tags: JSON.stringify(user.tags),
    external_id: user.externalId,
    max_bindings: user.maxBindings,
    challenge: user.challenge,
    may_register: JSON.stringify(user.mayRegister),
    expires_at: user.expiresAt,
    created_at: user.createdAt,
    updated_at: user.updatedAt,
    revision: user.revision,
  };
}

function toUser(row: UserRow): User {
  // A binding that is gone may have been refreshed after one that is still there.
  const lastRegisteredAt = later(row.last_registered_at, row.live_refreshed_at);
  return {
    id: row.id,
    username: row.username,
    domain: row.domain,
    displayName: row.display_name,
    state: 'active',
    tags: fromJson(row.tags),
    externalId: row.external_id,
    maxBindings: row.max_bindings,
    challenge: row.challenge as ChallengePolicy | null,
    mayRegister: fromJson(row.may_register),
    expiresAt: row.expires_at,
    blockedUntil: row.blocked_until,
    registration: {
      state:
        row.live_bindings > 0
          ? 'registered'
          : lastRegisteredAt === null
            ? 'never_registered'
            : 'not_registered',
      bindings: row.live_bindings,
      lastRegisteredAt,
    },
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    revision: row.revision,
  };
}

function credentialParameters(credential: StoredCredential, domain: string) {
  return {
    id: credential.id,
    user_id: credential.userId,
    domain,
    auth_username: credential.authUsername,
    realm: credential.realm,
    algorithms: JSON.stringify(credential.algorithms),
    label: credential.label,
    state: credential.state,
    sealed_secret: credential.sealedSecret,
    key_id: credential.keyId,
    expires_at: credential.expiresAt,
    revoked_at: credential.revokedAt,
    created_at: credential.createdAt,
    updated_at: credential.updatedAt,
    revision: credential.revision,
  };
}

function toCredential(row: CredentialRow): Credential {
  return {
    id: row.id,
    userId: row.user_id,
    authUsername: row.auth_username,
    realm: row.realm,
    algorithms: fromJson<DigestAlgorithm[]>(row.algorithms),
    label: row.label,
    state: row.state as Credential['state'],
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
    lastUsedAt: later(row.last_used_at, row.live_used_at),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    revision: row.revision,
  };
}

function toStoredCredential(row: CredentialRow): StoredCredential {
  return { ...toCredential(row), sealedSecret: row.sealed_secret, keyId: row.key_id };
}

function later(a: Instant | null, b: Instant | null): Instant | null {
  if (a === null || b === null) return a ?? b;
  return Math.max(a, b);
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
