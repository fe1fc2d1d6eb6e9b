import { createHmac } from 'node:crypto';
import type { Clock, Instant } from '../base/clock.js';
import type { Page, PageRequest } from '../base/page.js';
import { newId, newSecret } from '../base/random.js';
import { isRefusal, Refusal } from '../base/refusal.js';
import type { AccountRefusal, AccountStore, Deleted, StoredCredential } from './account-store.js';
import { CallScripts } from './call-scripts.js';
import type {
  Credential,
  CredentialPatch,
  CredentialSecret,
  Ha1ByAlgorithm,
  IssuedCredential,
  NewCredential,
} from './credential.js';
import {
  type ChallengePolicy,
  type DigestAlgorithm,
  type Domain,
  type DomainFilter,
  type DomainSettings,
  type DomainSortField,
  defaultDomainSettings,
} from './domain.js';
import {
  checkDomainSettings,
  checkPassword,
  checkUserChallenge,
  checkUsername,
  MAX_HOST_LENGTH,
  MAX_USERNAME_LENGTH,
} from './rules.js';
import type { SecretSeal } from './secret-seal.js';
import type { Subscriber, SubscriberDirectory } from './subscriber.js';
import { SubscriberCache } from './subscriber-cache.js';
import {
  DEFAULT_USER_SETTINGS,
  type User,
  type UserFilter,
  type UserSettings,
  type UserSortField,
} from './user.js';

/** Computes HA1 = H(username:realm:password) in lower-case hex over UTF-8 (RFC 7616 §3.4.2). */
export type Ha1Hash = (
  algorithm: DigestAlgorithm,
  username: string,
  realm: string,
  password: string,
) => string;

export interface NewUser {
  readonly username: string;
  readonly domain: string;
  readonly settings: Partial<UserSettings>;
  readonly credential?: NewCredential | undefined;
}

export interface CreatedUser {
  readonly user: User;
  readonly issued?: IssuedCredential | undefined;
}

/** What a change insists on: the revision it was made from (If-Match); undefined insists on nothing. */
export interface ChangeOptions {
  readonly ifRevision?: number | undefined;
}

/**
 * Domains, users and credentials: the rules of the accounts, over a store. Every change is on disk when its
 * promise resolves. Also the directory that authentication asks, from a bounded view that each commit keeps true.
 */
export class AccountService implements SubscriberDirectory {
  readonly callScripts: CallScripts;
  private readonly cache: SubscriberCache;

  constructor(
    private readonly store: AccountStore,
    private readonly seal: SecretSeal,
    private readonly ha1: Ha1Hash,
    private readonly clock: Clock,
    /** 32 bytes; makes the challenge of unknown users stable and unpredictable. */
    private readonly disguiseKey: Uint8Array,
  ) {
    this.callScripts = new CallScripts(store, clock);
    this.cache = new SubscriberCache();
    store.onChanges((change) => this.cache.forget(change));
  }

  // --- the directory: on the way of every REGISTER ---

  /** The domain that serves a host name, by its name or an alias; case does not count. */
  domainByHost(host: string): Domain | undefined {
    if (host.length > MAX_HOST_LENGTH) return undefined;
    return this.cache.domain(host, (name) => this.store.domainByHost(name));
  }

  subscriber(domain: string, authUsername: string): Subscriber | undefined {
    // What can't exist needs no room in the cache: names off the wire are as long as a header line.
    if (authUsername.length > MAX_USERNAME_LENGTH) return undefined;
    return this.cache.subscriber(domain, authUsername, () => this.readSubscriber(domain, authUsername));
  }

  challengePolicy(domainName: string, authUsername: string): ChallengePolicy {
    const domain = this.domainByHost(domainName);
    if (domain === undefined) return 'md5';
    const known = this.subscriber(domainName, authUsername);
    if (known !== undefined) return known.challenge ?? domain.challenge;
    return this.disguisedPolicy(domain, authUsername);
  }

  // --- domains ---

  async createDomain(name: string, given: Partial<DomainSettings>): Promise<Domain | AccountRefusal> {
    const now = this.clock.now();
    const domain: Domain = {
      ...defaultDomainSettings(name),
      ...given,
      name,
      createdAt: now,
      updatedAt: now,
      revision: 1,
    };
    return checkDomainSettings(domain) ?? this.store.insertDomain(domain);
  }

  getDomain(name: string): Promise<Domain | undefined> {
    return this.store.getDomain(name);
  }

  listDomains(filter: DomainFilter, page: PageRequest<DomainSortField>): Promise<Page<Domain>> {
    return this.store.listDomains(filter, page);
  }

