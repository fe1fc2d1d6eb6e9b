import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { Phone } from '../support/phone.js';
import { builtProgram, ServerProcess, temporaryFolder } from '../support/server-process.js';
import { expiresOf } from '../support/sip-answer.js';
import { UdpWire } from '../support/sip-wire.js';
import { PASSWORD, serverWithAlice } from '../support/test-server.js';

/** How often the server is killed; more with ROUNDS=200. */
const ROUNDS = Number(process.env.ROUNDS ?? 20);
/** Phones at work at the same time, a request of each in the air. */
const PHONES = 32;
/** Contacts that one phone plays with; under the limit of bindings below. */
const CONTACTS = 12;
/** Operators at work at the same time, a change of each in the air. */
const OPERATORS = 4;
/** The server is killed within that time after the load has begun. */
const LONGEST_LOAD_MS = 700;
const SETTINGS = { REGISTRAR_HTTP_RATE_LIMIT_PER_MINUTE: '10000000' };

const main = builtProgram();

/**
 * What somebody was told of one thing: what it is by the last answer, and what it becomes by a request that was sent
 * and never answered, which may have happened or not.
 */
class Knowledge<T> {
  private readonly known = new Map<string, { told: T | undefined; mayBe: readonly (T | undefined)[] }>();
  acknowledged = 0;

  asks(name: string, wanted: T | undefined): void {
    const { told } = this.known.get(name) ?? { told: undefined };
    this.known.set(name, { told, mayBe: [told, wanted] });
  }

  isTold(name: string, what: T | undefined): void {
    this.known.set(name, { told: what, mayBe: [what] });
    this.acknowledged++;
  }

  names(): readonly string[] {
    return [...this.known.keys()];
  }

  /** Holds what is there against it; from then on, what is there is what is known. */
  expect(name: string, found: T | undefined): void {
    const expected = this.known.get(name)?.mayBe ?? [undefined];
    expect(expected, `${name} is ${String(found)} after the restart`).toContain(found);
    this.known.set(name, { told: found, mayBe: [found] });
  }
}

/** Registers, refreshes and removes without pause until the server is killed. Knows the CSeq of each binding. */
class BusyPhone {
  readonly bindings = new Knowledge<number>();
  private cseq = 0;
  private turn = 0;

  constructor(readonly user: string) {}

  async run(port: number, killed: Promise<undefined>): Promise<void> {
    const wire = await UdpWire.open({ host: '127.0.0.1', port });
    const phone = new Phone(wire, { user: this.user, domain: 'example.com', password: PASSWORD });
    const challenged = await Promise.race([phone.fetchChallenge().catch(() => undefined), killed]);
    while (challenged !== undefined) {
      const contact = `sip:${this.user}@192.0.2.1:${20_000 + (this.turn++ % CONTACTS)}`;
      const isRemoval = this.turn % 7 === 6;
      const cseq = ++this.cseq;
      this.bindings.asks(contact, isRemoval ? undefined : cseq);
      const octets = phone.compose({
        callId: this.user,
        cseq,
        contacts: [`<${contact}>`],
        expires: isRemoval ? 0 : 3600,
      });
      const answer = await Promise.race([phone.exchange(octets).catch(() => undefined), killed]);
      if (answer === undefined) break;
      expect(answer.status).toBe(200);
      this.bindings.isTold(contact, isRemoval ? undefined : cseq);
    }
    wire.close();
  }
}

/** Makes users, changes them and deletes them until the server is killed. Knows the binding limit of each. */
class BusyOperator {
  readonly users = new Knowledge<number>();
  private turn = 0;

  constructor(private readonly name: string) {}

  async run(server: ServerProcess, killed: Promise<undefined>): Promise<void> {
    for (;;) {
      const n = Math.floor(this.turn / 3);
      const step = this.turn++ % 3;
      const made = `${this.name}-${n}`;
      const gone = `${this.name}-${n - 2}`;
      const limit = 2 + (n % 90);
      const isDone =
        step === 0
          ? await this.change(server, killed, made, 1, 'POST', '/v1/users', {
              username: made,
              domain: 'example.com',
              max_bindings: 1,
            })
          : step === 1
            ? await this.change(server, killed, made, limit, 'PATCH', userPath(made), { max_bindings: limit })
            : n < 2 || (await this.change(server, killed, gone, undefined, 'DELETE', userPath(gone)));
      if (!isDone) return;
    }
  }

