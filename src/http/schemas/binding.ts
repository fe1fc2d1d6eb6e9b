import { z } from 'zod';
import { BINDING_SORT_FIELDS } from '../../location/binding.js';
import { fieldsQuery, listOf, ordersOf, pageQuery } from './page.js';
import { filterText, givenTime, network, shownTime } from './text.js';

const TRANSPORTS = ['udp', 'tcp'] as const;

export const received = z
  .object({
    transport: z.enum(TRANSPORTS).meta({ example: 'udp' }),
    ip: z.string().meta({ example: '203.0.113.9' }),
    port: z.int().min(0).max(65_535).meta({ example: 41_822 }),
  })
  .meta({ id: 'Received', description: 'From where the last REGISTER really came.' });

const flow = z
  .object({ id: z.string().meta({ example: 'flw_01K8ZVB2C4D6E8G0HJKMNPQRST' }) })
  .nullable()
  .meta({ description: 'The connection the last REGISTER came over; null over UDP.', example: null });

export const binding = z
  .object({
    id: z.string().meta({ example: 'bnd_01K8ZVC5D7F9H1J3KMNPQRSTVW' }),
    user_id: z.string().meta({ example: 'usr_01K8ZV7Q3M5T9XW2ABCDEFGHJK' }),
    aor: z.string().meta({ example: 'sip:alice@example.com' }),
    contact: z.string().meta({
      description: 'The Contact URI as the phone sent it.',
      example: 'sip:alice@10.0.0.7:5060',
    }),
    display_name: z.string().meta({ description: 'As sent, quotes included, or empty.', example: '' }),
    q: z.number().min(0).max(1).nullable().meta({
      description: 'Preference; null when the phone gave none, which counts as 1.',
      example: 0.7,
    }),
    params: z.string().meta({
      description: 'The other Contact parameters as sent, each with its leading semicolon.',
      example: ';q=0.7',
    }),
    received,
    instance_id: z.string().nullable().meta({
      description: 'The +sip.instance of the device.',
      example: 'urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6',
    }),
    reg_id: z.int().nullable().meta({ example: null }),
    user_agent: z.string().nullable().meta({ example: 'Yealink SIP-T54W 96.86.0.100' }),
    call_id: z.string().meta({ example: 'f2b1c9d0@10.0.0.7' }),
    cseq: z.int().meta({ example: 12 }),
    credential_id: z.string().nullable().meta({
      description: 'The credential that authenticated the last REGISTER.',
      example: 'crd_01K8ZV8A6N0P4R7TBCDEFGHJKM',
    }),
    flow,
    registered_at: shownTime,
    refreshed_at: shownTime,
    expires_at: shownTime.meta({ example: '2026-11-22T11:15:30.000Z' }),
    expires_in_seconds: z.int().min(0).meta({ example: 3600 }),
  })
  .meta({ id: 'Binding', description: 'Where one phone of a user is reachable, until it expires.' });
export type BindingBody = z.infer<typeof binding>;

export const bindingList = listOf(binding, 'BindingList', 'A page of bindings.');

/** The conditions that lists of bindings and deregistrations share; all given ones must hold. */
export const bindingConditions = {
  domain: filterText.optional().meta({ description: 'Users of this domain.', example: 'example.com' }),
  user_id: filterText.optional().meta({
    description: 'Bindings of the user with this id.',
    example: 'usr_01K8ZV7Q3M5T9XW2ABCDEFGHJK',
  }),
  aor: filterText.optional().meta({
    description: 'Bindings of this address-of-record.',
    example: 'sip:alice@example.com',
  }),
  transport: z.enum(TRANSPORTS).optional().meta({ description: 'Registered over this transport.' }),
  source_ip: network.optional().meta({
    description: 'The last REGISTER came from this address, or from within this network.',
    example: '203.0.113.0/24',
  }),
  user_agent_prefix: filterText.optional().meta({
    description: 'The User-Agent begins with this.',
    example: 'Yealink SIP-T54W',
  }),
  instance_id: filterText.optional().meta({
    description: 'The +sip.instance of the device.',
    example: 'urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6',
  }),
  credential_id: filterText.optional().meta({
    description: 'Authenticated by this credential.',
    example: 'crd_01K8ZV8A6N0P4R7TBCDEFGHJKM',
  }),
  expires_before: givenTime.optional().meta({ description: 'Expiring before then.' }),
  registered_after: givenTime.optional().meta({
    description: 'Registered first after then.',
    example: '2026-11-01T00:00:00Z',
  }),
};

export const bindingListQuery = z.strictObject({
  ...pageQuery(z.enum(ordersOf(BINDING_SORT_FIELDS)).default('-registered_at')),
  ...bindingConditions,
  fields: fieldsQuery(binding),
});

export const userBindingListQuery = z.strictObject({
  ...pageQuery(z.enum(ordersOf(BINDING_SORT_FIELDS)).default('-registered_at')),
  fields: fieldsQuery(binding),
});

export const bindingParams = z.object({
  id: z.string().meta({ description: 'The id of the binding.', example: 'bnd_01K8ZVC5D7F9H1J3KMNPQRSTVW' }),
});
