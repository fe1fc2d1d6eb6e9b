import type { Instant } from '../base/clock.js';

export interface LogLimits {
  readonly linesPerSecond: number;
  readonly linesPerSourceAMinute: number;
}

/** Lines that were left out, by name, since the last summary. */
export interface Suppressed {
  readonly total: number;
  readonly byName: Readonly<Record<string, number>>;
}

/** Sources counted within a minute; beyond, only the limit a second holds. */
export const MAX_LIMITED_SOURCES = 10_000;
const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;

/**
 * Lets a number of log lines through a second, and a minute for each source, and counts the rest: a flood of
 * refusals is told in one line. Bounded; time is passed in.
 */
export class LogLimiter {
  private second = 0;
  private linesThisSecond = 0;
  private minute = 0;
  private readonly linesBySource = new Map<string, number>();
  private total = 0;
  private byName = new Map<string, number>();

  constructor(private readonly limits: LogLimits) {}

  /** Whether a line may be written; `name` is what it is counted under when not. Names are few. */
  take(source: string, name: string, now: Instant): boolean {
    this.turn(now);
    const ofSource = this.linesBySource.get(source) ?? 0;
    if (this.linesThisSecond >= this.limits.linesPerSecond || ofSource >= this.limits.linesPerSourceAMinute) {
      this.total++;
      this.byName.set(name, (this.byName.get(name) ?? 0) + 1);
      return false;
    }
    this.linesThisSecond++;
    if (ofSource > 0 || this.linesBySource.size < MAX_LIMITED_SOURCES) {
      this.linesBySource.set(source, ofSource + 1);
    }
    return true;
  }

  /** What was left out since the last call; undefined when nothing was. */
  drain(): Suppressed | undefined {
    if (this.total === 0) return undefined;
    const suppressed = { total: this.total, byName: Object.fromEntries(this.byName) };
    this.total = 0;
    this.byName = new Map();
    return suppressed;
  }

  private turn(now: Instant): void {
    const second = Math.floor(now / SECOND_MS);
    if (second !== this.second) {
      this.second = second;
      this.linesThisSecond = 0;
    }
    const minute = Math.floor(now / MINUTE_MS);
    if (minute !== this.minute) {
      this.minute = minute;
      this.linesBySource.clear();
    }
  }
}
