import type { Flow, MessageReceiver } from '../../../src/sip/transport/flow.js';

export interface Received {
  readonly text: string;
  readonly flow: Flow;
  /** Of a broken stream: what the transport says is wrong. */
  readonly broken?: { readonly status: number; readonly reason: string } | undefined;
}

/** Takes what a transport hands over, and gives it to whoever waits for it. */
export class Receiver implements MessageReceiver {
  readonly all: Received[] = [];
  onMessage: (received: Received) => void = () => undefined;
  private readonly waiting: (() => void)[] = [];

  receive(bytes: Buffer, flow: Flow): void {
    this.take({ text: bytes.toString('latin1'), flow });
  }

  receiveBroken(head: Buffer, status: number, reason: string, _detail: string, flow: Flow): void {
    this.take({ text: head.toString('latin1'), flow, broken: { status, reason } });
  }

  /** Resolves when `count` messages have come in all. */
  async until(count: number): Promise<readonly Received[]> {
    while (this.all.length < count) await new Promise<void>((resolve) => this.waiting.push(resolve));
    return this.all;
  }

  private take(received: Received): void {
    this.all.push(received);
    this.onMessage(received);
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}

export function message(callId: string, body = ''): string {
  return `REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/TCP h\r\nCall-ID: ${callId}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}
