import type { AccountsChange, ChallengeCensus } from './account-store.js';
import type { Domain } from './domain.js';
import type { Subscriber } from './subscriber.js';

/** How many digest usernames are remembered, known and unknown counted apart: strangers can't push out subscribers. */
export const MAX_KNOWN_SUBSCRIBERS = 200_000;
export const MAX_UNKNOWN_SUBSCRIBERS = 20_000;
/** How many host names, served or not, are remembered. */
export const MAX_HOSTS = 10_000;

/**
 * What authentication has read lately, bounded, and forgotten by the very commit that changes it. Never a
 * second truth: on a miss the store is asked.
 */
export class SubscriberCache {
  private readonly hosts = new Map<string, Domain | null>();
  private readonly known = new Map<string, Subscriber>();
  private readonly unknown = new Set<string>();
  private readonly keysByUser = new Map<string, Set<string>>();
  private readonly censuses = new Map<string, ChallengeCensus>();

  domain(host: string, read: (lowerCaseHost: string) => Domain | undefined): Domain | undefined {
    const cached = this.hosts.get(host);
    if (cached !== undefined) return cached ?? undefined;
    const found = read(host.toLowerCase());
    if (this.hosts.size >= MAX_HOSTS) dropOldest(this.hosts);
    this.hosts.set(host, found ?? null);
    return found;
  }

  subscriber(
    domain: string,
    authUsername: string,
    read: () => Subscriber | undefined,
  ): Subscriber | undefined {
    const key = `${domain}\0${authUsername}`;
    const cached = this.known.get(key);
    if (cached !== undefined) return cached;
    if (this.unknown.has(key)) return undefined;
    const found = read();
    if (found === undefined) {
      if (this.unknown.size >= MAX_UNKNOWN_SUBSCRIBERS) dropOldest(this.unknown);
      this.unknown.add(key);
      return undefined;
    }
    if (this.known.size >= MAX_KNOWN_SUBSCRIBERS) this.dropOldestSubscriber();
    this.known.set(key, found);
    const keys = this.keysByUser.get(found.userId);
    if (keys === undefined) this.keysByUser.set(found.userId, new Set([key]));
    else keys.add(key);
    return found;
  }

  census(domain: string, read: () => ChallengeCensus): ChallengeCensus {
    const cached = this.censuses.get(domain);
    if (cached !== undefined) return cached;
    const found = read();
    if (this.censuses.size >= MAX_HOSTS) dropOldest(this.censuses);
    this.censuses.set(domain, found);
    return found;
  }

  /** Forgets whatever a commit may have made untrue. */
  forget(change: AccountsChange): void {
    this.unknown.clear();
    if (change.kind === 'domain') {
      this.hosts.clear();
      this.known.clear();
      this.keysByUser.clear();
      this.censuses.clear();
      return;
    }
    this.censuses.delete(change.domain);
    for (const key of this.keysByUser.get(change.userId) ?? []) this.known.delete(key);
    this.keysByUser.delete(change.userId);
  }

  private dropOldestSubscriber(): void {
    const oldest = this.known.entries().next().value;
    if (oldest === undefined) return;
    const [key, subscriber] = oldest;
    this.known.delete(key);
    const keys = this.keysByUser.get(subscriber.userId);
    keys?.delete(key);
    if (keys?.size === 0) this.keysByUser.delete(subscriber.userId);
  }
}

function dropOldest<Key>(collection: { keys(): Iterator<Key>; delete(key: Key): boolean }): void {
  const oldest = collection.keys().next();
  if (oldest.done !== true) collection.delete(oldest.value);
}
