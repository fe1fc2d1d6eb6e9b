import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, onTestFinished } from 'vitest';
import { type ApiAnswer, callApi, type LogLine, testSettings } from './test-server.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const START_TIMEOUT_MS = 15_000;
const END_TIMEOUT_MS = 15_000;

/**
 * Compiles the program into a folder of its own before the tests of a file, as a user's `npm start` would, with
 * what it needs beside it. Gives the path of its main file.
 */
export function builtProgram(): () => string {
  let folder = '';
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sip-registrar-build-'));
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    await promisify(execFile)(process.execPath, [
      tsc,
      '-p',
      join(ROOT, 'tsconfig.build.json'),
      '--outDir',
      join(folder, 'dist'),
    ]);
    for (const name of ['migrations', 'package.json', 'openapi.yaml', 'node_modules']) {
      symlinkSync(join(ROOT, name), join(folder, name));
    }
  }, 60_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return () => join(folder, 'dist/main.js');
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The server as a process of its own: what an operator starts, signals and kills. */
export class ServerProcess {
  private stdout = '';
  private stderr = '';
  private readonly child;
  readonly ended: Promise<Ended>;

  private constructor(main: string, settings: Readonly<Record<string, string>>) {
    this.child = spawn(process.execPath, [main, 'serve'], {
      env: { PATH: process.env.PATH, ...settings },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout.on('data', (chunk: Buffer) => {
      this.stdout += chunk.toString('utf8');
    });
    this.child.stderr.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString('utf8');
    });
    this.ended = new Promise((resolve) => {
      this.child.once('close', (code, signal) => {
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr });
      });
    });
    onTestFinished(async () => {
      this.child.kill('SIGKILL');
      await this.ended;
    });
  }

  /** Starts it and waits until it listens. */
  static async start(
    main: string,
    dataDir: string,
    over: Readonly<Record<string, string>> = {},
  ): Promise<ServerProcess> {
    const server = new ServerProcess(main, testSettings(dataDir, over));
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (server.startedLine() === undefined) {
      if (server.child.exitCode !== null || Date.now() > deadline) {
        throw new Error(`the server did not start: ${server.stdout}${server.stderr}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return server;
  }

  /** Starts one that is expected to refuse, and waits for its end. */
  static async refused(main: string, settings: Readonly<Record<string, string>>): Promise<Ended> {
    const server = new ServerProcess(main, settings);
    const timer = setTimeout(() => server.child.kill('SIGKILL'), END_TIMEOUT_MS);
    const ended = await server.ended;
    clearTimeout(timer);
    return ended;
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get httpUrl(): string {
    return String(this.startedLine()?.http);
  }

  get sipPort(): number {
    const [first] = (this.startedLine()?.sip ?? []) as string[];
    return Number(first?.split(':').at(-1));
  }

  get logLines(): readonly LogLine[] {
    return this.stdout
      .split('\n')
      .slice(0, -1)
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as LogLine);
  }

  api(method: string, path: string, body?: unknown): Promise<ApiAnswer> {
    return callApi(this.httpUrl, method, path, body);
  }

  /** Every binding that the API lists, page after page. */
  // biome-ignore lint/suspicious/noExplicitAny: the bodies as the API gives them.
  async allBindings(): Promise<any[]> {
    const all = [];
    for (let cursor = ''; ; ) {
      const { body } = await this.api('GET', `/v1/bindings?limit=200${cursor}`);
      all.push(...body.data);
      if (body.page.next_cursor === null) return all;
      cursor = `&cursor=${encodeURIComponent(body.page.next_cursor)}`;
    }
  }

  /** Sends a signal and waits for the end. */
  async end(signal: NodeJS.Signals): Promise<Ended> {
    this.child.kill(signal);
    const timer = setTimeout(() => this.child.kill('SIGKILL'), END_TIMEOUT_MS);
    const ended = await this.ended;
    clearTimeout(timer);
    return ended;
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  private startedLine(): LogLine | undefined {
    return this.logLines.find((line) => line.event === 'server.started');
  }
}

/** A data folder that is removed when the test is finished. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sip-registrar-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
