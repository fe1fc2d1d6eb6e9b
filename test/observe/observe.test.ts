import { Writable } from 'node:stream';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { Tally } from '../../src/base/tally.js';
import type { BindingChange } from '../../src/location/decision.js';
import { logBindingChanges } from '../../src/observe/binding-log.js';
import { registerSipMetrics } from '../../src/observe/sip-metrics.js';
import { binding, NOW } from '../location/commands.js';

function logged(level: string, changes: readonly BindingChange[]): readonly Record<string, unknown>[] {
  const lines: string[] = [];
  const sink = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  logBindingChanges(pino({ level }, sink), changes);
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

const A = binding('sip:a@h', { expiresAt: NOW });
const CHANGES: readonly BindingChange[] = [
  { kind: 'created', binding: A },
  { kind: 'refreshed', before: A, binding: A },
  { kind: 'updated', before: A, binding: A },
  { kind: 'removed', binding: A, cause: 'evicted' },
];

it.each([
  ['debug', ['binding.created', 'binding.refreshed', 'binding.updated', 'binding.removed']],
  ['info', ['binding.created', 'binding.updated', 'binding.removed']],
])('at level %s the log tells %j', (level, events) => {
  const lines = logged(level, CHANGES);
  expect(lines.map(({ event }) => event)).toEqual(events);
  expect(lines.at(-1)).toMatchObject({
    cause: 'evicted',
    aor: 'sip:alice@example.com',
    contact: 'sip:a@h',
    source_ip: '192.0.2.1',
    expires_at: new Date(NOW).toISOString(),
  });
});

it('metrics are read when somebody scrapes, the gauges once for all of them', async () => {
  const registry = new Registry();
  const tally = <Name extends string>(...names: readonly Name[]) => {
    const made = new Tally<string>();
    for (const name of names) made.count(name);
    return made;
  };
  const fates = tally('answered', 'answered');
  let readings = 0;
  registerSipMetrics(registry, {
    fates,
    responses: tally('REGISTER 200', 'REGISTER 401', 'REGISTER 401'),
    rejections: tally('wrong_password'),
    transportEvents: tally('keepalive'),
    bindingChanges: tally('removed_expired'),
    banEvents: tally('added_automatic'),
    suppressedLines: tally('registration.rejected'),
    bounds: tally('header_count'),
    withheld: tally('too_many'),
    store: () => ({ commits: 3 }),
    gauges: () => {
      readings++;
      return {
        bindings: 5,
        bans: 6,
        tcpConnections: 4,
        transactionsInProgress: 3,
        keptResponseBytes: 2,
        queuedWrites: readings,
      };
    },
  });
  expect(readings).toBe(0);
  const text = await registry.metrics();
  expect(readings).toBe(1);
  for (const line of [
    'sip_messages_total{fate="answered"} 2',
    'sip_responses_total{method="REGISTER",status="401"} 2',
    'sip_registrations_rejected_total{reason="wrong_password"} 1',
    'sip_transport_events_total{event="keepalive"} 1',
    'sip_binding_changes_total{change="removed_expired"} 1',
    'sip_bans_total{event="added_automatic"} 1',
    'log_lines_suppressed_total{event="registration.rejected"} 1',
    'store_work_total{kind="commits"} 3',
    'sip_bans 6',
    'sip_bindings 5',
    'store_queued_writes 1',
  ]) {
    expect(text).toContain(line);
  }
  fates.count('answered');
  await new Promise((resolve) => setImmediate(resolve));
  const again = await registry.metrics();
  expect(again).toContain('sip_messages_total{fate="answered"} 3');
  expect(again).toContain('store_queued_writes 2');
});