  async updateDomain(
    name: string,
    patch: Partial<DomainSettings>,
    options: ChangeOptions = {},
  ): Promise<Domain | AccountRefusal> {
    const now = this.clock.now();
    return this.store.updateDomain(name, (current, hasCredentials) => {
      const stale = revisionRefusal(current.revision, options);
      if (stale !== undefined) return stale;
      const next: Domain = { ...current, ...patch, updatedAt: now, revision: current.revision + 1 };
      if (next.realm !== current.realm && hasCredentials) {
        return new Refusal(
          'realm_immutable_with_credentials',
          'The realm is part of every stored HA1; it can change only while the domain has no active credentials.',
          '/realm',
        );
      }
      return checkDomainSettings(next) ?? next;
    });
  }

  /** With `cascade` its users, credentials and bindings go too. */
  deleteDomain(
    name: string,
    options: ChangeOptions & { readonly cascade: boolean },
  ): Promise<Deleted | AccountRefusal> {
    return this.store.deleteDomain(name, {
      cascade: options.cascade,
      ifRevision: options.ifRevision,
      now: this.clock.now(),
    });
  }

  // --- users ---

  async createUser(given: NewUser): Promise<CreatedUser | AccountRefusal> {
    const invalid = checkUsername(given.username);
    if (invalid !== undefined) return invalid;
    const domain = await this.store.getDomain(given.domain);
    if (domain === undefined) {
      return new Refusal('domain_not_found', `The domain ${given.domain} is not served.`, '/domain');
    }
    const now = this.clock.now();
    const user: User = {
      ...DEFAULT_USER_SETTINGS,
      ...given.settings,
      id: newId('usr', now),
      username: given.username,
      domain: domain.name,
      state: 'active',
      blockedUntil: null,
      registration: { state: 'never_registered', bindings: 0, lastRegisteredAt: null },
      createdAt: now,
      updatedAt: now,
      revision: 1,
    };
    const unanswerable = checkUserChallenge(domain, user.challenge);
    if (unanswerable !== undefined) return unanswerable;
    const made =
      given.credential === undefined ? undefined : this.makeCredential(user, domain, given.credential, now);
    if (made !== undefined && isRefusal(made)) return made;
    const inserted = await this.store.insertUser(user, made?.stored);
    if (isRefusal(inserted)) return inserted;
    return { user: inserted, issued: made === undefined ? undefined : issued(made.stored, made.password) };
  }

  /** By id, or by address (`alice@example.com`). */
  getUser(idOrAddress: string): Promise<User | undefined> {
    return this.store.getUser(idOrAddress, this.clock.now());
  }

  listUsers(filter: UserFilter, page: PageRequest<UserSortField>): Promise<Page<User>> {
    return this.store.listUsers(filter, page, this.clock.now());
  }

  async updateUser(
    idOrAddress: string,
    patch: Partial<UserSettings>,
    options: ChangeOptions = {},
  ): Promise<User | AccountRefusal> {
    const now = this.clock.now();
    return this.store.updateUser(idOrAddress, now, (current) => {
      const next: User = { ...current, ...patch, updatedAt: now, revision: current.revision + 1 };
      const domain = this.domainByHost(current.domain);
      return (
        revisionRefusal(current.revision, options) ??
        (domain === undefined || next.challenge === current.challenge
          ? undefined
          : checkUserChallenge(domain, next.challenge)) ??
        next
      );
    });
  }

  /** Credentials and bindings go with the user. */
  deleteUser(idOrAddress: string, options: ChangeOptions = {}): Promise<Deleted | AccountRefusal> {
    return this.store.deleteUser(idOrAddress, { ifRevision: options.ifRevision, now: this.clock.now() });
  }

  // --- credentials ---

  async listCredentials(userId: string): Promise<readonly Credential[]> {
    return this.store.listCredentials(userId);
  }

  getCredential(userId: string, credentialId: string): Promise<Credential | undefined> {
    return this.store.getCredential(userId, credentialId);
  }

  async createCredential(user: User, given: NewCredential): Promise<IssuedCredential | AccountRefusal> {
    const domain = await this.store.getDomain(user.domain);
    if (domain === undefined) return new Refusal('domain_not_found', 'The domain is gone.');
    const made = this.makeCredential(user, domain, given, this.clock.now());
    if (isRefusal(made)) return made;
    const inserted = await this.store.insertCredential(made.stored);
    return isRefusal(inserted) ? inserted : issued(inserted, made.password);
  }

