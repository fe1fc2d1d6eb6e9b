import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PAGE = readFileSync(`${ROOT}/SECURITY.md`, 'utf8');

test('each line of the table of threats names tests, and they exist', () => {
  const lines = PAGE.split('\n').filter(
    (line) => /^\| (?!An attacker|---)/.test(line) && !line.startsWith('|---'),
  );
  expect(lines.length).toBeGreaterThan(15);
  for (const line of lines) {
    const named = [...(line.split('|')[3] ?? '').matchAll(/`([^`]+)`/g)].map(([, path = '']) => path);
    expect(named, line).not.toHaveLength(0);
    for (const path of named) {
      expect(existsSync(`${ROOT}/${path.startsWith('bench/') ? path : `test/${path}`}`), path).toBe(true);
    }
  }
});
