import { describe, expect, test } from 'vitest';
import { namesRevision, namesTag, parseEntityTags, revisionTag } from '../../src/http/etag.js';

describe('entity tags', () => {
  test.each([
    ['*', '*'],
    ['"1"', ['"1"']],
    [' "1" , W/"2","" ', ['"1"', 'W/"2"', '""']],
    ['"a,b"', ['"a,b"']],
    ['1', undefined],
    ['"1', undefined],
    ['"1" "2"', undefined],
    ['', undefined],
    [',', undefined],
  ])('%j reads as %j', (header, expected) => {
    expect(parseEntityTags(header)).toEqual(expected);
  });

  test('a revision is named by its number, whatever was observed since', () => {
    expect(revisionTag(3)).toBe('"3"');
    expect(revisionTag(3, [0, null])).toBe('"3"');
    const tag = revisionTag(3, [1, null]);
    expect(tag).toMatch(/^"3-[\w-]{8}"$/);
    expect(namesRevision([tag], 3)).toBe(true);
    expect(namesRevision(['"3"'], 3)).toBe(true);
    expect(namesRevision(['"30"', 'W/"3"', '"2-3"'], 3)).toBe(false);
    expect(namesRevision('*', 3)).toBe(true);
  });

  test('weak tags count for If-None-Match only', () => {
    expect(namesTag(['W/"1"'], '"1"', true)).toBe(true);
    expect(namesTag(['W/"1"'], '"1"', false)).toBe(false);
  });
});
