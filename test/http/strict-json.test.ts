import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseStrictJson } from '../../src/http/strict-json.js';

const parse = (text: string) => parseStrictJson(Buffer.from(text));

describe('strict JSON', () => {
  test('reads what JSON.parse reads', () => {
    fc.assert(
      fc.property(fc.json({ stringUnit: 'grapheme' }), (text) => {
        const read = parse(text);
        if (read.kind === 'json') expect(read.value).toEqual(JSON.parse(text));
        else expect(['duplicate_key', 'forbidden_key']).toContain(read.code);
      }),
    );
  });

  test.each([
    ['{"a":1,"b":{"a":1}}', '{"a":1,"b":{"a":1}}'],
    ['[{"a":1},{"a":2}]', '[{"a":1},{"a":2}]'],
    ['{"a":"\\"{,[\\\\"}', '{"a":"\\"{,[\\\\"}'],
    ['{"a":["a","a","b"],"b":"a"}', '{"a":["a","a","b"],"b":"a"}'],
    ['"__proto__"', '"__proto__"'],
  ])('%s is fine', (text, same) => {
    expect(parse(text)).toEqual({ kind: 'json', value: JSON.parse(same) });
  });

  test.each([
    ['{"a":1,"a":2}', 'duplicate_key', '/a'],
    ['[0,{"x":{"b/c":1,"b\\u002fc":2}}]', 'duplicate_key', '/1/x/b~1c'],
    ['{"a":{"__proto__":1}}', 'forbidden_key', '/a/__proto__'],
    ['{"prototype":1}', 'forbidden_key', '/prototype'],
    ['["\\udc00"]', 'lone_surrogate', '/0'],
  ])('%s is refused as %s at %s', (text, code, pointer) => {
    expect(parse(text)).toMatchObject({ kind: 'json_fault', code, pointer });
  });

  test('depth is bounded', () => {
    expect(parse(`${'['.repeat(32)}${']'.repeat(32)}`).kind).toBe('json');
    expect(parse(`${'['.repeat(33)}${']'.repeat(33)}`)).toMatchObject({ code: 'too_deep' });
    expect(parse('['.repeat(1_000_000))).toMatchObject({ code: 'not_json' });
  });
});
