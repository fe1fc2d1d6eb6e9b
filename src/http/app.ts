import express, { type Express, type Request, type Response } from 'express';
import { rateLimit } from 'express-rate-limit';
import helmet from 'helmet';
import { deriveKey } from '../accounts/secret-seal.js';
import { StoreOverloaded } from '../base/store-error.js';
import { AdminAuth, lackOfScope } from './admin-auth.js';
import { CursorSealer } from './cursor.js';
import { type EntityTags, namesTag, parseEntityTags } from './etag.js';
import { firstContact } from './first-contact.js';
import { HttpMetrics } from './http-metrics.js';
import { Idempotency } from './idempotency.js';
import { renderContract } from './openapi.js';
import type { Contract, Operation } from './operation.js';
import { operations } from './operations.js';
import { PROBLEM_MEDIA_TYPE, Problem, problemBody } from './problem.js';
import { json, type Reply } from './reply.js';
import { requestState } from './request-state.js';
import type { HttpDeps } from './services.js';
import { parseStrictJson } from './strict-json.js';
import { swaggerUi } from './swagger-ui.js';

const RATE_WINDOW_MS = 60_000;

/**
 * The REST admin service as an Express application. Every path and method stands in the table of operations,
 * which is also what the contract is made of; here is the way that all of them share: name the request, find
 * the operation, know who asks, check what was sent, run it, answer.
 */
export function createHttpApp(deps: HttpDeps): Express {
  const { clock, log, settings } = deps;
  const shared: Shared = {
    deps,
    contract: renderContract(),
    auth: new AdminAuth(deps.admin, settings.failedAuthLimitPerMinute),
    cursors: new CursorSealer(deriveKey(deps.cursorKey, 'cursors')),
    idempotency: new Idempotency(deps.idempotency, deriveKey(deps.cursorKey, 'idempotency'), clock),
    keyLimit: keyRateLimit(settings.rateLimitPerMinute),
    readBody: express.raw({ type: () => true, limit: settings.maxBodyBytes }),
  };

  const app = express();
  app.set('trust proxy', settings.trustProxy);
  app.set('etag', false);
  app.disable('x-powered-by');
  app.set('case sensitive routing', true);
  app.set('query parser', false);
  app.use(firstContact(clock, log, new HttpMetrics(deps.metrics)));
  app.use(apiHeaders());
  if (settings.swaggerUi) app.use('/docs', swaggerUi());

  for (const operation of operations) {
    app[operation.method](expressPath(operation.path), async (request, response) => {
      requestState(request).route = operation.path;
      await answer(operation, shared, request, response);
    });
  }
  for (const [path, methods] of methodsByPath(operations)) {
    app.route(expressPath(path)).all((request, response) => {
      requestState(request).route = path;
      const allow = { allow: methods.join(', ') };
      if (request.method === 'OPTIONS') {
        send(response, { status: 204, headers: allow, content: { kind: 'none' } });
        return;
      }
      const detail = `${request.method} is not among ${methods.join(', ')}.`;
      sendProblem(request, response, new Problem('method_not_allowed', detail, [], allow));
    });
  }
  app.use((request, response) => {
    sendProblem(request, response, new Problem('route_not_found', `Nothing is served at ${request.path}.`));
  });
  // Express knows an error handler by its four parameters.
  app.use((error: unknown, request: Request, response: Response, _next: express.NextFunction) => {
    const problem = problemOfError(error, settings.maxBodyBytes);
    if (problem.status >= 500) {
      const { requestId } = requestState(request);
      log.error({ event: 'http.failed', err: error, request_id: requestId, code: problem.code });
    }
    if (response.headersSent) response.destroy();
    else sendProblem(request, response, problem);
  });
  return app;
}

interface Shared {
  readonly contract: Contract;
  readonly deps: HttpDeps;
  readonly auth: AdminAuth;
  readonly cursors: CursorSealer;
  readonly idempotency: Idempotency;
  readonly keyLimit: express.RequestHandler;
  readonly readBody: express.RequestHandler;
}

