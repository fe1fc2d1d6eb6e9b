import type { Instant } from '../base/clock.js';

/** The call script of a user (RFC 3880), as the user's phone or an operator left it; at most one a user. */
export interface StoredCallScript {
  /** The document; in UTF-8 it is the octets that were sent. */
  readonly text: string;
  readonly updatedAt: Instant;
}

/** What a change of a call script comes to; `unchanged` when there was none to delete. */
export type CallScriptChange = 'created' | 'replaced' | 'deleted' | 'unchanged';
