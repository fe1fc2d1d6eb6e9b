/** Deepest nesting a body may have; the contract needs four levels. */
export const MAX_JSON_DEPTH = 32;

const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype']);

/** Why a body was not taken as JSON. `pointer` (RFC 6901) says where, when the text is JSON at all. */
export interface JsonFault {
  readonly kind: 'json_fault';
  readonly code: 'not_json' | 'duplicate_key' | 'forbidden_key' | 'too_deep' | 'lone_surrogate';
  readonly detail: string;
  readonly pointer?: string;
}

export type JsonResult = { readonly kind: 'json'; readonly value: unknown } | JsonFault;

/**
 * Reads a JSON body in UTF-8, more strictly than JSON.parse: no key twice in one object, since readers would
 * disagree about which one counts; no `__proto__`, `constructor` or `prototype`; no half of a surrogate pair;
 * bounded depth (RFC 7493 asks for most of that).
 */
export function parseStrictJson(bytes: Uint8Array): JsonResult {
  let text: string;
  let value: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    value = JSON.parse(text);
  } catch {
    return { kind: 'json_fault', code: 'not_json', detail: 'The body is not JSON in UTF-8.' };
  }
  return findFault(text) ?? { kind: 'json', value };
}

interface OpenContainer {
  /** The keys seen so far; undefined for an array. */
  readonly keys: Set<string> | undefined;
  readonly pointer: string;
  /** The key or index of the member being read. */
  member: string | number;
  /** In an object: whether the next string is a key. */
  expectsKey: boolean;
}

/** Walks a text that is known to be valid JSON, so only strings and brackets need looking at. */
function findFault(text: string): JsonFault | undefined {
  const open: OpenContainer[] = [];
  for (let at = 0; at < text.length; at++) {
    const current = open.at(-1);
    switch (text[at]) {
      case '{':
      case '[': {
        if (open.length >= MAX_JSON_DEPTH) {
          return fault('too_deep', `The body is nested deeper than ${MAX_JSON_DEPTH} levels.`, open);
        }
        const isObject = text[at] === '{';
        open.push({
          keys: isObject ? new Set() : undefined,
          pointer: pointerOf(current),
          member: isObject ? '' : 0,
          expectsKey: isObject,
        });
        break;
      }
      case '}':
      case ']':
        open.pop();
        break;
      case ',':
        if (current === undefined) break;
        if (current.keys !== undefined) current.expectsKey = true;
        else if (typeof current.member === 'number') current.member++;
        break;
      case '"': {
        const end = endOfString(text, at);
        const string = JSON.parse(text.slice(at, end + 1)) as string;
        at = end;
        if (/\p{Surrogate}/u.test(string)) {
          return fault('lone_surrogate', 'A string contains half of a surrogate pair.', open);
        }
        if (current?.keys === undefined || !current.expectsKey) break;
        current.expectsKey = false;
        current.member = string;
        if (FORBIDDEN_KEYS.has(string)) {
          return fault('forbidden_key', `The key ${string} is not taken in any object.`, open);
        }
        if (current.keys.has(string)) {
          return fault('duplicate_key', 'The key occurs twice in its object.', open);
        }
        current.keys.add(string);
        break;
      }
    }
  }
  return undefined;
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at;
}

function pointerOf(container: OpenContainer | undefined): string {
  if (container === undefined) return '';
  return `${container.pointer}/${String(container.member).replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

function fault(code: JsonFault['code'], detail: string, open: readonly OpenContainer[]): JsonFault {
  return { kind: 'json_fault', code, detail, pointer: pointerOf(open.at(-1)) };
}
