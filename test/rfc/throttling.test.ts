import { describe, expect, test } from 'vitest';
import { authorize, readChallenge } from '../support/digest-client.js';
import type { Phone } from '../support/phone.js';
import type { SipAnswer } from '../support/sip-answer.js';
import {
  PASSWORD,
  serverWithAlice,
  type TestServer,
  type TestServerOptions,
} from '../support/test-server.js';
import { VirtualClock } from '../support/virtual-clock.js';

const DESK = 'sip:alice@192.0.2.1:5060';
const GUESSER = '<sip:guesser@example.com>;tag=g';

/** A server that hears every guess, however busy the machine is: what is shed under load is no matter here. */
function openServer(options: Parameters<typeof serverWithAlice>[0] = {}): Promise<TestServer> {
  const settings: TestServerOptions['settings'] = {
    REGISTRAR_UNVERIFIED_TIME_PERCENT: '100',
    ...options.settings,
  };
  return serverWithAlice({ ...options, settings });
}

/** A client that guesses: sends wrong responses over one nonce, and says what it was answered. */
class Guesser {
  private serial = 0;

  private constructor(
    readonly server: TestServer,
    readonly phone: Phone,
  ) {}

  static async at(server: TestServer, address = '127.0.0.1', user = 'alice'): Promise<Guesser> {
    const phone = await server.phone(user, { wire: await server.udp(address) });
    await phone.fetchChallenge();
    return new Guesser(server, phone);
  }

  /** One more wrong password for a user. */
  guess(username = 'alice', password = `wrong ${this.serial++}`): Promise<SipAnswer> {
    return this.phone.exchange(this.request(username, password));
  }

  request(username: string, password: string): string {
    const challenge = this.phone.challenge!;
    const authorization = authorize({ username, password, uri: 'sip:example.com', challenge });
    return this.phone.compose({
      authorization,
      from: GUESSER,
      to: `<sip:${username}@example.com>`,
      contacts: [`<${DESK}>`],
    });
  }

  async guesses(count: number, username?: string): Promise<readonly number[]> {
    const statuses: number[] = [];
    for (let i = 0; i < count; i++) statuses.push((await this.guess(username)).status);
    return statuses;
  }

  /** Wrong passwords for `count` names that nobody has. */
  async scan(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await this.guess(`user${i}`);
  }
}

async function register(phone: Phone): Promise<number> {
  return (await phone.register({ contacts: [`<${phone.contact}>`] })).status;
}

/** What a stranger can compare: all of an answer but what differs from any answer to the next. */
function comparable(answer: SipAnswer, name: string): readonly string[] {
  return [`${answer.status} ${answer.reason}`, ...answer.lines].map((line) =>
    line
      .replace(/nonce="[^"]*"/, 'nonce')
      .replace(/;tag=\S+/, ';tag')
      .replace(/branch=[^;]+/, 'branch')
      .replace(/^(CSeq|Call-ID): .*/, '$1')
      .replace(/^Retry-After: \d+/, 'Retry-After')
      .replaceAll(name, 'somebody'),
  );
}

