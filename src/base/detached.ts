/**
 * A copy that stands alone. What is cut out of a message keeps the whole message in memory with it; whatever is
 * kept longer than the message is copied out first.
 */
export function detached(text: string): string {
  return Buffer.from(text).toString();
}
