// All benchmarks in turn: npm run bench. Each prints its numbers; bench/README.md has the last ones written down.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';

const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8'));
console.log(
  `sip-registrar ${version}, Node ${process.version}, ${cpus()[0]?.model.trim()}, ${availableParallelism()} cores\n`,
);

for (const file of ['parse.mjs', 'digest.mjs', 'commit.mjs', 'register.mjs', 'udp.mjs']) {
  const path = join(import.meta.dirname, file);
  console.log(`--- ${file}`);
  const { status } = spawnSync(process.execPath, [path], { stdio: 'inherit' });
  if (status !== 0) process.exitCode = 1;
  console.log();
}
