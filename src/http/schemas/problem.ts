import { z } from 'zod';
import { type ProblemCode, problemCodes } from '../problem.js';

export const problem = z
  .object({
    type: z.string().meta({
      description: 'Leads to the page that explains this kind of problem.',
      example: '/problems#user_exists',
    }),
    title: z.string().meta({ example: 'The user exists already' }),
    status: z.int().min(400).max(599).meta({ example: 409 }),
    detail: z.string().meta({ example: 'alice@example.com is taken by usr_01K8ZV7Q3M5T9XW2ABCDEFGHJK.' }),
    instance: z.string().meta({ description: 'The path asked for.', example: '/v1/users' }),
    code: z.enum(problemCodes() as [ProblemCode, ...ProblemCode[]]).meta({
      description: 'For programs; more codes may be added.',
      example: 'user_exists',
    }),
    request_id: z.string().meta({
      description: 'As in X-Request-Id and in the log.',
      example: 'req_01K8ZVJBKD3F5H7J9KMNPQRSTV',
    }),
    errors: z
      .array(
        z.object({
          pointer: z
            .string()
            .optional()
            .meta({ description: 'A body property (RFC 6901).', example: '/username' }),
          parameter: z.string().optional().meta({ description: 'A query or path parameter.' }),
          header: z.string().optional().meta({ description: 'A header field.' }),
          code: z.string().meta({ example: 'user_exists' }),
          detail: z.string().meta({ example: 'A username is unique within its domain.' }),
        }),
      )
      .optional()
      .meta({ description: 'The parts of the request at fault, when they are known.' }),
  })
  .meta({ id: 'Problem', description: 'What went wrong (RFC 9457).' });
