/** The store has more queued than it is allowed to; nothing was changed. Faces answer 503 with Retry-After. */
export class StoreOverloaded extends Error {
  readonly code = 'store_overloaded';
  constructor(readonly retryAfterSeconds: number) {
    super('the store has more work queued than it may');
  }
}

/** The transaction could not be made durable (disk full, I/O error, closed); nothing was changed. */
export class StoreFailed extends Error {
  readonly code = 'store_failed';
}
