import { createSocket } from 'node:dgram';
import { onTestFinished } from 'vitest';

/** A response without what is copied from the request: status line and further header lines. */
export type ScriptedResponse = string | readonly string[];

export interface ScriptedRegistrar {
  readonly server: string;
  readonly requests: readonly string[];
  /** Sends a request to the phone that spoke last and gives its answer. */
  ask(request: string): Promise<string>;
}

/**
 * A UDP registrar that answers its n-th request with the n-th response, with several when it is a list, and none when
 * the list is empty; the last one again and again. For what a real registrar does not do when asked.
 */
export async function scriptedRegistrar(
  ...script: readonly (readonly ScriptedResponse[])[]
): Promise<ScriptedRegistrar> {
  const socket = createSocket('udp4');
  const requests: string[] = [];
  let phone = { address: '', port: 0 };
  let onAnswer: ((answer: string) => void) | undefined;
  socket.on('message', (bytes, source) => {
    const text = bytes.toString('latin1');
    phone = source;
    if (text.startsWith('SIP/2.0')) {
      onAnswer?.(text);
      return;
    }
    // A retransmission is not the next request.
    if (requests.includes(text)) return;
    requests.push(text);
    const copied = text.split('\r\n').filter((line) => /^(via|from|to|call-id|cseq):/i.test(line));
    for (const response of script[Math.min(requests.length, script.length) - 1] ?? []) {
      const [status = '', ...more] = typeof response === 'string' ? [response] : response;
      const lines = [`SIP/2.0 ${status}`, ...copied, ...more, 'Content-Length: 0', '', ''];
      socket.send(Buffer.from(lines.join('\r\n'), 'latin1'), source.port, source.address);
    }
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    socket.close();
  });
  return {
    server: `127.0.0.1:${socket.address().port}`,
    requests,
    ask: (request) =>
      new Promise((resolve) => {
        onAnswer = resolve;
        socket.send(Buffer.from(request.replaceAll('\n', '\r\n'), 'latin1'), phone.port, phone.address);
      }),
  };
}

/** A 401 for example.com. */
export function challenge(nonce: string, more = ''): ScriptedResponse {
  return [
    '401 Unauthorized',
    `WWW-Authenticate: Digest realm="example.com", nonce="${nonce}", qop="auth"${more}`,
  ];
}
