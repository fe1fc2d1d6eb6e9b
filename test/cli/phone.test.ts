import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import {
  type PhoneSurroundings,
  type RegisterOptions,
  runQuery,
  runRegister,
  runUnregister,
  type UnregisterOptions,
} from '../../src/cli/phone/phone.js';
import { PASSWORD, TestServer } from '../support/test-server.js';
import { challenge, scriptedRegistrar } from './scripted-registrar.js';

const ALICE = 'sip:alice@example.com';

/** Runs one action of the phone; gives what it wrote, or throws what it threw. */
async function phone(
  run: (
    address: string,
    options: RegisterOptions & UnregisterOptions,
    surroundings: PhoneSurroundings,
  ) => Promise<void>,
  server: string,
  options: Partial<RegisterOptions & UnregisterOptions> = {},
  address = ALICE,
): Promise<string> {
  let written = '';
  const write = (text: string) => {
    written += text;
  };
  const standard = { server, transport: 'udp', timeout: 5, expires: 3600, password: PASSWORD } as const;
  const ended = new AbortController().signal;
  await run(
    address,
    { ...standard, ...options },
    { clock: systemClock, write, environmentPassword: undefined, ended },
  );
  return written;
}

const register = phone.bind(undefined, runRegister);
const query = phone.bind(undefined, runQuery);
const unregister = phone.bind(undefined, runUnregister);

async function startServer(): Promise<{ test: TestServer; server: string }> {
  const test = await TestServer.start({ host: '127.0.0.1' });
  await test.addDomain('example.com');
  await test.addUser('alice', 'example.com');
  return { test, server: `${test.sipHost}:${test.sipPort}` };
}

describe.each(['udp', 'tcp'] as const)('the diagnostic phone over %s', (transport) => {
  it('registers, asks, and unregisters what it registered', async () => {
    const { test, server } = await startServer();
    expect(await query(server, { transport })).toBe(`${ALICE}: not registered\n`);

    const registered = await register(server, { transport });
    expect(registered).toMatch(/^registered sip:alice@example.com: 1 contact, expires in 3600 s\n {2}sip:/);
    const [binding] = await test.bindings(ALICE);
    expect(registered).toContain(`  ${binding.contact}  expires in 3600 s\n`);
    expect(binding.received.transport).toBe(transport);

    expect(await query(server, { transport })).toMatch(/^sip:alice@example.com: 1 contact\n {2}sip:alice@/);
    expect(await unregister(server, { transport })).toBe(`unregistered ${ALICE}: no contact left\n`);
    expect(await test.bindings(ALICE)).toEqual([]);
  });

  it('tells a wrong password from other failures', async () => {
    const { server } = await startServer();
    const refusal = '401 again after answering the challenge: wrong password or unknown user';
    await expect(register(server, { transport, password: 'not it' })).rejects.toThrow(refusal);
    await expect(register(server, { transport }, 'sip:nobody@example.com')).rejects.toThrow(refusal);
  });

  it('shows every message with its direction, and the password in none', async () => {
    const { server } = await startServer();
    const trace = await register(server, { transport, trace: true });
    const arrows = [...trace.matchAll(/^\d\d:\d\d:\d\d\.\d{3}Z ([→←]) (.*)\n(.*)$/gm)];
    expect(arrows.map(([, arrow, hop, first]) => [arrow, hop, first])).toEqual([
      ['→', `${transport} ${server}`, 'REGISTER sip:example.com SIP/2.0'],
      ['←', `${transport} ${server}`, 'SIP/2.0 401 Unauthorized'],
      ['→', `${transport} ${server}`, 'REGISTER sip:example.com SIP/2.0'],
      ['←', `${transport} ${server}`, 'SIP/2.0 200 OK'],
    ]);
    expect(trace).toMatch(/^Authorization: Digest .*response="[0-9a-f]{32}"/m);
    expect(trace).not.toContain(PASSWORD);
  });

  it.each(['sha-256', 'sha-512-256', 'all'])(
    'answers the challenges of a domain set to %s',
    async (setting) => {
      const { test, server } = await startServer();
      await test.changeDomain('example.com', { challenge: setting });
      expect(await register(server, { transport })).toContain('1 contact');
    },
  );
});

