import type { Instant } from '../../base/clock.js';
import { keyHash, ResponseMemory } from './response-memory.js';
import { type ServerTransaction, stepServerTransaction } from './server-transaction.js';

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
 * All server transactions, within bounds of memory. A response is kept for at least 32 seconds unless the bound comes
 * first, and no timer runs for any of them.
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
    const memory = about.verified ? this.verified : this.unverified;
    memory.keep(key, keyHash(key), transaction.response, about.now);
  }

  /** Lets go of what timer J has ended; call it every few seconds, so that an idle server forgets too. */
  sweep(now: Instant): void {
    this.verified.rotateIfAged(now);
    this.unverified.rotateIfAged(now);
  }

  /** The transaction of a request that is being worked on or was answered lately; what CANCEL asks (§9.2). */
  find(key: string, now: Instant): ServerTransaction | undefined {
    if (this.inProgress.has(key)) return { state: 'trying' };
    const hash = keyHash(key);
    const kept = this.verified.find(key, hash, now) ?? this.unverified.find(key, hash, now);
    return kept === undefined ? undefined : { state: 'completed', ...kept };
  }
}
