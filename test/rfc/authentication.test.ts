import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { authorize, type Challenge, type ClientAlgorithm, readChallenge } from '../support/digest-client.js';
import type { Phone } from '../support/phone.js';
import type { SipAnswer } from '../support/sip-answer.js';
import { PASSWORD, serverWithAlice } from '../support/test-server.js';
import { VirtualClock } from '../support/virtual-clock.js';

const DESK = 'sip:alice@192.0.2.1:5060';
const ALICE = { username: 'alice', password: PASSWORD, uri: 'sip:example.com' };

/** Fetches a nonce and sends one REGISTER with the Authorization value that `make` gives for it. */
async function registerWith(phone: Phone, make: (challenge: Challenge) => string | readonly string[]) {
  const challenge = readChallenge((await phone.fetchChallenge()).value('WWW-Authenticate'));
  const made = make(challenge);
  const values = typeof made === 'string' ? [made] : made;
  return phone.exchange(
    phone.compose({
      authorization: null,
      contacts: [`<${DESK}>`],
      headers: values.map((value) => `Authorization: ${value}`),
    }),
  );
}

function challengesOf(answer: SipAnswer): readonly Challenge[] {
  return answer.values('WWW-Authenticate').map(readChallenge);
}

describe('Digest (RFC 3261 §22, RFC 7616)', () => {
  test.each([undefined, 'auth', 'auth-int'] as const)(
    '43: a response with qop %s is taken where the domain allows it',
    async (qop) => {
      const server = await serverWithAlice({ domain: { allow_no_qop: true } });
      const phone = await server.phone('alice');

      const answer = await registerWith(phone, (challenge) => authorize({ ...ALICE, challenge, qop }));

      expect(answer.status).toBe(200);
    },
  );

  test('43: without allow_no_qop a response without qop is challenged again, and is no failed password', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    const answer = await registerWith(phone, (challenge) =>
      authorize({ ...ALICE, challenge, qop: undefined }),
    );

    expect(answer.status).toBe(401);
    expect(server.logged('registration.rejected')).toMatchObject([{ reason: 'qop_missing' }]);
  });

  test('43: auth-int covers the body', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    const answer = await registerWith(phone, (challenge) =>
      authorize({ ...ALICE, challenge, qop: 'auth-int', body: 'another body' }),
    );

    expect(answer.status).toBe(401);
  });

  test('43: nc must rise: the same one again is answered 401 stale=true, the next one 200', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    const challenge = readChallenge((await phone.fetchChallenge()).value('WWW-Authenticate'));
    const send = (nc: number) =>
      phone.exchange(
        phone.compose({ authorization: authorize({ ...ALICE, challenge, nc }), contacts: [`<${DESK}>`] }),
      );

    expect((await send(1)).status).toBe(200);
    const replay = await send(1);
    expect([replay.status, challengesOf(replay)[0]?.stale]).toEqual([401, 'true']);
    expect((await send(2)).status).toBe(200);
    expect((await send(10)).status).toBe(200);
    expect((await send(9)).status).toBe(401);
    expect(server.logged('registration.rejected').map(({ reason }) => reason)).toEqual([
      'nonce_replayed',
      'nonce_replayed',
    ]);
  });

  test('43: a nonce grown old, with a right response, is answered 401 stale=true with a new one', async () => {
    const clock = new VirtualClock();
    const server = await serverWithAlice({ clock, settings: { REGISTRAR_NONCE_LIFETIME_SECONDS: '60' } });
    const phone = await server.phone('alice');
    await phone.fetchChallenge();
    const old = phone.challenge?.nonce;
    clock.advanceSeconds(61);

    const answer = await phone.exchange(phone.compose({ contacts: [`<${DESK}>`] }));

    expect([answer.status, challengesOf(answer)[0]?.stale]).toEqual([401, 'true']);
    expect(challengesOf(answer)[0]?.nonce).not.toBe(old);
    phone.take(answer);
    expect((await phone.exchange(phone.compose({ contacts: [`<${DESK}>`] }))).status).toBe(200);
  });

  test('43: a nonce of somebody else, with a right response, is answered 401 stale=true', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    const answer = await registerWith(phone, (challenge) =>
      authorize({ ...ALICE, challenge: { ...challenge, nonce: 'ea9c8e88df84f1cec4341ae6cbe5a359' } }),
    );

    expect([answer.status, challengesOf(answer)[0]?.stale]).toEqual([401, 'true']);
  });

  test('43: a wrong response is answered 401 without stale, also when its nonce has grown old', async () => {
    const clock = new VirtualClock();
    const server = await serverWithAlice({ clock, settings: { REGISTRAR_NONCE_LIFETIME_SECONDS: '60' } });
    const phone = await server.phone('alice');
    const challenge = readChallenge((await phone.fetchChallenge()).value('WWW-Authenticate'));
    const wrong = () =>
      phone.compose({ authorization: authorize({ ...ALICE, password: 'not the password', challenge }) });

    const fresh = await phone.exchange(wrong());
    clock.advanceSeconds(61);
    const old = await phone.exchange(wrong());

    for (const answer of [fresh, old]) {
      expect([answer.status, challengesOf(answer)[0]?.stale]).toEqual([401, undefined]);
    }
    expect(server.logged('registration.rejected').map(({ reason }) => reason)).toEqual([
      'wrong_password',
      'wrong_password',
    ]);
  });

  test('43: a wrong response does not use up the nonce count of the right one', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    const challenge = readChallenge((await phone.fetchChallenge()).value('WWW-Authenticate'));
    const send = (password: string) =>
      phone.exchange(phone.compose({ authorization: authorize({ ...ALICE, password, challenge, nc: 1 }) }));

    expect((await send('not the password')).status).toBe(401);
    expect((await send(PASSWORD)).status).toBe(200);
  });

  test.each([
    ['sip:EXAMPLE.com', 200],
    ['sip:elsewhere.example', 401],
    ['sip:example.com;transport=tcp', 401],
    ['sips:example.com', 401],
  ])('43: the digest uri %s for a Request-URI of sip:example.com is answered %i', async (uri, status) => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    const answer = await registerWith(phone, (challenge) => authorize({ ...ALICE, uri, challenge }));

    expect(answer.status).toBe(status);
  });

  test('43: the method of A2 is REGISTER', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    const answer = await registerWith(phone, (challenge) =>
      authorize({ ...ALICE, method: 'INVITE', challenge }),
    );

    expect(answer.status).toBe(401);
  });

  test.each(['alice@example.com', 'alice@EXAMPLE.com'])(
    '43: the digest username %s is alice',
    async (username) => {
      const server = await serverWithAlice();
      const phone = await server.phone('alice');

      const answer = await registerWith(phone, (challenge) => authorize({ ...ALICE, username, challenge }));

      // HA1 is over the name as the client wrote it, so only the spelling of the domain itself can be right.
      expect(answer.status).toBe(username === 'alice@example.com' ? 200 : 401);
    },
  );

  test('43: algorithm, nc and qop stand without quotes in what the server sends, and are taken with or without', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    const { lines } = await phone.fetchChallenge();
    expect(lines.find((line) => line.startsWith('WWW-Authenticate'))).toMatch(/, algorithm=MD5,/);

    const bare = await registerWith(phone, (challenge) => authorize({ ...ALICE, challenge }));
    const quoted = await registerWith(phone, (challenge) =>
      authorize({ ...ALICE, challenge }, { algorithm: '"MD5"', nc: '"00000001"', qop: '"auth"' }),
    );

    expect([bare.status, quoted.status]).toEqual([200, 200]);
  });

  test('43: the realm must be ours: a response for another is not looked at, and is no failed password', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    for (const make of [
      (challenge: Challenge) =>
        authorize({ ...ALICE, challenge: { ...challenge, realm: 'elsewhere.example' } }),
      // Right for our realm, and said to be for another.
      (challenge: Challenge) => authorize({ ...ALICE, challenge }, { realm: '"elsewhere.example"' }),
    ]) {
      const answer = await registerWith(phone, make);
      expect(answer.status).toBe(401);
      expect(challengesOf(answer)[0]?.realm).toBe('example.com');
    }
    expect(server.logged('registration.rejected')).toEqual([]);
  });

  test.each([
    'Digest',
    'Digest username',
    'Basic YWxpY2U6cHc=',
    'Digest realm="example.com", username="alice',
  ])('43: the broken Authorization "%s" is challenged, not an error', async (authorization) => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    expect((await phone.exchange(phone.compose({ authorization }))).status).toBe(401);
  });

  test('45: of several Authorization header fields the one for our realm counts', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    const answer = await registerWith(phone, (challenge) => [
      authorize({ ...ALICE, password: 'for elsewhere', challenge: { ...challenge, realm: 'one.example' } }),
      authorize({ ...ALICE, challenge }),
      authorize({ ...ALICE, password: 'for elsewhere', challenge: { ...challenge, realm: 'two.example' } }),
    ]);

    expect(answer.status).toBe(200);
  });
});

