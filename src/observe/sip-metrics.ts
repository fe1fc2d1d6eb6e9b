import { Counter, Gauge, type Registry } from 'prom-client';
import type { Tally } from '../base/tally.js';

/** Where the numbers come from; read when somebody scrapes, so that counting costs next to nothing. */
export interface SipMetricsSources {
  readonly fates: Tally<string>;
  readonly responses: Tally<string>;
  readonly rejections: Tally<string>;
  readonly transportEvents: Tally<string>;
  readonly bindingChanges: Tally<string>;
  readonly banEvents: Tally<string>;
  readonly suppressedLines: Tally<string>;
  readonly bounds: Tally<string>;
  readonly withheld: Tally<string>;
  /** Store counters by name: `commits`, `units`, `failed_commits`, `overloaded`. */
  readonly store: () => Readonly<Record<string, number>>;
  /** Counting bindings takes a while: asked once a scrape, whatever number of gauges it serves. */
  readonly gauges: () => {
    readonly bindings: number;
    readonly bans: number;
    readonly tcpConnections: number;
    readonly transactionsInProgress: number;
    readonly keptResponseBytes: number;
    readonly queuedWrites: number;
  };
}

/** The SIP side's metrics, on the given registry. */
export function registerSipMetrics(registry: Registry, sources: SipMetricsSources): void {
  tallied(registry, 'sip_messages_total', 'SIP messages by what became of them', 'fate', sources.fates);
  tallied(
    registry,
    'sip_registrations_rejected_total',
    'REGISTER requests refused, first challenges not counted, by reason',
    'reason',
    sources.rejections,
  );
  tallied(
    registry,
    'sip_transport_events_total',
    'What happened on SIP transports that is no message',
    'event',
    sources.transportEvents,
  );
  tallied(
    registry,
    'sip_binding_changes_total',
    'Bindings created, refreshed, updated, and removed by cause',
    'change',
    sources.bindingChanges,
  );
  tallied(
    registry,
    'sip_message_bounds_exceeded_total',
    'Messages refused because there was more of something than is taken, by what',
    'bound',
    sources.bounds,
  );
  tallied(
    registry,
    'sip_answers_withheld_total',
    'Answers over UDP not sent to addresses that had not authenticated, by reason',
    'reason',
    sources.withheld,
  );
  tallied(
    registry,
    'sip_bans_total',
    'Bans by what became of them: added_automatic, added_manual, lifted, expired, dropped for want of room',
    'event',
    sources.banEvents,
  );
  tallied(
    registry,
    'log_lines_suppressed_total',
    'Log lines left out because they came too fast, by event',
    'event',
    sources.suppressedLines,
  );
  new Counter({
    name: 'sip_responses_total',
    help: 'SIP responses sent, retransmissions not counted',
    labelNames: ['method', 'status'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [key, value] of sources.responses.entries()) {
        const [method = '', status = ''] = key.split(' ');
        this.inc({ method, status }, value);
      }
    },
  });
  new Counter({
    name: 'store_work_total',
    help: 'What the database writer did: commits, units in them, failed commits, units refused as too many',
    labelNames: ['kind'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [kind, value] of Object.entries(sources.store())) this.inc({ kind }, value);
    },
  });
  // A scrape collects all metrics within one turn, so one reading is good until the turn is over.
  let reading: ReturnType<SipMetricsSources['gauges']> | undefined;
  const read = () => {
    if (reading === undefined) {
      reading = sources.gauges();
      setImmediate(() => {
        reading = undefined;
      });
    }
    return reading;
  };
  gauge(registry, 'sip_bindings', 'Current bindings', () => read().bindings);
  gauge(registry, 'sip_bans', 'Bans in force', () => read().bans);
  gauge(registry, 'sip_tcp_connections', 'Open SIP connections', () => read().tcpConnections);
  gauge(
    registry,
    'sip_transactions_in_progress',
    'Requests being worked on',
    () => read().transactionsInProgress,
  );
  gauge(
    registry,
    'sip_kept_response_bytes',
    'Memory of responses kept for retransmissions',
    () => read().keptResponseBytes,
  );
  gauge(registry, 'store_queued_writes', 'Units of work not yet known to be on disk', () => {
    return read().queuedWrites;
  });
}

function tallied(registry: Registry, name: string, help: string, label: string, tally: Tally<string>): void {
  new Counter({
    name,
    help,
    labelNames: [label],
    registers: [registry],
    collect() {
      this.reset();
      for (const [value, count] of tally.entries()) this.inc({ [label]: value }, count);
    },
  });
}

function gauge(registry: Registry, name: string, help: string, read: () => number): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(read());
    },
  });
}
