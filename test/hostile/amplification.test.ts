import { createSocket, type Socket } from 'node:dgram';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Tally } from '../../src/base/tally.js';
import { sourceNetwork } from '../../src/sip/transport/source-network.js';
import {
  BUSY_STRETCH_MS,
  DATAGRAM_HEADER_OCTETS,
  MAX_AMPLIFICATION,
  PROVEN_FOR_MS,
  StrangerGate,
} from '../../src/sip/uas/stranger-gate.js';
import { serverWithAlice, type TestServer } from '../support/test-server.js';

/** Somebody who may be anybody: sends octets and counts what comes back to that address. */
class Stranger {
  received: string[] = [];

  private constructor(
    private readonly socket: Socket,
    private readonly server: TestServer,
  ) {
    socket.on('message', (bytes) => this.received.push(bytes.toString('latin1')));
  }

  static async at(address: string, server: TestServer): Promise<Stranger> {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(0, address, resolve));
    onTestFinished(() => {
      socket.close();
    });
    return new Stranger(socket, server);
  }

  get port(): number {
    return this.socket.address().port;
  }

  send(octets: string): void {
    this.socket.send(Buffer.from(octets, 'latin1'), this.server.sipPort, this.server.sipHost);
  }

  /** Sends, and gives the answer; undefined when none comes within the time that an answer takes. */
  async ask(octets: string, patienceMs = 150): Promise<string | undefined> {
    this.received = [];
    this.send(octets);
    for (let waited = 0; waited < patienceMs && this.received.length === 0; waited += 10)
      await milliseconds(10);
    return this.received[0];
  }
}

function milliseconds(count: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, count));
}

async function withheld(server: TestServer, reason: string): Promise<number> {
  const line = (await server.metrics())
    .split('\n')
    .find((each) => each.startsWith(`sip_answers_withheld_total{reason="${reason}"`));
  return Number(line?.split(' ').at(-1) ?? 0);
}

/** How long an answer that must come is waited for on a busy machine. */
const PATIENT_MS = 5_000;
const PATIENTLY = { timeout: PATIENT_MS };

const compact = (method: string, rest = '') =>
  `${method} sip:example.com SIP/2.0\r\nv:SIP/2.0/UDP h;rport\r\nf:<sip:a@example.com>;tag=1\r\nt:<sip:alice@example.com>\r\ni:1\r\nCSeq:1 ${method}\r\n${rest}\r\n`;

/** What the shortest-spoken of the captured phones say of themselves. */
const AS_PHONES_SAY = [
  'User-Agent: Twinkle/1.10.2',
  'Allow: INVITE,ACK,BYE,CANCEL,OPTIONS,PRACK,REFER,NOTIFY',
];

/** As short as a REGISTER may be and still get its challenge. */
const SHORT_REGISTER = compact('REGISTER', 'User-Agent: as short as can be\r\n');

const KINDS: Readonly<Record<string, string>> = {
  'a REGISTER without credentials': compact('REGISTER'),
  'a REGISTER with wrong credentials': compact(
    'REGISTER',
    'Authorization: Digest username="alice",realm="example.com",nonce="x",uri="sip:example.com",response="00000000000000000000000000000000"\r\n',
  ),
  OPTIONS: compact('OPTIONS'),
  'a method that is not allowed': compact('BYE'),
  'a method that nobody knows': compact('X'),
  'a foreign domain': compact('REGISTER').replace('sip:example.com SIP', 'sip:a.b SIP'),
  'a Request-URI of another scheme': compact('REGISTER').replace('sip:example.com SIP', 'tel:1 SIP'),
  'an extension': compact('REGISTER', 'Require: a\r\n'),
  'a request that is nothing but its Via': 'X\r\nv:SIP/2.0/UDP h\r\n\r\n',
  'a request with the shortest of everything': 'X sip:a SIP/2.0\r\nv:SIP/2.0/UDP h\r\n\r\n',
  'another version': compact('REGISTER').replace('SIP/2.0\r\n', 'SIP/7.0\r\n'),
  'a CSeq of another method': compact('REGISTER').replace('CSeq:1 REGISTER', 'CSeq:1 X'),
  'a body that is cut short': compact('REGISTER', 'l:9\r\n'),
  'half a message': compact('REGISTER').slice(0, -4),
  'another Via that names a long name': compact('X').replace('UDP h', `UDP ${'h'.repeat(60)}`),
};

