import { createSocket } from 'node:dgram';
import { type AddressInfo, connect, createServer } from 'node:net';
import { pino } from 'pino';
import { describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { Tally } from '../../src/base/tally.js';
import { MAX_CONTACTS_A_REQUEST } from '../../src/registrar/register-request.js';
import {
  MAX_HEADER_FIELDS,
  MAX_HEADER_LINE_BYTES,
  MAX_MESSAGE_BYTES,
  MAX_REQUEST_URI_BYTES,
} from '../../src/sip/grammar/message.js';
import { MAX_HEADER_SECTION_BYTES } from '../../src/sip/grammar/stream-framer.js';
import { ServerTransactions } from '../../src/sip/transaction/server-transactions.js';
import type { Flow } from '../../src/sip/transport/flow.js';
import { TcpTransport } from '../../src/sip/transport/tcp.js';
import { type TransportEvent, UdpTransport } from '../../src/sip/transport/udp.js';
import { answer } from '../../src/sip/uas/response.js';
import { type MessageFate, UserAgentServer } from '../../src/sip/uas/user-agent-server.js';
import { Phone } from '../support/phone.js';
import { TcpWire, UdpWire } from '../support/sip-wire.js';
import { PASSWORD, serverWithAlice, type TestServer } from '../support/test-server.js';

/** How long something that happens at once is waited for on a busy machine. */
const PATIENTLY = { timeout: 5_000 };

/** The value of a counter on /metrics; 0 while it has none. */
async function counter(server: TestServer, name: string, label: string): Promise<number> {
  const line = (await server.metrics()).split('\n').find((each) => each.startsWith(`${name}{${label}`));
  return Number(line?.split(' ').at(-1) ?? 0);
}

const exceeded = (server: TestServer, bound: string) =>
  counter(server, 'sip_message_bounds_exceeded_total', `bound="${bound}"`);
const happened = (server: TestServer, event: string) =>
  counter(server, 'sip_transport_events_total', `event="${event}"`);

/** A REGISTER of exactly that many octets over a stream, filled up with a body that nobody needs. */
function ofSize(phone: Phone, octets: number): string {
  const bare = phone.compose({ headers: ['Content-Disposition: x;handling=optional'] });
  const room = octets - bare.length;
  for (let length = room; length > room - 10; length--) {
    const text = bare.replace('Content-Length: 0', `Content-Length: ${length}`);
    if (text.length + length === octets) return text + 'x'.repeat(length);
  }
  throw new Error(`no body fills up to ${octets}`);
}

describe('How large a message may be', () => {
  test('over UDP whatever fits a datagram is taken', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    await phone.fetchChallenge();

    const filler = Array.from({ length: 8 }, () => `X-Filler: ${'x'.repeat(8_000)}`);
    const answer = await phone.exchange(phone.compose({ contacts: [`<${phone.contact}>`], headers: filler }));

    expect(answer.status).toBe(200);
  });

  test('over TCP the largest is taken, one octet more is a 513 and the end of the connection', async () => {
    const server = await serverWithAlice();
    const wire = await server.tcp();
    const phone = await server.phone('alice', { wire });
    expect((await phone.exchange(ofSize(phone, MAX_MESSAGE_BYTES))).status).toBe(401);

    const answer = await phone.exchange(ofSize(phone, MAX_MESSAGE_BYTES + 1));

    expect([answer.status, answer.reason]).toEqual([513, 'Message Too Large']);
    await wire.closedByServer();
    expect(await exceeded(server, 'message_size')).toBe(1);
  });

  test('over TCP a header section that does not come to its end is a 400 and the end of the connection', async () => {
    const server = await serverWithAlice();
    const wire = await server.tcp();
    const phone = await server.phone('alice', { wire });
    const head = phone.compose({}).slice(0, -4);
    const filler = `X-Filler: ${'x'.repeat(4_000)}\r\n`.repeat(9);

    wire.send(`${head}\r\n${filler}`.slice(0, MAX_HEADER_SECTION_BYTES));

    expect((await wire.receive()).status).toBe(400);
    await wire.closedByServer();
    expect(await exceeded(server, 'header_section_length')).toBe(1);
  });
});

