import { createSocket } from 'node:dgram';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Phone } from '../support/phone.js';
import { builtProgram, type Ended, ServerProcess, temporaryFolder } from '../support/server-process.js';
import { TcpWire } from '../support/sip-wire.js';
import { PASSWORD, testSettings } from '../support/test-server.js';

const main = builtProgram();

/** One line on standard error that names the setting, exit code 1, and no stack trace anywhere. */
function expectRefusal({ code, stderr, stdout }: Ended, setting: string, detail: RegExp): void {
  expect(stderr).toMatch(new RegExp(`^sip-registrar: ${setting}: [^\n]+\n$`));
  expect(stderr).toMatch(detail);
  expect(stdout).not.toContain('server.started');
  expect(stdout).not.toMatch(/^\s+at /m);
  expect(code).toBe(1);
}

describe('A start that cannot be', () => {
  test('a SIP port whose UDP half is taken is named', async () => {
    const taken = createSocket('udp4');
    await new Promise<void>((resolve) => taken.bind(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      taken.close();
    });
    const { port } = taken.address();

    const ended = await ServerProcess.refused(
      main(),
      testSettings(temporaryFolder(), { REGISTRAR_SIP_PORT: String(port) }),
    );

    expectRefusal(ended, 'REGISTRAR_SIP_PORT', new RegExp(`port ${port} on 127\\.0\\.0\\.1 is taken`));
  });

  test.each([['REGISTRAR_SIP_PORT'], ['REGISTRAR_HTTP_PORT']])(
    'a taken TCP port of %s is named',
    async (setting) => {
      const taken = createServer();
      await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
      onTestFinished(() => {
        taken.close();
      });
      const { port } = taken.address() as AddressInfo;

      const ended = await ServerProcess.refused(
        main(),
        testSettings(temporaryFolder(), { [setting]: String(port) }),
      );

      expectRefusal(ended, setting, new RegExp(`port ${port} on 127\\.0\\.0\\.1 is taken`));
    },
  );

  test('an address the machine does not have is named', async () => {
    const ended = await ServerProcess.refused(
      main(),
      testSettings(temporaryFolder(), { REGISTRAR_SIP_HOST: '192.0.2.1' }),
    );

    expectRefusal(ended, 'REGISTRAR_SIP_HOST', /192\.0\.2\.1/);
  });

  test.each([
    ['is a file', (folder: string) => writeFileSync(join(folder, 'data'), '')],
    [
      'lies under a file',
      (folder: string) => {
        writeFileSync(join(folder, 'file'), '');
        return join(folder, 'file/data');
      },
    ],
    // Nobody may write there, root neither.
    ['cannot be written to', () => '/proc/self'],
  ])('a data folder that %s is named', async (_, prepare) => {
    const folder = temporaryFolder();
    const dataDir = prepare(folder) ?? join(folder, 'data');

    const ended = await ServerProcess.refused(main(), testSettings(dataDir));

    expectRefusal(ended, 'REGISTRAR_DATA_DIR', new RegExp(dataDir));
  });

  test.each([
    [
      'is no database',
      (path: string) => writeFileSync(path, 'not a database, but long enough to be read as one'.repeat(50)),
    ],
    [
      'is a database of another program',
      (path: string) => {
        const other = new Database(path);
        other.exec('CREATE TABLE theirs (id INTEGER)');
        other.close();
      },
    ],
    ['is a folder', (path: string) => mkdirSync(path)],
  ])('a data folder whose registrar.db %s is named', async (_, prepare) => {
    const folder = temporaryFolder();
    prepare(join(folder, 'registrar.db'));

    const ended = await ServerProcess.refused(main(), testSettings(folder));

    expectRefusal(ended, 'REGISTRAR_DATA_DIR', /registrar\.db/);
  });

  test.each([
    ['REGISTRAR_SIP_PORT', 'seventy'],
    ['REGISTRAR_SIP_PORT', '65536'],
    ['REGISTRAR_SIP_HOST', 'sip.example.com'],
    ['REGISTRAR_HTTP_HOST', 'localhost'],
    ['REGISTRAR_LOG_LEVEL', 'loud'],
    ['REGISTRAR_NONCE_LIFETIME_SECONDS', '1'],
    ['REGISTRAR_ENCRYPTION_KEY', 'short'],
    ['REGISTRAR_BOOTSTRAP_API_KEY', 'short'],
  ])('the setting %s=%s is refused by its name', async (setting, text) => {
    const ended = await ServerProcess.refused(main(), testSettings(temporaryFolder(), { [setting]: text }));

    expectRefusal(ended, setting, /./);
  });

  test.each(['REGISTRAR_ENCRYPTION_KEY', 'REGISTRAR_BOOTSTRAP_API_KEY'])(
    'a refused %s is not shown',
    async (setting) => {
      const ended = await ServerProcess.refused(
        main(),
        testSettings(temporaryFolder(), { [setting]: 'hush-hush' }),
      );

      expect(ended.code).toBe(1);
      expect(ended.stderr + ended.stdout).not.toContain('hush-hush');
    },
  );

  test('a second process on the same folder is refused, and the first goes on', async () => {
    const dataDir = temporaryFolder();
    const first = await ServerProcess.start(main(), dataDir);

    const ended = await ServerProcess.refused(main(), testSettings(dataDir));

    expectRefusal(ended, 'REGISTRAR_DATA_DIR', /another process/);
    expect((await first.api('GET', '/v1/domains')).status).toBe(200);
  });

  test('a lost key file is named, and nothing is made in its place', async () => {
    const dataDir = temporaryFolder();
    await provisionAndStop(dataDir);
    rmSync(join(dataDir, 'registrar.key'));

    expectRefusal(
      await ServerProcess.refused(main(), testSettings(dataDir)),
      'REGISTRAR_KEY_FILE',
      /missing/,
    );
    expectRefusal(
      await ServerProcess.refused(main(), testSettings(dataDir)),
      'REGISTRAR_KEY_FILE',
      /missing/,
    );
  });

  test('another key than the one the database was encrypted with is named', async () => {
    const dataDir = temporaryFolder();
    await provisionAndStop(dataDir);
    const other = 'ab'.repeat(32);

    expectRefusal(
      await ServerProcess.refused(main(), testSettings(dataDir, { REGISTRAR_ENCRYPTION_KEY: other })),
      'REGISTRAR_ENCRYPTION_KEY',
      /another key/,
    );
    writeFileSync(join(dataDir, 'registrar.key'), other);
    expectRefusal(
      await ServerProcess.refused(main(), testSettings(dataDir)),
      'REGISTRAR_KEY_FILE',
      /another key/,
    );
  });

  test('a failed start leaves nothing behind that keeps the next one from starting', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as AddressInfo;
    const dataDir = temporaryFolder();
    const settings = testSettings(dataDir, { REGISTRAR_HTTP_PORT: String(port) });
    expect((await ServerProcess.refused(main(), settings)).code).toBe(1);
    await new Promise((resolve) => taken.close(resolve));

    const server = await ServerProcess.start(main(), dataDir, { REGISTRAR_HTTP_PORT: String(port) });

    expect((await server.api('GET', '/v1/domains')).status).toBe(200);
  });
});

