import {
  OpenAPIRegistry,
  OpenApiGeneratorV31,
  type ResponseConfig,
  type RouteConfig,
} from '@asteasolutions/zod-to-openapi';
import { stringify } from 'yaml';
import { z } from 'zod';
import { isRepeatable } from './idempotency.js';
import type { Contract, Operation, RequestBody, Success } from './operation.js';
import { TAGS } from './operation.js';
import { operations } from './operations.js';
import { PROBLEM_MEDIA_TYPE, PROBLEM_TYPES, Problem, type ProblemCode, problemBody } from './problem.js';
import { problem as problemSchema } from './schemas/problem.js';

/** The version of the contract; it moves with what the contract says, not with the program. */
const CONTRACT_VERSION = '1.0.0';

const DESCRIPTION = `Provision SIP users, see which phones are registered, and take registrations away.

**Authorization.** Every operation under /v1 needs an API key: \`Authorization: Bearer rk_…\`. Each states its scope in \`x-required-scopes\`. A key may be confined to domains; what belongs to other domains then does not exist for it (404).

**Lists** come in pages: \`limit\`, \`cursor\`, \`sort\`, and \`Link: rel="next"\`. A cursor belongs to its filter and order.

**Changes** are PATCH with \`application/merge-patch+json\` (RFC 7396): \`null\` clears. Unknown properties and parameters are refused. Every resource has a strong \`ETag\`; \`If-Match\` refuses a change (412) made from an older revision. What changes without an edit, a registration for one, follows the revision after a hyphen and is overlooked by \`If-Match\`.

**Repeating a POST** is safe with \`Idempotency-Key\`: for 24 hours the same key gets the same answer, marked \`Idempotency-Replayed: true\`.

**Problems** are \`application/problem+json\` (RFC 9457); programs decide by \`code\`.

Durations are whole seconds in \`*_seconds\`, times are RFC 3339 in UTC. Enumerations may grow.`;

/** Answers any operation may give, beside its own. */
const PROBLEMS_OF_ALL: readonly ProblemCode[] = ['validation_failed', 'internal_error'];
const PROBLEMS_OF_PROTECTED: readonly ProblemCode[] = ['unauthenticated', 'rate_limited', 'store_overloaded'];
const PROBLEMS_WITH_BODY: readonly ProblemCode[] = [
  'malformed_json',
  'body_too_large',
  'unsupported_media_type',
];
const PROBLEMS_OF_POST: readonly ProblemCode[] = ['idempotency_in_flight', 'idempotency_key_reused'];

const EXAMPLE_REQUEST_ID = 'req_01K8ZVJBKD3F5H7J9KMNPQRSTV';

const HEADERS = {
  'X-Request-Id': { description: 'The name of this request, as in the log.', schema: { type: 'string' } },
  Location: { description: 'Where the resource is.', schema: { type: 'string' } },
  ETag: { description: 'The revision, for If-Match and If-None-Match.', schema: { type: 'string' } },
  Link: { description: 'rel="next": the next page, when there is one.', schema: { type: 'string' } },
  'Idempotency-Replayed': {
    description: 'true when this is the answer to an earlier request with the same Idempotency-Key.',
    schema: { type: 'string' },
  },
  'Retry-After': { description: 'Seconds to wait.', schema: { type: 'integer' } },
  'WWW-Authenticate': { description: 'How to authorize (RFC 6750).', schema: { type: 'string' } },
} as const;

/** All problems an operation may answer with, its own and those of its kind. */
export function problemsOf(operation: Operation): readonly ProblemCode[] {
  const isProtected = operation.access !== 'public';
  return [
    ...PROBLEMS_OF_ALL,
    ...(isProtected ? PROBLEMS_OF_PROTECTED : []),
    ...(isProtected && operation.access !== 'any_key' ? (['insufficient_scope'] as const) : []),
    ...(operation.path.includes('{') ? (['malformed_url'] as const) : []),
    ...(operation.body === undefined ? [] : PROBLEMS_WITH_BODY),
    ...(operation.method === 'post' ? PROBLEMS_OF_POST : []),
    ...(operation.ifMatch === 'revision' ? (['if_match_required'] as const) : []),
    ...operation.problems,
  ].filter((code, index, all) => all.indexOf(code) === index);
}

