import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parseMessage, printMessage } from '../../src/sip/grammar/message.js';
import { isParseError } from '../../src/sip/grammar/sip-parse-error.js';
import { type FramerEvent, StreamFramer } from '../../src/sip/grammar/stream-framer.js';
import type { Flow } from '../../src/sip/transport/flow.js';
import { readRequest } from '../../src/sip/uas/incoming-request.js';
import { Phone } from '../support/phone.js';
import { builtProgram, ServerProcess, temporaryFolder } from '../support/server-process.js';
import { UdpWire } from '../support/sip-wire.js';
import { PASSWORD } from '../support/test-server.js';
import { almostSip, CORPUS_MESSAGES, signedParts } from './mutations.js';

/** How long each of the three parts goes on; longer with FUZZ_SECONDS=600. */
const SECONDS = Number(process.env.FUZZ_SECONDS ?? 6);
const TIMEOUT_MS = SECONDS * 1000 + 30_000;
const UNTIL_TIME_IS_UP = {
  numRuns: Number.MAX_SAFE_INTEGER,
  interruptAfterTimeLimit: SECONDS * 1000,
  markInterruptAsFailure: false,
  skipAllAfterTimeLimit: SECONDS * 1000 + 20_000,
} as const;

const FLOW: Flow = {
  transport: 'udp',
  id: null,
  remoteAddress: '192.0.2.1',
  remotePort: 5060,
  respond: () => undefined,
};

function expectSoundParse(octets: string): void {
  for (const framing of ['datagram', 'stream'] as const) {
    const message = parseMessage(octets, { framing });
    if (message.kind === 'broken') {
      expect(message.error.status).toBeGreaterThanOrEqual(400);
      expect(message.error.status).toBeLessThan(600);
      continue;
    }
    const printed = printMessage(message);
    const again = parseMessage(printed, { framing });
    if (again.kind === 'broken') {
      // Names are written out and lengths corrected, which may be one octet more than is taken.
      expect(again.error.bound, again.error.detail).toBeDefined();
      continue;
    }
    expect(printMessage(again)).toBe(printed);
    if (message.kind !== 'request') continue;
    const request = readRequest(message, FLOW, 0);
    if (isParseError(request)) expect(request.status).toBeGreaterThanOrEqual(400);
  }
}

/** What a stream brings when it comes in pieces that end at those places. */
function framed(octets: string, cuts: readonly number[]): readonly FramerEvent[] {
  const framer = new StreamFramer();
  const bytes = Buffer.from(octets, 'latin1');
  const events: FramerEvent[] = [];
  let from = 0;
  for (const to of [...cuts.toSorted((a, b) => a - b), bytes.length]) {
    if (to <= from) continue;
    events.push(...framer.push(Buffer.from(bytes.subarray(from, to))));
    from = to;
  }
  return events;
}

function told(event: FramerEvent): string {
  switch (event.kind) {
    case 'message':
      return event.bytes.toString('latin1');
    case 'ping':
      return 'ping';
    case 'broken':
      return `broken ${event.error.status} ${event.error.detail}`;
  }
}

function expectSameHoweverItComes(octets: string, cuts: readonly number[]): void {
  expect(framed(octets, cuts).map(told)).toEqual(framed(octets, []).map(told));
}

const cuts = fc.array(fc.nat({ max: 4_000 }), { maxLength: 30 });

describe.each(CORPUS_MESSAGES)('$name', ({ octets }) => {
  test('is read or refused, and framed the same however it comes', () => {
    expectSoundParse(octets);
    const everywhere = Array.from({ length: Math.min(octets.length, 3_000) }, (_, i) => i);
    expectSameHoweverItComes(octets, everywhere);
    expectSameHoweverItComes(octets + octets, everywhere);
  });
});

test(
  'the parser reads or refuses whatever almost is SIP, and what it reads it prints the same for ever',
  () => {
    fc.assert(fc.property(almostSip, expectSoundParse), UNTIL_TIME_IS_UP);
  },
  TIMEOUT_MS,
);