describe('An answer over UDP to who has not authenticated', () => {
  test.each(['md5', 'all'])(
    `is never longer than ${MAX_AMPLIFICATION} times the request, whatever that was (challenge=%s)`,
    async (challenge) => {
      const server = await serverWithAlice({ domain: { challenge } });
      const stranger = await Stranger.at('127.0.0.2', server);
      for (const [kind, octets] of Object.entries(KINDS)) {
        for (const round of ['first', 'again']) {
          const answer = await stranger.ask(octets);
          expect(answer?.length ?? 0, `${kind}, ${round}`).toBeLessThanOrEqual(
            (octets.length + DATAGRAM_HEADER_OCTETS) * MAX_AMPLIFICATION - DATAGRAM_HEADER_OCTETS,
          );
        }
      }
      expect(await withheld(server, 'too_large')).toBeGreaterThan(0);
    },
  );

  test('is made shorter before it is withheld: of several challenges the last stays, OPTIONS gets a bare 200', async () => {
    const server = await serverWithAlice({ domain: { challenge: 'all' } });
    const stranger = await Stranger.at('127.0.0.2', server);

    const challenges = (await stranger.ask(SHORT_REGISTER, PATIENT_MS))?.match(/algorithm=[\w-]+/g);
    const options = await stranger.ask(
      'OPTIONS sip:a SIP/2.0\r\nv:SIP/2.0/UDP h\r\nf:<sip:a>;tag=1\r\nt:<sip:a>\r\ni:1\r\nCSeq:1 OPTIONS\r\n\r\n',
    );

    expect(challenges).toEqual(['algorithm=MD5']);
    expect(options ?? 'SIP/2.0 200 OK').toMatch(/^SIP\/2\.0 200 OK/);
    expect(options ?? '').not.toContain('Allow');
  });

  test('has every challenge when the request is as long as those of real phones', async () => {
    const server = await serverWithAlice({ domain: { challenge: 'all' } });
    const phone = await server.phone('alice');

    const answer = await phone.exchange(
      phone.compose({ contacts: [`<${phone.contact}>`], headers: AS_PHONES_SAY }),
    );

    expect(answer.values('WWW-Authenticate')).toHaveLength(3);
  });

  test('is one of so many a second; what is withheld is counted, and others get theirs', async () => {
    const server = await serverWithAlice({ settings: { REGISTRAR_UNVERIFIED_ANSWERS_PER_SECOND: '1' } });
    const stranger = await Stranger.at('127.0.0.2', server);
    const other = await Stranger.at('127.0.0.3', server);

    for (let n = 0; n < 100; n++) stranger.send(SHORT_REGISTER.replace('i:1', `i:${n}`));
    await expect.poll(() => withheld(server, 'too_many'), PATIENTLY).toBeGreaterThan(90);
    await milliseconds(200);

    expect(stranger.received.length).toBeGreaterThanOrEqual(5);
    expect(stranger.received.length).toBeLessThanOrEqual(9);
    expect(await withheld(server, 'too_many')).toBe(100 - stranger.received.length);
    expect(await other.ask(SHORT_REGISTER, PATIENT_MS)).toMatch(/^SIP\/2\.0 401/);
  });

  test('counts when it is sent again for a retransmission', async () => {
    const server = await serverWithAlice({ settings: { REGISTRAR_UNVERIFIED_ANSWERS_PER_SECOND: '1' } });
    const stranger = await Stranger.at('127.0.0.2', server);
    const octets = SHORT_REGISTER.replace('h;rport', 'h;rport;branch=z9hG4bK1');

    for (let n = 0; n < 40; n++) stranger.send(octets);
    await expect.poll(() => withheld(server, 'too_many'), PATIENTLY).toBeGreaterThan(30);
    await milliseconds(200);

    expect(stranger.received.length).toBeGreaterThan(0);
    expect(stranger.received.length).toBeLessThanOrEqual(9);
  });

  test('counts for the address it goes to, not for the one that asked', async () => {
    const server = await serverWithAlice({ settings: { REGISTRAR_UNVERIFIED_ANSWERS_PER_SECOND: '1' } });
    const victim = await Stranger.at('127.0.0.4', server);
    const senders = await Promise.all([5, 6, 7].map((last) => Stranger.at(`127.0.0.${last}`, server)));

    for (let n = 0; n < 20; n++) {
      for (const sender of senders) {
        sender.send(
          SHORT_REGISTER.replace('h;rport', `h:${victim.port};maddr=127.0.0.4`).replace(
            'i:1',
            `i:${n}-${sender.port}`,
          ),
        );
      }
    }
    await expect.poll(() => withheld(server, 'too_many'), PATIENTLY).toBeGreaterThan(50);
    await milliseconds(200);

    expect(victim.received.length).toBeGreaterThan(0);
    expect(victim.received.length).toBeLessThanOrEqual(9);
  });
});

