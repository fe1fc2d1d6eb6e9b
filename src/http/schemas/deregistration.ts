import { z } from 'zod';
import { DEREGISTRATION_MODES } from '../../location/deregistration.js';
import { bindingConditions } from './binding.js';
import { listOf, ordersOf, pageQuery } from './page.js';
import { plainText, shownTime } from './text.js';

export const DEFAULT_BLOCK_SECONDS = 3600;
/** Thirty days: who is to stay off longer loses the credential. */
export const MAX_BLOCK_SECONDS = 2_592_000;
const MAX_EXPECTED_COUNT = 100_000_000;

const mode = z.enum(DEREGISTRATION_MODES).meta({
  description:
    'kick: the phone may come back with its next REGISTER. block: every REGISTER of the users concerned is answered 403 for block_seconds.',
  example: 'kick',
});

const blockSeconds = z
  .int()
  .min(1)
  .max(MAX_BLOCK_SECONDS)
  .meta({
    description: `For how long mode block refuses; ${DEFAULT_BLOCK_SECONDS} when left out. Not taken with mode kick.`,
    example: 3600,
  });

const reason = plainText(500).meta({
  description: 'Why, for whoever reads it later.',
  example: 'firmware CVE',
});

const filter = z
  .strictObject({
    binding_id: z.string().min(1).max(64).optional().meta({
      description: 'This one binding.',
      example: 'bnd_01K8ZVC5D7F9H1J3KMNPQRSTVW',
    }),
    ...bindingConditions,
    all: z.literal(true).optional().meta({
      description:
        'Must be said when every binding is meant; a key confined to domains means those of its domains.',
    }),
  })
  .meta({
    id: 'DeregistrationFilter',
    description: 'Which bindings: all given conditions hold. Empty is refused.',
  });
export type GivenDeregistrationFilter = z.output<typeof filter>;

export const newDeregistration = z
  .strictObject({
    filter,
    reason: reason.nullish(),
    mode: mode.default('kick'),
    block_seconds: blockSeconds.optional(),
    dry_run: z.boolean().default(false).meta({
      description: 'Only tell what matches; nothing changes, nothing is kept.',
      example: false,
    }),
    expected_count: z.int().min(0).max(MAX_EXPECTED_COUNT).optional().meta({
      description: 'How many bindings you think match; another number is answered 409, and nothing changes.',
      example: 41,
    }),
    close_flows: z.boolean().default(false).meta({
      description: 'Close the TCP connections that carry no other binding.',
      example: true,
    }),
  })
  .refine((given) => given.mode === 'block' || given.block_seconds === undefined, {
    path: ['block_seconds'],
    message: 'block_seconds goes with mode block only.',
  })
  .meta({ id: 'NewDeregistration', description: 'Bindings to remove.' });

const effects = z
  .object({
    users_blocked: z.int().min(0).meta({ description: 'Users whose REGISTERs are refused now.', example: 0 }),
    flows_closed: z.int().min(0).meta({ description: 'TCP connections closed.', example: 35 }),
    flows_kept_shared: z.int().min(0).meta({
      description: 'TCP connections left open because another binding uses them.',
      example: 2,
    }),
  })
  .meta({ id: 'DeregistrationEffects', description: 'What really happened, counted while it happened.' });

export const deregistration = z
  .object({
    id: z.string().meta({ example: 'drg_01K8ZVE7F9H1J3KMNPQRSTVWXY' }),
    state: z.enum(['running', 'completed']).meta({ example: 'completed' }),
    mode,
    filter,
    reason: reason.nullable(),
    block_seconds: blockSeconds.nullable().meta({ example: null }),
    blocked_until: shownTime.nullable().meta({ example: null }),
    close_flows: z.boolean().meta({ example: true }),
    matched: z.int().min(0).meta({ description: 'Bindings that matched when it began.', example: 41 }),
    removed: z.int().min(0).meta({
      description: 'Bindings removed so far; fewer than matched when phones left by themselves meanwhile.',
      example: 41,
    }),
    effects,
    sample: z.array(z.string()).meta({
      description: 'Ids of the first bindings that matched, at most ten.',
      example: ['bnd_01K8ZVC5D7F9H1J3KMNPQRSTVW'],
    }),
    created_by: z.string().meta({
      description: 'The id of the API key that asked for it.',
      example: 'key_01K8ZVG9H1J3KMNPQRSTVWXYZ0',
    }),
    created_at: shownTime,
    completed_at: shownTime.nullable(),
  })
  .meta({ id: 'Deregistration', description: 'A forced deregistration and what came of it.' });
export type DeregistrationBody = z.infer<typeof deregistration>;

export const deregistrationPreview = z
  .object({
    dry_run: z.literal(true),
    matched: z.int().min(0).meta({ example: 41 }),
    sample: z.array(z.string()).meta({ example: ['bnd_01K8ZVC5D7F9H1J3KMNPQRSTVW'] }),
  })
  .meta({ id: 'DeregistrationPreview', description: 'What a deregistration would remove.' });

export const deregistrationList = listOf(deregistration, 'DeregistrationList', 'A page of deregistrations.');

export const deregistrationListQuery = z.strictObject({
  ...pageQuery(z.enum(ordersOf(['created_at'])).default('-created_at')),
});

export const deregistrationParams = z.object({
  id: z.string().meta({
    description: 'The id of the deregistration.',
    example: 'drg_01K8ZVE7F9H1J3KMNPQRSTVWXY',
  }),
});

/** The shorthands: DELETE on a binding, or on the bindings of a user. */
export const removalQuery = z
  .strictObject({
    close_flow: z.boolean().default(false).meta({
      description: 'Close the TCP connection if it carries no other binding.',
    }),
    mode: mode.default('kick'),
    block_seconds: blockSeconds.optional(),
    reason: reason.optional(),
  })
  .refine((given) => given.mode === 'block' || given.block_seconds === undefined, {
    path: ['block_seconds'],
    message: 'block_seconds goes with mode block only.',
  });
export type RemovalQuery = z.output<typeof removalQuery>;
