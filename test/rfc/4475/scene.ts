import { expect } from 'vitest';
import { type BrokenMessage, parseMessage, type SipMessage } from '../../../src/sip/grammar/message.js';
import { isParseError } from '../../../src/sip/grammar/sip-parse-error.js';
import { parseUri } from '../../../src/sip/grammar/uri.js';
import type { Flow } from '../../../src/sip/transport/flow.js';
import { type IncomingRequest, readRequest } from '../../../src/sip/uas/incoming-request.js';
import { Phone } from '../../support/phone.js';
import type { SipAnswer } from '../../support/sip-answer.js';
import type { UdpWire, Wire } from '../../support/sip-wire.js';
import { PASSWORD, TestServer, type TestServerOptions } from '../../support/test-server.js';

/** A server for the domains of the memos, with the users that its REGISTERs name. */
export async function tortureServer(options: TestServerOptions = {}): Promise<TestServer> {
  const server = await TestServer.start(options);
  await server.addDomain('example.com', {
    aliases: [
      'example.net',
      'example.org',
      'registrar.example.com',
      'chair-dnrc.example.com',
      'host.example.net',
      '[2001:db8::10]',
    ],
  });
  for (const name of ['user', 'j.user', 'watson']) await server.addUser(name, 'example.com');
  return server;
}

/** What the grammar makes of a message that comes whole. */
export function parse(octets: string, framing: 'datagram' | 'stream' = 'datagram'): SipMessage {
  const message = parseMessage(octets, { framing });
  if (message.kind === 'broken') throw new Error(`${message.error.status}: ${message.error.detail}`);
  return message;
}

/** A request as it is handed on: its start line, Via, From, To, Call-ID and CSeq read. */
export function accept(octets: string): IncomingRequest {
  const message = parse(octets);
  if (message.kind !== 'request') throw new Error('a request was expected');
  const request = readRequest(message, NOWHERE, 0);
  if (isParseError(request)) throw new Error(`${request.status}: ${request.detail}`);
  const uri = parseUri(message.requestUri);
  if (isParseError(uri)) throw new Error(`${uri.status}: ${uri.detail}`);
  return request;
}

export interface Refusal {
  readonly status: number;
  /** The header field that is at fault, when it is one: the long name in lower case. */
  readonly header: string | undefined;
}

/** Why a request is refused, whatever its method and whomever it is for; undefined when it is not. */
export function refusal(octets: string, framing: 'datagram' | 'stream' = 'datagram'): Refusal | undefined {
  const message: SipMessage | BrokenMessage = parseMessage(octets, { framing });
  if (message.kind === 'broken') return { status: message.error.status, header: message.error.header };
  if (message.kind !== 'request') throw new Error('a request was expected');
  const request = readRequest(message, NOWHERE, 0);
  if (isParseError(request)) return { status: request.status, header: request.header };
  const uri = parseUri(message.requestUri);
  return isParseError(uri) ? { status: uri.status, header: 'request-uri' } : undefined;
}

const NOWHERE: Flow = {
  transport: 'udp',
  id: null,
  remoteAddress: '192.0.2.1',
  remotePort: 5060,
  respond: () => {
    throw new Error('nothing is sent here');
  },
};

/** The message to the server itself: its Request-URI without the user. */
export function toServer(octets: string): string {
  return octets.replace(/^(\S+ sips?:)\S*@/, '$1');
}

/** The message with the port of its topmost Via's sent-by set, and not an octet changed otherwise. */
export function withReturnPort(octets: string, port: number): string {
  const via = /\r\n(?:via|v)[ \t]*:/i.exec(octets);
  if (via === null) throw new Error('a message without Via');
  const start = via.index + via[0].length;
  const end = start + octets.slice(start).search(/[;,]|\r\n(?![ \t])/);
  const value = octets.slice(start, end).replace(/(\S+?)(?::\d+)?(\s*)$/, `$1:${port}$2`);
  return octets.slice(0, start) + value + octets.slice(end);
}

