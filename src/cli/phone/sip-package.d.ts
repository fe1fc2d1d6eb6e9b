/** What is used here of the npm package `sip` 0.0.6, which brings no types. Texts are octet strings. */
declare module 'sip' {
  export type SipParams = Record<string, string | null>;

  export interface SipAddress {
    name?: string | undefined;
    uri: string;
    params?: SipParams;
  }

  export interface SipVia {
    version?: string;
    protocol?: string;
    host?: string;
    port?: number | undefined;
    params: SipParams;
  }

  /** A header that the package takes apart is a value of its own shape; any other is a text. */
  export interface SipHeaders {
    via: SipVia[];
    to: SipAddress;
    from: SipAddress;
    'call-id': string;
    cseq: { seq: number; method: string };
    contact?: '*' | SipAddress[];
    authorization?: Record<string, string>[];
    'www-authenticate'?: Record<string, string>[];
    [name: string]: unknown;
  }

  export interface SipPackageRequest {
    method: string;
    uri: string;
    status?: undefined;
    headers: SipHeaders;
    content?: string;
  }

  export interface SipPackageResponse {
    method?: undefined;
    status: number;
    reason: string;
    headers: SipHeaders;
    content?: string;
  }

  export type SipPackageMessage = SipPackageRequest | SipPackageResponse;

  export interface SipTarget {
    protocol: string;
    address: string;
    port: number;
  }

  export interface SipConnection {
    send(message: SipPackageMessage): void;
    release(): void;
  }

  export interface SipTransport {
    open(target: SipTarget, onError: (error: Error) => void): SipConnection;
    /** The connection a message came over; nothing when it is closed by now. */
    get(target: SipTarget): SipConnection | undefined;
    destroy(): void;
  }

  export interface SipClientTransaction {
    message(response: SipPackageResponse): void;
    shutdown(): void;
  }

  export interface SipServerTransaction {
    send(response: SipPackageResponse): void;
    message(request: SipPackageRequest): void;
    shutdown(): void;
  }

  export interface SipTransactionLayer {
    createClientTransaction(
      connection: SipConnection,
      request: SipPackageRequest,
      onResponse: (response: SipPackageResponse) => void,
    ): SipClientTransaction;
    createServerTransaction(request: SipPackageRequest, connection: SipConnection): SipServerTransaction;
    getClient(message: SipPackageResponse): SipClientTransaction | undefined;
    getServer(message: SipPackageRequest): SipServerTransaction | undefined;
    destroy(): void;
  }

  export interface SipOptions {
    /** The address that sockets are bound to and that stands in Via. */
    address: string;
    port: number;
    udp: boolean;
    tcp: boolean;
    logger?: {
      send?: (message: SipPackageMessage, target: SipTarget) => void;
      recv?: (message: SipPackageMessage, remote: SipTarget) => void;
    };
  }

  interface SipPackage {
    makeTransport(
      options: SipOptions,
      onMessage: (message: SipPackageMessage, remote: SipTarget) => void,
    ): SipTransport;
    makeTransactionLayer(options: SipOptions, open: SipTransport['open']): SipTransactionLayer;
    makeResponse(request: SipPackageRequest, status: number, reason: string): SipPackageResponse;
    stringify(message: SipPackageMessage): string;
  }

  const sip: SipPackage;
  // biome-ignore lint/style/noDefaultExport: a CommonJS package is a default export to us.
  export default sip;
}
