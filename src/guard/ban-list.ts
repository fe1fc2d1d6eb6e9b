import type { Instant } from '../base/clock.js';
import type { Ban, BanFilter, BanScope, CountedBan } from './ban.js';
import { around, contains, type Network, networkKey, parseNetwork } from './network.js';

interface Entry {
  readonly ban: Ban;
  refused: number;
}

/**
 * The bans in force, found by address with one look-up a prefix length in use, whatever their number: in the
 * usual case that is two. One ban a network and scope. It has no bounds of its own; who adds looks at `count`.
 */
export class BanList {
  private readonly byId = new Map<string, Entry>();
  /** Network, then scope. */
  private readonly byNetwork = new Map<string, Map<string, Entry>>();
  /** How many networks there are of each prefix length. */
  private readonly prefixes: Readonly<Record<Network['family'], Map<number, number>>> = {
    4: new Map(),
    6: new Map(),
  };
  private readonly counts = { manual: 0, automatic: 0 };

  get size(): number {
    return this.byId.size;
  }

  count(kind: Ban['kind']): number {
    return this.counts[kind];
  }

  /** Adds a ban; the one that had its network and scope, if any, is gone. */
  add(ban: Ban): void {
    const before = this.at(ban.network, ban);
    if (before !== undefined) this.remove(before.id);
    const key = networkKey(ban.network);
    let scopes = this.byNetwork.get(key);
    if (scopes === undefined) {
      scopes = new Map();
      this.byNetwork.set(key, scopes);
      const lengths = this.prefixes[ban.network.family];
      lengths.set(ban.network.prefix, (lengths.get(ban.network.prefix) ?? 0) + 1);
    }
    const entry = { ban, refused: 0 };
    scopes.set(scopeKey(ban), entry);
    this.byId.set(ban.id, entry);
    this.counts[ban.kind]++;
  }

  /** Takes a ban off; undefined when there is none. */
  remove(id: string): Ban | undefined {
    const entry = this.byId.get(id);
    if (entry === undefined) return undefined;
    const { ban } = entry;
    this.byId.delete(id);
    this.counts[ban.kind]--;
    const key = networkKey(ban.network);
    const scopes = this.byNetwork.get(key);
    scopes?.delete(scopeKey(ban));
    if (scopes?.size === 0) {
      this.byNetwork.delete(key);
      const lengths = this.prefixes[ban.network.family];
      const left = (lengths.get(ban.network.prefix) ?? 1) - 1;
      if (left === 0) lengths.delete(ban.network.prefix);
      else lengths.set(ban.network.prefix, left);
    }
    return ban;
  }

  get(id: string): CountedBan | undefined {
    const entry = this.byId.get(id);
    return entry === undefined ? undefined : counted(entry);
  }

  /** The ban with exactly this network and scope. */
  at(network: Network, scope: BanScope): Ban | undefined {
    return this.byNetwork.get(networkKey(network))?.get(scopeKey(scope))?.ban;
  }

  /**
   * The bans that a request from `ip` to `domain` meets at `now`. `names` gives the users it claims to be; it is
   * asked only when the address is known here at all.
   */
  matching(ip: string, domain: string, names: () => readonly string[], now: Instant): readonly Ban[] {
    if (this.byId.size === 0) return NONE;
    const address = parseNetwork(ip);
    if (address === undefined) return NONE;
    let found: Ban[] | undefined;
    for (const prefix of this.prefixes[address.family].keys()) {
      const scopes = this.byNetwork.get(networkKey(around(address, prefix)));
      if (scopes === undefined) continue;
      for (const key of ['', domain, ...names().map((username) => scopeKey({ domain, username }))]) {
        const entry = scopes.get(key);
        if (entry === undefined || entry.ban.expiresAt <= now) continue;
        found ??= [];
        found.push(entry.ban);
      }
    }
    return found ?? NONE;
  }

  /** Notes that a ban refused a request. */
  countRefusal(id: string): void {
    const entry = this.byId.get(id);
    if (entry !== undefined) entry.refused++;
  }

  /** Those in force at `now` that the filter lets through, in no order. */
  list(filter: BanFilter, now: Instant): readonly CountedBan[] {
    const found: CountedBan[] = [];
    for (const entry of this.byId.values()) {
      if (entry.ban.expiresAt > now && matches(entry.ban, filter)) found.push(counted(entry));
    }
    return found;
  }

  /** Those that have ended by `now`. */
  expired(now: Instant): readonly Ban[] {
    const found: Ban[] = [];
    for (const { ban } of this.byId.values()) if (ban.expiresAt <= now) found.push(ban);
    return found;
  }

  /** The automatic bans that end soonest, `count` of them at most. */
  soonestEnding(count: number): readonly Ban[] {
    return [...this.byId.values()]
      .map(({ ban }) => ban)
      .filter(({ kind }) => kind === 'automatic')
      .sort((a, b) => a.expiresAt - b.expiresAt)
      .slice(0, count);
  }
}

const NONE: readonly Ban[] = [];

function counted({ ban, refused }: Entry): CountedBan {
  return { ...ban, refusedRequests: refused };
}

/** Host names have no NUL, so no domain's key is a user's. */
function scopeKey({ domain, username }: BanScope): string {
  if (domain === null) return '';
  return username === null ? domain : `${domain}\0${username}`;
}

function matches(ban: Ban, { kind, covering, domain, confinedTo }: BanFilter): boolean {
  return (
    (kind === undefined || ban.kind === kind) &&
    (domain === undefined || ban.domain === domain) &&
    (confinedTo === undefined || (ban.domain !== null && confinedTo.includes(ban.domain))) &&
    (covering === undefined || contains(ban.network, covering) || contains(covering, ban.network))
  );
}
