import { z } from 'zod';
import {
  CHALLENGE_POLICIES,
  DIGEST_ALGORITHMS,
  DOMAIN_SORT_FIELDS,
  OVERFLOW_POLICIES,
  ROUTING_POLICIES,
  SEQUENCE_POLICIES,
} from '../../accounts/domain.js';
import { MAX_BINDINGS_LIMIT } from '../../accounts/rules.js';
import { fieldsQuery, listOf, ordersOf, pageQuery } from './page.js';
import { filterText, hostName, shownTime } from './text.js';

const MAX_ALIASES = 50;
/** Longest interval a domain may set, in seconds: 2^31 − 1, which every phone can count. */
export const MAX_EXPIRES_SECONDS = 2_147_483_647;
const MAX_USERS = 100_000_000;

// A realm stands in a quoted string of the challenge: printable ASCII without quote and backslash suits all phones.
const realm = z
  .string()
  .min(1)
  .max(128)
  .regex(
    /^[\x20-\x21\x23-\x5B\x5D-\x7E]+$/,
    'A realm is printable ASCII without quotation mark and backslash.',
  )
  .meta({
    description:
      'The realm of the digest challenge. Part of every stored HA1, so it is fixed while the domain has active credentials.',
    example: 'example.com',
  });

const algorithms = z
  .array(z.enum(DIGEST_ALGORITHMS))
  .min(1)
  .max(DIGEST_ALGORITHMS.length)
  .refine((names) => new Set(names).size === names.length, 'Each algorithm may occur once.')
  .meta({
    description: 'For which digest algorithms new credentials store an HA1.',
    example: ['SHA-512-256', 'SHA-256', 'MD5'],
  });

export const challenge = z.enum(CHALLENGE_POLICIES).meta({
  description:
    'Which challenge a 401 carries: one algorithm, or all of the domain, one WWW-Authenticate each, strongest first.',
  example: 'md5',
});

const seconds = z.int().min(1).max(MAX_EXPIRES_SECONDS);

/** What may be set on a domain, each with its meaning. */
const settings = {
  aliases: z
    .array(hostName)
    .max(MAX_ALIASES)
    .refine((names) => new Set(names).size === names.length, 'Each alias may occur once.')
    .meta({
      description: 'Other host names that count as this domain in a Request-URI, To or From.',
      example: ['sip.example.com'],
    }),
  realm,
  algorithms,
  challenge,
  allow_no_qop: z.boolean().meta({
    description: 'Whether a digest response without qop (RFC 2069) is taken.',
    example: false,
  }),
  min_expires_seconds: seconds.meta({
    description: 'A shorter interval below one hour is answered 423 with Min-Expires.',
    example: 60,
  }),
  default_expires_seconds: seconds.meta({
    description: 'What a phone gets that asks for no interval.',
    example: 3600,
  }),
  max_expires_seconds: seconds.meta({
    description: 'A longer interval is shortened to it.',
    example: 86_400,
  }),
  max_bindings_per_user: z.int().min(1).max(MAX_BINDINGS_LIMIT).meta({
    description: 'How many bindings a user may have at a time.',
    example: 10,
  }),
  overflow: z.enum(OVERFLOW_POLICIES).meta({
    description:
      'One binding too many: refuse the newcomer with 503, or drop the binding refreshed longest ago.',
    example: 'reject',
  }),
  sequence: z.enum(SEQUENCE_POLICIES).meta({
    description:
      'What a CSeq that is not higher means: a late copy, or a restarted phone if its nonce is younger than the binding.',
    example: 'strict',
  }),
  routing: z.enum(ROUTING_POLICIES).meta({
    description:
      'What other requests than REGISTER to a user of the domain get: 405, or a 302 with the contacts of the user, by falling q. redirect tells anybody who asks where users are and who exists.',
    example: 'off',
  }),
  max_users: z.int().min(1).max(MAX_USERS).nullable().meta({
    description: 'How many users the domain may have; null is no limit.',
    example: null,
  }),
};

export const domain = z
  .object({
    name: hostName.meta({ description: 'Immutable, in lower case.' }),
    ...settings,
    created_at: shownTime,
    updated_at: shownTime,
  })
  .meta({ id: 'Domain', description: 'A served SIP domain with the rules its registrations live by.' });
export type DomainBody = z.infer<typeof domain>;

export const domainList = listOf(domain, 'DomainList', 'A page of domains.');

export const newDomain = z
  .strictObject({
    name: hostName,
    aliases: settings.aliases.optional(),
    realm: settings.realm.optional(),
    algorithms: settings.algorithms.optional(),
    challenge: settings.challenge.optional(),
    allow_no_qop: settings.allow_no_qop.optional(),
    min_expires_seconds: settings.min_expires_seconds.optional(),
    default_expires_seconds: settings.default_expires_seconds.optional(),
    max_expires_seconds: settings.max_expires_seconds.optional(),
    max_bindings_per_user: settings.max_bindings_per_user.optional(),
    overflow: settings.overflow.optional(),
    sequence: settings.sequence.optional(),
    routing: settings.routing.optional(),
    max_users: settings.max_users.optional(),
  })
  .meta({ id: 'NewDomain', description: 'A domain to serve; what is left out takes its default.' });

export const domainPatch = z
  .strictObject({
    aliases: settings.aliases.nullish(),
    realm: settings.realm.nullish(),
    algorithms: settings.algorithms.nullish(),
    challenge: settings.challenge.nullish(),
    allow_no_qop: settings.allow_no_qop.nullish(),
    min_expires_seconds: settings.min_expires_seconds.nullish(),
    default_expires_seconds: settings.default_expires_seconds.nullish(),
    max_expires_seconds: settings.max_expires_seconds.nullish(),
    max_bindings_per_user: settings.max_bindings_per_user.nullish(),
    overflow: settings.overflow.nullish(),
    sequence: settings.sequence.nullish(),
    routing: settings.routing.nullish(),
    max_users: settings.max_users.nullish(),
  })
  .meta({ id: 'DomainPatch', description: 'What to change (RFC 7396); null takes the default back.' });

/** The settings in a request to make or change a domain. */
export type GivenDomainSettings = z.output<typeof domainPatch>;

export const domainParams = z.object({
  domain: z.string().meta({ description: 'The name of the domain.', example: 'example.com' }),
});

export const domainListQuery = z.strictObject({
  ...pageQuery(z.enum(ordersOf(DOMAIN_SORT_FIELDS)).default('name')),
  q: filterText.optional().meta({ description: 'Only names that begin with this.', example: 'exam' }),
  fields: fieldsQuery(domain),
});

export const domainDeleteQuery = z.strictObject({
  cascade: z.boolean().default(false).meta({
    description:
      'Whether users, credentials and bindings go too. Needs If-Match with the ETag of the domain.',
  }),
});
