import { z } from 'zod';
import { Problem, type ProblemPart } from './problem.js';

/** What a request brings, before any schema has seen it. */
export interface RawInput {
  readonly params: Readonly<Record<string, unknown>>;
  readonly search: URLSearchParams;
  /** The parsed JSON body, if the operation takes one. */
  readonly body: unknown;
}

/**
 * Reads query parameters by their schemas: each at most once, none unknown; numbers and booleans from their
 * text, lists from text with commas. Returns the schema's output, or the problem.
 */
export function readParameters(schema: z.ZodObject, search: URLSearchParams): unknown {
  const given: Record<string, unknown> = {};
  for (const name of new Set(search.keys())) {
    const texts = search.getAll(name);
    if (texts.length > 1) {
      return invalidParameter(name, 'repeated_parameter', 'The parameter may occur once.');
    }
    if (!Object.hasOwn(schema.shape, name)) {
      return invalidParameter(name, 'unknown_parameter', 'This operation has no such parameter.');
    }
    given[name] = fromText(schema.shape[name], texts[0] ?? '');
  }
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  return new Problem('validation_failed', undefined, describeIssues(result.error, 'parameter'));
}

/** What each issue of a schema means for the caller: one entry a body property or parameter. */
export function describeIssues(error: z.ZodError, place: 'pointer' | 'parameter'): readonly ProblemPart[] {
  return error.issues.flatMap((issue): readonly ProblemPart[] => {
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        ...whereIs([...issue.path, key], place),
        code: 'unknown_field',
        detail: 'There is no such property here.',
      }));
    }
    return [{ ...whereIs(issue.path, place), code: issue.code, detail: asSentence(issue.message) }];
  });
}

function invalidParameter(parameter: string, code: string, detail: string): Problem {
  return new Problem('validation_failed', undefined, [{ parameter, code, detail }]);
}

function whereIs(path: readonly PropertyKey[], place: 'pointer' | 'parameter'): ProblemPart | object {
  if (place === 'parameter') return { parameter: String(path[0] ?? '') };
  const pointer = path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
  return { pointer };
}

function asSentence(message: string): string {
  return message.endsWith('.') ? message : `${message}.`;
}

/** Text that does not read as its type stays text, and the schema says what is wrong with it. */
function fromText(schema: unknown, text: string): unknown {
  const type = innerType(schema);
  if (type instanceof z.ZodNumber) return /^-?[0-9]{1,15}$/.test(text) ? Number(text) : text;
  if (type instanceof z.ZodBoolean) return text === 'true' ? true : text === 'false' ? false : text;
  if (type instanceof z.ZodArray) return text.split(',');
  return text;
}

function innerType(schema: unknown): unknown {
  let type = schema;
  while (type instanceof z.ZodOptional || type instanceof z.ZodDefault || type instanceof z.ZodNullable) {
    type = type.unwrap();
  }
  return type;
}
