import { createSocket } from 'node:dgram';
import { expect, it, onTestFinished } from 'vitest';
import { createLog } from '../../../src/base/log.js';
import { Tally } from '../../../src/base/tally.js';
import { type ListenOptions, ListenRefused, listenSip } from '../../../src/sip/transport/listeners.js';
import { VirtualClock } from '../../support/virtual-clock.js';
import { Receiver } from './receiver.js';

async function listen(options: Partial<ListenOptions> = {}) {
  const listeners = await listenSip({
    addresses: ['127.0.0.1'],
    isDefaultAddresses: false,
    port: 0,
    tcpMaxConnections: 10,
    tcpIdleSeconds: 60,
    receiver: new Receiver(),
    tally: new Tally(),
    clock: new VirtualClock(),
    log: createLog('silent'),
    ...options,
  });
  onTestFinished(() => listeners.close());
  return listeners;
}

it('a free port is the same for UDP and TCP, on every address', async () => {
  const { list } = await listen({ addresses: ['127.0.0.1', '::1'] });
  expect(list.map(({ transport, address }) => `${transport} ${address}`)).toEqual([
    'udp 127.0.0.1',
    'tcp 127.0.0.1',
    'udp ::1',
    'tcp ::1',
  ]);
  expect(new Set(list.map(({ port }) => port)).size).toBe(1);
});

it('a port that is taken over UDP only is refused, and its TCP listener let go', async () => {
  const other = createSocket('udp4');
  await new Promise<void>((resolve) => other.bind(0, '127.0.0.1', resolve));
  const { port } = other.address();
  const refused = await listen({ port }).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(ListenRefused);
  expect(refused).toMatchObject({
    setting: 'REGISTRAR_SIP_PORT',
    message: `port ${port} on 127.0.0.1 is taken`,
  });
  await new Promise<void>((resolve) => other.close(() => resolve()));
  expect((await listen({ port })).list).toHaveLength(2);
});

it('an address that the machine lacks is refused by name, and left out when it is a default', async () => {
  const absent = '192.0.2.77';
  const refused = await listen({ addresses: [absent] }).catch((error: unknown) => error);
  expect(refused).toMatchObject({ setting: 'REGISTRAR_SIP_HOST' });
  const { list } = await listen({ addresses: ['127.0.0.1', absent], isDefaultAddresses: true });
  expect(list.map(({ address }) => address)).toEqual(['127.0.0.1', '127.0.0.1']);
  await expect(listen({ addresses: [absent], isDefaultAddresses: true })).rejects.toThrow(
    /none of the addresses/,
  );
});

it('no connection is closed by a name that nobody has', async () => {
  const listeners = await listen();
  expect([listeners.closeFlow('flw_0'), listeners.tcpConnections()]).toEqual([false, 0]);
});