type HeadersObject = Exclude<NonNullable<ResponseConfig['headers']>, z.ZodObject>;

let rendered: Contract | undefined;

/** The contract, as it is committed and served. */
export function renderContract(): Contract {
  if (rendered === undefined) {
    const document = openApiDocument();
    rendered = {
      // Readers of YAML 1.1 take unquoted times for something else than text.
      yaml: stringify(document, { lineWidth: 110, aliasDuplicateObjects: false, compat: 'yaml-1.1' }),
      json: JSON.stringify(document),
    };
  }
  return rendered;
}

/** The OpenAPI 3.1 document, made from the table of operations and their schemas. */
export function openApiDocument(): object {
  const registry = new OpenAPIRegistry();
  registry.registerComponent('securitySchemes', 'apiKey', {
    type: 'http',
    scheme: 'bearer',
    description: 'An API key, `rk_…`. Never sent in a URL.',
  });
  for (const [name, header] of Object.entries(HEADERS)) {
    registry.registerComponent('headers', name, { ...header });
  }
  for (const [code, example] of problemExamples()) registry.registerComponent('examples', code, example);
  for (const operation of operations) registry.registerPath(routeConfig(operation));
  const document = new OpenApiGeneratorV31(registry.definitions).generateDocument({
    openapi: '3.1.0',
    info: {
      title: 'SIP registrar: admin API',
      version: CONTRACT_VERSION,
      description: DESCRIPTION,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/', description: 'This server' }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
  });
  return plain(document);
}

function routeConfig(operation: Operation): RouteConfig {
  const { operationId, method, path, tag, summary, description, access } = operation;
  return {
    operationId,
    method,
    path,
    tags: [tag],
    summary,
    description,
    security: access === 'public' ? [] : [{ apiKey: [] }],
    'x-required-scopes': access === 'public' || access === 'any_key' ? [] : [access],
    request: {
      params: operation.params,
      query: operation.query,
      headers: requestHeaders(operation),
      ...(operation.body === undefined ? {} : { body: requestBody(operation.body) }),
    },
    responses: {
      ...Object.fromEntries(
        operation.successes.map((success) => [success.status, successResponse(success, operation)]),
      ),
      ...notModified(operation),
      ...problemResponses(operation),
    },
  };
}

function requestHeaders(operation: Operation): z.ZodObject {
  const hasTag = operation.successes.some(({ headers }) => headers?.includes('ETag'));
  return z.object({
    ...(operation.method === 'post'
      ? {
          'Idempotency-Key': z
            .string()
            .min(1)
            .max(255)
            .regex(/^[!-~]+$/)
            .optional()
            .meta({
              description: 'Any text of yours that is new for each new request; a UUID for one.',
              example: '5f0c3a52-8a3e-4c1c-9a55-0a3f6d9c7e21',
            }),
        }
      : {}),
    ...(operation.ifMatch === undefined
      ? {}
      : {
          'If-Match': z.string().optional().meta({
            description:
              'The ETag of the resource as it was read: the change is refused if there was another since.',
            example: '"1"',
          }),
        }),
    ...(operation.method === 'get' && hasTag
      ? {
          'If-None-Match': z.string().optional().meta({
            description: 'An ETag: answered 304 while it holds.',
            example: '"1"',
          }),
        }
      : {}),
  });
}

function requestBody(body: RequestBody) {
  return {
    required: true,
    content: { [body.mediaType]: { schema: body.schema, examples: { ...body.examples } } },
  };
}

function successResponse(success: Success, operation: Operation) {
  const names = [
    'X-Request-Id',
    ...(success.headers ?? []),
    ...(operation.method === 'post' ? (['Idempotency-Replayed'] as const) : []),
  ] as const;
  return {
    description: success.description,
    headers: headers(names),
    ...(success.links === undefined ? {} : { links: { ...success.links } }),
    ...content(success),
  };
}

function content({ schema, mediaType, examples = {} }: Success) {
  if (schema === undefined && mediaType === undefined) return {};
  const type = mediaType ?? 'application/json';
  const textSchema =
    type === 'application/json' ? ({ type: 'object' } as const) : ({ type: 'string' } as const);
  return { content: { [type]: { schema: schema ?? textSchema, examples: { ...examples } } } };
}

function notModified(operation: Operation): RouteConfig['responses'] {
  const hasTag = operation.successes.some(
    (success) => success.status === 200 && success.headers?.includes('ETag'),
  );
  if (operation.method !== 'get' || !hasTag) return {};
  return {
    304: {
      description: 'The ETag in If-None-Match still holds.',
      headers: headers(['X-Request-Id', 'ETag']),
    },
  };
}

/** One response a status, with an example for each problem that has it. */
function problemResponses(operation: Operation) {
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of problemsOf(operation)) {
    const { status } = PROBLEM_TYPES[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus]
      .sort(([a], [b]) => a - b)
      .map(([status, codes]) => [
        status,
        {
          description: codes.map((code) => `${PROBLEM_TYPES[code].title} (\`${code}\`).`).join(' '),
          headers: headers([
            'X-Request-Id',
            ...(status === 401 || status === 403 ? (['WWW-Authenticate'] as const) : []),
            ...(status === 429 || status === 503 ? (['Retry-After'] as const) : []),
            ...(operation.method === 'post' && isRepeatable(status)
              ? (['Idempotency-Replayed'] as const)
              : []),
          ]),
          content: {
            [PROBLEM_MEDIA_TYPE]: {
              schema: problemSchema,
              examples: Object.fromEntries(
                codes.map((code) => [code, { $ref: `#/components/examples/${code}` }]),
              ),
            },
          },
        },
      ]),
  );
}

