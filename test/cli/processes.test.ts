import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { PASSWORD, TestServer } from '../support/test-server.js';
import { BuiltCli, finished } from './built-cli.js';

let cli: BuiltCli;

beforeAll(async () => {
  cli = await BuiltCli.build();
}, 120_000);

afterAll(() => cli?.remove());

/** Above what a start costs, below the 5 and 32 s timers and the two-minute connections of the package `sip`. */
const PROMPT_MS = 4_000;

describe.each(['udp', 'tcp'])('the phone command over %s, as a process', (transport) => {
  it('registers, asks and unregisters with exit code 0, and ends promptly', async () => {
    const test = await TestServer.start();
    await test.addDomain('example.com');
    await test.addUser('alice', 'example.com');
    const environment = { SIP_PASSWORD: PASSWORD, SIP_SERVER: `${test.sipHost}:${test.sipPort}` };
    for (const [action, expected] of [
      ['register', 'registered sip:alice@example.com: 1 contact, expires in 3600 s'],
      ['query', 'sip:alice@example.com: 1 contact'],
      ['unregister', 'unregistered sip:alice@example.com: no contact left'],
    ] as const) {
      const args = ['phone', action, 'sip:alice@example.com', '--transport', transport];
      const ran = await cli.run(args, environment);
      expect(ran).toMatchObject({ exitCode: 0, stderr: '' });
      expect(ran.stdout.split('\n')[0]).toBe(expected);
      expect(ran.milliseconds).toBeLessThan(PROMPT_MS);
    }
    const wrong = await cli.run(['phone', 'query', 'sip:alice@example.com', '--transport', transport], {
      ...environment,
      SIP_PASSWORD: 'not it',
    });
    expect(wrong).toMatchObject({
      exitCode: 1,
      stdout: '',
      stderr: 'sip-registrar: 401 again after answering the challenge: wrong password or unknown user\n',
    });
    expect(wrong.milliseconds).toBeLessThan(PROMPT_MS);
  });
});

describe('the phone command, as a process', () => {
  it('ends with exit code 1 after its timeout when nobody answers', async () => {
    const ran = await cli.run(
      ['phone', 'query', 'sip:alice@example.com', '--server', '127.0.0.1:9', '--timeout', '1'],
      {},
    );
    expect(ran).toMatchObject({
      exitCode: 1,
      stderr: 'sip-registrar: no answer from udp 127.0.0.1:9 within 1 s\n',
    });
    expect(ran.milliseconds).toBeLessThan(PROMPT_MS);
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('that stays unregisters at %s', async (signal) => {
    const test = await TestServer.start();
    await test.addDomain('example.com');
    await test.addUser('alice', 'example.com');
    const server = `${test.sipHost}:${test.sipPort}`;
    const child = cli.start(['phone', 'register', 'alice@example.com', '--server', server, '--stay'], {
      SIP_PASSWORD: PASSWORD,
    });
    child.stdout?.once('data', () => child.kill(signal));
    const ran = await finished(child);
    expect(ran).toMatchObject({ exitCode: 0, stderr: '' });
    expect(ran.stdout).toContain('unregistered sip:alice@example.com: no contact left');
    expect(await test.bindings('sip:alice@example.com')).toEqual([]);
  });

  it('is the only one to load the package sip', async () => {
    const module = pathToFileURL(join(cli.folder, 'dist/cli/cli.js')).href;
    const script = `
      import { createRequire } from 'node:module';
      await import(${JSON.stringify(module)});
      const loaded = Object.keys(createRequire(import.meta.url).cache);
      console.log(JSON.stringify({ some: loaded.length > 0, sip: loaded.filter((path) => /node_modules.sip[\\\\/]/.test(path)) }));`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
    expect(JSON.parse(stdout)).toEqual({ some: true, sip: [] });
  });
});

describe('the demo, as a process', () => {
  /** A folder for temporary folders, to see what is left in it. */
  function temporary(): string {
    const folder = mkdtempSync(join(tmpdir(), 'sip-registrar-test-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    return folder;
  }

  const anyPorts = ['--sip-port', '0', '--http-port', '0'];

  it('shows phones at work and leaves nothing behind', async () => {
    const folder = temporary();
    const ran = await cli.run(['demo', '--seconds', '5', ...anyPorts], { TMPDIR: folder });
    expect(ran).toMatchObject({ exitCode: 0, stderr: '' });
    expect(ran.stdout).toMatch(/^Swagger UI {2}http:\/\/127\.0\.0\.1:\d+\/docs$/m);
    expect(ran.stdout).toMatch(/^API key {5}rk_\S+ /m);
    for (const line of [
      'alice  desk phone registers over UDP: 200, alice has 1 contact',
      'alice  mobile registers over TCP: 200, alice has 2 contacts',
      'carol  softphone unregisters over TCP: 200, carol has no contact',
      'dave   old phone tries to register over UDP: 401 again after answering the challenge',
      'admin  GET /v1/bindings: 4 bindings of 3 users',
      'bob    meeting room phone unregisters over UDP: 200, bob has no contact',
    ]) {
      expect(ran.stdout).toContain(line);
    }
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('cleans up at %s', async (signal) => {
    const folder = temporary();
    const child = cli.start(['demo', ...anyPorts], { TMPDIR: folder });
    child.stdout?.on('data', (chunk: Buffer) => {
      if (chunk.includes('desk phone registers')) child.kill(signal);
    });
    const ran = await finished(child);
    expect(ran).toMatchObject({ exitCode: 0, stderr: '' });
    expect(ran.stdout).toMatch(/desk phone unregisters .*\nThe server is closed and its folder is gone\.\n$/);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('says which port is taken when it was asked for it', async () => {
    const folder = temporary();
    const occupant = createServer();
    await new Promise<void>((resolve) => occupant.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      occupant.close();
    });
    const { port } = occupant.address() as { port: number };
    const ran = await cli.run(['demo', '--sip-port', '0', '--http-port', String(port)], { TMPDIR: folder });
    expect(ran).toMatchObject({
      exitCode: 1,
      stderr: `sip-registrar: --http-port: port ${port} on 127.0.0.1 is taken\n`,
    });
    expect(readdirSync(folder)).toEqual([]);
  });
});