describe.each(['udp', 'tcp'] as const)('How much of everything a request may have, over %s', (transport) => {
  test(`${MAX_HEADER_FIELDS} header fields, and a 400 for one more`, async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice', { transport });
    const own = phone.compose({}).split('\r\n').length - 3;
    const more = (count: number) => Array.from({ length: count - own }, (_, n) => `X-${n}: y`);

    expect((await phone.exchange(phone.compose({ headers: more(MAX_HEADER_FIELDS) }))).status).toBe(401);
    expect((await phone.exchange(phone.compose({ headers: more(MAX_HEADER_FIELDS + 1) }))).status).toBe(400);
    expect(await exceeded(server, 'header_count')).toBe(1);
  });

  test(`${MAX_HEADER_LINE_BYTES} octets a header field, and a 400 for one more`, async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice', { transport });
    const line = (octets: number) => [`X: ${'y'.repeat(octets - 'X: \r\n'.length)}`];

    expect((await phone.exchange(phone.compose({ headers: line(MAX_HEADER_LINE_BYTES) }))).status).toBe(401);
    expect((await phone.exchange(phone.compose({ headers: line(MAX_HEADER_LINE_BYTES + 1) }))).status).toBe(
      400,
    );
    expect(await exceeded(server, 'header_length')).toBe(1);
  });

  test(`${MAX_REQUEST_URI_BYTES} octets a Request-URI, and a 414 for one more`, async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice', { transport });
    const uri = (octets: number) => `sip:example.com;x=${'y'.repeat(octets - 'sip:example.com;x='.length)}`;

    expect((await phone.exchange(phone.compose({ requestUri: uri(MAX_REQUEST_URI_BYTES) }))).status).toBe(
      401,
    );
    const refused = await phone.exchange(phone.compose({ requestUri: uri(MAX_REQUEST_URI_BYTES + 1) }));
    expect([refused.status, refused.reason]).toEqual([414, 'Request-URI Too Long']);
    expect(await exceeded(server, 'request_uri_length')).toBe(1);
  });

  test(`${MAX_CONTACTS_A_REQUEST} contacts, and a 400 for one more`, async () => {
    const server = await serverWithAlice({ domain: { max_bindings_per_user: 100 } });
    const phone = await server.phone('alice', { transport });
    const contacts = (count: number) =>
      Array.from({ length: count }, (_, n) => `<sip:alice@192.0.2.1:${5_000 + n}>`);

    expect((await phone.register({ contacts: contacts(MAX_CONTACTS_A_REQUEST) })).status).toBe(200);
    const refused = await phone.register({ contacts: contacts(MAX_CONTACTS_A_REQUEST + 1) });
    expect([refused.status, refused.reason]).toEqual([400, 'Too Many Contacts']);
    expect(await counter(server, 'sip_registrations_rejected_total', 'reason="too_many_contacts"')).toBe(1);
  });
});

/** A TCP connection from another address of loopback than 127.0.0.1. */
async function connectFrom(server: TestServer, localAddress: string): Promise<{ isClosed: () => boolean }> {
  const socket = connect({ host: server.sipHost, port: server.sipPort, localAddress });
  let closed = false;
  socket.on('close', () => {
    closed = true;
  });
  socket.on('error', () => undefined);
  onTestFinished(() => {
    socket.destroy();
  });
  await new Promise((resolve) => socket.once('connect', resolve));
  return { isClosed: () => closed };
}

