import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { expect, it, onTestFinished, vi } from 'vitest';
import { Tally } from '../../../src/base/tally.js';
import { type TcpOptions, TcpTransport } from '../../../src/sip/transport/tcp.js';
import type { TransportEvent } from '../../../src/sip/transport/udp.js';
import { VirtualClock } from '../../support/virtual-clock.js';
import { message, Receiver } from './receiver.js';

const TARGET = { address: '127.0.0.1', port: 1 };

async function scene(options: Partial<TcpOptions> = {}) {
  const receiver = new Receiver();
  const tally = new Tally<TransportEvent>();
  const transport = await TcpTransport.listen({
    address: '127.0.0.1',
    port: 0,
    receiver,
    tally,
    clock: new VirtualClock(),
    maxConnections: 10,
    idleSeconds: 600,
    ...options,
  });
  onTestFinished(() => transport.close());
  const dial = async (): Promise<Socket> => {
    const socket = connect(transport.port, transport.address);
    socket.on('error', () => undefined);
    onTestFinished(() => {
      socket.destroy();
    });
    await once(socket, 'connect');
    return socket;
  };
  return { receiver, tally, transport, dial };
}

/** Everything a peer gets until the connection is closed. */
async function untilClosed(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (bytes) => {
    text += bytes.toString('latin1');
  });
  // Not events.once: a connection that is reset is closed as well.
  await new Promise<void>((resolve) => socket.once('close', () => resolve()));
  return text;
}

const soon = (check: () => void) => vi.waitFor(check, { timeout: 5_000, interval: 5 });

it('40: several messages in one segment, and one over several, come whole and in order', async () => {
  const { receiver, dial } = await scene();
  const phone = await dial();
  const text = `${message('a')}${message('b', 'body')}${message('c')}`;
  phone.write(text.slice(0, -30));
  await receiver.until(2);
  for (const octet of text.slice(-30)) phone.write(octet);
  expect((await receiver.until(3)).map(({ text: whole }) => whole)).toEqual([
    message('a'),
    message('b', 'body'),
    message('c'),
  ]);
});

it('39: an answer goes back on the connection the request came on', async () => {
  const { receiver, dial } = await scene();
  const phone = await dial();
  phone.write(message('a'));
  const [received] = await receiver.until(1);
  expect(received?.flow).toMatchObject({
    transport: 'tcp',
    remoteAddress: '127.0.0.1',
    remotePort: phone.localPort,
  });
  expect(received?.flow.id).toMatch(/^flw_/);
  received?.flow.respond(Buffer.from('SIP/2.0 200 OK'), TARGET);
  expect(String((await once(phone, 'data'))[0])).toBe('SIP/2.0 200 OK');
});

it('39: when the connection is closed, a new one is opened to where the Via points', async () => {
  const { receiver, dial, transport } = await scene();
  const listener = createServer();
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    listener.close();
  });
  const port = (listener.address() as { port: number }).port;
  const phone = await dial();
  phone.write(message('a'));
  const [received] = await receiver.until(1);
  phone.resetAndDestroy();
  await soon(() => expect(transport.connections).toBe(0));
  const called = once(listener, 'connection');
  received?.flow.respond(Buffer.from('SIP/2.0 200 OK'), { address: '127.0.0.1', port });
  const [reply] = (await called) as [Socket];
  expect(await untilClosed(reply)).toBe('SIP/2.0 200 OK');
});

it('39: a peer that sends no more but still reads is answered on its connection', async () => {
  const { receiver, dial } = await scene();
  const phone = await dial();
  phone.end(message('a'));
  const answered = untilClosed(phone);
  const [received] = await receiver.until(1);
  await new Promise((resolve) => setTimeout(resolve, 50));
  received?.flow.respond(Buffer.from('SIP/2.0 200 OK'), TARGET);
  expect(await answered).toBe('SIP/2.0 200 OK');
});

it('39: a peer that had gone for good when it was answered gets the answer where its Via points', async () => {
  const { receiver, dial } = await scene();
  const listener = createServer();
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    listener.close();
  });
  const port = (listener.address() as { port: number }).port;
  const phone = await dial();
  phone.write(message('a'));
  const [received] = await receiver.until(1);
  phone.destroy();
  await once(phone, 'close');
  await new Promise((resolve) => setTimeout(resolve, 50));
  const called = once(listener, 'connection');
  received?.flow.respond(Buffer.from('SIP/2.0 200 OK'), { address: '127.0.0.1', port });
  const [reply] = (await called) as [Socket];
  expect(await untilClosed(reply)).toBe('SIP/2.0 200 OK');
});

it('39: an answer that finds nobody there is counted', async () => {
  const { receiver, dial, transport, tally } = await scene();
  const phone = await dial();
  phone.write(message('a'));
  const [received] = await receiver.until(1);
  phone.resetAndDestroy();
  await soon(() => expect(transport.connections).toBe(0));
  received?.flow.respond(Buffer.from('SIP/2.0 200 OK'), TARGET);
  await soon(() => expect(tally.of('reply_connection_failed')).toBe(1));
});

