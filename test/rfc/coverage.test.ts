import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const DOCUMENT = readFileSync(join(ROOT, 'docs/rfc-coverage.md'), 'utf8');
const ITEMS = Array.from({ length: 56 }, (_, i) => String(i + 1));
const RULINGS = Array.from({ length: 14 }, (_, i) => `R${i + 1}`);

const sources = ['test/rfc', 'test/e2e']
  .flatMap((folder) =>
    readdirSync(join(ROOT, folder), { encoding: 'utf8' })
      .filter((file) => file.endsWith('.test.ts') && file !== 'coverage.test.ts')
      .map((file) => readFileSync(join(ROOT, folder, file), 'utf8')),
  )
  .join('\n');

/** The rows of the acceptance list: `| 1 | behaviour | state | title · title |`. */
const rows = [...DOCUMENT.matchAll(/^\| (R?\d+) \| (.+?) \| (.+?) \| (.*?) ?\|$/gm)].map(
  ([, number = '', , state = '', titles = '']) => ({
    number,
    state,
    titles: titles === '' ? [] : titles.replaceAll('&lt;', '<').split(' · '),
  }),
);

describe('docs/rfc-coverage.md', () => {
  test('has a line for each item and each ruling of the acceptance list, in order', () => {
    expect(rows.map(({ number }) => number)).toEqual([...ITEMS, ...RULINGS]);
  });

  test.each(rows)('$number: says which tests hold it, or what it waits for', ({ state, titles }) => {
    expect(titles.length > 0 || state.includes('issue')).toBe(true);
  });

  test.each(rows)('$number: names tests that exist', ({ titles }) => {
    for (const title of titles) expect(sources).toContain(title);
  });
});