describe('How many TCP connections there may be', () => {
  test('so many from one source, whoever it is; another source still gets in, and room comes back', async () => {
    const server = await serverWithAlice({ settings: { REGISTRAR_TCP_MAX_CONNECTIONS_PER_SOURCE: '3' } });
    const wires = [await server.tcp(), await server.tcp(), await server.tcp()];

    await (await server.tcp()).closedByServer();
    const other = await connectFrom(server, '127.0.0.2');
    const phone = await server.phone('alice', { wire: wires[0]! });
    expect((await phone.register({ contacts: [`<${phone.contact}>`] })).status).toBe(200);

    expect(other.isClosed()).toBe(false);
    expect(await happened(server, 'connection_refused_source')).toBe(1);
    wires[1]?.close();
    await expect.poll(() => server.metrics(), PATIENTLY).toMatch(/^sip_tcp_connections 3$/m);
    const again = await server.phone('alice', { transport: 'tcp' });
    expect((await again.register({})).status).toBe(200);
  });

  test('so many in all', async () => {
    const server = await serverWithAlice({ settings: { REGISTRAR_TCP_MAX_CONNECTIONS: '2' } });
    await server.tcp();
    await connectFrom(server, '127.0.0.2');

    const refused = await connectFrom(server, '127.0.0.3');

    await expect.poll(refused.isClosed, PATIENTLY).toBe(true);
    expect(await happened(server, 'connection_refused_full')).toBe(1);
  });
});

describe('How long a TCP connection may take', () => {
  async function transport(over: object) {
    const tally = new Tally<TransportEvent>();
    const listening = await TcpTransport.listen({
      address: '127.0.0.1',
      port: 0,
      receiver: { receive: () => undefined, receiveBroken: () => undefined },
      tally,
      clock: systemClock,
      maxConnections: 10,
      idleSeconds: 60,
      ...over,
    });
    onTestFinished(() => listening.close());
    const wire = await TcpWire.open({ host: '127.0.0.1', port: listening.port });
    onTestFinished(() => wire.close());
    return { wire, tally };
  }

  test('to its first message: one that says nothing is closed', async () => {
    const { wire, tally } = await transport({ firstMessageDeadlineMs: 100 });
    await wire.closedByServer();
    expect(tally.of('connection_silent')).toBe(1);
  });

  test('to its first message: keep-alives are none', async () => {
    const { wire, tally } = await transport({ firstMessageDeadlineMs: 200 });
    wire.send('\r\n\r\n');
    expect(await wire.receiveOctets(2)).toBe('\r\n');
    await wire.closedByServer();
    expect(tally.of('connection_silent')).toBe(1);
  });

  test('to its first message: part of one is none, however it drips', async () => {
    const { wire, tally } = await transport({ firstMessageDeadlineMs: 200 });
    const drip = setInterval(() => wire.send('X'), 20);
    await wire.closedByServer();
    clearInterval(drip);
    expect(tally.of('connection_silent')).toBe(1);
  });

  test('to the end of a message once begun', async () => {
    const { wire, tally } = await transport({ messageDeadlineMs: 100 });
    wire.send('OPTIONS sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\nREGISTER');
    await wire.closedByServer();
    expect(tally.of('connection_slow')).toBe(1);
  });

  test('without saying anything, by the setting', async () => {
    const { wire, tally } = await transport({ idleSeconds: 1 });
    await wire.closedByServer();
    expect(tally.of('connection_idle')).toBe(1);
  });
});

test('an answer whose connection is gone goes to its peer alone, whatever host the Via names', async () => {
  const flows: Flow[] = [];
  const tally = new Tally<TransportEvent>();
  const transport = await TcpTransport.listen({
    address: '127.0.0.1',
    port: 0,
    receiver: { receive: (_, flow) => flows.push(flow), receiveBroken: () => undefined },
    tally,
    clock: systemClock,
    maxConnections: 10,
    idleSeconds: 60,
  });
  onTestFinished(() => transport.close());
  const visited: string[] = [];
  const elsewhere = createServer((socket) => {
    visited.push(socket.localAddress ?? '');
    socket.resume();
  });
  await new Promise<void>((resolve) => elsewhere.listen(0, '0.0.0.0', resolve));
  onTestFinished(() => {
    elsewhere.close();
  });
  const { port } = elsewhere.address() as AddressInfo;
  const wire = await TcpWire.open({ host: '127.0.0.1', port: transport.port });
  wire.send(`X sip:a SIP/2.0\r\nVia: SIP/2.0/UDP h:${port};maddr=127.0.0.9\r\nContent-Length: 0\r\n\r\n`);
  await expect.poll(() => flows.length, PATIENTLY).toBe(1);
  wire.close();
  await expect.poll(() => transport.connections, PATIENTLY).toBe(0);

  flows[0]?.respond(Buffer.from('SIP/2.0 200 OK\r\n\r\n'), { address: '127.0.0.9', port });

  await expect.poll(() => visited, PATIENTLY).toEqual(['127.0.0.1']);
});

