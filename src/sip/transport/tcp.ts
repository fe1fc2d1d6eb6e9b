import { connect, createServer, isIPv6, type Server, type Socket } from 'node:net';
import type { Clock } from '../../base/clock.js';
import { newId } from '../../base/random.js';
import type { Tally } from '../../base/tally.js';
import { StreamFramer } from '../grammar/stream-framer.js';
import type { Flow, MessageReceiver, ResponseTarget } from './flow.js';
import { sourceNetwork } from './source-network.js';
import type { TransportEvent } from './udp.js';

/** What a peer may leave unread before its connection is closed. */
export const MAX_UNSENT_BYTES = 256 * 1024;
/** A message must be whole that long after its first byte. */
export const MESSAGE_DEADLINE_MS = 20_000;
/** A connection must bring its first whole message that soon; keep-alives are none. */
export const FIRST_MESSAGE_DEADLINE_MS = 10_000;
/** A connection over which nobody has authenticated is closed after that much silence, or the settings' if less. */
export const UNVERIFIED_IDLE_SECONDS = 120;
/** Connections that answers to closed flows may open at the same time. */
export const MAX_REPLY_CONNECTIONS = 64;
/** How long a connection that the peer has half closed waits for its last answers. */
const LINGER_MS = 5_000;
const REPLY_CONNECT_TIMEOUT_MS = 4_000;

const PONG = Buffer.from('\r\n');

export interface TcpOptions {
  readonly address: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly receiver: MessageReceiver;
  readonly tally: Tally<TransportEvent>;
  readonly clock: Clock;
  /** Open connections at most; further ones are closed at once. */
  readonly maxConnections: number;
  /** As many of them from one IPv4 address or IPv6 /64; without it one source may have all. */
  readonly maxConnectionsPerSource?: number | undefined;
  /** A connection without any byte for that long is closed. */
  readonly idleSeconds: number;
  /** Another MESSAGE_DEADLINE_MS; for tests. */
  readonly messageDeadlineMs?: number | undefined;
  /** Another FIRST_MESSAGE_DEADLINE_MS; for tests. */
  readonly firstMessageDeadlineMs?: number | undefined;
  /** Another MAX_UNSENT_BYTES; for tests. */
  readonly maxUnsentBytes?: number | undefined;
}

/** SIP over TCP (RFC 3261 §18): one listening socket and its connections, each of them a flow. */
export class TcpTransport {
  private readonly flows = new Map<string, TcpFlow>();
  /** Open connections by source. */
  private readonly sources = new Map<string, number>();
  private replyConnections = 0;

  private constructor(
    private readonly server: Server,
    private readonly options: TcpOptions,
    readonly address: string,
    readonly port: number,
  ) {}

  /** Listens; rejects with the system's error when the address can't be bound. */
  static async listen(options: TcpOptions): Promise<TcpTransport> {
    const server = createServer({ noDelay: true, allowHalfOpen: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(
        { host: options.address, port: options.port, ipv6Only: isIPv6(options.address), exclusive: true },
        () => {
          server.off('error', reject);
          resolve();
        },
      );
    });
    const bound = server.address();
    if (bound === null || typeof bound === 'string') throw new Error('a TCP listener without a port');
    const transport = new TcpTransport(server, options, options.address, bound.port);
    server.on('connection', (socket) => transport.accept(socket));
    return transport;
  }

  get connections(): number {
    return this.flows.size;
  }

  /** Closes one flow; false when it is not (or no longer) one of this transport. */
  closeFlow(id: string): boolean {
    const flow = this.flows.get(id);
    if (flow === undefined) return false;
    flow.end();
    return true;
  }

  /** Stops listening and closes all connections after what is being written. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    for (const flow of this.flows.values()) flow.end();
    await closed;
  }

  private accept(socket: Socket): void {
    const { options } = this;
    if (this.flows.size >= options.maxConnections) {
      options.tally.count('connection_refused_full');
      socket.destroy();
      return;
    }
    if (socket.remoteAddress === undefined) {
      // Reset before it was taken. Without an address an answer would be sent to this machine itself.
      options.tally.count('unanswerable');
      socket.destroy();
      return;
    }
    const source = sourceNetwork(socket.remoteAddress);
    const ofSource = this.sources.get(source) ?? 0;
    if (ofSource >= (options.maxConnectionsPerSource ?? options.maxConnections)) {
      options.tally.count('connection_refused_source');
      socket.destroy();
      return;
    }
    this.sources.set(source, ofSource + 1);
    const flow = new TcpFlow(socket, newId('flw', options.clock.now()), options, (bytes, target) =>
      this.replyElsewhere(bytes, target),
    );
    this.flows.set(flow.id, flow);
    socket.once('close', () => {
      this.flows.delete(flow.id);
      this.leave(source);
    });
  }

  private leave(source: string): void {
    const left = (this.sources.get(source) ?? 0) - 1;
    if (left > 0) this.sources.set(source, left);
    else this.sources.delete(source);
  }

  /** The flow is gone: open a connection to where its Via points (RFC 3261 §18.2.2). */
  private replyElsewhere(bytes: Buffer, target: ResponseTarget): void {
    if (this.replyConnections >= MAX_REPLY_CONNECTIONS) {
      this.options.tally.count('reply_connection_failed');
      return;
    }
    this.replyConnections++;
    const socket = connect({ host: target.address, port: target.port });
    socket.setTimeout(REPLY_CONNECT_TIMEOUT_MS, () => socket.destroy());
    socket.once('connect', () => socket.end(bytes));
    // What the peer says on it is not a flow of ours.
    socket.resume();
    socket.on('error', () => this.options.tally.count('reply_connection_failed'));
    socket.once('close', () => {
      this.replyConnections--;
    });
  }
}

