import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { AccountService } from '../../src/accounts/account-service.js';
import { SecretSeal } from '../../src/accounts/secret-seal.js';
import { ha1OfText } from '../../src/auth/digest.js';
import type { BindingChange } from '../../src/location/decision.js';
import { LocationService } from '../../src/location/location-service.js';
import type { RegisterCommand } from '../../src/location/register.js';
import { parseUri, type Uri } from '../../src/sip/grammar/uri.js';
import { openSqliteStore } from '../../src/store/sqlite/sqlite.js';
import { expiresOf } from '../support/sip-answer.js';
import { PASSWORD, serverWithAlice } from '../support/test-server.js';
import { VirtualClock } from '../support/virtual-clock.js';

const DESK = 'sip:alice@192.0.2.1:5060';
const CELL = 'sip:alice@192.0.2.2:5060';
const HOME = 'sip:alice@192.0.2.3:5060';

describe('How long a binding lasts (RFC 3261 §10.2.1.1, §10.3 step 7)', () => {
  test("11: a contact's own expires beats the Expires header field, which beats the default", async () => {
    const server = await serverWithAlice({ clock: new VirtualClock() });
    const phone = await server.phone('alice');

    const both = await phone.register({ contacts: [`<${DESK}>;expires=120`, `<${CELL}>`], expires: 240 });
    const neither = await phone.register({ contacts: [`<${HOME}>`] });

    expect([expiresOf(both, DESK), expiresOf(both, CELL), expiresOf(neither, HOME)]).toEqual([
      120, 240, 3600,
    ]);
  });

  test.each([';expires=soon', ';expires', ';expires=-1', ';expires=1.5', ';expires=60s', ';expires="60"'])(
    '12: the malformed %s counts as 3600',
    async (param) => {
      const server = await serverWithAlice({
        clock: new VirtualClock(),
        domain: { default_expires_seconds: 7200 },
      });
      const phone = await server.phone('alice');

      expect(expiresOf(await phone.register({ contacts: [`<${DESK}>${param}`] }), DESK)).toBe(3600);
    },
  );

  test('12: a malformed Expires header field counts as 3600', async () => {
    const server = await serverWithAlice({
      clock: new VirtualClock(),
      domain: { default_expires_seconds: 7200 },
    });
    const phone = await server.phone('alice');

    expect(expiresOf(await phone.register({ contacts: [`<${DESK}>`], expires: 'soon' }), DESK)).toBe(3600);
  });

  test.each(['4294967295', '4294967296', '99999999999999999999999999'])(
    '12: expires=%s is clamped, and shortened to the maximum',
    async (text) => {
      const server = await serverWithAlice({ clock: new VirtualClock() });
      const phone = await server.phone('alice');

      expect(expiresOf(await phone.register({ contacts: [`<${DESK}>;expires=${text}`] }), DESK)).toBe(86_400);
    },
  );

  test('13: an interval below the minimum is refused with 423 and Min-Expires', async () => {
    const server = await serverWithAlice({ domain: { min_expires_seconds: 120 } });
    const phone = await server.phone('alice');

    const answer = await phone.register({ contacts: [`<${DESK}>`], expires: 119 });

    expect([answer.status, answer.reason, answer.value('Min-Expires')]).toEqual([
      423,
      'Interval Too Brief',
      '120',
    ]);
    expect(await server.bindings('alice@example.com')).toEqual([]);
    expect((await phone.register({ contacts: [`<${DESK}>`], expires: 120 })).status).toBe(200);
  });

  test('13: a minimum of 7200 seconds does not refuse 3600', async () => {
    const server = await serverWithAlice({
      clock: new VirtualClock(),
      domain: { min_expires_seconds: 7200, default_expires_seconds: 7200 },
    });
    const phone = await server.phone('alice');

    const hour = await phone.register({ contacts: [`<${DESK}>`], expires: 3600 });
    const less = await phone.register({ contacts: [`<${DESK}>`], expires: 3599 });

    expect([hour.status, expiresOf(hour, DESK)]).toEqual([200, 3600]);
    expect([less.status, less.value('Min-Expires')]).toEqual([423, '7200']);
  });

  test('13: zero is never too brief', async () => {
    const server = await serverWithAlice({ domain: { min_expires_seconds: 120 } });
    const phone = await server.phone('alice');
    await phone.register({ contacts: [`<${DESK}>`] });

    const answer = await phone.register({ contacts: [`<${DESK}>;expires=0`] });

    expect([answer.status, answer.contacts()]).toEqual([200, []]);
  });

  test('13: a query with Expires: 30 is not refused', async () => {
    const server = await serverWithAlice({ domain: { min_expires_seconds: 120 } });
    const phone = await server.phone('alice');

    expect((await phone.register({ expires: 30 })).status).toBe(200);
  });

  test.each([60, 61, 600, 3599, 3600, 86_400])(
    '14: who asks for %i seconds is not granted more',
    async (asked) => {
      const server = await serverWithAlice({
        clock: new VirtualClock(),
        domain: { default_expires_seconds: 86_400 },
      });
      const phone = await server.phone('alice');

      expect(expiresOf(await phone.register({ contacts: [`<${DESK}>`], expires: asked }), DESK)).toBe(asked);
    },
  );

  test('R3: what is above the maximum is shortened to it', async () => {
    const server = await serverWithAlice({
      clock: new VirtualClock(),
      domain: { max_expires_seconds: 7200 },
    });
    const phone = await server.phone('alice');

    expect(expiresOf(await phone.register({ contacts: [`<${DESK}>`], expires: 7201 }), DESK)).toBe(7200);
  });

  test('R3: the defaults are 3600 seconds, at least 60 and at most 86400', async () => {
    const server = await serverWithAlice({ clock: new VirtualClock() });
    const phone = await server.phone('alice');

    expect(expiresOf(await phone.register({ contacts: [`<${DESK}>`] }), DESK)).toBe(3600);
    expect((await phone.register({ contacts: [`<${DESK}>`], expires: 59 })).value('Min-Expires')).toBe('60');
    expect(expiresOf(await phone.register({ contacts: [`<${DESK}>`], expires: 60 }), DESK)).toBe(60);
    expect(expiresOf(await phone.register({ contacts: [`<${DESK}>`], expires: 86_401 }), DESK)).toBe(86_400);
  });
});