/** A REGISTER with what every phone puts into it: over UDP the shortest ones get fewer challenges. */
const AS_PHONES_ASK = { contacts: [`<${DESK}>`], expires: 3600 };

describe('Algorithms (RFC 8760)', () => {
  const ALGORITHMS: readonly ClientAlgorithm[] = ['SHA-512-256', 'SHA-256', 'MD5'];

  test('44: challenge=all sends one WWW-Authenticate an algorithm, strongest first', async () => {
    const server = await serverWithAlice({ domain: { challenge: 'all' } });
    const phone = await server.phone('alice');

    const answer = await phone.fetchChallenge(AS_PHONES_ASK);

    expect(challengesOf(answer).map(({ algorithm }) => algorithm)).toEqual(ALGORITHMS);
    for (const challenge of challengesOf(answer)) {
      expect(challenge).toMatchObject({ realm: 'example.com', qop: 'auth' });
    }
  });

  test.each(ALGORITHMS)('44: with challenge=all a response with %s is taken', async (algorithm) => {
    const server = await serverWithAlice({ domain: { challenge: 'all' } });
    const phone = await server.phone('alice');
    const challenge = challengesOf(await phone.fetchChallenge(AS_PHONES_ASK)).find(
      (c) => c.algorithm === algorithm,
    );

    const answer = await phone.exchange(
      phone.compose({
        authorization: authorize({ ...ALICE, challenge: challenge ?? {} }),
        contacts: [`<${DESK}>`],
      }),
    );

    expect(answer.status).toBe(200);
  });

  test.each([
    ['sha-256', 'SHA-256'],
    ['sha-512-256', 'SHA-512-256'],
    ['md5', 'MD5'],
  ] as const)(
    '44: challenge=%s of one user over the domain’s offers %s alone',
    async (challenge, algorithm) => {
      const server = await serverWithAlice({ domain: { challenge: 'all' }, alice: { challenge } });
      const phone = await server.phone('alice');

      const offered = challengesOf(await phone.fetchChallenge());

      expect(offered.map(({ algorithm }) => algorithm)).toEqual([algorithm]);
      expect((await phone.register({ contacts: [`<${DESK}>`] })).status).toBe(200);
    },
  );

  test('44: a response with an algorithm that was not offered is refused, though it is right', async () => {
    const server = await serverWithAlice({ domain: { challenge: 'sha-256' } });
    const phone = await server.phone('alice');

    const answer = await registerWith(phone, (challenge) =>
      authorize({ ...ALICE, challenge, algorithm: 'MD5' }),
    );

    expect(answer.status).toBe(401);
    expect(server.logged('registration.rejected')).toMatchObject([{ reason: 'algorithm_not_offered' }]);
  });

  test('44: an account with an MD5 secret only that answers SHA-256 is challenged, not an error', async () => {
    const server = await serverWithAlice({ domain: { challenge: 'all' } });
    const md5 = createHash('md5').update(`old:example.com:${PASSWORD}`).digest('hex');
    await server.addUser('old', 'example.com', { credential: { ha1: { md5 } } });
    const phone = await server.phone('old');
    const old = { ...ALICE, username: 'old' };

    const offered = challengesOf(await phone.fetchChallenge(AS_PHONES_ASK));
    const sha = await phone.exchange(
      phone.compose({ authorization: authorize({ ...old, challenge: offered[1] ?? {} }) }),
    );
    const withMd5 = await phone.exchange(
      phone.compose({ authorization: authorize({ ...old, challenge: challengesOf(sha)[2] ?? {} }) }),
    );

    expect([sha.status, withMd5.status]).toEqual([401, 200]);
    expect(server.logged('registration.rejected')).toMatchObject([{ reason: 'no_secret_for_algorithm' }]);
  });

  test('R4: by default there is one challenge, MD5 with qop=auth', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    expect(challengesOf(await phone.fetchChallenge())).toMatchObject([{ algorithm: 'MD5', qop: 'auth' }]);
  });

  test('R4: there is no Authentication-Info, and so never a nextnonce', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    const answer = await phone.register({ contacts: [`<${DESK}>`] });

    expect([answer.status, answer.values('Authentication-Info')]).toEqual([200, []]);
  });

  test('R4: a nonce is good for this server alone, and for no other start of it', async () => {
    const server = await serverWithAlice();
    const before = await server.phone('alice');
    await before.fetchChallenge();
    await server.restart();
    const after = await server.phone('alice');
    after.challenge = before.challenge;

    const answer = await after.exchange(after.compose({ contacts: [`<${DESK}>`] }));

    expect([answer.status, challengesOf(answer)[0]?.stale]).toEqual([401, 'true']);
  });
});

