import type { RequestHandler } from 'express';
import type { Clock } from '../base/clock.js';
import type { Log } from '../base/log.js';
import { newId } from '../base/random.js';
import type { HttpMetrics } from './http-metrics.js';
import { keepRequestState, type RequestState } from './request-state.js';

// What a caller may name a request: nothing that could break a log line or a header.
const REQUEST_ID = /^[A-Za-z0-9._:~-]{1,128}$/;

/**
 * Names each request (its own X-Request-Id if it is fit, else a new one), says the name in the answer, and when
 * the answer is out, counts it and writes one line about it. The line has no query and no header: secrets do
 * not belong there, and what does not get in needs no masking.
 */
export function firstContact(clock: Clock, log: Log, metrics: HttpMetrics): RequestHandler {
  return (request, response, next) => {
    const given = request.get('x-request-id');
    const requestId = given !== undefined && REQUEST_ID.test(given) ? given : newId('req', clock.now());
    const state: RequestState = { requestId, route: undefined, principal: undefined };
    keepRequestState(request, state);
    response.set('X-Request-Id', requestId);
    const { method, path } = request;
    const startedAt = performance.now();
    response.once('close', () => {
      const durationMs = performance.now() - startedAt;
      metrics.observe(method, state.route, response.statusCode, durationMs / 1000);
      log.info({
        event: 'http.request',
        method,
        path,
        status: response.statusCode,
        duration_ms: Math.round(durationMs * 10) / 10,
        key_id: state.principal?.keyId,
        request_id: requestId,
        ...(response.writableFinished ? {} : { aborted: true }),
      });
    });
    next();
  };
}