describe('The second of expiry', () => {
  test('51: a binding refreshed in its last millisecond is not swept when its old time comes', async () => {
    const { location, clock, changes } = await locationOnDisk();
    await location.register(command('a', 1, DESK, 60), POLICY);
    clock.at += 59_999;
    const refreshed = location.register(command('a', 2, DESK, 60), POLICY);
    clock.at += 1;
    const swept = location.removeExpired();

    expect((await refreshed).kind).toBe('registered');
    expect(await swept).toBe(0);
    expect(changes.map(({ kind }) => kind)).toEqual(['created', 'refreshed']);
    expect((await location.locate(ALICE)).contacts).toHaveLength(1);
  });

  test('51: a sweep queued before the refresh re-checks within its own transaction', async () => {
    const { location, clock, changes } = await locationOnDisk();
    await location.register(command('a', 1, DESK, 60), POLICY);
    clock.at += 59_999;

    const [swept, refreshed] = await Promise.all([
      location.removeExpired(),
      location.register(command('a', 2, DESK, 60), POLICY),
    ]);

    expect([swept, refreshed.kind]).toEqual([0, 'registered']);
    clock.at += 1;
    expect(await location.removeExpired()).toBe(0);
    expect(changes.map(({ kind }) => kind)).toEqual(['created', 'refreshed']);
  });

  test('51: a REGISTER at the very second of expiry makes a new binding, and the old one expires once', async () => {
    const { location, clock, changes } = await locationOnDisk();
    await location.register(command('a', 1, DESK, 60), POLICY);
    clock.at += 60_000;

    const [outcome] = await Promise.all([
      location.register(command('a', 2, DESK, 60), POLICY),
      location.removeExpired(),
    ]);
    await location.removeExpired();

    expect(outcome.kind === 'registered' ? outcome.bindings : []).toHaveLength(1);
    expect((await location.locate(ALICE)).contacts).toHaveLength(1);
    expect(
      changes.map((change) => (change.kind === 'removed' ? change.cause : change.kind)).toSorted(),
    ).toEqual(['created', 'created', 'expired']);
  });

  test('51: an expired binding is swept once, with its cause', async () => {
    const { location, clock, changes } = await locationOnDisk();
    await location.register(command('a', 1, DESK, 60), POLICY);
    clock.at += 60_000;

    expect(await location.removeExpired()).toBe(1);
    expect(await location.removeExpired()).toBe(0);
    expect(changes.at(-1)).toMatchObject({ kind: 'removed', cause: 'expired' });
  });

  test('51: the running server sweeps what has expired and logs it', async () => {
    const clock = new VirtualClock();
    const server = await serverWithAlice({ clock });
    const phone = await server.phone('alice');
    await phone.register({ contacts: [`<${DESK}>`], expires: 60 });
    clock.advanceSeconds(60);

    await vi.waitFor(
      () => expect(server.logged('binding.removed')).toMatchObject([{ cause: 'expired' }]),
      4_000,
    );
  });
});