test(
  'the framer finds the same messages however the octets come',
  () => {
    const stream = fc.array(almostSip, { minLength: 1, maxLength: 4 }).map((messages) => messages.join(''));
    fc.assert(fc.property(stream, cuts, expectSameHoweverItComes), UNTIL_TIME_IS_UP);
  },
  TIMEOUT_MS,
);

const main = builtProgram();
/** Heap and buffers may wander that far, in megabytes; a leak has no bound. */
const MEMORY_ROOM_MB = 120;

function residentMb(pid: number): number {
  const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) / 1024;
}

async function milliseconds(count: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, count));
}

async function sendOverTcp(port: number, octets: string): Promise<void> {
  const socket = connect({ host: '127.0.0.1', port });
  socket.on('error', () => undefined);
  socket.resume();
  await new Promise<void>((resolve) => {
    socket.once('connect', () => {
      // Half at first, so that it comes in pieces.
      const half = Math.floor(octets.length / 2);
      socket.write(Buffer.from(octets.slice(0, half), 'latin1'));
      setImmediate(() => socket.end(Buffer.from(octets.slice(half), 'latin1')));
    });
    socket.once('close', () => resolve());
    setTimeout(() => socket.destroy(), 300);
  });
}

test(
  'the whole server goes on serving phones, forgets what it was sent, and calls none of it an error of its own',
  async () => {
    const server = await ServerProcess.start(main(), temporaryFolder(), {
      REGISTRAR_LOG_LEVEL: 'debug',
      REGISTRAR_UNVERIFIED_ANSWERS_PER_SECOND: '1000000',
      REGISTRAR_RETRANSMISSION_MEMORY_MB: '4',
    });
    const { sipPort } = server;
    const domain = await server.api('POST', '/v1/domains', {
      name: 'example.com',
      aliases: ['sip.test'],
      routing: 'redirect',
    });
    expect(domain.status).toBe(201);
    for (const username of ['alice', 'fuzz']) {
      const credential = { password: PASSWORD };
      const made = await server.api('POST', '/v1/users', { username, domain: 'example.com', credential });
      expect(made.status).toBe(201);
    }
    const open = async (user: string): Promise<Phone> => {
      const wire = await UdpWire.open({ host: '127.0.0.1', port: sipPort });
      onTestFinished(() => wire.close());
      return new Phone(wire, { user, domain: 'example.com', password: PASSWORD });
    };
    const alice = await open('alice');
    const stranger = await open('nobody');
    const insider = await open('fuzz');
    await insider.fetchChallenge();
    let batch = 0;
    let settledMb = 0;

    const once = async (
      messages: readonly string[],
      streams: readonly string[],
      signed: readonly object[],
    ): Promise<void> => {
      batch++;
      for (const octets of messages) stranger.wire.send(octets);
      for (const parts of signed) insider.wire.send(insider.compose({ ...parts }));
      await Promise.all(streams.map((octets) => sendOverTcp(sipPort, octets)));
      if (batch % 20 === 0) await insider.fetchChallenge().catch(() => undefined);

      const before = performance.now();
      const answer = await alice.register({ contacts: [`<${alice.contact}>`] });
      expect(answer.status).toBe(200);
      expect(performance.now() - before).toBeLessThan(1_000);
    };
    const batches = fc.asyncProperty(
      fc.array(almostSip, { minLength: 20, maxLength: 40 }),
      fc.array(almostSip, { maxLength: 6 }),
      fc.array(signedParts, { maxLength: 20 }),
      async (messages, streams, signed) => {
        await once(messages, streams, signed);
        if (batch === 30) settledMb = residentMb(server.pid);
      },
    );
    const corpus = CORPUS_MESSAGES.map(({ octets }) => octets);
    await once(corpus, corpus, []);
    await fc.assert(batches, { ...UNTIL_TIME_IS_UP, endOnFailure: true });
    await milliseconds(200);

    expect(batch).toBeGreaterThan(10);
    if (settledMb > 0) expect(residentMb(server.pid) - settledMb).toBeLessThan(MEMORY_ROOM_MB);
    const complaints = server.logLines.filter(({ level }) => level === 'error' || level === 'fatal');
    expect(complaints).toEqual([]);
    expect((await server.end('SIGTERM')).code).toBe(0);
  },
  TIMEOUT_MS + 30_000,
);