it('40: a double CRLF is answered with a single one, and is no message', async () => {
  const { receiver, dial, tally } = await scene();
  const phone = await dial();
  phone.write('\r\n\r\n');
  expect(String((await once(phone, 'data'))[0])).toBe('\r\n');
  phone.write(`\r\n${message('a')}`);
  expect((await receiver.until(1))[0]?.text).toBe(message('a'));
  expect(tally.of('keepalive')).toBe(1);
});

it('40: a message without Content-Length gets its answer, and the connection is closed', async () => {
  const { receiver, dial, tally } = await scene();
  receiver.onMessage = ({ flow, broken }) => flow.respond(Buffer.from(`SIP/2.0 ${broken?.status}`), TARGET);
  const phone = await dial();
  phone.write('REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/TCP h\r\n\r\n');
  expect(await untilClosed(phone)).toBe('SIP/2.0 400');
  expect(receiver.all[0]).toMatchObject({ broken: { status: 400 } });
  expect(receiver.all[0]?.text).toContain('Via: SIP/2.0/TCP h');
  expect(tally.of('connection_broken')).toBe(1);
});

it('what comes after a broken message is not read', async () => {
  const { receiver, dial } = await scene();
  const phone = await dial();
  phone.write(`\x16\x03\x01${message('a')}`);
  await untilClosed(phone);
  expect(receiver.all.map(({ broken }) => broken?.status)).toEqual([400]);
});

it('more connections than there may be are closed at once, and there is room again when one ends', async () => {
  const { dial, transport, tally, receiver } = await scene({ maxConnections: 2 });
  const [first] = [await dial(), await dial()];
  await soon(() => expect(transport.connections).toBe(2));
  expect(await untilClosed(await dial())).toBe('');
  expect([tally.of('connection_refused_full'), transport.connections]).toEqual([1, 2]);
  first?.destroy();
  await soon(() => expect(transport.connections).toBe(1));
  (await dial()).write(message('a'));
  await receiver.until(1);
});

it('a silent connection is closed', async () => {
  const { dial, tally } = await scene({ idleSeconds: 0.05 });
  await untilClosed(await dial());
  expect(tally.of('connection_idle')).toBe(1);
});

it('a message must be whole in time, however its octets drip', async () => {
  const { dial, tally, receiver } = await scene({ messageDeadlineMs: 60 });
  const phone = await dial();
  const drip = setInterval(() => phone.write('x'), 10);
  onTestFinished(() => clearInterval(drip));
  phone.write('REGISTER sip:example.com SIP/2.0\r\nX: ');
  await untilClosed(phone);
  expect(tally.of('connection_slow')).toBe(1);
  expect(receiver.all).toEqual([]);
});

it('a busy connection that always has the beginning of another message at hand is not slow', async () => {
  const { dial, tally, receiver } = await scene({ messageDeadlineMs: 400 });
  const phone = await dial();
  phone.write(message('0').slice(0, 20));
  for (let i = 0; i < 24; i++) {
    await new Promise((resolve) => setTimeout(resolve, 25));
    // The end of one and the beginning of the next.
    phone.write(`${message(String(i)).slice(20)}${message(String(i + 1)).slice(0, 20)}`);
  }
  await receiver.until(24);
  expect(tally.of('connection_slow')).toBe(0);
});

it('a peer that does not read is not written to without end', async () => {
  const { dial, tally, receiver, transport } = await scene({ maxUnsentBytes: 64 * 1024 });
  const phone = await dial();
  phone.pause();
  phone.write(message('a'));
  const [received] = await receiver.until(1);
  const big = Buffer.alloc(256 * 1024, 'x');
  for (let i = 0; i < 200 && tally.of('connection_backlogged') === 0; i++) {
    received?.flow.respond(big, TARGET);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(tally.of('connection_backlogged')).toBe(1);
  await soon(() => expect(transport.connections).toBe(0));
});

it('a peer that pings and does not read is let go as well', async () => {
  const { dial, tally, receiver } = await scene();
  const phone = await dial();
  phone.pause();
  phone.write(message('a'));
  const [received] = await receiver.until(1);
  // Fill the kernel's buffers and ours, below what makes a response give up.
  const chunk = Buffer.alloc(64 * 1024, 'x');
  const { socket } = received!.flow as unknown as { readonly socket: Socket };
  while (!socket.writableNeedDrain) {
    received?.flow.respond(chunk, TARGET);
    await new Promise((resolve) => setImmediate(resolve));
  }
  phone.write('\r\n\r\n');
  await soon(() => expect(tally.of('connection_backlogged')).toBe(1));
});

it('a flow is closed by its name, once', async () => {
  const { dial, receiver, transport } = await scene();
  const phone = await dial();
  phone.write(message('a'));
  const id = (await receiver.until(1))[0]?.flow.id ?? '';
  const closed = untilClosed(phone);
  expect(transport.closeFlow(id)).toBe(true);
  await closed;
  await soon(() => expect(transport.closeFlow(id)).toBe(false));
  expect(transport.closeFlow('flw_0')).toBe(false);
});

it('close ends all connections after what is being written', async () => {
  const { dial, receiver, transport } = await scene();
  const phone = await dial();
  phone.write(message('a'));
  const [received] = await receiver.until(1);
  received?.flow.respond(Buffer.from('SIP/2.0 200 OK'), TARGET);
  const [text] = await Promise.all([untilClosed(phone), transport.close()]);
  expect(text).toBe('SIP/2.0 200 OK');
});
