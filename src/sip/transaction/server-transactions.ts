import type { Instant } from '../../base/clock.js';
import { type ServerTransaction, stepServerTransaction, TIMER_J_MS } from './server-transaction.js';

/** What an entry costs beside its key and response, in bytes; measured as heap growth over many entries. */
const ENTRY_OVERHEAD_BYTES = 200;

export interface ServerTransactionsOptions {
  /** Bytes of responses kept for requests that authenticated. */
  readonly maxVerifiedBytes: number;
  /** Bytes of responses kept for all others: strangers can't push out what phones may still ask for. */
  readonly maxUnverifiedBytes: number;
  /** Requests being worked on at the same time; beyond, new ones are refused. */
  readonly maxInProgress: number;
}

export type Arrival =
  | { readonly kind: 'new' }
  /** A retransmission of a request that is being worked on. */
  | { readonly kind: 'absorbed' }
  /** A retransmission of an answered request: send this again. */
  | { readonly kind: 'replay'; readonly response: Buffer }
  /** Another request for the same thing came by another way and is being worked on (§8.2.2.2). */
  | { readonly kind: 'merged' }
  | { readonly kind: 'overloaded' };

/**
 * All server transactions, within bounds of memory. Kept responses live in two generations a class, of which the
 * older is dropped whole when the younger has filled half the room or has lived for timer J; so a response is kept
 * for at least 32 seconds unless the bound comes first, and no timer runs for any of them.
 */
export class ServerTransactions {
  private readonly inProgress = new Set<string>();
  private readonly merging = new Set<string>();
  private readonly verified: ResponseMemory;
  private readonly unverified: ResponseMemory;

  constructor(private readonly options: ServerTransactionsOptions) {
    this.verified = new ResponseMemory(options.maxVerifiedBytes);
    this.unverified = new ResponseMemory(options.maxUnverifiedBytes);
  }

  /** Bytes of responses kept now. */
  get keptBytes(): number {
    return this.verified.bytes + this.unverified.bytes;
  }

  get inProgressCount(): number {
    return this.inProgress.size;
  }

  /**
   * A request has come. `mergeKey` is the same for copies of one request that took different ways; undefined when
   * that can't be (To has a tag).
   */
  arrive(key: string, mergeKey: string | undefined, now: Instant, reliable: boolean): Arrival {
    const { effects } = stepServerTransaction(this.find(key, now), { kind: 'request' }, { now, reliable });
    const effect = effects[0];
    if (effect === undefined) return { kind: 'absorbed' };
    if (effect.kind === 'send') return { kind: 'replay', response: effect.response };
    if (mergeKey !== undefined && this.merging.has(mergeKey)) return { kind: 'merged' };
    if (this.inProgress.size >= this.options.maxInProgress) return { kind: 'overloaded' };
    this.inProgress.add(key);
    if (mergeKey !== undefined) this.merging.add(mergeKey);
    return { kind: 'new' };
  }

  /** The request has its final response; `verified` says that it came from an authenticated user. */
  answer(
    key: string,
    mergeKey: string | undefined,
    response: Buffer,
    about: { readonly now: Instant; readonly reliable: boolean; readonly verified: boolean },
  ): void {
    this.inProgress.delete(key);
    if (mergeKey !== undefined) this.merging.delete(mergeKey);
    const { transaction } = stepServerTransaction(
      { state: 'trying' },
      { kind: 'final_response', response },
      about,
    );
    if (transaction?.state !== 'completed') return;
    (about.verified ? this.verified : this.unverified).keep(key, transaction.response, about.now);
  }

  /** Lets go of what timer J has ended; call it every few seconds, so that an idle server forgets too. */
  sweep(now: Instant): void {
    this.verified.rotateIfAged(now);
    this.unverified.rotateIfAged(now);
  }

  private find(key: string, now: Instant): ServerTransaction | undefined {
    if (this.inProgress.has(key)) return { state: 'trying' };
    return this.verified.find(key, now) ?? this.unverified.find(key, now);
  }
}

class ResponseMemory {
  private young = new Map<string, Kept>();
  private old = new Map<string, Kept>();
  private youngBytes = 0;
  private oldBytes = 0;
  private youngSince: Instant = 0;

  constructor(private readonly maxBytes: number) {}

  get bytes(): number {
    return this.youngBytes + this.oldBytes;
  }

  find(key: string, now: Instant): ServerTransaction | undefined {
    const kept = this.young.get(key) ?? this.old.get(key);
    if (kept === undefined || kept.endsAt <= now) return undefined;
    return { state: 'completed', response: kept.response, endsAt: kept.endsAt };
  }

  keep(key: string, response: Buffer, now: Instant): void {
    const cost = key.length + response.length + ENTRY_OVERHEAD_BYTES;
    this.rotateIfAged(now);
    if (this.youngBytes + cost > this.maxBytes / 2) this.rotate(now);
    this.young.set(key, { response, endsAt: now + TIMER_J_MS });
    this.youngBytes += cost;
  }

  rotateIfAged(now: Instant): void {
    if (now - this.youngSince >= TIMER_J_MS) this.rotate(now);
  }

  private rotate(now: Instant): void {
    this.old = this.young;
    this.oldBytes = this.youngBytes;
    this.young = new Map();
    this.youngBytes = 0;
    this.youngSince = now;
  }
}

interface Kept {
  readonly response: Buffer;
  readonly endsAt: Instant;
}
