import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ContractOperation, contract, eachOperation } from './support/contract.js';
import { Harness } from './support/harness.js';

let api: Harness;
let ids: Record<string, string>;
beforeAll(async () => {
  api = await Harness.open();
  await api.domain();
  const user = await api.user('alice');
  const binding = await api.register({
    userId: user,
    address: 'alice@example.com',
    contact: 'sip:a@192.0.2.7',
  });
  ids = { user, binding };
});
afterAll(() => api.close());

interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly format?: string;
  readonly example?: unknown;
}

/** Values that a schema lets through, mostly, and now and then one that it does not. */
function valuesOf(schema: Schema, depth = 0): fc.Arbitrary<unknown> {
  const wild = depth > 4 ? fc.constant(null) : fc.jsonValue({ maxDepth: 2 });
  return fc.oneof({ weight: 12, arbitrary: fittingValues(schema, depth) }, { weight: 1, arbitrary: wild });
}

function fittingValues(schema: Schema, depth: number): fc.Arbitrary<unknown> {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.split('/').at(-1)!;
    return valuesOf(contract.components.schemas[name] as Schema, depth);
  }
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  const types = Array.isArray(schema.type) ? schema.type : [schema.type];
  return fc.oneof(...types.map((type) => ofType(type, schema, depth)));
}

function ofType(type: string | undefined, schema: Schema, depth: number): fc.Arbitrary<unknown> {
  const example = schema.example === undefined ? [] : [fc.constant(schema.example)];
  switch (type) {
    case 'string': {
      if (schema.format === 'date-time') {
        return fc.date({ noInvalidDate: true }).map((date) => date.toISOString());
      }
      const limits = { minLength: schema.minLength ?? 0, maxLength: Math.min(schema.maxLength ?? 40, 40) };
      const minLength = Math.min(limits.minLength, limits.maxLength);
      return fc.oneof(
        ...example,
        fc.string({ ...limits, minLength, unit: 'grapheme' }),
        fc.string({ ...limits, minLength, unit: 'binary' }),
      );
    }
    case 'integer':
      return fc.oneof(
        ...example,
        fc.integer({ min: schema.minimum ?? -10, max: schema.maximum ?? 2 ** 40 }),
        fc.double(),
      );
    case 'boolean':
      return fc.boolean();
    case 'array':
      return fc.oneof(...example, fc.array(valuesOf(schema.items ?? {}, depth + 1), { maxLength: 4 }));
    case 'object': {
      const members = Object.entries(schema.properties ?? {}).map(
        ([name, member]) => [name, valuesOf(member, depth + 1)] as const,
      );
      return fc.record(Object.fromEntries(members), { requiredKeys: [...(schema.required ?? [])] });
    }
    case 'null':
      return fc.constant(null);
    default:
      return fc.jsonValue({ maxDepth: 1 });
  }
}

function requestsFor(path: string, operation: ContractOperation) {
  const parameters = operation.parameters ?? [];
  const pathValue = fc.oneof(
    fc.constantFrom('example.com', 'alice@example.com', ids.user!, ids.binding!),
    fc.string({ minLength: 1, unit: 'grapheme' }),
  );
  const query = fc.record(
    Object.fromEntries(
      parameters.filter((one) => one.in === 'query').map((one) => [one.name, valuesOf(one.schema as Schema)]),
    ),
    { requiredKeys: [] },
  );
  const headers = fc.record(
    {
      'If-Match': fc.constantFrom('*', '"1"', 'W/"1"', '"1-abc", "2"', 'nonsense', ''),
      'If-None-Match': fc.constantFrom('*', '"1"', '""', '"'),
      'Idempotency-Key': fc.oneof(
        fc.constantFrom('a', 'b'),
        fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme-ascii' }),
      ),
    },
    { requiredKeys: [] },
  );
  const [mediaType, content] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
  const body = content === undefined ? fc.constant(undefined) : valuesOf(content.schema as Schema);
  const paths = fc
    .array(pathValue, { minLength: 2, maxLength: 2 })
    .map((values) => path.replaceAll(/\{\w+\}/g, () => encodeURIComponent(values.pop() ?? 'x')));
  return fc.record({ url: paths, query, headers, body }).map((request) => ({ ...request, mediaType }));
}

/** A parameter's value as a client would write it: lists with commas. */
function asText(value: unknown): string {
  if (Array.isArray(value)) return value.map(asText).join(',');
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}

describe('requests made from the contract', () => {
  test.each(eachOperation())(
    '$method $path answers as the contract says, whatever comes',
    async (place) => {
      const { method, path, operation } = place;
      const isKeyHarmful = path.startsWith('/v1/api-keys/');
      await fc.assert(
        fc.asyncProperty(requestsFor(path, operation), async ({ url, query, headers, body, mediaType }) => {
          const search = new URLSearchParams(
            Object.entries(query).map(([name, value]): [string, string] => [name, asText(value)]),
          );
          if (isKeyHarmful && method !== 'get') return;
          const answer = await api.call(method as 'post', `${url}?${search}`, {
            ...(mediaType === undefined ? {} : { type: mediaType, body }),
            headers,
          });
          expect(answer.status).not.toBe(500);
        }),
        { numRuns: 40 },
      );
    },
    60_000,
  );
});