describe('What a stranger learns', () => {
  /** The answer without what is new in each: nonce, tag, and the header fields that repeat the request. */
  function comparable(answer: SipAnswer): string {
    return answer.octets
      .replace(/nonce="[^"]*"/g, 'nonce=…')
      .replace(/;tag=[^\r]*/g, ';tag=…')
      .replace(/branch=[^;\r]*/g, 'branch=…')
      .replaceAll('nobod', 'alice');
  }

  test.each(['md5', 'sha-256', 'all'])(
    '22, R5: with challenge=%s an unknown user and a wrong password get the same octets',
    async (challenge) => {
      const server = await serverWithAlice({ domain: { challenge } });
      const wire = await server.udp();
      const answers: string[] = [];
      for (const user of ['alice', 'nobod']) {
        const phone = await server.phone(user, { wire });
        const first = await phone.exchange(
          phone.compose({ callId: 'same', cseq: 1, contacts: [`<${DESK}>`] }),
        );
        phone.take(first);
        const second = await phone.exchange(
          phone.compose({
            callId: 'same',
            cseq: 2,
            contacts: [`<${DESK}>`],
            authorization: authorize({
              ...ALICE,
              username: user,
              password: 'not the password',
              challenge: phone.challenge ?? {},
            }),
          }),
        );
        expect([first.status, second.status]).toEqual([401, 401]);
        answers.push(comparable(first) + comparable(second));
      }

      expect(answers[1]).toBe(answers[0]);
    },
  );

  test('22, R5: the same holds for a query, a wildcard and a To of somebody unknown', async () => {
    const server = await serverWithAlice();
    const wire = await server.udp();
    for (const parts of [{}, { contacts: ['*'], expires: 0 }, { contacts: ['<bad'] }]) {
      const answers: string[] = [];
      for (const user of ['alice', 'nobod']) {
        const phone = await server.phone(user, { wire });
        await phone.fetchChallenge();
        const authorization = authorize({
          ...ALICE,
          username: user,
          password: 'wrong',
          challenge: phone.challenge ?? {},
        });
        answers.push(
          comparable(await phone.exchange(phone.compose({ ...parts, callId: 'same', authorization }))),
        );
      }
      expect(answers[1]).toBe(answers[0]);
    }
  });

  test('22: whoever does not exist and whoever gives a wrong password are told apart in the log only', async () => {
    const server = await serverWithAlice();
    for (const user of ['alice', 'nobod']) {
      const phone = await server.phone(user);
      await registerWith(phone, (challenge) =>
        authorize({ ...ALICE, username: user, password: 'wrong', challenge }),
      );
    }

    expect(server.logged('registration.rejected').map(({ reason }) => reason)).toEqual([
      'wrong_password',
      'unknown_user',
    ]);
  });

  test('R5: a failed attempt is recorded with reason, source and user agent; a first challenge is not', async () => {
    const server = await serverWithAlice();
    const wire = await server.udp();
    const phone = await server.phone('alice', { wire });
    await phone.fetchChallenge();
    expect(server.logged('registration.rejected')).toEqual([]);
    const authorization = authorize({ ...ALICE, password: 'wrong', challenge: phone.challenge ?? {} });

    await phone.exchange(phone.compose({ authorization, headers: ['User-Agent: Guesser/1.0'] }));

    expect(server.logged('registration.rejected')).toMatchObject([
      {
        reason: 'wrong_password',
        status: 401,
        source_ip: '127.0.0.1',
        source_port: wire.localPort,
        transport: 'udp',
        username: 'alice',
        aor: 'sip:alice@example.com',
        user_agent: 'Guesser/1.0',
      },
    ]);
  });

  test('R5: whoever tries wrong passwords for a user does not lock the user out', async () => {
    const server = await serverWithAlice();
    const guesser = await server.phone('alice', { wire: await server.udp('127.0.0.2') });
    const challenge = readChallenge((await guesser.fetchChallenge()).value('WWW-Authenticate'));
    for (let i = 0; i < 50; i++) {
      const authorization = authorize({ ...ALICE, password: `wrong ${i}`, challenge });
      guesser.wire.send(guesser.compose({ authorization, contacts: [`<${DESK}>`] }));
    }
    await guesser.wire.receive();

    const owner = await server.phone('alice');
    expect((await owner.register({ contacts: [`<${owner.contact}>`] })).contacts()).toEqual([
      `<${owner.contact}>`,
    ]);
  });
});