  private async change(
    server: ServerProcess,
    killed: Promise<undefined>,
    user: string,
    wanted: number | undefined,
    method: string,
    path: string,
    body?: object,
  ): Promise<boolean> {
    this.users.asks(user, wanted);
    const answer = await Promise.race([server.api(method, path, body).catch(() => undefined), killed]);
    if (answer === undefined) return false;
    // One that was in the air at the last kill may have been made or deleted already.
    if (answer.status === 409 || answer.status === 404) return true;
    expect(answer.status, `${method} ${path}`).toBeLessThan(300);
    this.users.isTold(user, wanted);
    return true;
  }
}

function userPath(user: string): string {
  return `/v1/users/${encodeURIComponent(`${user}@example.com`)}`;
}

async function provision(server: ServerProcess, users: readonly string[]): Promise<void> {
  const domain = await server.api('POST', '/v1/domains', { name: 'example.com', max_bindings_per_user: 100 });
  expect(domain.status).toBe(201);
  for (const username of users) {
    const credential = { password: PASSWORD };
    const made = await server.api('POST', '/v1/users', { username, domain: 'example.com', credential });
    expect(made.status).toBe(201);
  }
}

test(
  `what was acknowledged is there after kill -9 at any moment, ${ROUNDS} times in a row`,
  async () => {
    const dataDir = temporaryFolder();
    const phones = Array.from({ length: PHONES }, (_, n) => new BusyPhone(`phone${n}`));
    const operators = Array.from({ length: OPERATORS }, (_, n) => new BusyOperator(`op${n}`));
    let server = await ServerProcess.start(main(), dataDir, SETTINGS);
    await provision(
      server,
      phones.map(({ user }) => user),
    );

    for (let round = 1; round <= ROUNDS; round++) {
      const killed = server.ended.then(() => undefined);
      const running = [
        ...phones.map((phone) => phone.run(server.sipPort, killed)),
        ...operators.map((operator) => operator.run(server, killed)),
      ];
      await new Promise((resolve) => setTimeout(resolve, Math.random() * LONGEST_LOAD_MS));
      expect((await server.end('SIGKILL')).signal).toBe('SIGKILL');
      await Promise.all(running);

      server = await ServerProcess.start(main(), dataDir, SETTINGS);
      const stored = new Map((await server.allBindings()).map(({ contact, cseq }) => [contact, cseq]));
      for (const { bindings } of phones) {
        for (const contact of bindings.names()) bindings.expect(contact, stored.get(contact));
      }
      const limits = new Map<string, number>();
      for (let cursor = ''; ; ) {
        const { body } = await server.api('GET', `/v1/users?limit=200${cursor}`);
        for (const { username, max_bindings } of body.data) limits.set(username, max_bindings);
        if (body.page.next_cursor === null) break;
        cursor = `&cursor=${encodeURIComponent(body.page.next_cursor)}`;
      }
      for (const { users } of operators) {
        for (const user of users.names()) users.expect(user, limits.get(user));
      }
    }
    const registrations = phones.reduce((sum, { bindings }) => sum + bindings.acknowledged, 0);
    const changes = operators.reduce((sum, { users }) => sum + users.acknowledged, 0);
    // A load that never got anywhere would prove nothing.
    expect(registrations).toBeGreaterThan(ROUNDS * PHONES);
    expect(changes).toBeGreaterThan(ROUNDS * OPERATORS);
  },
  30_000 + ROUNDS * 8_000,
);

/** A disk of a few megabytes, where this user may mount one. */
function smallDisk(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'sip-registrar-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', folder], { stdio: 'ignore' });
    return folder;
  } catch {
    rmSync(folder, { recursive: true });
    return undefined;
  }
}

/** Takes all room of the disk but so many octets; gives the room back when called. */
function fill(disk: string, octetsLeft: number): () => void {
  const { bavail, bsize } = statfsSync(disk);
  const filler = join(disk, `filler-${octetsLeft}`);
  writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - octetsLeft)));
  return () => rmSync(filler);
}

