import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { Tally } from '../../base/tally.js';
import type { Flow, MessageReceiver, ResponseTarget } from './flow.js';

/** Room for a burst of datagrams while a COMMIT blocks; the kernel caps it at net.core.rmem_max. */
const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024;
/** Shorter datagrams are keep-alives (RFC 5626 §3.5) or noise, not messages. */
const SHORTEST_MESSAGE_BYTES = 16;

/** What happened on a transport that is no message. */
export type TransportEvent =
  | 'keepalive'
  | 'stun_ignored'
  | 'too_short'
  /** From port 0, or over a connection whose other end is gone already: there is nowhere to answer to. */
  | 'unanswerable'
  | 'send_failed'
  | 'connection_refused_full'
  | 'connection_refused_source'
  | 'connection_silent'
  | 'connection_idle'
  | 'connection_slow'
  | 'connection_broken'
  | 'connection_backlogged'
  | 'reply_connection_failed';

/** A SIP socket over UDP (RFC 3261 §18). One socket, one address. */
export class UdpTransport {
  private closed = false;

  private constructor(
    private readonly socket: Socket,
    private readonly tally: Tally<TransportEvent>,
    readonly address: string,
    readonly port: number,
  ) {}

  /**
   * Binds and begins to hand messages over. `port` 0 takes a free one. Rejects with the system's error when the
   * address can't be bound.
   */
  static async bind(options: {
    readonly address: string;
    readonly port: number;
    readonly receiver: MessageReceiver;
    readonly tally: Tally<TransportEvent>;
  }): Promise<UdpTransport> {
    const { address, port, receiver, tally } = options;
    const ipv6 = isIPv6(address);
    const socket = createSocket({
      type: ipv6 ? 'udp6' : 'udp4',
      ipv6Only: ipv6,
      // Responses go to addresses, never to names: without this each send waits for a look-up's callback.
      lookup: (hostname, _options, callback) => callback(null, hostname, ipv6 ? 6 : 4),
    });
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind({ address, port, exclusive: true }, () => {
        socket.off('error', reject);
        resolve();
      });
    });
    growBuffers(socket);
    const bound = socket.address();
    const transport = new UdpTransport(socket, tally, address, bound.port);
    // An ICMP error for an earlier answer must not bring the server down.
    socket.on('error', () => tally.count('send_failed'));
    socket.on('message', (bytes, source) => {
      // RFC 768 allows a sender without a port; a send to port 0 would throw.
      if (source.port === 0) {
        tally.count('unanswerable');
        return;
      }
      if (!isMessage(bytes, tally)) return;
      receiver.receive(bytes, new UdpFlow(transport, withoutZone(source.address), source.port, bytes.length));
    });
    return transport;
  }

  send(bytes: Buffer, target: ResponseTarget): void {
    if (this.closed) return;
    this.socket.send(bytes, target.port, target.address, this.onSent);
  }

  close(): Promise<void> {
    if (this.closed) return Promise.resolve();
    this.closed = true;
    return new Promise((resolve) => this.socket.close(() => resolve()));
  }

  private readonly onSent = (error: Error | null): void => {
    if (error !== null) this.tally.count('send_failed');
  };
}

class UdpFlow implements Flow {
  readonly transport = 'udp';
  readonly id = null;

  constructor(
    private readonly socket: UdpTransport,
    readonly remoteAddress: string,
    readonly remotePort: number,
    readonly datagramOctets: number,
  ) {}

  respond(bytes: Buffer, target: ResponseTarget): void {
    this.socket.send(bytes, target);
  }
}

function isMessage(bytes: Buffer, tally: Tally<TransportEvent>): boolean {
  const first = bytes[0];
  if (first === undefined || first === 0x0d || first === 0x0a) {
    // CRLFs may stand before a message (§7.5); alone they are a keep-alive.
    if (bytes.length > SHORTEST_MESSAGE_BYTES) return true;
    tally.count('keepalive');
    return false;
  }
  // The two highest bits of a STUN message are zero (RFC 5389 §6); no SIP message begins so.
  if (first < 4) {
    tally.count('stun_ignored');
    return false;
  }
  if (bytes.length < SHORTEST_MESSAGE_BYTES) {
    tally.count('too_short');
    return false;
  }
  return true;
}

function growBuffers(socket: Socket): void {
  try {
    socket.setRecvBufferSize(SOCKET_BUFFER_BYTES);
    socket.setSendBufferSize(SOCKET_BUFFER_BYTES);
  } catch {
    // Some systems refuse more than their limit instead of capping; the default then has to do.
  }
}

function withoutZone(address: string): string {
  const zone = address.indexOf('%');
  return zone === -1 ? address : address.slice(0, zone);
}
