import type { Clock, Instant } from '../../src/base/clock.js';

/** A clock that is set by hand. It begins at a moment of no meaning, long after any real key or nonce was made. */
export class VirtualClock implements Clock {
  constructor(public at: Instant = 2_000_000_000_000) {}

  now(): Instant {
    return this.at;
  }

  advanceSeconds(seconds: number): void {
    this.at += seconds * 1000;
  }
}