class TcpFlow implements Flow {
  readonly transport = 'tcp';
  readonly remoteAddress: string;
  readonly remotePort: number;
  private readonly framer = new StreamFramer();
  private deadline: NodeJS.Timeout | undefined;
  private firstMessageDeadline: NodeJS.Timeout | undefined;
  /** Set while the peer has said that it sends no more. */
  private lingering: NodeJS.Timeout | undefined;
  private unanswered = 0;
  private isVerified = false;

  constructor(
    private readonly socket: Socket,
    readonly id: string,
    private readonly options: TcpOptions,
    private readonly replyElsewhere: (bytes: Buffer, target: ResponseTarget) => void,
  ) {
    this.remoteAddress = (socket.remoteAddress ?? '').replace(/%.*$/, '');
    this.remotePort = socket.remotePort ?? 0;
    const idleSeconds = Math.min(options.idleSeconds, UNVERIFIED_IDLE_SECONDS);
    socket.setTimeout(idleSeconds * 1000, () => this.drop('connection_idle'));
    this.firstMessageDeadline = setTimeout(
      () => this.drop('connection_silent'),
      options.firstMessageDeadlineMs ?? FIRST_MESSAGE_DEADLINE_MS,
    );
    socket.on('data', (chunk) => this.read(chunk));
    socket.once('end', () => this.linger());
    socket.on('error', () => this.drop('connection_broken'));
    socket.once('close', () => {
      clearTimeout(this.lingering);
      clearTimeout(this.deadline);
      clearTimeout(this.firstMessageDeadline);
    });
  }

  respond(bytes: Buffer, target: ResponseTarget, isVerified = false): void {
    if (isVerified && !this.isVerified) {
      this.isVerified = true;
      this.socket.setTimeout(this.options.idleSeconds * 1000);
    }
    if (!this.socket.writable) {
      // Nowhere but where the request came from: a Via names whatever its sender likes.
      this.replyElsewhere(bytes, { address: this.remoteAddress, port: target.port });
      return;
    }
    if (this.socket.writableLength > (this.options.maxUnsentBytes ?? MAX_UNSENT_BYTES)) {
      this.drop('connection_backlogged');
      return;
    }
    this.socket.write(bytes);
    this.unanswered--;
    if (this.lingering === undefined) return;
    // The peer may be listening still, or gone altogether: one FIN looks like another. So it is answered both ways.
    this.replyElsewhere(bytes, { address: this.remoteAddress, port: target.port });
    if (this.unanswered <= 0) this.end();
  }

  /** Closes after what is being written, and for certain a second later. */
  end(): void {
    this.socket.end();
    const forced = setTimeout(() => this.socket.destroy(), 1_000);
    forced.unref();
    this.socket.once('close', () => clearTimeout(forced));
  }

  private read(chunk: Buffer): void {
    for (const event of this.framer.push(chunk)) {
      switch (event.kind) {
        case 'message':
          // What waits now, if anything, is the beginning of another message with a deadline of its own.
          this.stopWatching();
          clearTimeout(this.firstMessageDeadline);
          this.unanswered++;
          this.options.receiver.receive(event.bytes, this);
          break;
        case 'ping':
          this.options.tally.count('keepalive');
          // A peer that pings and does not read would otherwise have us keep pongs for it without end.
          if (this.socket.writableNeedDrain) this.drop('connection_backlogged');
          else if (this.socket.writable) this.socket.write(PONG);
          break;
        case 'broken': {
          const { status, reason, detail, bound } = event.error;
          this.options.tally.count('connection_broken');
          this.options.receiver.receiveBroken(event.head, status, reason, detail, this, bound);
          this.end();
          return;
        }
      }
    }
    this.watchUnfinished();
  }

  /** The peer sends no more but may still read: what it asked is answered before the connection closes. */
  private linger(): void {
    if (this.unanswered <= 0) this.end();
    else this.lingering = setTimeout(() => this.end(), LINGER_MS);
  }

  /** A message once begun must come to its end in time, however slowly its bytes drip. */
  private watchUnfinished(): void {
    if (this.framer.pendingBytes === 0) {
      this.stopWatching();
    } else if (this.deadline === undefined && !this.socket.destroyed) {
      const deadlineMs = this.options.messageDeadlineMs ?? MESSAGE_DEADLINE_MS;
      this.deadline = setTimeout(() => this.drop('connection_slow'), deadlineMs);
    }
  }

  private stopWatching(): void {
    clearTimeout(this.deadline);
    this.deadline = undefined;
  }

  private drop(why: TransportEvent): void {
    this.options.tally.count(why);
    this.socket.destroy();
  }
}
