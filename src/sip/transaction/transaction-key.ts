import type { Via } from '../grammar/headers/via.js';
import { branchOf } from '../grammar/headers/via.js';

const MAGIC_COOKIE = 'z9hG4bK';

/** What of a request tells its server transaction. */
export interface KeyParts {
  readonly method: string;
  readonly requestUri: string;
  readonly via: Via;
  /** The topmost Via as sent. */
  readonly viaText: string;
  readonly fromTag: string | undefined;
  readonly callId: string;
  readonly cseq: number;
}

/**
 * The key of a request's server transaction (RFC 3261 §17.2.3): branch, sent-by and method; without the magic
 * cookie, or with nothing behind it (RFC 4475 badbranch), the tuple of RFC 2543. Call-ID and CSeq stand in it as well, because phones behind different NATs share
 * private sent-by addresses and some of them count their branches from one: what is not a retransmission is then
 * never taken for one, while every retransmission still has the same key.
 */
export function transactionKey(parts: KeyParts): string {
  const { method, via, callId, cseq } = parts;
  const branch = branchOf(via);
  if (branch?.startsWith(MAGIC_COOKIE) === true && branch.length > MAGIC_COOKIE.length) {
    return `${branch}\n${via.host.toLowerCase()}:${via.port ?? ''}\n${method}\n${callId}\n${cseq}`;
  }
  return `2543\n${parts.requestUri}\n${parts.fromTag ?? ''}\n${callId}\n${cseq}\n${method}\n${parts.viaText}`;
}
