import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import type { PhoneTransport } from './user-agent.js';

/**
 * The address of this machine from which a peer is reached; nothing is sent.
 * @throws the system's error when there is no way to the peer.
 */
export async function localAddressTowards(address: string, port: number): Promise<string> {
  const socket = createSocket('udp4');
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      // Connecting a datagram socket only picks the route.
      socket.connect(port, address, () => resolve());
    });
    return socket.address().address;
  } finally {
    socket.close();
  }
}

/** The preferred port when it is free at that address, else any free one. */
export async function freePort(
  transport: PhoneTransport,
  address: string,
  preferred: number,
): Promise<number> {
  const tryPort = transport === 'udp' ? tryUdp : tryTcp;
  try {
    return await tryPort(address, preferred);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    return tryPort(address, 0);
  }
}

function tryUdp(address: string, port: number): Promise<number> {
  const socket = createSocket('udp4');
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind({ address, port, exclusive: true }, () => {
      const bound = socket.address().port;
      socket.close(() => resolve(bound));
    });
  });
}

function tryTcp(address: string, port: number): Promise<number> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: address, port, exclusive: true }, () => {
      const bound = server.address();
      server.close(() => resolve(bound !== null && typeof bound === 'object' ? bound.port : port));
    });
  });
}
