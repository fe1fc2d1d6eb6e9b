import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface Ran {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly milliseconds: number;
}

/** The program as it is shipped, built into a folder of its own so that it is neither old nor half written. */
export class BuiltCli {
  private constructor(readonly folder: string) {}

  static async build(): Promise<BuiltCli> {
    const folder = mkdtempSync(join(tmpdir(), 'sip-registrar-built-'));
    // What the program finds beside its dist folder.
    for (const name of ['node_modules', 'migrations', 'package.json']) {
      symlinkSync(join(ROOT, name), join(folder, name));
    }
    const dist = join(folder, 'dist');
    const compiler = join(ROOT, 'node_modules/.bin/tsc');
    // Type errors are the business of `npm run check`; the code is written anyway.
    await promisify(execFile)(compiler, ['-p', join(ROOT, 'tsconfig.build.json'), '--outDir', dist]).catch(
      (error: unknown) => {
        if (!existsSync(join(dist, 'main.js'))) throw error;
      },
    );
    return new BuiltCli(folder);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Starts it with an environment that says nothing but `environment`. */
  start(args: readonly string[], environment: Readonly<Record<string, string>> = {}): ChildProcess {
    return spawn(process.execPath, [join(this.folder, 'dist/main.js'), ...args], {
      cwd: this.folder,
      env: { PATH: process.env.PATH, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  /** Runs it to its end. */
  async run(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Ran> {
    return finished(this.start(args, environment));
  }
}

/** What a process wrote and how it ended. */
export async function finished(child: ChildProcess): Promise<Ran> {
  const startedAt = performance.now();
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    stderr += chunk;
  });
  const [exitCode] = (await once(child, 'close')) as [number | null];
  return { exitCode, stdout, stderr, milliseconds: performance.now() - startedAt };
}
