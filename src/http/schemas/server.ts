import { z } from 'zod';
import { DIGEST_ALGORITHMS } from '../../accounts/domain.js';
import { shownTime } from './text.js';

export const server = z
  .object({
    version: z.string().meta({ example: '0.1.0' }),
    node: z.string().meta({ description: 'The name of this node.', example: 'reg-1' }),
    started_at: shownTime,
    uptime_seconds: z.int().min(0).meta({ example: 86_400 }),
    listeners: z.array(
      z
        .object({
          transport: z.string().meta({ example: 'udp' }),
          address: z.string().meta({ example: '0.0.0.0' }),
          port: z.int().min(0).max(65_535).meta({ example: 5060 }),
        })
        .meta({ id: 'Listener', description: 'Where the server listens.' }),
    ),
    algorithms: z.array(z.enum(DIGEST_ALGORITHMS)).meta({
      description: 'Digest algorithms the server knows.',
      example: ['SHA-512-256', 'SHA-256', 'MD5'],
    }),
    config_digest: z.string().meta({
      description: 'Changes when the configuration does; two nodes with the same one are configured alike.',
      example: '9f86d081884c7d65',
    }),
  })
  .meta({ id: 'Server', description: 'The running server.' });

export const health = z
  .object({ status: z.literal('ok') })
  .meta({ id: 'Health', description: 'The process answers.' });

export const readiness = z
  .object({
    ready: z.boolean().meta({ example: true }),
    checks: z.record(z.string(), z.string()).meta({ example: { store: 'ok', sip: 'ok' } }),
  })
  .meta({ id: 'Readiness', description: 'Whether the server takes part, and what it depends on.' });
