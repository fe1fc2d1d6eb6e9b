import { RecentMap } from '../base/recent-map.js';
import type { AccountsChange, ChallengeCensus } from './account-store.js';
import type { Domain } from './domain.js';
import type { Subscriber } from './subscriber.js';

/** How many digest usernames are remembered, known and unknown counted apart: strangers can't push out subscribers. */
export const MAX_KNOWN_SUBSCRIBERS = 200_000;
export const MAX_UNKNOWN_SUBSCRIBERS = 20_000;
/** How many host names, served or not, are remembered. */
export const MAX_HOSTS = 10_000;

/** Stands for "asked and not there", so that a repeated miss does not ask again. */
const ABSENT = Symbol('absent');

/**
 * What authentication has read lately, bounded, and forgotten by the very commit that changes it. Never a
 * second truth: on a miss the store is asked.
 */
export class SubscriberCache {
  private readonly hosts = new RecentMap<Domain | typeof ABSENT>(MAX_HOSTS);
  private readonly known = new RecentMap<Subscriber>(MAX_KNOWN_SUBSCRIBERS);
  private readonly unknown = new RecentMap<typeof ABSENT>(MAX_UNKNOWN_SUBSCRIBERS);
  private readonly censuses = new RecentMap<ChallengeCensus>(MAX_HOSTS);

  domain(host: string, read: (lowerCaseHost: string) => Domain | undefined): Domain | undefined {
    const cached = this.hosts.get(host);
    if (cached !== undefined) return cached === ABSENT ? undefined : cached;
    const found = read(host.toLowerCase());
    this.hosts.set(host, found ?? ABSENT);
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
    if (this.unknown.get(key) === ABSENT) return undefined;
    const found = read();
    if (found === undefined) this.unknown.set(key, ABSENT);
    else this.known.set(key, found);
    return found;
  }

  census(domain: string, read: () => ChallengeCensus): ChallengeCensus {
    const cached = this.censuses.get(domain);
    if (cached !== undefined) return cached;
    const found = read();
    this.censuses.set(domain, found);
    return found;
  }

  /** Forgets whatever a commit may have made untrue. */
  forget(change: AccountsChange): void {
    if (change.kind === 'domain') {
      this.hosts.clear();
      this.known.clear();
      this.unknown.clear();
      this.censuses.clear();
      return;
    }
    this.censuses.delete(change.domain);
    for (const authUsername of change.authUsernames) {
      const key = `${change.domain}\0${authUsername}`;
      this.known.delete(key);
      this.unknown.delete(key);
    }
  }
}