/** One example a problem, as the first operation that has it would answer. */
function problemExamples(): readonly (readonly [ProblemCode, { summary: string; value: unknown }])[] {
  const examples = new Map<ProblemCode, { summary: string; value: unknown }>();
  for (const operation of operations) {
    for (const code of problemsOf(operation)) {
      if (examples.has(code)) continue;
      const { title, example } = PROBLEM_TYPES[code];
      const detail =
        code === 'insufficient_scope' ? `This operation needs the scope ${operation.access}.` : example;
      const value = problemBody(new Problem(code, detail), examplePath(operation), EXAMPLE_REQUEST_ID);
      examples.set(code, { summary: title, value });
    }
  }
  return [...examples].sort(([a], [b]) => (a < b ? -1 : 1));
}

function headers(names: readonly (keyof typeof HEADERS)[]): HeadersObject {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}

/** The path with the examples of its parameters in place. */
function examplePath({ path, params }: Operation): string {
  return path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const parameter = params.shape[name];
    const example = parameter instanceof z.ZodType ? parameter.meta()?.example : undefined;
    return typeof example === 'string' ? encodeURIComponent(example) : name;
  });
}

interface PlainDocument {
  readonly paths: Record<string, Record<string, { readonly parameters?: readonly PlainParameter[] }>>;
}

interface PlainParameter {
  readonly in: string;
  readonly schema: { readonly type?: unknown; description?: string };
  style?: string;
  explode?: boolean;
}

/** A copy without undefined members and shared parts, as JSON has it, in which lists are said to take commas. */
function plain(document: object): object {
  const copy = JSON.parse(JSON.stringify(document)) as PlainDocument;
  for (const operation of Object.values(copy.paths).flatMap((item) => Object.values(item))) {
    for (const parameter of operation.parameters ?? []) {
      // The parameter says it already.
      delete parameter.schema.description;
      if (parameter.schema.type === 'array') Object.assign(parameter, { style: 'form', explode: false });
    }
  }
  return copy;
}
