import { z } from 'zod';
import { DIGEST_ALGORITHMS } from '../../accounts/domain.js';
import { MAX_PASSWORD_LENGTH, MAX_USERNAME_LENGTH, MIN_PASSWORD_LENGTH } from '../../accounts/rules.js';
import { listOf, ordersOf, pageQuery } from './page.js';
import { givenTime, plainText, shownTime } from './text.js';

const MAX_LABEL_LENGTH = 100;

const shown = {
  id: z.string().meta({ example: 'crd_01K8ZV8A6N0P4R7TBCDEFGHJKM' }),
  auth_username: z.string().meta({
    description:
      'The digest username; immutable. username@domain is taken too, unless the credential came as HA1.',
    example: 'alice',
  }),
  realm: z.string().meta({ description: 'Immutable.', example: 'example.com' }),
  algorithms: z.array(z.enum(DIGEST_ALGORITHMS)).meta({
    description: 'What the user can be challenged with.',
    example: ['SHA-512-256', 'SHA-256', 'MD5'],
  }),
  state: z.enum(['active', 'revoked']).meta({ example: 'active' }),
  label: z.string().nullable().meta({ example: 'desk phone' }),
  created_at: shownTime,
  updated_at: shownTime,
  expires_at: shownTime.nullable().meta({ example: null }),
  revoked_at: shownTime.nullable().meta({ example: null }),
  last_used_at: shownTime.nullable().meta({
    description: 'When it last authenticated a REGISTER.',
    example: null,
  }),
};

export const credential = z
  .object(shown)
  .meta({ id: 'Credential', description: 'A digest credential: everything but its secret.' });
export type CredentialBody = z.infer<typeof credential>;

export const issuedCredential = z
  .object({
    ...shown,
    password: z.string().optional().meta({
      description: 'The generated password, in this answer only; it cannot be read again.',
      example: 'kT7wpa-Xm4hRd-9qZbNe-Vs3uYf',
    }),
    password_shown_once: z.literal(true).optional().meta({ description: 'There when password is.' }),
  })
  .meta({ id: 'IssuedCredential', description: 'A credential just made.' });
export type IssuedCredentialBody = z.infer<typeof issuedCredential>;

export const revokedCredential = z
  .object({
    ...shown,
    bindings_removed: z.int().min(0).meta({
      description: 'How many bindings went with it; 0 without deregister=true.',
      example: 1,
    }),
  })
  .meta({ id: 'RevokedCredential', description: 'A credential just revoked.' });

export const credentialList = listOf(credential, 'CredentialList', 'A page of credentials.');

/** H(username:realm:password) in hexadecimal: 16 bytes of MD5, 32 of the others. */
function ha1Value(byteCount: number) {
  return z
    .string()
    .regex(new RegExp(`^[0-9A-Fa-f]{${byteCount * 2}}$`), `This HA1 has ${byteCount * 2} hexadecimal digits.`)
    .overwrite((hex) => hex.toLowerCase());
}

const ha1Values = z
  .strictObject({
    md5: ha1Value(16).optional(),
    sha_256: ha1Value(32).optional(),
    sha_512_256: ha1Value(32).optional(),
  })
  .refine((values) => Object.keys(values).length > 0, 'Give the HA1 of at least one algorithm.')
  .meta({
    writeOnly: true,
    minProperties: 1,
    description:
      'HA1 = H(auth_username:realm:password) by algorithm, to move accounts here without knowing passwords.',
  });

const SOURCES = ['generate', 'password', 'ha1'] as const;

export const newCredential = z
  .strictObject({
    generate: z.literal(true).optional().meta({
      description: 'Let the server draw a password of at least 128 bits; the answer shows it once.',
    }),
    password: z
      .string()
      .min(1)
      .max(MAX_PASSWORD_LENGTH)
      .optional()
      .meta({
        writeOnly: true,
        description: `${MIN_PASSWORD_LENGTH} to ${MAX_PASSWORD_LENGTH} characters, without the username in it. Only its HA1 values are kept.`,
      }),
    ha1: ha1Values.optional(),
    auth_username: z.string().min(1).max(MAX_USERNAME_LENGTH).optional().meta({
      description: 'The digest username, if it is another than the username.',
      example: 'alice',
    }),
    label: plainText(MAX_LABEL_LENGTH).nullish().meta({ example: 'desk phone' }),
    expires_at: givenTime.nullish().meta({
      description: 'From then on it no longer authenticates; null is never.',
      example: null,
    }),
  })
  .refine(
    (given) => SOURCES.filter((source) => given[source] !== undefined).length === 1,
    'Give one of generate, password and ha1.',
  )
  .meta({
    id: 'NewCredential',
    description: 'A credential to make: generated, from a password, or from HA1 values.',
    oneOf: SOURCES.map((source) => ({ required: [source] })),
  });
export type GivenCredential = z.output<typeof newCredential>;

export const credentialPatch = z
  .strictObject({
    label: plainText(MAX_LABEL_LENGTH).nullish().meta({ example: 'desk phone, second floor' }),
    expires_at: givenTime.nullish(),
    state: z.literal('revoked').optional().meta({ description: 'Revoking is for good.' }),
  })
  .meta({
    id: 'CredentialPatch',
    description: 'What to change (RFC 7396); null clears. The secret never changes.',
  });

export const credentialListQuery = z.strictObject({
  ...pageQuery(z.enum(ordersOf(['created_at'])).default('-created_at')),
});

export const deregisterQuery = z.strictObject({
  deregister: z.boolean().default(false).meta({
    description: 'Whether the bindings this credential authenticated go in the same transaction.',
  }),
});
