import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { connect, isIPv6, type Socket as TcpSocket } from 'node:net';
import { lengthOfFirstAnswer, readAnswer, type SipAnswer } from './sip-answer.js';

/** How long a test waits for an answer before it fails. */
const ANSWER_TIMEOUT_MS = 5_000;

/** Where a server is listening. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

/** A socket of a phone: sends octets exactly as given, and hands out what comes back in order. */
export interface Wire {
  readonly transport: 'UDP' | 'TCP';
  readonly localPort: number;
  /** The address for a Via or a Contact, IPv6 in brackets: `127.0.0.1:40123`. */
  readonly sentBy: string;
  send(octets: string): void;
  /** The next answer; rejects when none comes. */
  receive(): Promise<SipAnswer>;
  close(): void;
}

/** Things that arrive, for whoever asks next. */
class Inbox<T> {
  private readonly arrived: T[] = [];
  private readonly waiting: ((item: T) => void)[] = [];

  put(item: T): void {
    const next = this.waiting.shift();
    if (next === undefined) this.arrived.push(item);
    else next(item);
  }

  get count(): number {
    return this.arrived.length;
  }

  take(what: string, timeoutMs = ANSWER_TIMEOUT_MS): Promise<T> {
    const item = this.arrived.shift();
    if (item !== undefined) return Promise.resolve(item);
    return new Promise((resolve, reject) => {
      const deliver = (arrived: T): void => {
        clearTimeout(timer);
        resolve(arrived);
      };
      const timer = setTimeout(() => {
        this.waiting.splice(this.waiting.indexOf(deliver), 1);
        reject(new Error(`no ${what} within ${timeoutMs} ms`));
      }, timeoutMs);
      this.waiting.push(deliver);
    });
  }
}

export class UdpWire implements Wire {
  readonly transport = 'UDP';
  private readonly inbox = new Inbox<{ octets: string; fromPort: number; fromAddress: string }>();

  private constructor(
    private readonly socket: UdpSocket,
    private readonly server: ServerAddress,
    private readonly localAddress: string,
  ) {
    socket.on('message', (bytes, source) => {
      this.inbox.put({
        octets: bytes.toString('latin1'),
        fromPort: source.port,
        fromAddress: source.address,
      });
    });
  }

  /** Binds a free port of the server's address, or of another one given. */
  static async open(server: ServerAddress, localAddress = server.host): Promise<UdpWire> {
    const socket = createSocket({ type: isIPv6(localAddress) ? 'udp6' : 'udp4' });
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(0, localAddress, resolve);
    });
    return new UdpWire(socket, server, localAddress);
  }

  get localPort(): number {
    return this.socket.address().port;
  }

  get sentBy(): string {
    return `${bracketed(this.localAddress)}:${this.localPort}`;
  }

  /** How many datagrams have come that nobody has taken. */
  get unread(): number {
    return this.inbox.count;
  }

  send(octets: string): void {
    this.socket.send(Buffer.from(octets, 'latin1'), this.server.port, this.server.host);
  }

  async receive(): Promise<SipAnswer> {
    return readAnswer((await this.inbox.take('answer over UDP')).octets);
  }

  /** The next datagram with where it came from. */
  receiveFrom(): Promise<{ octets: string; fromPort: number; fromAddress: string }> {
    return this.inbox.take('datagram');
  }

  /** Resolves with everything that comes within that time. */
  async receiveAllWithin(milliseconds: number): Promise<readonly string[]> {
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    const all: string[] = [];
    while (this.inbox.count > 0) all.push((await this.inbox.take('datagram')).octets);
    return all;
  }

  close(): void {
    this.socket.close();
  }
}

export class TcpWire implements Wire {
  readonly transport = 'TCP';
  readonly localPort: number;
  private readonly localAddress: string;
  private buffered = '';
  private ended = false;
  private readonly changes = new Set<() => void>();

  private constructor(private readonly socket: TcpSocket) {
    this.localPort = socket.localPort ?? 0;
    this.localAddress = socket.localAddress ?? '';
    socket.on('data', (chunk) => {
      this.buffered += chunk.toString('latin1');
      this.changed();
    });
    socket.on('close', () => {
      this.ended = true;
      this.changed();
    });
    // A reset shows as the end.
    socket.on('error', () => undefined);
  }

  static async open(server: ServerAddress): Promise<TcpWire> {
    const socket = connect({ host: server.host, port: server.port, noDelay: true });
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.once('connect', resolve);
    });
    return new TcpWire(socket);
  }

  get sentBy(): string {
    return `${bracketed(this.localAddress)}:${this.localPort}`;
  }

  /** What has come and nobody has taken. */
  get unread(): string {
    return this.buffered;
  }

  send(octets: string): void {
    this.socket.write(Buffer.from(octets, 'latin1'));
  }

  receive(): Promise<SipAnswer> {
    return this.until('answer over TCP', () => {
      const length = lengthOfFirstAnswer(this.buffered);
      return length === undefined ? undefined : readAnswer(this.take(length));
    });
  }

  /** Exactly so many octets. */
  receiveOctets(count: number): Promise<string> {
    return this.until(`${count} octets over TCP`, () =>
      this.buffered.length < count ? undefined : this.take(count),
    );
  }

  /** Resolves when the server has closed the connection. */
  async closedByServer(): Promise<void> {
    await this.until('end of the connection', () => (this.ended ? true : undefined));
  }

  get isClosed(): boolean {
    return this.ended;
  }

  close(): void {
    this.socket.destroy();
  }

  private take(length: number): string {
    const octets = this.buffered.slice(0, length);
    this.buffered = this.buffered.slice(length);
    return octets;
  }

  private changed(): void {
    for (const look of this.changes) look();
  }

  private until<T>(what: string, look: () => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        clearTimeout(timer);
        this.changes.delete(check);
      };
      const check = (): void => {
        try {
          const found = look();
          if (found !== undefined) {
            finish();
            resolve(found);
          } else if (this.ended) {
            finish();
            reject(new Error(`the connection ended before the ${what}`));
          }
        } catch (error) {
          finish();
          reject(error);
        }
      };
      const timer = setTimeout(() => {
        finish();
        reject(new Error(`no ${what} within ${ANSWER_TIMEOUT_MS} ms`));
      }, ANSWER_TIMEOUT_MS);
      this.changes.add(check);
      check();
    });
  }
}

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}
