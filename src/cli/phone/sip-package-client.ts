import { Socket as DatagramSocket } from 'node:dgram';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Socket as StreamSocket } from 'node:net';
import type {
  SipConnection,
  SipOptions,
  SipPackageMessage,
  SipPackageRequest,
  SipPackageResponse,
  SipTarget,
  SipTransactionLayer,
  SipTransport,
} from 'sip';
import { StreamFramer } from '../../sip/grammar/stream-framer.js';
import { type Challenge, readChallenge } from './digest-answer.js';
import { freePort } from './local-address.js';
import type { Trace } from './trace.js';
import {
  type Hop,
  type ListedContact,
  leadingSeconds,
  printHop,
  type RegisterRequest,
  type RegisterResponse,
  type Unreachable,
  type UserAgentClient,
} from './user-agent.js';

type SipPackage = typeof import('sip')['default'];

export interface SipPackageClientOptions {
  readonly registrar: Hop;
  /** This machine's address towards the registrar. */
  readonly localAddress: string;
  /** Taken when it is free. */
  readonly preferredPort: number;
  readonly timeoutMs: number;
  readonly trace: Trace | undefined;
}

/**
 * A user agent client made of the npm package `sip`: its parser, printer, transports and transactions are not ours,
 * which makes it a second opinion about the registrar. The package is loaded here and nowhere else.
 * @throws the system's error when no local port can be had.
 */
export async function openSipPackageClient(options: SipPackageClientOptions): Promise<UserAgentClient> {
  const { registrar, localAddress, preferredPort } = options;
  const port = await freePort(registrar.transport, localAddress, preferredPort);
  const { default: sip } = await import('sip');
  return new SipPackageClient(sip, options, port);
}

/**
 * The package's own `create` is not used: it picks the next hop by a DNS client that knows no hosts file, mistakes a
 * registrar on the phone's own address for itself, and prints errors on standard output. The layers below are fine.
 */
class SipPackageClient implements UserAgentClient {
  private readonly transport: SipTransport;
  private readonly transactions: SipTransactionLayer;
  private readonly streams = new Set<StreamSocket>();
  /** What came over the wire, to tell it from what the package makes up. */
  private readonly received = new WeakSet<SipPackageMessage>();
  /** Ends the request in flight when the socket fails. */
  private fail: ((error: Error) => void) | undefined;

  constructor(
    private readonly sip: SipPackage,
    private readonly options: SipPackageClientOptions,
    port: number,
  ) {
    const { registrar, localAddress } = options;
    const sipOptions: SipOptions = {
      address: localAddress,
      port,
      udp: registrar.transport === 'udp',
      tcp: registrar.transport === 'tcp',
      logger: {
        send: (message, target) => this.traceSent(message, target),
        recv: (message, remote) => this.traceFromElsewhere(message, remote),
      },
    };
    this.transport = this.holding(() =>
      sip.makeTransport(sipOptions, (message, remote) => this.receive(message, remote)),
    );
    this.transactions = sip.makeTransactionLayer(sipOptions, (target, onError) =>
      this.transport.open(target, onError),
    );
  }

  send(request: RegisterRequest): Promise<RegisterResponse | Unreachable> {
    const { registrar, timeoutMs } = this.options;
    const hop = printHop(registrar);
    return new Promise((resolve) => {
      const settle = (result: RegisterResponse | Unreachable) => {
        clearTimeout(timer);
        this.fail = undefined;
        // A transaction that got a 1xx and no final response has no timer in the package: it must be ended.
        if (result.kind === 'unreachable') transaction.shutdown();
        resolve(result);
      };
      const timeout: Unreachable = {
        kind: 'unreachable',
        detail: `no answer from ${hop} within ${timeoutMs / 1000} s`,
      };
      const timer = setTimeout(() => settle(timeout), timeoutMs);
      this.fail = (error) => settle({ kind: 'unreachable', detail: explain(error, hop) });
      const transaction = this.transactions.createClientTransaction(
        this.connect(),
        compose(request),
        (response) => {
          if (response.status < 200) return;
          // The package makes up a 408 after 32 s; one from the wire has gone through `receive`.
          settle(this.received.has(response) ? read(response) : timeout);
        },
      );
    });
  }

  close(): void {
    this.transactions.destroy();
    this.transport.destroy();
    // The package leaves its connections open for two minutes.
    for (const stream of this.streams) stream.destroy();
  }

  private connect(): SipConnection {
    const { transport, address, port } = this.options.registrar;
    return this.holding(() =>
      this.transport.open({ protocol: transport.toUpperCase(), address, port }, (error) =>
        this.fail?.(error),
      ),
    );
  }

  private receive(message: SipPackageMessage, remote: SipTarget): void {
    this.received.add(message);
    // The package lets through only what has Via, From, To, Call-ID and CSeq; a stray response is dropped.
    if (message.method === undefined) this.transactions.getClient(message)?.message(message);
    else this.receiveRequest(message, remote);
  }

  /** A phone that only registers has no dialogs and no subscriptions: it says so, and to OPTIONS that it is here. */
  private receiveRequest(request: SipPackageRequest, remote: SipTarget): void {
    const known = this.transactions.getServer(request);
    if (known !== undefined) {
      known.message(request);
      return;
    }
    // An ACK is never answered.
    const connection = request.method === 'ACK' ? undefined : this.transport.get(remote);
    if (connection === undefined) return;
    const [status, reason] = REFUSALS[request.method] ?? [481, 'Call/Transaction Does Not Exist'];
    const response = this.sip.makeResponse(request, status, reason);
    const { to } = response.headers;
    response.headers.to = { ...to, params: { tag: 'phone', ...to.params } };
    this.transactions.createServerTransaction(request, connection).send(response);
  }