describe('An answer over UDP to who has authenticated', () => {
  test('is neither shortened nor limited, and nor is what that address asks from then on', async () => {
    const server = await serverWithAlice({
      domain: { challenge: 'all', max_bindings_per_user: 50 },
      settings: { REGISTRAR_UNVERIFIED_ANSWERS_PER_SECOND: '1' },
    });
    const phone = await server.phone('alice');
    const contacts = Array.from({ length: 40 }, (_, n) => `<sip:alice@192.0.2.1:${5_000 + n}>`);
    expect((await phone.register({ contacts })).status).toBe(200);

    for (let n = 0; n < 30; n++) {
      const { status, octets } = await phone.register({ callId: 'query', cseq: n + 1 });
      expect([status, octets.length > 2_000]).toEqual([200, true]);
    }
    for (let n = 0; n < 30; n++) await phone.fetchChallenge();
    expect(await withheld(server, 'too_many')).toBe(0);
  });

  test('goes nowhere else: its retransmission under another address is a stranger’s', async () => {
    const server = await serverWithAlice({ domain: { max_bindings_per_user: 50 } });
    const phone = await server.phone('alice');
    await phone.fetchChallenge();
    const contacts = Array.from({ length: 40 }, (_, n) => `<sip:alice@192.0.2.1:${5_000 + n}>`);
    const octets = phone.compose({ contacts });
    const branch = /branch=(\w+)/.exec(octets)?.[1];
    expect((await phone.exchange(octets)).status).toBe(200);
    const stranger = await Stranger.at('127.0.0.2', server);

    const short = octets.replace(/(Contact|Authorization|Max-Forwards): .*\r\n/g, '');
    expect(short).toContain(branch);
    expect(await stranger.ask(short)).toBeUndefined();
    expect(await withheld(server, 'too_large')).toBe(1);
  });
});

describe('The gate', () => {
  test('lets an address have its burst, then so many a second, by IPv6 /64', () => {
    const tally = new Tally<'too_large' | 'too_many'>();
    const gate = new StrangerGate({ shareOfTime: 0.5, answersPerSecond: 10, withheld: tally });
    const admitted = (address: string, now: number, count: number) =>
      Array.from({ length: count }, () => gate.admitsAnswer(address, 100, 100, now)).filter(Boolean).length;

    expect(admitted('2001:db8::1', 1_000, 60)).toBe(50);
    expect(admitted('2001:db8::ffff:2', 1_000, 10)).toBe(0);
    expect(admitted('2001:db8:0:1::1', 1_000, 10)).toBe(10);
    expect(admitted('2001:db8::1', 2_000, 60)).toBe(10);
    expect(admitted('2001:db8::1', 1_000_000, 60)).toBe(50);
    expect(tally.of('too_many')).toBe(10 + 10 + 50 + 10);
  });

  test('lets strangers take their share of time, at a stretch only so much of it', () => {
    const gate = new StrangerGate({ shareOfTime: 0.5, answersPerSecond: 10, withheld: new Tally() });

    const spend = (milliseconds: number) => {
      for (let spent = 0; spent < milliseconds; spent++) gate.spend(1);
    };

    expect(gate.hasTime(100_000)).toBe(true);
    spend(BUSY_STRETCH_MS - 1);
    expect(gate.hasTime(100_000)).toBe(true);
    spend(21);
    expect(gate.hasTime(100_000)).toBe(false);
    expect(gate.hasTime(100_040)).toBe(false);
    expect(gate.hasTime(100_042)).toBe(true);
  });

  test('holds it against nobody that the machine did something else for a while', () => {
    const gate = new StrangerGate({ shareOfTime: 0.5, answersPerSecond: 10, withheld: new Tally() });

    expect(gate.hasTime(100_000)).toBe(true);
    gate.spend(5_000);
    expect(gate.hasTime(100_000)).toBe(true);
  });

  test('remembers who has authenticated for a while, and not for ever', () => {
    const gate = new StrangerGate({ shareOfTime: 0.5, answersPerSecond: 10, withheld: new Tally() });
    gate.prove('192.0.2.1', 1_000_000_000);
    for (const [age, isProven] of [
      [0, true],
      [PROVEN_FOR_MS, true],
      [2 * PROVEN_FOR_MS, false],
    ] as const) {
      expect(gate.isProven('192.0.2.1', 1_000_000_000 + age), String(age)).toBe(isProven);
    }
    gate.prove('192.0.2.2', 1_000_000_000 + PROVEN_FOR_MS);
    expect(gate.isProven('192.0.2.1', 1_000_000_000 + PROVEN_FOR_MS)).toBe(true);
    gate.prove('192.0.2.2', 1_000_000_000 + 3 * PROVEN_FOR_MS);
    expect(gate.isProven('192.0.2.1', 1_000_000_000 + 3 * PROVEN_FOR_MS)).toBe(false);
  });

  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8::1', '2001:db8:0:0'],
    ['2001:db8:0:1::1', '2001:db8:0:1'],
    ['::1', '0:0:0:0'],
    ['::', '0:0:0:0'],
    ['1::2:3:4:5:6:7', '1:0:2:3'],
    ['2001:db8:1:2:3:4:5::', '2001:db8:1:2'],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
  ])('%s is of the network %s', (address, network) => {
    expect(sourceNetwork(address)).toBe(network);
  });
});