describe('Guessing for one user', () => {
  test('R5: after 40 different wrong passwords the source is refused for the user, who registers from elsewhere', async () => {
    const server = await openServer();
    const guesser = await Guesser.at(server);

    const statuses = await guesser.guesses(40);

    expect(statuses).toEqual([...Array(31).fill(401), ...Array(9).fill(503)]);
    const refused = await guesser.guess('alice', PASSWORD);
    expect([refused.status, refused.value('Retry-After')]).toEqual([
      503,
      expect.stringMatching(/^(299|300)$/),
    ]);
    expect(await register(await server.phone('bob'))).toBe(200);
    const elsewhere = await server.phone('alice', { wire: await server.udp('127.0.0.2') });
    expect(await register(elsewhere)).toBe(200);
  });

  test('R5: the same wrong REGISTER counts once, retransmitted or sent anew 100 times', async () => {
    const server = await openServer();
    const guesser = await Guesser.at(server);
    const octets = guesser.request('alice', 'the old password');
    const authorization = /Authorization: (.*)\r\n/.exec(octets)![1]!;

    for (let i = 0; i < 100; i++) expect((await guesser.phone.exchange(octets)).status).toBe(401);
    for (let i = 0; i < 100; i++) {
      const again = guesser.phone.compose({ authorization, contacts: [`<${DESK}>`] });
      expect((await guesser.phone.exchange(again)).status).toBe(401);
    }

    expect(await register(await server.phone('alice'))).toBe(200);
    expect((await server.api('GET', '/v1/bans')).body.data).toEqual([]);
  });

  test('R5: a phone with the old password does not keep the other phone of the user off, behind the same address', async () => {
    const server = await openServer();
    const right = await server.phone('alice');
    expect(await register(right)).toBe(200);
    const forgotten = await Guesser.at(server);

    expect((await forgotten.guesses(40)).at(-1)).toBe(503);

    expect(await register(right)).toBe(200);
    expect((await forgotten.guess('alice', PASSWORD)).status).toBe(503);
  });

  test('R5: the ban ends by itself, and the next one is twice as long', async () => {
    const clock = new VirtualClock();
    const server = await openServer({ clock });
    const guesser = await Guesser.at(server);

    await guesser.guesses(31);
    expect((await guesser.guess()).value('Retry-After')).toBe('300');
    clock.advanceSeconds(300);
    expect(await register(await server.phone('alice'))).toBe(200);
    clock.advanceSeconds(600);
    await guesser.guesses(31);
    expect((await guesser.guess()).value('Retry-After')).toBe('600');
  });

  test('R5: guesses side by side in one request count each', async () => {
    const server = await openServer();
    const { phone } = await Guesser.at(server);
    const challenge = phone.challenge!;
    for (let i = 0; i < 11; i++) {
      const values = [0, 1, 2].map((part) =>
        authorize({ username: 'alice', password: `guess ${i} ${part}`, uri: 'sip:example.com', challenge }),
      );
      await phone.exchange(
        phone.compose({
          authorization: null,
          headers: values.map((value) => `Authorization: ${value}`),
        }),
      );
    }
    const other = await server.phone('alice');
    expect((await other.exchange(other.compose())).status).toBe(503);
  });

  test('R5: a claim beside another does not get past the ban', async () => {
    const server = await openServer();
    const guesser = await Guesser.at(server);
    await guesser.guesses(31);
    const { phone } = guesser;
    const challenge = phone.challenge!;
    const [other, right] = [
      { username: 'bob', password: 'wrong' },
      { username: 'alice', password: PASSWORD },
    ].map((who) => authorize({ ...who, uri: 'sip:example.com', challenge }));
    const answer = await phone.exchange(
      phone.compose({
        authorization: null,
        to: '<sip:bob@example.com>',
        headers: [`Authorization: ${other}`, `Authorization: ${right}`],
      }),
    );
    expect(answer.status).toBe(503);
  });

  test('R5: stale nonces are no wrong passwords', async () => {
    const server = await openServer();
    const phone = await server.phone('alice');
    const challenge = readChallenge((await phone.fetchChallenge()).value('WWW-Authenticate'));
    const alice = { username: 'alice', password: PASSWORD, uri: 'sip:example.com' };
    for (let i = 0; i < 50; i++) {
      const foreign = { ...challenge, nonce: `ea9c8e88df84f1cec4341ae6cbe5a3${i + 10}` };
      const answer = await phone.exchange(
        phone.compose({ authorization: authorize({ ...alice, challenge: foreign }) }),
      );
      expect(answer.value('WWW-Authenticate')).toContain('stale=true');
    }
    expect(await register(await server.phone('alice'))).toBe(200);
  });
});

describe('Guessing for many users', () => {
  test('R5: a scanner is banned, and a phone behind the same address that registered before still refreshes', async () => {
    const server = await openServer();
    const phone = await server.phone('alice');
    expect(await register(phone)).toBe(200);
    const scanner = await Guesser.at(server);

    await scanner.scan(16);

    expect((await scanner.guess('user0')).status).toBe(503);
    expect((await scanner.guess('bob', PASSWORD)).status).toBe(503);
    expect(await register(phone)).toBe(200);
    // From another port, and with a new challenge, as after the loss of a connection.
    expect(await register(await server.phone('alice'))).toBe(200);
    expect(await register(await server.phone('alice', { transport: 'tcp' }))).toBe(200);
    // Another source is none of this.
    expect(await register(await server.phone('bob', { wire: await server.udp('127.0.0.2') }))).toBe(200);
  });

  test('R5: where nobody registered, a banned source is refused unheard', async () => {
    const server = await openServer();
    const scanner = await Guesser.at(server);
    await scanner.scan(16);
    const hello = await scanner.phone.exchange(scanner.phone.compose({ authorization: null }));
    expect(hello.status).toBe(503);
    expect(hello.octets.length).toBeLessThan(2 * scanner.phone.compose({ authorization: null }).length);
  });

  test('R5: a setting switches automatic bans off, another exempts a network', async () => {
    for (const settings of [{ REGISTRAR_BAN_AUTOMATIC: 'off' }, { REGISTRAR_BAN_EXEMPT: '127.0.0.0/8' }]) {
      const server = await openServer({ settings });
      const guesser = await Guesser.at(server);
      await guesser.guesses(40);
      await guesser.scan(40);
      expect((await guesser.guess()).status).toBe(401);
      await server.stop();
    }
  });
});