  /**
   * Changes label, expiry or state. Revoking erases the stored secret; with `deregister` the bindings it
   * authenticated go in the same transaction (cause `credential_revoked`).
   */
  async updateCredential(
    userId: string,
    credentialId: string,
    patch: CredentialPatch,
    options: ChangeOptions & { readonly deregister: boolean },
  ): Promise<{ readonly credential: Credential; readonly bindingsRemoved: number } | AccountRefusal> {
    const now = this.clock.now();
    return this.store.updateCredential(
      userId,
      credentialId,
      { deregister: options.deregister, now },
      (current) => {
        const stale = revisionRefusal(current.revision, options);
        if (stale !== undefined) return stale;
        if (current.state === 'revoked') {
          return patch.state === 'revoked' && patch.label === undefined && patch.expiresAt === undefined
            ? current
            : new Refusal('credential_revoked', 'A revoked credential does not change any more.');
        }
        const revoked = patch.state === 'revoked';
        return {
          ...current,
          label: patch.label === undefined ? current.label : patch.label,
          expiresAt: patch.expiresAt === undefined ? current.expiresAt : patch.expiresAt,
          state: revoked ? 'revoked' : current.state,
          revokedAt: revoked ? now : current.revokedAt,
          updatedAt: now,
          revision: current.revision + 1,
        };
      },
    );
  }

  private makeCredential(
    user: User,
    domain: Domain,
    given: NewCredential,
    now: Instant,
  ): { readonly stored: StoredCredential; readonly password: string | undefined } | AccountRefusal {
    const authUsername = given.authUsername ?? user.username;
    const invalid = checkUsername(authUsername, '/auth_username');
    if (invalid !== undefined) return invalid;
    const { source } = given;
    let secret: CredentialSecret;
    let password: string | undefined;
    if (source.kind === 'ha1') {
      const notEnabled = Object.keys(source.ha1).find((name) => !domain.algorithms.some((a) => a === name));
      if (notEnabled !== undefined) {
        return new Refusal('algorithm_not_enabled', `The domain does not use ${notEnabled}.`, '/ha1');
      }
      secret = { ha1: source.ha1, ha1WithDomain: {} };
    } else {
      if (source.kind === 'password') {
        const weak = checkPassword(source.password, authUsername);
        if (weak !== undefined) return weak;
      } else {
        password = newSecret();
      }
      const clear = source.kind === 'password' ? source.password : (password ?? '');
      secret = {
        ha1: this.hashes(domain, authUsername, clear),
        ha1WithDomain: this.hashes(domain, `${authUsername}@${domain.name}`, clear),
      };
    }
    const id = newId('crd', now);
    const stored: StoredCredential = {
      id,
      userId: user.id,
      authUsername,
      realm: domain.realm,
      algorithms: domain.algorithms.filter((algorithm) => secret.ha1[algorithm] !== undefined),
      label: given.label ?? null,
      state: 'active',
      expiresAt: given.expiresAt ?? null,
      revokedAt: null,
      lastUsedAt: null,
      createdAt: now,
      updatedAt: now,
      revision: 1,
      sealedSecret: this.seal.seal(id, secret),
      keyId: this.seal.keyId,
    };
    return { stored, password };
  }

  private hashes(domain: Domain, username: string, password: string): Ha1ByAlgorithm {
    return Object.fromEntries(
      domain.algorithms.map((algorithm) => [
        algorithm,
        this.ha1(algorithm, username, domain.realm, password),
      ]),
    );
  }

  private readSubscriber(domain: string, authUsername: string): Subscriber | undefined {
    const stored = this.store.subscriberByAuthUsername(domain, authUsername);
    if (stored === undefined) return undefined;
    return {
      ...stored,
      credentials: stored.credentials.map((credential) => ({
        id: credential.id,
        expiresAt: credential.expiresAt,
        secret: this.seal.open(credential.id, credential.sealedSecret),
      })),
    };
  }

  /**
   * Unknown users are challenged as a user of the domain drawn by a keyed hash of the name would be: the share
   * of names with an unusual challenge is the same among those who exist and those who don't.
   */
  private disguisedPolicy(domain: Domain, authUsername: string): ChallengePolicy {
    const { users, overrides } = this.cache.census(domain.name, () =>
      this.store.challengeCensus(domain.name),
    );
    if (users === 0) return domain.challenge;
    const digest = createHmac('sha256', this.disguiseKey).update(`${domain.name}\0${authUsername}`).digest();
    let draw = (digest.readUInt32BE(0) / 2 ** 32) * users;
    for (const [policy, count] of Object.entries(overrides) as [ChallengePolicy, number][]) {
      draw -= count;
      if (draw < 0) return policy;
    }
    return domain.challenge;
  }
}

function issued(stored: Credential, password: string | undefined): IssuedCredential {
  const { sealedSecret: _, keyId: __, ...credential } = stored as StoredCredential;
  return { credential, password };
}

function revisionRefusal(revision: number, { ifRevision }: ChangeOptions): AccountRefusal | undefined {
  if (ifRevision === undefined || ifRevision === revision) return undefined;
  return new Refusal('revision_mismatch', `The resource is at revision ${revision} by now.`);
}