describe('SIGTERM', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('%s ends an idle server with exit code 0', async (signal) => {
    const server = await ServerProcess.start(main(), temporaryFolder());
    const wire = await TcpWire.open({ host: '127.0.0.1', port: server.sipPort });

    const { code, stderr } = await server.end(signal);
    wire.close();

    expect([code, stderr]).toEqual([0, '']);
    expect(server.logLines.at(-1)).toMatchObject({ event: 'server.stopped' });
  });

  test('what is in flight is answered: everything that was stored was acknowledged, and the other way round', async () => {
    const dataDir = temporaryFolder();
    const server = await ServerProcess.start(main(), dataDir);
    await provision(server);
    const wire = await TcpWire.open({ host: '127.0.0.1', port: server.sipPort });
    const phone = new Phone(wire, { user: 'alice', domain: 'example.com', password: PASSWORD });
    await phone.fetchChallenge();
    const requests = Array.from({ length: 100 }, (_, n) =>
      phone.compose({ contacts: [`<sip:alice@192.0.2.1:${10_000 + n}>`] }),
    );
    for (const octets of requests.slice(0, 50)) wire.send(octets);
    const first = await wire.receive();
    for (const octets of requests.slice(50)) wire.send(octets);

    const ending = server.end('SIGTERM');
    const acknowledged = new Set<string>();
    for (let answer: typeof first | undefined = first; answer !== undefined; ) {
      expect(answer.status).toBe(200);
      acknowledged.add(answer.value('CSeq'));
      answer = await wire.receive().catch(() => undefined);
    }

    expect((await ending).code).toBe(0);
    wire.close();
    const next = await ServerProcess.start(main(), dataDir);
    const stored = (await next.allBindings()).map(({ cseq }) => `${cseq} REGISTER`);
    expect(stored.toSorted()).toEqual([...acknowledged].toSorted());
  });

  test('an open HTTP connection does not keep the server from ending', async () => {
    const server = await ServerProcess.start(main(), temporaryFolder());
    await server.api('GET', '/v1/domains');

    expect((await server.end('SIGTERM')).code).toBe(0);
  });
});

async function provision(server: ServerProcess): Promise<void> {
  const domain = await server.api('POST', '/v1/domains', { name: 'example.com', max_bindings_per_user: 100 });
  const user = await server.api('POST', '/v1/users', {
    username: 'alice',
    domain: 'example.com',
    credential: { password: PASSWORD },
  });
  expect([domain.status, user.status]).toEqual([201, 201]);
}

async function provisionAndStop(dataDir: string): Promise<void> {
  const server = await ServerProcess.start(main(), dataDir);
  await provision(server);
  expect((await server.end('SIGTERM')).code).toBe(0);
}