describe('the diagnostic phone against the registrar', () => {
  it('asks again for the least interval when its own is too brief', async () => {
    const { server } = await startServer();
    expect(await register(server, { expires: 30 })).toContain('1 contact, expires in 60 s');
  });

  it('removes the contacts of other phones too with --all', async () => {
    const { server } = await startServer();
    await register(server, { contact: 'sip:alice@192.0.2.7:5090' });
    await register(server);
    expect(await unregister(server)).toContain('1 contact left\n  sip:alice@192.0.2.7:5090  expires');
    expect(await unregister(server, { all: true })).toContain('no contact left');
  });

  it('says that a blocked user is refused though the password is right', async () => {
    const { test, server } = await startServer();
    await test.api('POST', '/v1/deregistrations', {
      filter: { aor: ALICE },
      mode: 'block',
      block_seconds: 60,
    });
    await expect(register(server)).rejects.toThrow('403 Forbidden: the password is right');
  });

  it('says which domain is not served', async () => {
    const { server } = await startServer();
    const refusal = '404 Not Found: the registrar does not serve example.org';
    await expect(register(server, {}, 'sip:alice@example.org')).rejects.toThrow(refusal);
  });

  it('says when a password is wanted and none was given', async () => {
    const { test, server } = await startServer();
    const options = { clock: systemClock, write: () => undefined, ended: new AbortController().signal };
    const given = { server, transport: 'udp', timeout: 5 } as const;
    await expect(runQuery(ALICE, given, { ...options, environmentPassword: undefined })).rejects.toThrow(
      'the registrar asks for a password',
    );
    await runQuery(ALICE, given, { ...options, environmentPassword: PASSWORD });
    const folder = mkdtempSync(join(tmpdir(), 'sip-registrar-phone-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const passwordFile = join(folder, 'password');
    writeFileSync(passwordFile, `${PASSWORD}\n`);
    await runQuery(ALICE, { ...given, passwordFile }, { ...options, environmentPassword: 'not it' });
    expect(await test.bindings(ALICE)).toEqual([]);
  });

  it('resolves a name with the hosts file', async () => {
    const { test } = await startServer();
    expect(await query(`localhost:${test.sipPort}`)).toContain('not registered');
  });

  it('takes passwords that are not ASCII', async () => {
    const { test, server } = await startServer();
    const password = 'Grüße aus Köln';
    await test.addUser('bob', 'example.com', { credential: { password } });
    expect(await register(server, { password }, 'sip:bob@example.com')).toContain('1 contact');
  });

  it('goes by another name for the password when told so', async () => {
    const { server } = await startServer();
    await expect(register(server, { authUser: 'bob' })).rejects.toThrow('401 again');
    expect(await register(server, { authUser: 'alice' })).toContain('1 contact');
  });

  it('stays registered until it is ended, then unregisters', async () => {
    const { test, server } = await startServer();
    await test.changeDomain('example.com', { min_expires_seconds: 1 });
    const end = new AbortController();
    const lines: string[] = [];
    const staying = runRegister(
      ALICE,
      { server, transport: 'udp', timeout: 5, expires: 2, password: PASSWORD, stay: true },
      {
        clock: systemClock,
        write: (text) => lines.push(text),
        environmentPassword: undefined,
        ended: end.signal,
      },
    );
    await vi.waitFor(
      () => expect(lines.filter((line) => line.startsWith('refreshed'))).toHaveLength(2),
      8_000,
    );
    expect(await test.bindings(ALICE)).toHaveLength(1);
    end.abort();
    await staying;
    expect(lines.at(-1)).toBe(`unregistered ${ALICE}: no contact left\n`);
    expect(await test.bindings(ALICE)).toEqual([]);
  });
});

describe('the diagnostic phone against registrars that behave otherwise', () => {
  it('gives up on a silent one in time, a 100 notwithstanding', async () => {
    const silent = await scriptedRegistrar([]);
    await expect(query(silent.server, { timeout: 1 })).rejects.toThrow(
      `no answer from udp ${silent.server} within 1 s`,
    );
    const trying = await scriptedRegistrar(['100 Trying']);
    await expect(query(trying.server, { timeout: 1 })).rejects.toThrow('no answer');
  });

  it('says that nothing listens on a TCP port', async () => {
    const placeholder = createServer().listen(0, '127.0.0.1');
    await once(placeholder, 'listening');
    const { port } = placeholder.address() as { port: number };
    await new Promise((resolve) => placeholder.close(resolve));
    await expect(query(`127.0.0.1:${port}`, { transport: 'tcp' })).rejects.toThrow(
      `tcp 127.0.0.1:${port} refuses the connection: nothing listens there`,
    );
  });

  it('says when a TCP peer hangs up instead of answering', async () => {
    const rude = createServer((socket) => socket.once('data', () => socket.end())).listen(0, '127.0.0.1');
    await once(rude, 'listening');
    onTestFinished(() => {
      rude.close();
    });
    const { port } = rude.address() as { port: number };
    await expect(query(`127.0.0.1:${port}`, { transport: 'tcp' })).rejects.toThrow(
      `tcp 127.0.0.1:${port}: remote peer disconnected`,
    );
  });

  it('shows when to try again', async () => {
    const busy = await scriptedRegistrar([['503 Service Unavailable', 'Retry-After: 12 (lunch)']]);
    await expect(query(busy.server)).rejects.toThrow('503 Service Unavailable: try again in 12 s');
  });

  it('answers once more when its nonce was stale', async () => {
    const fussy = await scriptedRegistrar([challenge('n1')], [challenge('n2', ', stale=TRUE')], ['200 OK']);
    expect(await query(fussy.server)).toContain('not registered');
    expect(fussy.requests.map((request) => /nonce="(\w+)"/.exec(request)?.[1])).toEqual([
      undefined,
      'n1',
      'n2',
    ]);
  });

  it('does not go round for ever with one that calls every nonce stale', async () => {
    const mad = await scriptedRegistrar([challenge('n1', ', stale=true')]);
    await expect(query(mad.server)).rejects.toThrow('401 again');
    expect(mad.requests).toHaveLength(4);
  });

  it('names the algorithms that it cannot answer', async () => {
    const exotic = await scriptedRegistrar([challenge('n1', ', algorithm=SHA3-512')]);
    await expect(query(exotic.server)).rejects.toThrow("a challenge that this phone can't answer (SHA3-512)");
  });

  it('does not call it registered when the 200 lists other contacts only', async () => {
    const forgetful = await scriptedRegistrar([['200 OK', 'Contact: <sip:alice@192.0.2.1>;expires=9']]);
    await expect(register(forgetful.server)).rejects.toThrow(
      '200 OK, but the registrar does not list our contact',
    );
  });

  it('asks once only for a longer interval', async () => {
    const strict = await scriptedRegistrar([['423 Interval Too Brief', 'Min-Expires: 7200']]);
    await expect(register(strict.server)).rejects.toThrow('423 Interval Too Brief: at least 7200 s');
    expect(strict.requests.map((request) => /^Expires: (\d+)\r$/m.exec(request)?.[1])).toEqual([
      '3600',
      '7200',
    ]);
  });

  it('lets no message reach the terminal as anything but text', async () => {
    const hostile = await scriptedRegistrar(['500 \x1b[2J\x07gone']);
    await expect(query(hostile.server)).rejects.toThrow('500 \\x1b[2J\\x07gone');
    const traced = await scriptedRegistrar([['200 OK', 'X: \x1b]0;owned\x07']]);
    const trace = await query(traced.server, { trace: true });
    expect(trace).toContain('X: \\x1b]0;owned\\x07');
    expect(trace).not.toContain('\x1b');
  });

  it('answers requests that reach it', async () => {
    const registrar = await scriptedRegistrar([
      ['200 OK', 'Contact: <sip:alice@127.0.0.1:5555>;expires=600'],
    ]);
    const end = new AbortController();
    const written: string[] = [];
    const staying = runRegister(
      ALICE,
      {
        server: registrar.server,
        transport: 'udp',
        timeout: 5,
        expires: 600,
        contact: 'sip:alice@127.0.0.1:5555',
        stay: true,
      },
      {
        clock: systemClock,
        write: (text) => written.push(text),
        environmentPassword: undefined,
        ended: end.signal,
      },
    );
    await vi.waitFor(() => expect(written).not.toEqual([]));
    const ask = (method: string) =>
      registrar.ask(
        `${method} sip:alice@127.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP ${registrar.server};branch=z9hG4bK${method}\nFrom: <sip:r@example.com>;tag=1\nTo: <${ALICE}>\nCall-ID: ${method}\nCSeq: 1 ${method}\nMax-Forwards: 70\nContent-Length: 0\n\n`,
      );
    expect(await ask('OPTIONS')).toMatch(
      /^SIP\/2\.0 200 OK\r\n(.*\r\n)*To: +<sip:alice@example.com>;tag=phone\r\n/,
    );
    expect(await ask('NOTIFY')).toMatch(/^SIP\/2\.0 481 /);
    expect(await ask('INVITE')).toMatch(/^SIP\/2\.0 480 /);
    end.abort();
    await staying;
  });
});

describe('the diagnostic phone and what cannot be', () => {
  const nowhere = '127.0.0.1:9';

  it.each([
    ['tel:+4930123', nowhere, {}, 'tel:+4930123 is no address like sip:alice@example.com'],
    [ALICE, 'no.such.name.invalid', {}, 'the name no.such.name.invalid does not resolve'],
    [ALICE, '[::1]:5060', {}, 'speaks IPv4 only'],
    [ALICE, '127.0.0.1:70000', {}, 'not a host or host:port'],
    [ALICE, nowhere, { contact: 'mailto:alice@example.com' }, 'not a SIP URI'],
  ])('refuses %s at %s with %o', async (address, server, options, detail) => {
    await expect(register(server, options, address)).rejects.toThrow(detail);
  });

  it('says which password file it cannot read', async () => {
    const options = {
      server: nowhere,
      transport: 'udp',
      timeout: 1,
      passwordFile: '/nowhere/at/all',
    } as const;
    const surroundings = {
      clock: systemClock,
      write: () => undefined,
      environmentPassword: undefined,
      ended: new AbortController().signal,
    };
    await expect(runQuery(ALICE, options, surroundings)).rejects.toThrow(
      "--password-file /nowhere/at/all can't be read",
    );
  });
});
