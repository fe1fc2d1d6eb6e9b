import { spawnSync } from 'node:child_process';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { expect, it, onTestFinished } from 'vitest';
import { Tally } from '../../../src/base/tally.js';
import { type TransportEvent, UdpTransport } from '../../../src/sip/transport/udp.js';
import { message, Receiver } from './receiver.js';

async function scene(address = '127.0.0.1') {
  const receiver = new Receiver();
  const tally = new Tally<TransportEvent>();
  const transport = await UdpTransport.bind({ address, port: 0, receiver, tally });
  onTestFinished(() => transport.close());
  const phone = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  await new Promise<void>((resolve) => phone.bind(0, address, resolve));
  onTestFinished(() => new Promise((resolve) => phone.close(() => resolve())));
  const send = (bytes: string | Buffer) => phone.send(bytes, transport.port, address);
  return { receiver, tally, transport, phone, send };
}

async function nextOf(socket: Socket): Promise<{ readonly text: string; readonly source: RemoteInfo }> {
  const [bytes, source] = (await once(socket, 'message')) as [Buffer, RemoteInfo];
  return { text: bytes.toString('latin1'), source };
}

it.each(['127.0.0.1', '::1'])(
  '38: a datagram comes with its source, and the answer goes out of the same socket (%s)',
  async (address) => {
    const { receiver, transport, phone, send } = await scene(address);
    send(message('a'));
    const [received] = await receiver.until(1);
    expect(received?.text).toBe(message('a'));
    expect(received?.flow).toMatchObject({
      transport: 'udp',
      id: null,
      remoteAddress: address,
      remotePort: phone.address().port,
    });
    const answer = nextOf(phone);
    received?.flow.respond(Buffer.from('SIP/2.0 200 OK'), { address, port: phone.address().port });
    expect(await answer).toMatchObject({ text: 'SIP/2.0 200 OK', source: { address, port: transport.port } });
  },
);

it.each<[string, string | Buffer, TransportEvent]>([
  ['double CRLF', '\r\n\r\n', 'keepalive'],
  ['a single CRLF', '\r\n', 'keepalive'],
  ['nothing', '', 'keepalive'],
  ['a STUN binding request', Buffer.concat([Buffer.from([0, 1, 0, 0]), Buffer.alloc(16, 7)]), 'stun_ignored'],
  ['noise', 'hello', 'too_short'],
])('a keep-alive is no message: %s', async (_, bytes, event) => {
  const { receiver, tally, send } = await scene();
  send(bytes);
  send(message('after'));
  const [received] = await receiver.until(1);
  expect(received?.text).toBe(message('after'));
  expect([...tally.entries()]).toEqual([[event, 1]]);
});

it('40: CRLFs may stand before a message', async () => {
  const { receiver, send } = await scene();
  send(`\r\n\r\n${message('a')}`);
  expect((await receiver.until(1))[0]?.text).toBe(`\r\n\r\n${message('a')}`);
});

it('an answer that can not be sent is counted, and nothing falls over', async () => {
  const { receiver, tally, send } = await scene();
  send(message('a'));
  const [received] = await receiver.until(1);
  // An IPv6 address on an IPv4 socket, and more than a datagram holds.
  received?.flow.respond(Buffer.from('x'), { address: '::1', port: 5060 });
  received?.flow.respond(Buffer.alloc(70_000), { address: '127.0.0.1', port: 5060 });
  send(message('b'));
  await receiver.until(2);
  expect(tally.of('send_failed')).toBe(2);
});

it('an answer after the end goes nowhere', async () => {
  const { receiver, transport, send } = await scene();
  send(message('a'));
  const [received] = await receiver.until(1);
  const closed = transport.close();
  received?.flow.respond(Buffer.from('late'), { address: '127.0.0.1', port: 5060 });
  await closed;
  await transport.close();
});

const RAW_SENDER = `
import socket, struct, sys
text = sys.stdin.buffer.read()
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
raw.sendto(struct.pack('!HHHH', 0, int(sys.argv[1]), 8 + len(text), 0) + text, ('127.0.0.1', 0))
`;

it('a datagram from port 0, which can not be answered, is dropped', async ({ skip }) => {
  const { receiver, tally, transport, send } = await scene();
  const sent = spawnSync('python3', ['-c', RAW_SENDER, String(transport.port)], { input: message('zero') });
  if (sent.status !== 0) skip('needs python3 and the right to open raw sockets');
  send(message('after'));
  expect((await receiver.until(1))[0]?.text).toBe(message('after'));
  expect(tally.of('unanswerable')).toBe(1);
});