async function answer(
  operation: Operation,
  shared: Shared,
  request: Request,
  response: Response,
): Promise<void> {
  const state = requestState(request);
  const { access } = operation;
  const isMetrics = operation.path === '/metrics';
  if (access !== 'public' && !(isMetrics && shared.deps.settings.publicMetrics)) {
    const principal = await shared.auth.authenticate(request.get('authorization'), request.ip ?? '');
    if (principal instanceof Problem) return sendProblem(request, response, principal);
    state.principal = principal;
    await passThrough(shared.keyLimit, request, response);
    if (response.locals.limited !== undefined) {
      const detail = `The limit is ${shared.deps.settings.rateLimitPerMinute} requests a minute.`;
      return sendProblem(request, response, new Problem('rate_limited', detail));
    }
    const lack = access === 'any_key' ? undefined : lackOfScope(principal, access);
    if (lack !== undefined) return sendProblem(request, response, lack);
  }
  const preconditions = readPreconditions(operation, request, shared.deps.settings.requireIfMatch);
  if (preconditions instanceof Problem) return sendProblem(request, response, preconditions);
  let body: Uint8Array | undefined;
  if (operation.body !== undefined) {
    const wrong = wrongMediaType(operation.body.mediaType, request);
    if (wrong !== undefined) return sendProblem(request, response, wrong);
    // The reader would take in all of it before it complains.
    const { maxBodyBytes } = shared.deps.settings;
    if (Number(request.get('content-length')) > maxBodyBytes) {
      return sendProblem(request, response, tooLarge(maxBodyBytes));
    }
    await passThrough(shared.readBody, request, response);
    body = bodyBytes(request);
  }
  const run = (): Promise<Reply> => runOperation(operation, shared, request, body, preconditions.ifMatch);
  const reply = operation.method === 'post' ? await runOnce(run, shared, request, body) : await run();
  send(response, operation.method === 'get' ? unlessKnown(reply, preconditions.ifNoneMatch) : reply);
}

async function runOperation(
  operation: Operation,
  { deps, cursors, contract }: Shared,
  request: Request,
  bytes: Uint8Array | undefined,
  ifMatch: EntityTags,
): Promise<Reply> {
  const { principal, requestId } = requestState(request);
  const path = request.path;
  let body: unknown;
  if (bytes !== undefined && !isJson(operation.body?.mediaType)) {
    body = Buffer.from(bytes).toString('latin1');
  } else if (bytes !== undefined) {
    const read = parseStrictJson(bytes);
    if (read.kind === 'json_fault') {
      const { pointer, code, detail } = read;
      const parts = pointer === undefined ? [] : [{ pointer, code, detail }];
      return problemReply(new Problem('malformed_json', detail, parts), path, requestId);
    }
    body = read.value;
  }
  const { originalUrl } = request;
  const queryAt = originalUrl.indexOf('?');
  const search = new URLSearchParams(queryAt === -1 ? '' : originalUrl.slice(queryAt + 1));
  const result = await operation.run(
    { params: request.params, search, body },
    { ifMatch, path, cursors, contract, deps, principal },
  );
  return result instanceof Problem ? problemReply(result, path, requestId) : result;
}

/** Runs a POST; with an Idempotency-Key at most once in 24 hours, every repetition getting the same answer. */
async function runOnce(
  run: () => Promise<Reply>,
  { idempotency, deps }: Shared,
  request: Request,
  body: Uint8Array | undefined,
): Promise<Reply> {
  const idempotencyKey = request.get('idempotency-key');
  const { principal, requestId } = requestState(request);
  if (idempotencyKey === undefined || principal === undefined) return run();
  const { method, path } = request;
  const start = idempotency.begin(
    { apiKeyId: principal.keyId, method, path, idempotencyKey },
    body ?? new Uint8Array(),
  );
  if (start.kind === 'refused') return problemReply(start.problem, path, requestId);
  if (start.kind === 'replay') {
    return { ...start.reply, headers: { ...start.reply.headers, 'idempotency-replayed': 'true' } };
  }
  try {
    const reply = await run();
    try {
      await start.keep(reply);
    } catch (error) {
      // What was done is done: the caller is better off with the true answer, unrepeatable, than with none.
      deps.log.error({ event: 'http.idempotent_response_not_kept', err: error, request_id: requestId });
    }
    return reply;
  } finally {
    start.release();
  }
}

/** An Express middleware as a step that ends, or throws. */
function passThrough(
  middleware: express.RequestHandler,
  request: Request,
  response: Response,
): Promise<void> {
  return new Promise((resolve, reject) => {
    Promise.resolve(
      middleware(request, response, (error?: unknown) => {
        if (error === undefined) resolve();
        else reject(error);
      }),
    ).catch(reject);
  });
}

function keyRateLimit(limit: number): express.RequestHandler {
  return rateLimit({
    windowMs: RATE_WINDOW_MS,
    limit,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    identifier: 'api-key',
    keyGenerator: (request: Request) => requestState(request).principal?.keyId ?? '',
    validate: false,
    handler: (_request, response, next) => {
      response.locals.limited = true;
      next();
    },
  });
}

interface Preconditions {
  readonly ifMatch: EntityTags;
  readonly ifNoneMatch: EntityTags;
}

function readPreconditions(
  operation: Operation,
  request: Request,
  requireIfMatch: boolean,
): Preconditions | Problem {
  const ifMatch = readTags(request, 'If-Match');
  if (ifMatch instanceof Problem) return ifMatch;
  const ifNoneMatch = readTags(request, 'If-None-Match');
  if (ifNoneMatch instanceof Problem) return ifNoneMatch;
  if (requireIfMatch && operation.ifMatch === 'revision' && ifMatch === undefined) {
    return new Problem('if_match_required');
  }
  return { ifMatch, ifNoneMatch };
}