test.skipIf(process.getuid?.() !== 0)(
  'on a full disk nothing is acknowledged that is not there, and service returns with the space (needs root, to mount one)',
  async ({ skip }) => {
    const disk = smallDisk();
    if (disk === undefined) return skip('nothing can be mounted here');
    const mounted: string = disk;
    onTestFinished(() => {
      execFileSync('umount', ['-l', mounted]);
      rmSync(mounted, { recursive: true });
    });
    let server = await ServerProcess.start(main(), disk, SETTINGS);
    await provision(server, ['alice']);
    const wire = await UdpWire.open({ host: '127.0.0.1', port: server.sipPort });
    onTestFinished(() => wire.close());
    const phone = new Phone(wire, { user: 'alice', domain: 'example.com', password: PASSWORD });
    await phone.fetchChallenge();
    const acknowledged = new Set<string>();
    const register = async (n: number): Promise<number> => {
      const contact = `sip:alice@192.0.2.1:${10_000 + n};x=${'y'.repeat(2_000)}`;
      const answer = await phone.register({ callId: `call-${n}`, cseq: 1, contacts: [`<${contact}>`] });
      if (answer.status === 200) acknowledged.add(contact);
      return answer.status;
    };

    const giveBack = [fill(disk, 100_000)];
    const statuses: number[] = [];
    for (let n = 0; n < 80; n++) statuses.push(await register(n));
    // A short row may still find room where a long one did not.
    giveBack.push(fill(disk, 0));
    const made: string[] = [];
    let failed = 0;
    for (let n = 0; n < 100; n++) {
      const name = `d${n}.example.com`;
      const { status } = await server.api('POST', '/v1/domains', { name });
      if (status === 201) made.push(name);
      else if (status >= 500) failed++;
    }
    const listed = (await server.allBindings()).map(({ contact }) => contact);
    for (const free of giveBack) free();

    expect(new Set(statuses)).toEqual(new Set([200, 500]));
    expect(failed).toBeGreaterThan(0);
    expect(failed + made.length).toBe(100);
    expect(listed.toSorted()).toEqual([...acknowledged].toSorted());
    const created = server.logLines.filter(({ event }) => event === 'binding.created');
    expect(created.map(({ contact }) => contact).toSorted()).toEqual([...acknowledged].toSorted());
    expect(server.logLines.filter(({ event }) => event === 'store.commit_failed').length).toBeGreaterThan(0);

    // Nobody does anything but give the space back.
    for (let n = 100; n < 110; n++) expect(await register(n)).toBe(200);
    expect((await server.api('POST', '/v1/domains', { name: 'last.example.com' })).status).toBe(201);

    await server.end('SIGKILL');
    server = await ServerProcess.start(main(), disk, SETTINGS);
    const after = (await server.allBindings()).map(({ contact }) => contact);
    expect(after.toSorted()).toEqual([...acknowledged].toSorted());
    const { body } = await server.api('GET', '/v1/domains?limit=200');
    expect(body.data.map(({ name }: { name: string }) => name).toSorted()).toEqual(
      ['example.com', 'last.example.com', ...made].toSorted(),
    );
  },
  60_000,
);

describe('A wall clock that jumps', () => {
  const HOUR_MS = 3_600_000;

  afterEach(() => {
    vi.useRealTimers();
  });

  test.each([
    ['forward', HOUR_MS],
    ['back', -HOUR_MS],
  ])('an hour %s neither drops nor extends a binding, and no nonce', async (_, jumpMs) => {
    const server = await serverWithAlice({ settings: { REGISTRAR_NONCE_LIFETIME_SECONDS: '600' } });
    const phone = await server.phone('alice');
    await phone.register({ contacts: [`<${phone.contact}>`], expires: 600 });
    const before = systemClock.now();
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + jumpMs });
    expect(Math.abs(Date.now() - before)).toBeGreaterThan(HOUR_MS / 2);
    // Long enough for a sweep of what has expired.
    await new Promise((resolve) => setTimeout(resolve, 1_200));

    const query = await phone.query();

    expect(systemClock.now() - before).toBeLessThan(10_000);
    expect(query.status).toBe(200);
    expect(expiresOf(query, phone.contact)).toBeGreaterThan(580);
    expect(expiresOf(query, phone.contact)).toBeLessThanOrEqual(600);
    expect(server.logged('binding.removed')).toEqual([]);
    const refreshed = await phone.exchange(phone.compose({ contacts: [`<${phone.contact}>`], expires: 600 }));
    expect(refreshed.status).toBe(200);
  });
});
