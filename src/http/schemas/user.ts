import { z } from 'zod';
import { MAX_BINDINGS_LIMIT, MAX_USERNAME_LENGTH } from '../../accounts/rules.js';
import { USER_SORT_FIELDS } from '../../accounts/user.js';
import { binding } from './binding.js';
import { issuedCredential, newCredential } from './credential.js';
import { challenge } from './domain.js';
import { fieldsQuery, listOf, ordersOf, pageQuery } from './page.js';
import { filterText, givenTime, hostName, plainText, shownTime } from './text.js';

const MAX_TAGS = 50;
const MAX_TAG_LENGTH = 64;
const MAX_MAY_REGISTER = 50;

const tags = z
  .array(plainText(MAX_TAG_LENGTH))
  .max(MAX_TAGS)
  .refine((names) => new Set(names).size === names.length, 'Each tag may occur once.')
  .meta({ description: 'Words of yours to find users by.', example: ['sales'] });

const mayRegister = z
  .array(plainText(320))
  .max(MAX_MAY_REGISTER)
  .meta({
    description:
      'Addresses-of-record of others that this user may register (third-party registration, RFC 3261 §10.2).',
    example: ['sip:reception@example.com'],
  });

const settings = {
  display_name: plainText(200).nullable().meta({ example: 'Alice' }),
  tags,
  external_id: plainText(128).nullable().meta({
    description: 'The id of the user in another system of yours; unique within the domain.',
    example: 'hr-8841',
  }),
  max_bindings: z.int().min(1).max(MAX_BINDINGS_LIMIT).nullable().meta({
    description: 'The binding limit of this user; null takes the one of the domain.',
    example: 3,
  }),
  challenge: challenge.nullable().meta({
    description: 'The challenge policy of this user; null takes the one of the domain.',
    example: null,
  }),
  may_register: mayRegister,
  expires_at: givenTime.nullable().meta({
    description: 'From then on the account no longer authenticates; null is never.',
    example: null,
  }),
};

const registration = z
  .object({
    state: z.enum(['registered', 'not_registered', 'never_registered']).meta({ example: 'never_registered' }),
    bindings: z.int().min(0).meta({ description: 'Current bindings.', example: 0 }),
    last_registered_at: shownTime.nullable().meta({ example: null }),
  })
  .meta({ id: 'Registration', description: 'Whether a phone of the user is registered.' });

const shown = {
  id: z.string().meta({ example: 'usr_01K8ZV7Q3M5T9XW2ABCDEFGHJK' }),
  aor: z.string().meta({ description: 'The address-of-record.', example: 'sip:alice@example.com' }),
  username: z.string().meta({ description: 'Immutable.', example: 'alice' }),
  domain: z.string().meta({ description: 'Immutable.', example: 'example.com' }),
  display_name: settings.display_name,
  state: z.enum(['active']).meta({ description: 'More states may be added.', example: 'active' }),
  tags: settings.tags,
  external_id: settings.external_id,
  max_bindings: settings.max_bindings,
  challenge: settings.challenge,
  may_register: settings.may_register,
  expires_at: shownTime.nullable().meta({
    description: 'From then on the account no longer authenticates; null is never.',
    example: null,
  }),
  blocked_until: shownTime.nullable().meta({
    description: 'Until then every REGISTER is refused with 403: a deregistration in mode block.',
    example: null,
  }),
  registration,
  created_at: shownTime,
  updated_at: shownTime,
};

export const user = z
  .object({
    ...shown,
    bindings: z
      .array(binding)
      .optional()
      .meta({ description: 'Current bindings; only with include=bindings.' }),
  })
  .meta({ id: 'User', description: 'An account: the owner of one address-of-record.' });
export type UserBody = z.infer<typeof user>;

export const createdUser = z
  .object({
    ...shown,
    credential: issuedCredential.optional(),
  })
  .meta({
    id: 'CreatedUser',
    description: 'A user just made, with the first credential when one was asked for.',
  });

export const userList = listOf(user, 'UserList', 'A page of users.');

export const newUser = z
  .strictObject({
    username: z.string().min(1).max(MAX_USERNAME_LENGTH).meta({
      description: "The user part of the address: A-Z a-z 0-9 - _ . ! ~ * ' ( ) & = + $ , ; ? /",
      example: 'alice',
    }),
    domain: hostName,
    display_name: settings.display_name.optional(),
    tags: settings.tags.optional(),
    external_id: settings.external_id.optional(),
    max_bindings: settings.max_bindings.optional(),
    challenge: settings.challenge.optional(),
    may_register: settings.may_register.optional(),
    expires_at: settings.expires_at.optional(),
    credential: newCredential.optional(),
  })
  .meta({ id: 'NewUser', description: 'A user to make, with the first credential if wanted.' });

export const userPatch = z
  .strictObject({
    display_name: settings.display_name.optional(),
    tags: settings.tags.nullish(),
    external_id: settings.external_id.optional(),
    max_bindings: settings.max_bindings.optional(),
    challenge: settings.challenge.optional(),
    may_register: settings.may_register.nullish(),
    expires_at: settings.expires_at.optional(),
  })
  .meta({ id: 'UserPatch', description: 'What to change (RFC 7396); null clears.' });

/** The settings in a request to make or change a user. */
export type GivenUserSettings = z.output<typeof userPatch>;

const include = z
  .array(z.enum(['bindings']))
  .min(1)
  .optional()
  .meta({ description: 'bindings shows the current bindings of each user.' });

export const userListQuery = z.strictObject({
  ...pageQuery(z.enum(ordersOf(USER_SORT_FIELDS)).default('username')),
  domain: filterText.optional().meta({ description: 'Users of this domain.', example: 'example.com' }),
  aor: filterText.optional().meta({
    description: 'The user with this address-of-record.',
    example: 'sip:alice@example.com',
  }),
  username_prefix: filterText
    .optional()
    .meta({ description: 'The username begins with this.', example: 'al' }),
  registered: z.boolean().optional().meta({ description: 'Whether a phone is registered now.' }),
  tag: filterText.optional().meta({ description: 'Users with this tag.', example: 'sales' }),
  external_id: filterText
    .optional()
    .meta({ description: 'The user with this external id.', example: 'hr-8841' }),
  expires_before: givenTime.optional().meta({ description: 'Accounts that expire before then.' }),
  q: filterText.optional().meta({
    description: 'Username, display name or external id begins with this.',
    example: 'ali',
  }),
  fields: fieldsQuery(user),
  include,
});

export const userQuery = z.strictObject({ include });

export const userParams = z.object({
  id: z.string().meta({
    description: 'The id of the user, or the address `alice@example.com`, percent-encoded.',
    example: 'usr_01K8ZV7Q3M5T9XW2ABCDEFGHJK',
  }),
});

export const credentialParams = z.object({
  ...userParams.shape,
  cid: z.string().meta({
    description: 'The id of the credential.',
    example: 'crd_01K8ZV8A6N0P4R7TBCDEFGHJKM',
  }),
});