describe('How many requests are worked on at the same time', () => {
  /** A server of two requests, whose handler answers when told to. */
  async function busyServer() {
    const fates = new Tally<MessageFate>();
    const waiting: (() => void)[] = [];
    const uas = new UserAgentServer({
      handlers: {
        REGISTER: () => new Promise((resolve) => waiting.push(() => resolve(answer(200, 'OK')))),
      },
      transactions: new ServerTransactions({
        maxVerifiedBytes: 1e6,
        maxUnverifiedBytes: 1e6,
        maxInProgress: 2,
      }),
      clock: systemClock,
      log: pino({ level: 'silent' }),
      fates,
      responses: new Tally(),
    });
    const udp = await UdpTransport.bind({ address: '127.0.0.1', port: 0, receiver: uas, tally: new Tally() });
    onTestFinished(() => udp.close());
    const wire = await UdpWire.open({ host: '127.0.0.1', port: udp.port });
    onTestFinished(() => wire.close());
    const phone = new Phone(wire, { user: 'alice', domain: 'example.com', password: PASSWORD });
    return { phone, fates, finish: () => waiting.shift()?.() };
  }

  test('one too many is refused with 503 and Retry-After, and room comes back', async () => {
    const { phone, fates, finish } = await busyServer();
    phone.wire.send(phone.compose({ callId: 'one' }));
    phone.wire.send(phone.compose({ callId: 'two' }));

    const refused = await phone.exchange(phone.compose({ callId: 'three' }));

    expect([refused.status, refused.value('Call-ID')]).toEqual([503, 'three']);
    expect(Number(refused.value('Retry-After'))).toBeGreaterThan(0);
    expect(fates.of('overloaded')).toBe(1);
    finish();
    expect((await phone.wire.receive()).value('Call-ID')).toBe('one');
    phone.wire.send(phone.compose({ callId: 'four' }));
    finish();
    expect((await phone.wire.receive()).value('Call-ID')).toBe('two');
    await expect.poll(finish, PATIENTLY).toBeUndefined();
  });
});

describe('What strangers make the server remember', () => {
  test('stays within its share, while what phones were answered is kept', async () => {
    const server = await serverWithAlice({
      settings: {
        REGISTRAR_RETRANSMISSION_MEMORY_MB: '1',
        REGISTRAR_UNVERIFIED_ANSWERS_PER_SECOND: '1000000',
        REGISTRAR_UNVERIFIED_TIME_PERCENT: '100',
      },
    });
    const phone = await server.phone('alice');
    await phone.fetchChallenge();
    const octets = phone.compose({ contacts: [`<${phone.contact}>`] });
    const first = await phone.exchange(octets);
    const stranger = createSocket('udp4');
    onTestFinished(() => {
      stranger.close();
    });
    stranger.bind(0, '127.0.0.9');

    for (let n = 0; n < 4_000; n++) {
      const junk = phone.compose({ callId: `stranger${n}`, authorization: null, headers: ['X: y'] });
      stranger.send(Buffer.from(junk, 'latin1'), server.sipPort, server.sipHost);
      if (n % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    }

    expect((await phone.exchange(octets)).octets).toBe(first.octets);
    const kept = /^sip_kept_response_bytes (\d+)$/m.exec(await server.metrics())?.[1];
    expect(Number(kept)).toBeLessThan(1.2 * 1024 * 1024);
  });
});
