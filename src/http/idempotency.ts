import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.js';
import { Problem } from './problem.js';
import type { Reply } from './reply.js';
import type { IdempotencyStore } from './services.js';

const KEPT_MS = 24 * 60 * 60 * 1000;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
// Printable ASCII: what a header field carries unchanged.
const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/;

/** Whose request it is, and which: the scope within which an Idempotency-Key stands for one request. */
export interface IdempotencyScope {
  readonly apiKeyId: string;
  readonly method: string;
  /** The path asked for, not its template: the same key on another user is another request. */
  readonly path: string;
  readonly idempotencyKey: string;
}

/** A request that nobody has answered yet under its key. */
export interface FreshRequest {
  readonly kind: 'fresh';
  /** Keeps the answer, durably, if it is one that repeats. Call before sending it. */
  keep(reply: Reply): Promise<void>;
  /** Lets the key be used again. Call in any case, at the end. */
  release(): void;
}

export type IdempotentStart =
  | FreshRequest
  | { readonly kind: 'replay'; readonly reply: Reply }
  | { readonly kind: 'refused'; readonly problem: Problem };

/**
 * Repeated POSTs get the first one's answer, for 24 hours. Answers may show a secret that is shown once, so
 * they are encrypted (AES-256-GCM) under a key derived from the Idempotency-Key, which only the caller keeps:
 * the store holds a keyed hash of it.
 */
export class Idempotency {
  private readonly inFlight = new Set<string>();

  constructor(
    private readonly store: IdempotencyStore,
    /** 32 bytes, kept over restarts. */
    private readonly serverKey: Uint8Array,
    private readonly clock: Clock,
  ) {}

  /** `body` is the request's, byte for byte. */
  begin(scope: IdempotencyScope, body: Uint8Array): IdempotentStart {
    if (!IDEMPOTENCY_KEY.test(scope.idempotencyKey)) {
      const detail = 'An Idempotency-Key has 1 to 255 printable ASCII characters without blanks.';
      return refused(
        new Problem('validation_failed', undefined, [
          { header: 'Idempotency-Key', code: 'invalid_format', detail },
        ]),
      );
    }
    const scopeHash = this.scopeHash(scope);
    const secrets = this.deriveSecrets(scope.idempotencyKey);
    const requestHash = createHmac('sha256', secrets.subarray(32)).update(body).digest('base64url');
    if (this.inFlight.has(scopeHash)) return refused(new Problem('idempotency_in_flight'));
    const kept = this.store.idempotentResponse(scopeHash, this.clock.now());
    if (kept !== undefined) {
      return kept.requestHash === requestHash
        ? { kind: 'replay', reply: open(kept.sealedResponse, secrets.subarray(0, 32), scopeHash) }
        : refused(new Problem('idempotency_key_reused'));
    }
    this.inFlight.add(scopeHash);
    return {
      kind: 'fresh',
      keep: async (reply) => {
        if (!isRepeatable(reply.status)) return;
        await this.store.saveIdempotentResponse({
          scopeHash,
          requestHash,
          sealedResponse: seal(reply, secrets.subarray(0, 32), scopeHash),
          expiresAt: this.clock.now() + KEPT_MS,
        });
      },
      release: () => this.inFlight.delete(scopeHash),
    };
  }

  private scopeHash(scope: IdempotencyScope): string {
    return createHmac('sha256', this.serverKey)
      .update(JSON.stringify(['idempotency', scope.apiKeyId, scope.method, scope.path, scope.idempotencyKey]))
      .digest('base64url');
  }

  /** 32 bytes to encrypt the answer with, 32 bytes to hash the request with. */
  private deriveSecrets(idempotencyKey: string): Buffer {
    return Buffer.from(
      hkdfSync('sha256', idempotencyKey, this.serverKey, 'sip-registrar idempotent response', 64),
    );
  }
}

/** Answers that tell what became of the request; a refusal before anything began may end otherwise next time. */
export function isRepeatable(status: number): boolean {
  return (status >= 200 && status < 300) || status === 404 || status === 409 || status === 422;
}

function refused(problem: Problem): IdempotentStart {
  return { kind: 'refused', problem };
}

function seal(reply: Reply, key: Uint8Array, scopeHash: string): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(Buffer.from(scopeHash));
  const ciphertext = Buffer.concat([cipher.update(JSON.stringify(reply), 'utf8'), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), ciphertext]);
}

function open(sealed: Uint8Array, key: Uint8Array, scopeHash: string): Reply {
  const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(Buffer.from(scopeHash));
  decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
  const clear = Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]);
  return JSON.parse(clear.toString('utf8')) as Reply;
}
