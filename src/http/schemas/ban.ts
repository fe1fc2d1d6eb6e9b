import { z } from 'zod';
import { MAX_USERNAME_LENGTH } from '../../accounts/rules.js';
import { MAX_BAN_SECONDS } from '../../guard/ban.js';
import { listOf, ordersOf, pageQuery } from './page.js';
import { filterText, hostName, network, plainText, shownTime } from './text.js';

export const DEFAULT_BAN_SECONDS = 3600;

const reason = plainText(500).meta({ description: 'Why, for whoever reads it later.', example: 'scanner' });

export const ban = z
  .object({
    id: z.string().meta({ example: 'ban_01K8ZVL7Q3M5T9XW2ABCDEFGHJ' }),
    kind: z.enum(['manual', 'automatic']).meta({
      description: 'manual: by an operator, kept over a restart. automatic: by the server itself, in memory.',
      example: 'automatic',
    }),
    network: z.string().meta({ description: 'An address, or a network.', example: '203.0.113.66' }),
    domain: z.string().nullable().meta({ description: 'null: all domains.', example: null }),
    username: z.string().nullable().meta({
      description: 'null: all users. As claimed: there may be no such user.',
      example: null,
    }),
    reason: z.string().nullable().meta({ example: 'wrong responses for 16 usernames within 10 minutes' }),
    refused_requests: z.int().min(0).meta({
      description: 'REGISTERs it has refused since it was made, or since the server started.',
      example: 512,
    }),
    created_by: z.string().nullable().meta({
      description: 'The id of the API key that asked for it; null when the server did it by itself.',
      example: null,
    }),
    created_at: shownTime,
    expires_at: shownTime,
    expires_in_seconds: z.int().min(0).meta({ example: 540 }),
  })
  .meta({ id: 'Ban', description: 'An address or a network whose REGISTERs are answered 503.' });
export type BanBody = z.infer<typeof ban>;

export const banList = listOf(ban, 'BanList', 'A page of bans.');

export const newBan = z
  .strictObject({
    network,
    domain: hostName.optional().meta({
      description: 'Only REGISTERs of this domain. A key confined to domains must name one of them.',
      example: 'example.com',
    }),
    username: z.string().min(1).max(MAX_USERNAME_LENGTH).optional().meta({
      description: 'Only this user of the domain, as digest username or in To.',
      example: 'alice',
    }),
    seconds: z
      .int()
      .min(1)
      .max(MAX_BAN_SECONDS)
      .default(DEFAULT_BAN_SECONDS)
      .meta({ description: 'For how long.', example: 3600 }),
    reason: reason.nullish(),
  })
  .refine((given) => given.username === undefined || given.domain !== undefined, {
    path: ['username'],
    message: 'A username needs its domain.',
  })
  .meta({ id: 'NewBan', description: 'What to ban.' });

export const BAN_SORT_FIELDS = ['created_at', 'expires_at'] as const;

export const banListQuery = z.strictObject({
  ...pageQuery(z.enum(ordersOf(BAN_SORT_FIELDS)).default('-created_at')),
  kind: z.enum(['manual', 'automatic']).optional().meta({ description: 'Bans of this kind.' }),
  ip: network.optional().meta({
    description: 'Bans that an address, or one within a network, would meet.',
    example: '203.0.113.66',
  }),
  domain: filterText.optional().meta({
    description: 'Bans of this domain alone; those of all domains are not among them.',
    example: 'example.com',
  }),
});

export const banParams = z.object({
  id: z.string().meta({ description: 'The id of the ban.', example: 'ban_01K8ZVL7Q3M5T9XW2ABCDEFGHJ' }),
});
