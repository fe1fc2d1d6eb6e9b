/**
 * The end of an exhaustive `switch`: does not compile while a variant is missing.
 * @throws Error when a value outside the type reaches it, which is a bug.
 */
export function assertNever(value: never): never {
  throw new Error(`unexpected variant: ${JSON.stringify(value)}`);
}
