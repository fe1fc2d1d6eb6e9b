/** A point in time: milliseconds since the Unix epoch, a whole number. */
export type Instant = number;

/** The only source of the current time; tests hand in a virtual one. */
export interface Clock {
  now(): Instant;
}

/**
 * A clock that is set by the wall once, at start, and runs on the monotonic counter from there.
 * A wall clock that jumps while the process runs therefore neither drops nor extends a binding.
 */
export const systemClock: Clock = {
  now: () => Math.floor(performance.timeOrigin + performance.now()),
};
