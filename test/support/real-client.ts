import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { onTestFinished } from 'vitest';

/**
 * Whether tests with a real client are left out: on a developer's machine that does not have it, never in CI,
 * where its absence has to fail.
 */
export function isLeftOut(program: string): boolean {
  return process.env.CI !== 'true' && pathOf(program) === undefined;
}

/** Starts a client; it is killed when the test is finished. What it prints is gathered in `output()`. */
export function startClient(
  program: string,
  args: readonly string[],
  cwd: string,
): { readonly output: () => string; readonly ended: Promise<number | null>; readonly child: ChildProcess } {
  const path = pathOf(program);
  if (path === undefined) throw new Error(`${program} is not installed`);
  const child = spawn(path, args, {
    cwd,
    env: { PATH: process.env.PATH, HOME: cwd, TERM: 'dumb' },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  child.stderr.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', (code) => resolve(code));
    child.once('error', () => resolve(null));
  });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  return { output: () => text, ended, child };
}

function pathOf(program: string): string | undefined {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, program);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}
