import { z } from 'zod';
import type { Principal } from '../admin/admin-service.js';
import type { Scope } from '../admin/scope.js';
import type { CursorSealer } from './cursor.js';
import type { EntityTags } from './etag.js';
import { Problem, type ProblemCode } from './problem.js';
import type { Reply } from './reply.js';
import type { HttpDeps } from './services.js';
import { describeIssues, type RawInput, readParameters } from './validation.js';

/** The resources, one tag each, in the order the contract shows them. */
export const TAGS = {
  Domains: 'The SIP domains this server answers for, and their rules.',
  Users: 'Accounts: each owns one address-of-record.',
  Credentials: 'What a user authenticates with. Secrets go in, and never come out again.',
  Bindings: 'Which phones are registered, and where they are reachable.',
  Deregistrations: 'Taking registrations away, and what came of it.',
  Locations: 'Where a user is now, as a proxy would ask.',
  'Failed registrations': 'Who was refused, and why: in memory only, the latest ones.',
  Bans: 'Addresses and networks whose REGISTERs are refused unheard.',
  'API keys': 'Who may use this API, and for what.',
  Server: 'The running server: health, readiness, metrics.',
  Contract: 'This description itself.',
} as const;
export type Tag = keyof typeof TAGS;

/** Of a request body. What is not JSON reaches the handler as an octet string, one character a byte. */
export type MediaType = 'application/json' | 'application/merge-patch+json' | 'application/cpl+xml';

export interface Example {
  readonly summary: string;
  readonly value: unknown;
}

/** One way an operation succeeds. */
export interface Success {
  readonly status: 200 | 201 | 202 | 204 | 503;
  readonly description: string;
  /** The JSON body; or the media type of another text. Neither for 204. */
  readonly schema?: z.ZodType;
  readonly mediaType?: string;
  readonly examples?: Readonly<Record<string, Example>>;
  /** `Location` and `ETag`, when the answer has them. */
  readonly headers?: readonly ('Location' | 'ETag' | 'Link')[];
  /** Operations that take up from this answer: parameter values are runtime expressions of OpenAPI. */
  readonly links?: Readonly<
    Record<string, { readonly operationId: string; readonly parameters: Readonly<Record<string, string>> }>
  >;
}

/** Everything that is known about an operation beside what it does: the contract is made of it. */
export interface OperationDescription {
  readonly operationId: string;
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** As OpenAPI writes it: `/v1/users/{id}`. */
  readonly path: string;
  readonly tag: Tag;
  readonly summary: string;
  /** What happens, on the SIP side too. */
  readonly description: string;
  /** Who may: anybody, anybody with a key, or a key with this scope. */
  readonly access: 'public' | 'any_key' | Scope;
  readonly successes: readonly Success[];
  /** Problems of its own; those that every operation of its kind has are added. */
  readonly problems: readonly ProblemCode[];
  /** Whether If-Match is taken: against a revision (require_if_match insists on it), or loosely. */
  readonly ifMatch?: 'revision' | 'loose';
}

/** The contract as it is served. */
export interface Contract {
  readonly yaml: string;
  readonly json: string;
}

/** A request that has passed everything up to its handler. */
export interface Call<Params, Query, Body> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly ifMatch: EntityTags;
  /** The path asked for, without query. */
  readonly path: string;
  /** The query asked for, as it was sent; for links to further pages. */
  readonly search: URLSearchParams;
  readonly cursors: CursorSealer;
  readonly contract: Contract;
  readonly deps: HttpDeps;
  /** Who asks. @throws Error in a public operation, which nobody needs to be known for. */
  readonly principal: Principal;
}

/** What the application hands to an operation beside the input. */
export interface CallContext {
  readonly ifMatch: EntityTags;
  readonly path: string;
  readonly cursors: CursorSealer;
  readonly contract: Contract;
  readonly deps: HttpDeps;
  /** Undefined for public operations. */
  readonly principal: Principal | undefined;
}

interface OperationSpec<Params extends z.ZodObject, Query extends z.ZodObject, Body extends z.ZodType>
  extends OperationDescription {
  readonly params?: Params;
  readonly query?: Query;
  readonly body?: RequestBody<Body>;
  handle(
    call: Call<z.output<Params>, z.output<Query>, z.output<Body>>,
  ): Promise<Reply | Problem> | Reply | Problem;
}

export interface RequestBody<Body extends z.ZodType = z.ZodType> {
  readonly schema: Body;
  readonly mediaType: MediaType;
  readonly examples: Readonly<Record<string, Example>>;
}

/** An operation as the rest of this room sees it: described, and ready to run on unchecked input. */
export interface Operation extends OperationDescription {
  readonly params: z.ZodObject;
  readonly query: z.ZodObject;
  readonly body: RequestBody | undefined;
  /** Checks the input against the schemas, then lets the handler answer. */
  run(input: RawInput, context: CallContext): Promise<Reply | Problem>;
}

const nothing = z.strictObject({});

/** Ties a description, its schemas and a handler together; the handler gets what the schemas let through. */
export function operation<
  Params extends z.ZodObject = typeof nothing,
  Query extends z.ZodObject = typeof nothing,
  Body extends z.ZodType = z.ZodUndefined,
>(spec: OperationSpec<Params, Query, Body>): Operation {
  const params: z.ZodObject = spec.params ?? nothing;
  const query: z.ZodObject = spec.query ?? nothing;
  return {
    ...spec,
    params,
    query,
    body: spec.body,
    async run(input, context) {
      const givenParams = params.safeParse(input.params);
      if (!givenParams.success) return invalid(describeIssues(givenParams.error, 'parameter'));
      const givenQuery = readParameters(query, input.search);
      if (givenQuery instanceof Problem) return givenQuery;
      const givenBody = spec.body?.schema.safeParse(input.body);
      if (givenBody?.success === false) return invalid(describeIssues(givenBody.error, 'pointer'));
      return spec.handle({
        ...context,
        get principal() {
          if (context.principal === undefined) throw new Error(`${spec.operationId} is public`);
          return context.principal;
        },
        search: input.search,
        // The schemas these came through are the ones the handler's types are made of.
        params: givenParams.data as z.output<Params>,
        query: givenQuery as z.output<Query>,
        body: givenBody?.data as z.output<Body>,
      });
    },
  };
}

function invalid(parts: Problem['parts']): Problem {
  return new Problem('validation_failed', undefined, parts);
}
