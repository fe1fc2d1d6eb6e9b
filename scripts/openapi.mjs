// Writes what is generated and committed, openapi.yaml and docs/problems.md, from the built program; with
// --check it only compares, and fails when a committed file says something else.
//   npm run build && node scripts/openapi.mjs [--check]
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const root = resolve(import.meta.dirname, '..');
const built = process.env.SIP_REGISTRAR_DIST ?? resolve(root, 'dist');
const load = (file) => import(pathToFileURL(resolve(built, file)).href);
const { renderContract } = await load('http/openapi.js');
const { problemsAsMarkdown } = await load('http/problem.js');

const files = { 'openapi.yaml': renderContract().yaml, 'docs/problems.md': problemsAsMarkdown() };
const isCheck = process.argv.includes('--check');
for (const [name, content] of Object.entries(files)) {
  const path = resolve(root, name);
  if (!isCheck) {
    writeFileSync(path, content);
    console.log(`${name} written`);
  } else if (readOrEmpty(path) === content) {
    console.log(`${name} is up to date`);
  } else {
    console.error(`${name} is not what the program says; run: npm run openapi`);
    process.exitCode = 1;
  }
}

function readOrEmpty(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