describe('What a stranger learns', () => {
  test.each(['with nobody registered there', 'with somebody registered there'])(
    'R5: unknown user and wrong password stay alike while a ban is pending and in force, %s',
    async (where) => {
      const server = await openServer();
      if (where.startsWith('with somebody')) {
        expect(await register(await server.phone('alice'))).toBe(200);
      }
      const guesser = await Guesser.at(server);
      const compare = async () => {
        const known = await guesser.guess('bob');
        const unknown = await guesser.guess('eve');
        expect(comparable(unknown, 'eve')).toEqual(comparable(known, 'bob'));
        // Who registered from this address is not told from who did not, either.
        const proven = await guesser.guess('alice');
        expect(comparable(proven, 'alice')).toEqual(comparable(known, 'bob'));
        const hellos = [];
        for (const name of ['bob', 'eve', 'alice']) {
          const to = `<sip:${name}@example.com>`;
          hellos.push(
            comparable(
              await guesser.phone.exchange(guesser.phone.compose({ authorization: null, from: GUESSER, to })),
              name,
            ),
          );
        }
        expect(hellos[1]).toEqual(hellos[0]);
        expect(hellos[2]).toEqual(hellos[0]);
        return known.status;
      };

      expect(await compare()).toBe(401);
      await guesser.scan(12);
      expect(await compare()).toBe(401);
      await guesser.scan(16);
      expect(await compare()).toBe(503);
      // A right guess is answered as a wrong one.
      const right = await guesser.guess('bob', PASSWORD);
      const wrong = await guesser.guess('eve', PASSWORD);
      expect(comparable(right, 'bob')).toEqual(comparable(wrong, 'eve'));
    },
  );

  test('R5: a pair is refused alike whether the user exists or not', async () => {
    const server = await openServer();
    const guesser = await Guesser.at(server);
    const known = await guesser.guesses(35, 'bob');
    const unknown = await guesser.guesses(35, 'eve');
    expect(unknown).toEqual(known);
    const [last, other] = [await guesser.guess('bob'), await guesser.guess('eve')];
    expect(comparable(other, 'eve')).toEqual(comparable(last, 'bob'));
  });
});

