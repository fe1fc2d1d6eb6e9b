import { ipKeyGenerator, MemoryStore } from 'express-rate-limit';
import type { AdminService, Principal } from '../admin/admin-service.js';
import type { Scope } from '../admin/scope.js';
import { Problem } from './problem.js';

const WINDOW_MS = 60_000;
// Wider than the b64token of RFC 6750 §2.1: a first key given by setting may be any printable ASCII.
const BEARER = /^Bearer +([\x21-\x7e]+) *$/i;

/**
 * Tells who asks by the API key of the Authorization header; a key anywhere else is not looked at. An address
 * that presents wrong keys is refused unheard for the rest of the minute, so keys can't be guessed.
 */
export class AdminAuth {
  private readonly failures = new MemoryStore();

  constructor(
    private readonly admin: AdminService,
    private readonly failedAuthLimitPerMinute: number,
  ) {
    // The store reads nothing but the window of the options it is handed.
    this.failures.init({ windowMs: WINDOW_MS } as Parameters<MemoryStore['init']>[0]);
  }

  /** `ip` is the peer's address, `authorization` the header field's value. */
  async authenticate(authorization: string | undefined, ip: string): Promise<Principal | Problem> {
    const source = ipKeyGenerator(ip);
    const failures = await this.failures.get(source);
    if (failures !== undefined && failures.totalHits >= this.failedAuthLimitPerMinute) {
      const waitMs = (failures.resetTime?.getTime() ?? Date.now() + WINDOW_MS) - Date.now();
      return new Problem('rate_limited', 'Too many refused API keys came from this address.', [], {
        'retry-after': String(Math.max(1, Math.ceil(waitMs / 1000))),
      });
    }
    if (authorization === undefined) return unauthenticated(undefined);
    const key = BEARER.exec(authorization)?.[1];
    const principal = key === undefined ? undefined : this.admin.authenticate(key, ip);
    if (principal !== undefined) return principal;
    await this.failures.increment(source);
    return unauthenticated('invalid_token');
  }
}

/** Undefined when the principal holds the scope. */
export function lackOfScope(principal: Principal, scope: Scope): Problem | undefined {
  if (principal.scopes.includes(scope)) return undefined;
  return new Problem('insufficient_scope', `This operation needs the scope ${scope}.`, [], {
    'www-authenticate': `${CHALLENGE}, error="insufficient_scope", scope="${scope}"`,
  });
}

const CHALLENGE = 'Bearer realm="sip-registrar"';

function unauthenticated(error: 'invalid_token' | undefined): Problem {
  // RFC 6750 §3.1: who presented nothing is told no error.
  return error === undefined
    ? new Problem('unauthenticated', undefined, [], { 'www-authenticate': CHALLENGE })
    : new Problem('unauthenticated', 'The API key is not valid here and now.', [], {
        'www-authenticate': `${CHALLENGE}, error="${error}"`,
      });
}
