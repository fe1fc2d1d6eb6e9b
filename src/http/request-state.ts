import type { Request } from 'express';
import type { Principal } from '../admin/admin-service.js';

/** What is known about a request while it is on its way through the application. */
export interface RequestState {
  readonly requestId: string;
  /** The path template of the operation that answers; undefined while there is none. */
  route: string | undefined;
  principal: Principal | undefined;
}

const states = new WeakMap<Request, RequestState>();

export function keepRequestState(request: Request, state: RequestState): void {
  states.set(request, state);
}

/** @throws Error when the request did not pass the first middleware, which is a bug. */
export function requestState(request: Request): RequestState {
  const state = states.get(request);
  if (state === undefined) throw new Error('the request has no state');
  return state;
}
