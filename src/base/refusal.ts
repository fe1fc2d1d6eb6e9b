/**
 * A domain operation that was understood and refused. A value, not an exception: the caller decides how to
 * say it, by its stable `code`. `pointer` names the input property at fault (RFC 6901), when there is one.
 */
export class Refusal<Code extends string> {
  constructor(
    readonly code: Code,
    readonly detail: string,
    readonly pointer?: string,
  ) {}
}

/** Whether a result is a refusal; narrows `T | Refusal`. */
export function isRefusal<T, Code extends string>(result: T | Refusal<Code>): result is Refusal<Code> {
  return result instanceof Refusal;
}
