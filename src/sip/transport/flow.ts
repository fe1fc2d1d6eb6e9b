import type { TransportName } from '../../location/binding.js';
import type { MessageBound } from '../grammar/sip-parse-error.js';

/**
 * The way a message came in and its answer goes out: a connection, or for UDP the socket and the address the
 * datagram came from.
 */
export interface Flow {
  readonly transport: TransportName;
  /** Names a connection (`flw_…`); null over UDP. */
  readonly id: string | null;
  /** IPv4 or IPv6 text without brackets or zone. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  /**
   * How many octets the datagram had; absent on a stream, whose handshake has shown that the peer receives at its
   * address.
   */
  readonly datagramOctets?: number;
  /**
   * Sends a response to the Via it answers (RFC 3261 §18.2.2). Never throws; what can't be sent is counted and
   * dropped, as a network would. `isVerified` says that the peer has authenticated: its connection is kept as long as
   * the settings say.
   */
  respond(bytes: Buffer, target: ResponseTarget, isVerified?: boolean): void;
}

/** Where a response goes when its flow alone does not say it. */
export interface ResponseTarget {
  readonly address: string;
  readonly port: number;
}

/** What a transport does with the messages it receives. */
export interface MessageReceiver {
  /** One whole message. `bytes` is not reused. */
  receive(bytes: Buffer, flow: Flow): void;
  /** A stream that can't be read on; `head` is as much of the broken message's header section as came. */
  receiveBroken(
    head: Buffer,
    status: number,
    reason: string,
    detail: string,
    flow: Flow,
    bound?: MessageBound,
  ): void;
}