function readTags(request: Request, header: 'If-Match' | 'If-None-Match'): EntityTags | Problem {
  const value = request.get(header);
  if (value === undefined) return undefined;
  return (
    parseEntityTags(value) ??
    new Problem('validation_failed', undefined, [
      { header, code: 'invalid_format', detail: 'Give * or entity tags in quotes, separated by commas.' },
    ])
  );
}

/** 304 in place of a 200 whose ETag the caller has already. */
function unlessKnown(reply: Reply, ifNoneMatch: EntityTags): Reply {
  const etag = reply.headers.etag;
  if (ifNoneMatch === undefined || etag === undefined || reply.status !== 200) return reply;
  if (!namesTag(ifNoneMatch, etag, true)) return reply;
  return { status: 304, headers: reply.headers, content: { kind: 'none' } };
}

function wrongMediaType(expected: string, request: Request): Problem | undefined {
  const [type = '', ...parameters] = (request.get('content-type') ?? '').split(';');
  const charset = parameters
    .map((text) => text.trim().toLowerCase())
    .find((text) => text.startsWith('charset='));
  const isUtf8 = charset === undefined || /^charset="?utf-8"?$/.test(charset);
  if (type.trim().toLowerCase() === expected && isUtf8) return undefined;
  const accepted = expected === 'application/merge-patch+json' ? 'accept-patch' : 'accept';
  return new Problem('unsupported_media_type', `This operation takes ${expected} in UTF-8.`, [], {
    [accepted]: expected,
  });
}

function isJson(mediaType: string | undefined): boolean {
  return mediaType?.endsWith('json') === true;
}

/** The bytes that express.raw read; it leaves something else when there was no body. */
function bodyBytes(request: Request): Uint8Array {
  const body: unknown = request.body;
  return body instanceof Uint8Array ? body : new Uint8Array();
}

function apiHeaders(): express.RequestHandler {
  return helmet({
    // Nothing here is a page of scripts but /docs, which sets its own policy.
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
    },
    xFrameOptions: { action: 'deny' },
    // This server speaks plain HTTP; who puts TLS before it decides for the whole host.
    strictTransportSecurity: false,
  });
}

function expressPath(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ':$1');
}

function methodsByPath(all: readonly Operation[]): Map<string, string[]> {
  const methods = new Map<string, string[]>();
  for (const { path, method } of all) {
    const names = method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()];
    methods.set(path, [...(methods.get(path) ?? []), ...names]);
  }
  return methods;
}

/** What a thrown error means to the caller: the body reader's complaints, an overloaded store, or our failure. */
function problemOfError(error: unknown, maxBodyBytes: number): Problem {
  if (error instanceof StoreOverloaded) {
    return new Problem('store_overloaded', undefined, [], {
      'retry-after': String(Math.max(1, Math.ceil(error.retryAfterSeconds))),
    });
  }
  const { type, status } = Object(error) as { readonly type?: unknown; readonly status?: unknown };
  if (error instanceof URIError) return new Problem('malformed_url');
  if (type === 'entity.too.large') {
    return tooLarge(maxBodyBytes);
  }
  if (type === 'encoding.unsupported') {
    return new Problem('unsupported_media_type', 'The Content-Encoding is not one of gzip, deflate and br.');
  }
  // What the body reader says of a broken compression or a body cut short.
  if (typeof status === 'number' && status >= 400 && status < 500) {
    return new Problem('malformed_json', 'The body could not be read.');
  }
  return new Problem('internal_error');
}

function tooLarge(maxBodyBytes: number): Problem {
  return new Problem('body_too_large', `The body may have at most ${maxBodyBytes} bytes.`);
}

function problemReply(problem: Problem, instance: string, requestId: string): Reply {
  return json(problem.status, problemBody(problem, instance, requestId), {
    'content-type': PROBLEM_MEDIA_TYPE,
    'cache-control': 'no-store',
    ...problem.headers,
  });
}

function sendProblem(request: Request, response: Response, problem: Problem): void {
  send(response, problemReply(problem, request.path, requestState(request).requestId));
}

function send(response: Response, reply: Reply): void {
  const { content } = reply;
  response.status(reply.status);
  // What an API key may see is for its holder; copies are asked about before they are used again.
  response.set({ 'cache-control': 'private, no-cache', ...reply.headers });
  // Not response.send: it answers 304 to any GET with If-None-Match: *, tag or no tag.
  switch (content.kind) {
    case 'json':
      if (reply.headers['content-type'] === undefined) response.type('application/json');
      response.end(JSON.stringify(content.body));
      return;
    case 'text':
      response.type(content.mediaType).end(content.text);
      return;
    case 'none':
      response.end();
  }
}
