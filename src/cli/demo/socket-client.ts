import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { connect, type Socket as StreamSocket } from 'node:net';
import { secretBytes } from '../../base/random.js';
import { parseContacts } from '../../sip/grammar/headers/contact.js';
import { parseCSeq } from '../../sip/grammar/headers/cseq.js';
import {
  allValues,
  firstValue,
  type HeaderField,
  parseMessage,
  printMessage,
  type SipResponse,
} from '../../sip/grammar/message.js';
import { isParseError } from '../../sip/grammar/sip-parse-error.js';
import { StreamFramer } from '../../sip/grammar/stream-framer.js';
import { readChallenge } from '../phone/digest-answer.js';
import {
  type Hop,
  leadingSeconds,
  printHop,
  type RegisterRequest,
  type RegisterResponse,
  type Unreachable,
  type UserAgentClient,
} from '../phone/user-agent.js';

/** RFC 3261 §17.1.2.1: T1, after which a request over UDP is sent again, and T2, the longest pause between two. */
const T1_MS = 500;
const T2_MS = 4_000;
const TIMEOUT_MS = 8_000;
const LOCALHOST = '127.0.0.1';

/** How octets get to the registrar; `deliver` is called with each message that comes back. */
interface Wire {
  readonly localPort: number;
  /** Whether what is sent may get lost. */
  readonly isLossy: boolean;
  send(octets: string): void;
  close(): void;
}

/**
 * A user agent client with sockets of its own and our grammar: what the phones of the demo are made of. It sends one
 * request at a time and takes no requests.
 * @throws the system's error when the registrar can't be connected to.
 */
export async function openSocketClient(
  registrar: Hop,
): Promise<UserAgentClient & { readonly localPort: number }> {
  const client = new SocketClient(registrar);
  await client.open();
  return client;
}

class SocketClient implements UserAgentClient {
  private wire: Wire | undefined;
  private onResponse: ((response: SipResponse) => void) | undefined;
  private firstPort = 0;

  constructor(private readonly registrar: Hop) {}

  /** The port it had first: what its contact is made of, since a connection may be a new one later. */
  get localPort(): number {
    return this.firstPort;
  }

  async open(): Promise<Wire> {
    const { transport, address, port } = this.registrar;
    const deliver = (octets: string) => this.receive(octets);
    const wire =
      transport === 'udp'
        ? await openDatagrams(address, port, deliver)
        : await openStream(address, port, deliver, () => {
            this.wire = undefined;
          });
    if (this.firstPort === 0) this.firstPort = wire.localPort;
    this.wire = wire;
    return wire;
  }

  async send(request: RegisterRequest): Promise<RegisterResponse | Unreachable> {
    const hop = printHop(this.registrar);
    let wire: Wire;
    try {
      // The registrar closes a connection when it forces its phone off.
      wire = this.wire ?? (await this.open());
    } catch (error) {
      return { kind: 'unreachable', detail: `${hop}: ${(error as Error).message}` };
    }
    const octets = this.print(request, wire);
    return new Promise((resolve) => {
      let again: NodeJS.Timeout | undefined;
      const settle = (result: RegisterResponse | Unreachable) => {
        clearTimeout(again);
        clearTimeout(timer);
        this.onResponse = undefined;
        resolve(result);
      };
      const timer = setTimeout(() => {
        settle({ kind: 'unreachable', detail: `no answer from ${hop} within ${TIMEOUT_MS / 1000} s` });
      }, TIMEOUT_MS);
      this.onResponse = (response) => {
        const cseq = parseCSeq(firstValue(response.headers, 'cseq') ?? '');
        // A late answer to an earlier request is none to this one.
        if (isParseError(cseq) || cseq.sequence !== request.cseq || response.status < 200) return;
        settle(read(response));
      };
      const transmit = (pauseMs: number) => {
        wire.send(octets);
        if (wire.isLossy) again = setTimeout(() => transmit(Math.min(pauseMs * 2, T2_MS)), pauseMs);
      };
      transmit(T1_MS);
    });
  }

  close(): void {
    this.wire?.close();
    this.wire = undefined;
  }