describe('The clock', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  test.each([
    ['forward', 86_400_000],
    ['back', -86_400_000],
  ])('54: a wall clock that jumps %s a day changes nothing of what a binding has left', async (_, jump) => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    await phone.register({ contacts: [`<${DESK}>`], expires: 600 });
    const real = Date.now;
    vi.spyOn(Date, 'now').mockImplementation(() => real.call(Date) + jump);

    const left = expiresOf(await phone.query(), DESK);

    expect(left).toBeLessThanOrEqual(600);
    expect(left).toBeGreaterThan(590);
  });
});

const ALICE = { user: 'alice', domain: 'example.com' };

const POLICY = {
  minExpiresSeconds: 60,
  defaultExpiresSeconds: 3600,
  maxExpiresSeconds: 86_400,
  maxBindings: 10,
  overflow: 'reject',
  sequence: 'strict',
} as const;

let userId = '';

function command(callId: string, cseq: number, contact: string, seconds: number): RegisterCommand {
  return {
    aor: ALICE,
    userId,
    credentialId: 'crd_test',
    nonceIssuedAt: 0,
    callId,
    cseq,
    userAgent: null,
    received: { transport: 'udp', ip: '192.0.2.1', port: 5060, flowId: null },
    action: {
      kind: 'update',
      contacts: [
        {
          uri: parseUri(contact) as Uri,
          contact,
          displayName: '',
          contactParams: '',
          qThousandths: null,
          instanceId: null,
          regId: null,
          requestedSeconds: seconds,
        },
      ],
    },
  };
}

/** The location service on a real database file, with alice in it, without the faces and timers around it. */
async function locationOnDisk() {
  const dataDir = mkdtempSync(join(tmpdir(), 'sip-registrar-test-'));
  const clock = new VirtualClock();
  const log = pino({ level: 'silent' });
  const store = openSqliteStore({ path: join(dataDir, 'registrar.db'), clock, log, maxQueued: 1_000 });
  onTestFinished(() => {
    store.close();
    rmSync(dataDir, { recursive: true });
  });
  const accounts = new AccountService(
    store.accounts,
    new SecretSeal(randomBytes(32)),
    ha1OfText,
    clock,
    randomBytes(32),
  );
  await accounts.createDomain('example.com', {});
  const made = await accounts.createUser({
    username: 'alice',
    domain: 'example.com',
    settings: {},
    credential: { source: { kind: 'password', password: PASSWORD } },
  });
  if (!('user' in made)) throw new Error(made.detail);
  userId = made.user.id;
  const changes: BindingChange[] = [];
  store.location.onChanges((changed) => changes.push(...changed));
  return {
    location: new LocationService(store.location, { close: () => false }, clock, log),
    clock,
    changes,
  };
}