  /**
   * Runs what makes the package open a socket, and holds that socket: for its errors, which would end the process,
   * for its octets, and for closing it. The package hands out none of its sockets.
   */
  private holding<T>(open: () => T): T {
    const hold = (message: unknown) => {
      const { socket } = message as { socket: unknown };
      if (socket instanceof DatagramSocket) this.holdDatagrams(socket);
      if (socket instanceof StreamSocket) this.holdStream(socket);
    };
    subscribe('udp.socket', hold);
    subscribe('net.client.socket', hold);
    try {
      return open();
    } finally {
      unsubscribe('udp.socket', hold);
      unsubscribe('net.client.socket', hold);
    }
  }

  private holdDatagrams(socket: DatagramSocket): void {
    socket.on('error', (error) => this.fail?.(error));
    const { trace } = this.options;
    if (trace === undefined) return;
    socket.prependListener('message', (octets, { address, port }) =>
      trace.received(octets.toString('latin1'), { transport: 'udp', address, port }),
    );
  }

  private holdStream(socket: StreamSocket): void {
    this.streams.add(socket);
    socket.on('close', () => this.streams.delete(socket));
    const { trace, registrar } = this.options;
    if (trace === undefined) return;
    const framer = new StreamFramer();
    // The package has the stream give octet strings.
    socket.on('data', (chunk: string | Buffer) => {
      const octets = typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : chunk;
      for (const event of framer.push(octets)) {
        if (event.kind === 'message') trace.received(event.bytes.toString('latin1'), registrar);
        if (event.kind === 'broken') trace.received(event.head.toString('latin1'), registrar);
      }
    });
  }

  private traceSent(message: SipPackageMessage, target: SipTarget): void {
    // What the package prints twice is the same twice.
    this.options.trace?.sent(this.sip.stringify(message), hopOf(target));
  }

  /** Over connections that others opened to us nothing is held: shown as the package understood it. */
  private traceFromElsewhere(message: SipPackageMessage, remote: SipTarget): void {
    const { transport, address, port } = this.options.registrar;
    if (transport === 'udp' || (remote.address === address && remote.port === port)) return;
    this.options.trace?.received(this.sip.stringify(message), hopOf(remote));
  }
}

const REFUSALS: Readonly<Record<string, readonly [number, string]>> = {
  OPTIONS: [200, 'OK'],
  INVITE: [480, 'Temporarily Unavailable'],
  MESSAGE: [405, 'Method Not Allowed'],
};

function hopOf({ protocol, address, port }: SipTarget): Hop {
  return { transport: protocol.toUpperCase() === 'TCP' ? 'tcp' : 'udp', address, port };
}

function compose(request: RegisterRequest): SipPackageRequest {
  const { aor, contact, expiresSeconds, authorization } = request;
  return {
    method: 'REGISTER',
    uri: request.requestUri,
    headers: {
      // The package fills in the rest of it.
      via: [{ params: {} }],
      'max-forwards': '70',
      to: { uri: aor },
      from: { uri: aor, params: { tag: request.fromTag } },
      'call-id': request.callId,
      cseq: { seq: request.cseq, method: 'REGISTER' },
      'user-agent': request.userAgent,
      ...(contact === undefined ? {} : { contact: contact === '*' ? contact : [{ uri: contact }] }),
      ...(expiresSeconds === undefined ? {} : { expires: String(expiresSeconds) }),
      ...(authorization === undefined
        ? {}
        : { authorization: [{ scheme: 'Digest', ...Object.fromEntries(authorization) }] }),
    },
  };
}

function read(response: SipPackageResponse): RegisterResponse {
  const { headers, status, reason } = response;
  const expires = textHeader(headers.expires);
  return {
    kind: 'response',
    status,
    reason,
    challenges: readChallenges(headers['www-authenticate']),
    contacts: readContacts(headers.contact, leadingSeconds(expires)),
    retryAfterSeconds: leadingSeconds(textHeader(headers['retry-after'])),
    minExpiresSeconds: leadingSeconds(textHeader(headers['min-expires'])),
  };
}

function readChallenges(values: readonly Record<string, string>[] | undefined): readonly Challenge[] {
  return (values ?? [])
    .filter(({ scheme }) => scheme?.toLowerCase() === 'digest')
    .map(({ scheme: _, ...params }) => readChallenge(Object.entries(params)))
    .filter((challenge) => challenge !== undefined);
}

function readContacts(
  header: SipPackageMessage['headers']['contact'],
  expiresHeader: number | undefined,
): readonly ListedContact[] {
  if (header === undefined || header === '*') return [];
  return header.map(({ uri, params }) => ({
    uri,
    expiresSeconds: leadingSeconds(params?.expires ?? undefined) ?? expiresHeader,
  }));
}

function textHeader(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function explain(error: Error, hop: string): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ECONNREFUSED':
      return `${hop} refuses the connection: nothing listens there`;
    case 'ENETUNREACH':
    case 'EHOSTUNREACH':
      return `there is no way to ${hop} from here (${error.message})`;
    default:
      return `${hop}: ${error.message}`;
  }
}
