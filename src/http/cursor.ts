import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { PagePosition } from '../base/page.js';

const MAC_BYTES = 16;

export type OpenedCursor =
  | { readonly kind: 'position'; readonly position: PagePosition }
  /** Not one of ours, or changed on the way. */
  | { readonly kind: 'invalid' }
  /** Ours, but for another list, filter or order. */
  | { readonly kind: 'mismatch' };

/**
 * Hands out list positions that come back unchanged or not at all: a cursor is signed, and bound to what it
 * was a cursor of. `key` is 32 bytes.
 */
export class CursorSealer {
  constructor(private readonly key: Uint8Array) {}

  /** `context` says all that must stay the same from page to page. */
  seal(position: PagePosition, context: string): string {
    const payload = Buffer.from(JSON.stringify([position.value, position.id, digest(context)])).toString(
      'base64url',
    );
    return `${payload}.${this.mac(payload).toString('base64url')}`;
  }

  open(cursor: string, context: string): OpenedCursor {
    const [payload, mac, ...rest] = cursor.split('.');
    if (payload === undefined || mac === undefined || rest.length > 0) return { kind: 'invalid' };
    const given = Buffer.from(mac, 'base64url');
    // The text is compared again: base64url decoding overlooks bits that don't matter.
    if (given.length !== MAC_BYTES || given.toString('base64url') !== mac) return { kind: 'invalid' };
    if (!timingSafeEqual(given, this.mac(payload))) return { kind: 'invalid' };
    const [value, id, sealedContext] = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as [
      PagePosition['value'],
      string,
      string,
    ];
    if (sealedContext !== digest(context)) return { kind: 'mismatch' };
    return { kind: 'position', position: { value, id } };
  }

  private mac(payload: string): Buffer {
    return createHmac('sha256', this.key).update(`cursor\0${payload}`).digest().subarray(0, MAC_BYTES);
  }
}

function digest(context: string): string {
  return createHash('sha256').update(context).digest('base64url').slice(0, 16);
}