  private receive(octets: string): void {
    const framing = this.registrar.transport === 'udp' ? 'datagram' : 'stream';
    const message = parseMessage(octets, { framing });
    if (message.kind === 'response') this.onResponse?.(message);
  }

  private print(request: RegisterRequest, { localPort, isLossy }: Wire): string {
    const { aor, contact, expiresSeconds, authorization } = request;
    const transport = this.registrar.transport.toUpperCase();
    const branch = `z9hG4bK${secretBytes(8).toString('hex')}`;
    const headers: HeaderField[] = [
      {
        name: 'via',
        value: `SIP/2.0/${transport} ${LOCALHOST}:${localPort};branch=${branch}${isLossy ? ';rport' : ''}`,
      },
      { name: 'max-forwards', value: '70' },
      { name: 'from', value: `<${aor}>;tag=${request.fromTag}` },
      { name: 'to', value: `<${aor}>` },
      { name: 'call-id', value: request.callId },
      { name: 'cseq', value: `${request.cseq} REGISTER` },
      { name: 'user-agent', value: request.userAgent },
    ];
    if (contact !== undefined) {
      headers.push({ name: 'contact', value: contact === '*' ? contact : `<${contact}>` });
    }
    if (expiresSeconds !== undefined) headers.push({ name: 'expires', value: String(expiresSeconds) });
    if (authorization !== undefined) {
      const params = authorization.map(([name, value]) => `${name}=${value}`).join(', ');
      headers.push({ name: 'authorization', value: `Digest ${params}` });
    }
    const { requestUri } = request;
    return printMessage({ kind: 'request', method: 'REGISTER', requestUri, headers, body: '' });
  }
}

async function openDatagrams(
  address: string,
  port: number,
  deliver: (octets: string) => void,
): Promise<Wire> {
  const socket: DatagramSocket = createSocket('udp4');
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.connect(port, address, () => resolve());
  });
  // Nobody listening any more is the same as no answer.
  socket.removeAllListeners('error').on('error', () => undefined);
  socket.on('message', (octets) => deliver(octets.toString('latin1')));
  return {
    localPort: socket.address().port,
    isLossy: true,
    send: (octets) => socket.send(Buffer.from(octets, 'latin1')),
    close: () => socket.close(),
  };
}

async function openStream(
  address: string,
  port: number,
  deliver: (octets: string) => void,
  onClose: () => void,
): Promise<Wire> {
  const socket: StreamSocket = connect(port, address);
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.once('connect', resolve);
  });
  socket.removeAllListeners('error').on('error', () => undefined);
  const framer = new StreamFramer();
  socket.on('data', (octets) => {
    for (const event of framer.push(octets)) {
      if (event.kind === 'message') deliver(event.bytes.toString('latin1'));
    }
  });
  socket.once('close', onClose);
  return {
    localPort: socket.localPort ?? 0,
    isLossy: false,
    send: (octets) => socket.write(octets, 'latin1'),
    close: () => socket.destroy(),
  };
}

// auth-param of a challenge: a token, or a quoted string with its quotes.
const CHALLENGE_PARAM = /([\w-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,"]+)/g;

function read({ status, reason, headers }: SipResponse): RegisterResponse {
  const contacts = parseContacts(allValues(headers, 'contact'));
  return {
    kind: 'response',
    status,
    reason,
    challenges: allValues(headers, 'www-authenticate')
      .filter((value) => /^digest\s/i.test(value))
      .map((value) =>
        readChallenge(
          [...value.slice('digest'.length).matchAll(CHALLENGE_PARAM)].map(
            ([, name = '', given = '']) => [name, given] as const,
          ),
        ),
      )
      .filter((challenge) => challenge !== undefined),
    contacts:
      isParseError(contacts) || contacts.kind !== 'list'
        ? []
        : contacts.contacts.map(({ uriText, expires }) => ({
            uri: uriText,
            expiresSeconds: leadingSeconds(expires),
          })),
    retryAfterSeconds: leadingSeconds(firstValue(headers, 'retry-after')),
    minExpiresSeconds: leadingSeconds(firstValue(headers, 'min-expires')),
  };
}
