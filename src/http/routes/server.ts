import { exampleServer } from '../examples.js';
import { type Operation, operation } from '../operation.js';
import { json, ok, text } from '../reply.js';
import { health, readiness, server } from '../schemas/server.js';
import { fromInstant } from '../schemas/text.js';

const getServer = operation({
  operationId: 'getServer',
  method: 'get',
  path: '/v1/server',
  tag: 'Server',
  summary: 'Show the running server',
  description: 'Version, where it listens for SIP, and the digest algorithms it knows.',
  access: 'server:read',
  successes: [
    {
      status: 200,
      description: 'The server.',
      schema: server,
      examples: { server: { summary: 'A server', value: exampleServer } },
    },
  ],
  problems: [],
  handle({ deps }) {
    const { version, node, startedAt, listeners, algorithms, configDigest } = deps.server;
    return ok({
      version,
      node,
      started_at: fromInstant(startedAt),
      uptime_seconds: Math.max(0, Math.floor((deps.clock.now() - startedAt) / 1000)),
      listeners,
      algorithms,
      config_digest: configDigest,
    });
  },
});

const getHealth = operation({
  operationId: 'getHealth',
  method: 'get',
  path: '/healthz',
  tag: 'Server',
  summary: 'Whether the process answers',
  description:
    'For supervisors: when this does not answer, restart the process. Says nothing about the store or SIP.',
  access: 'public',
  successes: [
    {
      status: 200,
      description: 'It answers.',
      schema: health,
      examples: { ok: { summary: 'It answers', value: { status: 'ok' } } },
    },
  ],
  problems: [],
  handle: () => ok({ status: 'ok' }),
});

const getReadiness = operation({
  operationId: 'getReadiness',
  method: 'get',
  path: '/readyz',
  tag: 'Server',
  summary: 'Whether the server takes part',
  description: 'For load balancers: 200 while REGISTER can be answered with a stored binding, 503 otherwise.',
  access: 'public',
  successes: [
    {
      status: 200,
      description: 'Ready.',
      schema: readiness,
      examples: { ready: { summary: 'Ready', value: { ready: true, checks: { store: 'ok', sip: 'ok' } } } },
    },
    {
      status: 503,
      description: 'Not ready.',
      schema: readiness,
      examples: {
        starting: { summary: 'Starting', value: { ready: false, checks: { store: 'ok', sip: 'starting' } } },
      },
    },
  ],
  problems: [],
  handle({ deps }) {
    const { ready, checks } = deps.readiness();
    return json(ready ? 200 : 503, { ready, checks });
  },
});

const getMetrics = operation({
  operationId: 'getMetrics',
  method: 'get',
  path: '/metrics',
  tag: 'Server',
  summary: 'Metrics for Prometheus',
  description: 'In the text format of Prometheus. The server may be set to serve it without a key.',
  access: 'server:read',
  successes: [
    {
      status: 200,
      description: 'All metrics.',
      mediaType: 'text/plain',
      examples: {
        text: {
          summary: 'An excerpt',
          value: 'process_cpu_seconds_total 12.5\nnodejs_eventloop_lag_seconds 0.001\n',
        },
      },
    },
  ],
  problems: [],
  async handle({ deps }) {
    return text(deps.metrics.contentType, await deps.metrics.metrics());
  },
});

export const serverOperations: readonly Operation[] = [getServer, getHealth, getReadiness, getMetrics];
