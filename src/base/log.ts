import { type Logger, pino } from 'pino';

export type Log = Logger;

/** What never reaches a log line, wherever it turns up in a logged object. */
const SECRET_PATHS = ['authorization', 'password', 'ha1', 'secret', 'api_key', 'token'].flatMap((name) => [
  name,
  `*.${name}`,
  `*.*.${name}`,
]);

/**
 * The process's log: one JSON line an event, on standard output, secrets redacted.
 * `level` is a pino level name (`fatal` … `trace`, `silent`).
 */
export function createLog(level: string): Log {
  return pino({
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: SECRET_PATHS, censor: '[redacted]' },
  });
}