/** Sends it in a datagram, so that the answer comes back here, and gives that; it must be an answer to this. */
export async function askOverUdp(server: TestServer, octets: string, wire?: UdpWire): Promise<SipAnswer> {
  const socket = wire ?? (await server.udp());
  const sent = withReturnPort(octets, socket.localPort);
  socket.send(sent);
  const answer = await socket.receive();
  expectAnswerTo(sent, answer);
  return answer;
}

/** Sends it over a connection of its own, octet for octet. */
export async function askOverTcp(server: TestServer, octets: string): Promise<SipAnswer> {
  const wire = await server.tcp();
  wire.send(octets);
  const answer = await wire.receive();
  expectAnswerTo(octets, answer);
  return answer;
}

/** The status and the reason that a message is answered with, over UDP and over TCP alike. */
export async function statusOf(server: TestServer, octets: string): Promise<string> {
  const overUdp = statusLine(await askOverUdp(server, octets));
  const overTcp = statusLine(await askOverTcp(server, octets));
  expect(overTcp, 'over TCP').toBe(overUdp);
  return overUdp;
}

export function statusLine({ status, reason }: SipAnswer): string {
  return `${status} ${reason}`;
}

/** Sends it both ways; true when neither way brings an answer. The server answers in order: a later request tells. */
export async function isMetWithSilence(server: TestServer, octets: string): Promise<boolean> {
  const wires: readonly Wire[] = [await server.udp(), await server.tcp()];
  for (const wire of wires) {
    wire.send(wire.transport === 'UDP' ? withReturnPort(octets, wire.localPort) : octets);
    const probe = new Phone(wire, { user: 'user', domain: 'example.com', password: PASSWORD });
    const answer = await probe.exchange(probe.compose({ method: 'OPTIONS' }));
    if (answer.value('Call-ID') !== probe.callId) return false;
  }
  return true;
}

/** A REGISTER of a memo with credentials put in, sent over UDP; the phone holds a nonce afterwards. */
export async function registerAs(server: TestServer, user: string, octets: string): Promise<SipAnswer> {
  const wire = await server.udp();
  const phone = await server.phone(user, { wire });
  await phone.fetchChallenge();
  const requestUri = octets.split(' ')[1] ?? '';
  const credentials = `\r\nAuthorization: ${phone.authorization(requestUri)}\r\n`;
  return askOverUdp(
    server,
    octets.replace('\r\n', () => credentials),
    wire,
  );
}

/** RFC 3261 §8.2.6.2: From, Call-ID, CSeq and Via come back as they were sent, and To with a tag. */
function expectAnswerTo(request: string, answer: SipAnswer): void {
  for (const name of ['From', 'Call-ID', 'CSeq']) {
    expect(answer.values(name), name).toEqual(fieldValues(request, name));
  }
  const [top = '', ...others] = fieldValues(request, 'Via');
  const [answeredTop = '', ...answeredOthers] = answer.values('Via');
  expect(answeredOthers, 'Via').toEqual(others);
  const ofUs = /;(?:received=[^;,]*|rport=\d+)|;rport(?=[;,]|$)/g;
  expect(answeredTop.replace(ofUs, ''), 'topmost Via').toBe(top.replace(ofUs, ''));
  const to = fieldValues(request, 'To');
  const answeredTo = answer.values('To');
  expect(answeredTo.length, 'To').toBe(to.length);
  to.forEach((value, i) => {
    expect(answeredTo[i], 'To').toMatch(/;[ \t]*tag[ \t]*=/);
    expect(answeredTo[i]?.startsWith(value), 'To').toBe(true);
  });
}

const COMPACT: Readonly<Record<string, string>> = {
  From: 'f',
  To: 't',
  'Call-ID': 'i',
  CSeq: 'cseq',
  Via: 'v',
};

/** The values of the header fields of that name, unfolded, by rules of our own. */
function fieldValues(octets: string, name: string): readonly string[] {
  const [head = ''] = octets.split('\r\n\r\n');
  return head
    .replace(/[ \t]*\r\n[ \t]+/g, ' ')
    .split('\r\n')
    .slice(1)
    .map((line) => /^([^: \t]+)[ \t]*:[ \t]*(.*)$/s.exec(line))
    .filter((field) => [name.toLowerCase(), COMPACT[name]].includes(field?.[1]?.toLowerCase()))
    .map((field) => field?.[2] ?? '');
}
