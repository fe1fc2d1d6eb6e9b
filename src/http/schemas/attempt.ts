import { z } from 'zod';
import { ATTEMPT_REASONS } from '../../guard/attempt.js';
import { received } from './binding.js';
import { listOf, ordersOf, pageQuery } from './page.js';
import { filterText, givenTime, network, shownTime } from './text.js';

const reason = z.enum(ATTEMPT_REASONS).meta({
  description: 'The word for it in logs and metrics. More may be added.',
  example: 'wrong_password',
});

const details = z
  .object({
    offered_algorithms: z
      .array(z.string())
      .optional()
      .meta({ example: ['SHA-256'] }),
    answered_algorithm: z
      .string()
      .optional()
      .meta({ description: 'As the phone wrote it; left out when it named none.', example: 'MD5' }),
    max_bindings: z.int().optional().meta({ example: 10 }),
    min_expires_seconds: z.int().optional().meta({ example: 60 }),
    asked_expires_seconds: z.int().optional().meta({ example: 30 }),
    blocked_until: shownTime.optional(),
    banned_until: shownTime.optional(),
    ban_id: z.string().optional().meta({ example: 'ban_01K8ZVL7Q3M5T9XW2ABCDEFGHJ' }),
    fault: z.string().optional().meta({ description: 'What could not be read.', example: 'malformed URI' }),
  })
  .meta({ id: 'AttemptDetails', description: 'What goes with the reason, for programs.' });

export const attempt = z
  .object({
    id: z.string().meta({ example: 'att_01K8ZVK5D7F9H1J3KMNPQRSTVW' }),
    reason,
    explanation: z.string().meta({
      description: 'What it means and what to do about it, in words.',
      example:
        'The password is wrong: there is a user with the username “alice”, and the response does not fit.',
    }),
    details,
    status: z.int().meta({ description: 'The SIP status that was answered.', example: 401 }),
    source: z.object(received.shape).meta({
      id: 'AttemptSource',
      description: 'From where the last of these requests really came.',
    }),
    username: z.string().nullable().meta({
      description: 'The digest username as sent; null when there was none.',
      example: 'alice',
    }),
    user_id: z.string().nullable().meta({
      description: 'Whose username that is; null when it is nobody’s, or was not looked up.',
      example: 'usr_01K8ZV7Q3M5T9XW2ABCDEFGHJK',
    }),
    aor: z.string().meta({ description: 'Who was to be registered: To.', example: 'sip:alice@example.com' }),
    domain: z.string().meta({
      description: 'The domain that was asked, which may be one that is not served.',
      example: 'example.com',
    }),
    user_agent: z.string().nullable().meta({ example: 'Yealink SIP-T54W 96.86.0.100' }),
    call_id: z.string().meta({ example: 'f2b1c9d0@10.0.0.7' }),
    count: z.int().min(1).meta({
      description:
        'How many refusals alike: same source, username, address and reason, ten minutes apart at most.',
      example: 14,
    }),
    first_seen_at: shownTime,
    last_seen_at: shownTime,
  })
  .meta({ id: 'Attempt', description: 'A refused registration, or several alike.' });
export type AttemptBody = z.infer<typeof attempt>;

export const attemptList = listOf(attempt, 'AttemptList', 'A page of refused registrations.');

const sorted = pageQuery(z.enum(ordersOf(['last_seen_at'])).default('-last_seen_at'));

export const attemptListQuery = z.strictObject({
  ...sorted,
  source_ip: network.optional().meta({
    description: 'From this address, or from within this network.',
    example: '203.0.113.0/24',
  }),
  aor: filterText.optional().meta({
    description: 'For this address-of-record.',
    example: 'sip:alice@example.com',
  }),
  username: filterText.optional().meta({
    description: 'With this digest username, with or without @domain.',
    example: 'alice',
  }),
  domain: filterText.optional().meta({
    description: 'Asked of this domain, served or not, or for an address of it.',
    example: 'example.com',
  }),
  reason: reason.optional().meta({
    description:
      'For this reason. The nonce_… reasons, which phones get over by themselves, are shown only so.',
  }),
  since: givenTime.optional().meta({
    description: 'Last seen then or later.',
    example: '2026-11-01T00:00:00Z',
  }),
});

export const userAttemptListQuery = z.strictObject(sorted);

const obstacle = z
  .object({
    code: z
      .enum([
        'account_expired',
        'blocked',
        'no_credential',
        'credentials_expired',
        'missing_algorithm',
        'binding_limit',
        'banned',
      ])
      .meta({ description: 'More may be added.', example: 'banned' }),
    explanation: z.string().meta({
      example:
        '203.0.113.66 is banned: 31 different wrong responses for alice@example.com within 10 minutes.',
    }),
    until: shownTime.nullable().meta({ description: 'When it ends by itself; null: never.' }),
    ban_id: z.string().nullable().meta({ example: 'ban_01K8ZVL7Q3M5T9XW2ABCDEFGHJ' }),
  })
  .meta({ id: 'Obstacle', description: 'What keeps a phone of the user from registering now.' });
export type ObstacleBody = z.infer<typeof obstacle>;

export const userAttemptList = z
  .object({
    summary: z
      .object({
        state: z
          .enum(['registered', 'not_registered', 'never_registered'])
          .meta({ example: 'not_registered' }),
        bindings: z.int().min(0).meta({ description: 'Current bindings.', example: 0 }),
        last_registered_at: shownTime.nullable().meta({ example: null }),
        obstacles: z.array(obstacle).meta({ description: 'Empty when nothing here is in the way.' }),
      })
      .meta({ id: 'AttemptSummary', description: 'How things stand with the user now.' }),
    ...attemptList.shape,
  })
  .meta({ id: 'UserAttemptList', description: 'Why a user’s phones can’t register.' });
