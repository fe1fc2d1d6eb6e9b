import { createHash } from 'node:crypto';

/**
 * The entity tag of a resource with a revision: `"3"`. What changes without an edit (registrations, last use)
 * is told by a suffix, `"3-kq1bX0a2"`, so that If-None-Match never hides it; If-Match looks at the revision
 * alone, so that a phone refreshing does not fail an operator's edit.
 */
export function revisionTag(revision: number, observed: readonly (string | number | null)[] = []): string {
  const seen = observed.some((value) => value !== null && value !== 0);
  if (!seen) return `"${revision}"`;
  const suffix = createHash('sha256').update(JSON.stringify(observed)).digest('base64url').slice(0, 8);
  return `"${revision}-${suffix}"`;
}

/** What If-Match or If-None-Match says: nothing, anything that exists, or one of these strong tags. */
export type EntityTags = undefined | '*' | readonly string[];

/** Reads a list of entity tags (RFC 9110 §8.8.3); weak ones keep their `W/`. Undefined when it is none. */
export function parseEntityTags(header: string): Exclude<EntityTags, undefined> | undefined {
  const text = header.trim();
  if (text === '*') return '*';
  const tags: string[] = [];
  const tag = /\s*((?:W\/)?"[\x21\x23-\x7e\x80-\xff]*")\s*(?:,|$)/y;
  while (tag.lastIndex < text.length) {
    const match = tag.exec(text);
    if (match?.[1] === undefined) return undefined;
    tags.push(match[1]);
  }
  return tags.length === 0 ? undefined : tags;
}

/** Whether one of the tags names the revision, whatever its suffix (strong comparison: weak tags never match). */
export function namesRevision(tags: Exclude<EntityTags, undefined>, revision: number): boolean {
  if (tags === '*') return true;
  return tags.some((tag) => tag === `"${revision}"` || tag.startsWith(`"${revision}-`));
}

/** Whether one of the tags is exactly this one; `weakly` overlooks `W/`, as If-None-Match asks (RFC 9110 §13.1.2). */
export function namesTag(tags: Exclude<EntityTags, undefined>, current: string, weakly: boolean): boolean {
  if (tags === '*') return true;
  return tags.some((tag) => tag === current || (weakly && tag === `W/${current}`));
}
