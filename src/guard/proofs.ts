import type { Instant } from '../base/clock.js';
import { RecentMap } from '../base/recent-map.js';

/** For how long a right password speaks for its source. */
export const PROOF_SECONDS = 86_400;
/** Pairs of source and user remembered, and sources; about 300 octets each. Only right passwords make one. */
export const MAX_PROOFS = 100_000;
/** Ports remembered of a user at a source: phones of one account behind one NAT. */
const MAX_ENDPOINTS = 4;

interface Proof {
  at: Instant;
  /** Transport and port, the latest last. */
  endpoints: readonly string[];
}

/**
 * Who gave the right password from where lately: what keeps the phones of a shared address (NAT) registered
 * while somebody else behind it is refused. Bounded; time is passed in.
 */
export class Proofs {
  private readonly pairs = new RecentMap<Proof>(MAX_PROOFS);
  private readonly sources = new RecentMap<{ at: Instant }>(MAX_PROOFS);

  /** How many are remembered; for the test of the bounds. */
  get size(): number {
    return this.pairs.size + this.sources.size;
  }

  /** Notes a right password. `endpoint` is the transport and port it came from: `udp:5060`. */
  note(source: string, domain: string, username: string, endpoint: string, now: Instant): void {
    const key = keyOf(source, domain, username);
    const proof = this.pairs.get(key);
    if (proof === undefined) this.pairs.set(key, { at: now, endpoints: [endpoint] });
    else {
      proof.at = now;
      if (!proof.endpoints.includes(endpoint)) {
        proof.endpoints = [...proof.endpoints, endpoint].slice(-MAX_ENDPOINTS);
      }
    }
    const of = this.sources.get(source);
    if (of === undefined) this.sources.set(source, { at: now });
    else of.at = now;
  }

  /** A wrong password from the very endpoint: it no longer speaks for the user. The source still does. */
  withdraw(source: string, domain: string, username: string, endpoint: string): void {
    const proof = this.pairs.get(keyOf(source, domain, username));
    if (proof?.endpoints.includes(endpoint)) {
      proof.endpoints = proof.endpoints.filter((other) => other !== endpoint);
    }
  }

  /** Whether the user gave the right password from that source lately. */
  holds(source: string, domain: string, username: string, now: Instant): boolean {
    const proof = this.pairs.get(keyOf(source, domain, username));
    return proof !== undefined && isLately(proof.at, now);
  }

  /** Whether it came from that very endpoint, and no wrong one since. */
  holdsAt(source: string, domain: string, username: string, endpoint: string, now: Instant): boolean {
    const proof = this.pairs.get(keyOf(source, domain, username));
    return proof !== undefined && isLately(proof.at, now) && proof.endpoints.includes(endpoint);
  }

  /** Whether anybody gave a right password from that source lately. */
  anyAt(source: string, now: Instant): boolean {
    const of = this.sources.get(source);
    return of !== undefined && isLately(of.at, now);
  }
}

function isLately(at: Instant, now: Instant): boolean {
  return now - at < PROOF_SECONDS * 1000;
}

function keyOf(source: string, domain: string, username: string): string {
  return `${source}\0${domain}\0${username}`;
}