describe('What operators do and see', () => {
  test('R5: a ban over REST holds at once and over a restart, and is lifted at once', async () => {
    const server = await openServer();
    const phone = await server.phone('alice');
    expect(await register(phone)).toBe(200);

    const made = await server.api('POST', '/v1/bans', { network: '127.0.0.0/8', seconds: 600 });
    expect(made.status).toBe(201);
    expect(await register(phone)).toBe(503);

    await server.restart();
    const again = await server.phone('alice');
    await again.exchange(again.compose()).then(({ status }) => expect(status).toBe(503));
    expect((await server.api('GET', `/v1/bans/${made.body.id}`)).body.refused_requests).toBe(1);
    expect((await server.api('DELETE', `/v1/bans/${made.body.id}`)).status).toBe(204);
    expect(await register(again)).toBe(200);
  });

  test('R5: an automatic ban is listed, lifted, and begins anew', async () => {
    const server = await openServer();
    const guesser = await Guesser.at(server);
    await guesser.guesses(32);

    const { body } = await server.api('GET', '/v1/bans?ip=127.0.0.1');
    expect(body.data).toMatchObject([
      {
        kind: 'automatic',
        network: '127.0.0.1',
        domain: 'example.com',
        username: 'alice',
        refused_requests: 1,
      },
    ]);
    expect((await server.api('DELETE', `/v1/bans/${body.data[0].id}`)).status).toBe(204);
    expect(await guesser.guesses(30)).toEqual(Array(30).fill(401));
    expect(server.logged('ban.added')).toHaveLength(1);
    expect(server.logged('ban.lifted')).toHaveLength(1);
    const metrics = await server.metrics();
    expect(metrics).toContain('sip_bans_total{event="added_automatic"} 1');
    expect(metrics).toContain('sip_bans_total{event="lifted"} 1');
    expect(metrics).toContain('sip_registrations_rejected_total{reason="banned"} 1');
  });

  test('R5: what ends is told in the log', async () => {
    const clock = new VirtualClock();
    const server = await openServer({ clock });
    await server.api('POST', '/v1/bans', { network: '192.0.2.1', seconds: 5 });
    clock.advanceSeconds(5);
    await expect.poll(() => server.logged('ban.expired').length, { timeout: 5_000 }).toBe(1);
    expect((await server.api('GET', '/v1/bans')).body.data).toEqual([]);
  });

  test('R5: a user’s attempts say why in words, and what is in the way now', async () => {
    const server = await openServer({ domain: { min_expires_seconds: 60, aliases: ['alias.example'] } });
    const phone = await server.phone('alice');
    const attempts = async () => (await server.api('GET', '/v1/users/alice@example.com/attempts')).body;
    expect(await attempts()).toMatchObject({
      summary: { state: 'never_registered', obstacles: [] },
      data: [],
    });
    await phone.fetchChallenge();
    expect((await attempts()).data).toEqual([]);

    const guesser = await Guesser.at(server, '127.0.0.3');
    await guesser.guess('alice', 'one');
    await guesser.guess('alice', 'two');
    const { phone: misled } = guesser;
    const challenge = misled.challenge!;
    const answer = (change: object, parts: object = {}) =>
      misled.exchange(
        misled.compose({
          contacts: [`<${DESK}>`],
          authorization: authorize({
            username: 'alice',
            password: PASSWORD,
            uri: 'sip:example.com',
            challenge,
            ...change,
          }),
          ...parts,
        }),
      );
    await answer({ username: 'alicia' });
    await answer({ algorithm: 'SHA-256' });
    await answer({ uri: 'sip:elsewhere.example' });
    await answer({}, { expires: 30 });
    await answer({ nc: 1 });
    await answer({}, { requestUri: 'sip:typo.example' });

    const { data, summary } = await attempts();
    expect(summary).toMatchObject({ state: 'never_registered', bindings: 0, obstacles: [] });
    const by = Object.fromEntries(data.map((item: { reason: string }) => [item.reason, item]));
    expect(Object.keys(by).sort()).toEqual([
      'algorithm_not_offered',
      'domain_not_served',
      'interval_too_brief',
      'nonce_replayed',
      'unknown_user',
      'uri_mismatch',
      'wrong_password',
    ]);
    expect(by.wrong_password).toMatchObject({
      count: 2,
      status: 401,
      username: 'alice',
      aor: 'sip:alice@example.com',
      source: { transport: 'udp', ip: '127.0.0.3' },
    });
    expect(by.wrong_password.explanation).toContain('password is wrong');
    expect(by.unknown_user).toMatchObject({ username: 'alicia', user_id: null });
    expect(by.algorithm_not_offered.explanation).toContain('answered with SHA-256; offered is MD5');
    expect(by.interval_too_brief.explanation).toContain('for 30 seconds; the domain’s minimum is 60 seconds');
    expect(by.domain_not_served.explanation).toContain('asked for typo.example');
    expect(by.nonce_replayed.explanation).toContain('The password is right');
    expect((await server.api('GET', '/v1/auth-failures?reason=wrong_password')).body.data).toHaveLength(1);
  });

  test('R5: the summary names the ban that is in the way, the block and the full account', async () => {
    const server = await openServer({ alice: { max_bindings: 1 } });
    expect(await register(await server.phone('alice', { wire: await server.udp('127.0.0.2') }))).toBe(200);
    const guesser = await Guesser.at(server, '127.0.0.3');
    await guesser.guesses(32);
    expect(await register(await server.phone('alice'))).toBe(503);

    const { summary, data } = (await server.api('GET', '/v1/users/alice@example.com/attempts')).body;
    expect(summary.state).toBe('registered');
    expect(summary.obstacles.map(({ code }: { code: string }) => code)).toEqual(['binding_limit', 'banned']);
    expect(summary.obstacles[1]).toMatchObject({ ban_id: expect.stringMatching(/^ban_/) });
    expect(data.map(({ reason }: { reason: string }) => reason)).toEqual([
      'too_many_bindings',
      'banned',
      'wrong_password',
    ]);
    expect(data[0].explanation).toContain('as many phones registered as allowed (1)');

    await server.api('POST', '/v1/deregistrations', {
      filter: { aor: 'sip:alice@example.com' },
      mode: 'block',
      block_seconds: 60,
    });
    const after = (await server.api('GET', '/v1/users/alice@example.com/attempts')).body.summary;
    expect(after.obstacles.map(({ code }: { code: string }) => code)).toEqual(['blocked', 'banned']);
  });

  test('R5: refusals are forgotten at a restart: nothing of them is on disk', async () => {
    const server = await openServer();
    await (await Guesser.at(server)).guesses(3);
    expect((await server.api('GET', '/v1/auth-failures')).body.data).toHaveLength(1);
    await server.restart();
    expect((await server.api('GET', '/v1/auth-failures')).body.data).toEqual([]);
  });

  test('R5: a flood of refusals does not flood the log, and its size is told', async () => {
    const server = await openServer();
    const guesser = await Guesser.at(server);
    for (let i = 0; i < 200; i++) await guesser.guess('alice', 'the same');
    expect(server.logged('registration.rejected').length).toBeLessThanOrEqual(120);
    await server.stop();
    const told = server
      .logged('registration.rejected_suppressed')
      .reduce((sum, line) => sum + Number(line.lines), 0);
    expect(told + server.logged('registration.rejected').length).toBe(200);
  });
});
