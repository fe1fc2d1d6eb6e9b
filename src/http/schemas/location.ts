import { z } from 'zod';
import { binding, received } from './binding.js';
import { plainText } from './text.js';

const { contact, display_name, q, params, instance_id, reg_id, flow, expires_at, expires_in_seconds } =
  binding.shape;

const locationContact = z
  .object({
    binding_id: binding.shape.id,
    contact,
    display_name,
    q,
    params,
    received,
    instance_id,
    reg_id,
    flow,
    expires_at,
    expires_in_seconds,
  })
  .meta({ id: 'LocationContact', description: 'One place where the user is reachable.' });

export const location = z
  .object({
    aor: z.string().meta({ example: 'sip:alice@example.com' }),
    contacts: z.array(locationContact).meta({ description: 'By falling q, then newest first.' }),
  })
  .meta({ id: 'Location', description: 'Where a user is now.' });
export type LocationBody = z.infer<typeof location>;

export const locationQuery = z.strictObject({
  aor: plainText(320).meta({
    description: 'The address-of-record: `sip:alice@example.com`, or without the scheme.',
    example: 'sip:alice@example.com',
  }),
});
