import type { Clock } from '../../base/clock.js';
import type { Log } from '../../base/log.js';
import type { Tally } from '../../base/tally.js';
import type { MessageReceiver } from './flow.js';
import { TcpTransport } from './tcp.js';
import { type TransportEvent, UdpTransport } from './udp.js';

export interface ListenOptions {
  readonly addresses: readonly string[];
  /** Leaves out addresses that the machine does not have (an IPv4-only machine and `::`). */
  readonly isDefaultAddresses: boolean;
  /** 0 takes one that is free for UDP and TCP on every address. */
  readonly port: number;
  readonly tcpMaxConnections: number;
  readonly tcpMaxConnectionsPerSource?: number;
  readonly tcpIdleSeconds: number;
  readonly receiver: MessageReceiver;
  readonly tally: Tally<TransportEvent>;
  readonly clock: Clock;
  readonly log: Log;
}

export interface SipListener {
  readonly transport: 'udp' | 'tcp';
  readonly address: string;
  readonly port: number;
}

/** All SIP listeners of a server. */
export interface SipListeners {
  readonly list: readonly SipListener[];
  tcpConnections(): number;
  /** Closes a connection; false when it is gone already. */
  closeFlow(flowId: string): boolean;
  close(): Promise<void>;
}

/** A SIP address or port can't be listened on; `setting` says which setting is at fault. */
export class ListenRefused extends Error {
  readonly code = 'listen_refused';
  constructor(
    readonly setting: 'REGISTRAR_SIP_HOST' | 'REGISTRAR_SIP_PORT',
    detail: string,
  ) {
    super(detail);
  }
}

/** How often a free port is looked for that is free everywhere. */
const PORT_ATTEMPTS = 20;

type Opened = { readonly udp: UdpTransport; readonly tcp: TcpTransport };

/** Listens on UDP and TCP at every address. @throws ListenRefused when one of them can't be had. */
export async function listenSip(options: ListenOptions): Promise<SipListeners> {
  for (let attempt = 1; ; attempt++) {
    const opened: Opened[] = [];
    try {
      let port = options.port;
      for (const address of options.addresses) {
        try {
          const pair = await openPair(address, port, options);
          opened.push(pair);
          port = pair.tcp.port;
        } catch (error) {
          if (!options.isDefaultAddresses || !isAbsentAddress(error)) throw explain(error, address, port);
          options.log.info({ event: 'sip.address_absent', address });
        }
      }
      if (opened.length === 0) {
        throw new ListenRefused('REGISTRAR_SIP_HOST', 'none of the addresses can be listened on');
      }
      return asListeners(opened);
    } catch (error) {
      await closeAll(opened);
      if (options.port !== 0 || attempt >= PORT_ATTEMPTS) throw error;
    }
  }
}

async function openPair(address: string, port: number, options: ListenOptions): Promise<Opened> {
  const { receiver, tally, clock } = options;
  const tcp = await TcpTransport.listen({
    address,
    port,
    receiver,
    tally,
    clock,
    maxConnections: options.tcpMaxConnections,
    maxConnectionsPerSource: options.tcpMaxConnectionsPerSource,
    idleSeconds: options.tcpIdleSeconds,
  });
  try {
    return { tcp, udp: await UdpTransport.bind({ address, port: tcp.port, receiver, tally }) };
  } catch (error) {
    await tcp.close();
    throw error;
  }
}

function asListeners(opened: readonly Opened[]): SipListeners {
  return {
    list: opened.flatMap(({ udp, tcp }) => [
      { transport: 'udp' as const, address: udp.address, port: udp.port },
      { transport: 'tcp' as const, address: tcp.address, port: tcp.port },
    ]),
    tcpConnections: () => opened.reduce((sum, { tcp }) => sum + tcp.connections, 0),
    closeFlow: (flowId) => opened.some(({ tcp }) => tcp.closeFlow(flowId)),
    close: () => closeAll(opened),
  };
}

async function closeAll(opened: readonly Opened[]): Promise<void> {
  await Promise.all(opened.flatMap(({ udp, tcp }) => [udp.close(), tcp.close()]));
}

function isAbsentAddress(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL';
}

function explain(error: unknown, address: string, port: number): ListenRefused {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE')
    return new ListenRefused('REGISTRAR_SIP_PORT', `port ${port} on ${address} is taken`);
  if (code === 'EACCES') {
    return new ListenRefused('REGISTRAR_SIP_PORT', `port ${port} needs rights that this user does not have`);
  }
  return new ListenRefused('REGISTRAR_SIP_HOST', `can't listen on ${address}: ${message}`);
}
