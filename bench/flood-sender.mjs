// The other side of flood.mjs, in a thread of its own: sends junk to a SIP server over UDP at an even rate, from many
// addresses of loopback. Kinds: garbage (no SIP), broken (SIP that breaks the grammar, with a Via), unauthenticated
// (REGISTER and OPTIONS of nobody), guessing (REGISTER with wrong passwords), or mixed.
import { createSocket } from 'node:dgram';
import { parentPort, workerData } from 'node:worker_threads';

const { port, rate, seconds, kind, sources, domain } = workerData;
const TICK_MS = 2;

const sockets = await Promise.all(
  Array.from({ length: sources }, (_, n) => {
    const socket = createSocket('udp4');
    socket.on('message', () => {
      received++;
    });
    socket.on('error', () => undefined);
    // 127.1.0.1 and on: none of them the address of a phone.
    const address = `127.1.${Math.floor(n / 250)}.${(n % 250) + 1}`;
    return new Promise((done) => socket.bind(0, address, () => done(socket)));
  }),
);
let received = 0;
let sent = 0;

const started = performance.now();
while (performance.now() - started < seconds * 1000) {
  const due = Math.min(rate * seconds, Math.floor(((performance.now() - started) / 1000) * rate));
  for (; sent < due; sent++) {
    const socket = sockets[sent % sockets.length];
    socket.send(datagram(sent), port, '127.0.0.1');
  }
  await new Promise((done) => setTimeout(done, TICK_MS));
}
await new Promise((done) => setTimeout(done, 500));
parentPort.postMessage({ sent, received, seconds: (performance.now() - started) / 1000 });
for (const socket of sockets) socket.close();

function datagram(n) {
  const kinds = ['garbage', 'broken', 'unauthenticated', 'guessing'];
  switch (kind === 'mixed' ? kinds[n % kinds.length] : kind) {
    case 'garbage':
      return Buffer.alloc(40 + (n % 400), 0x41 + (n % 26));
    case 'broken':
      return Buffer.from(register(n).replace('CSeq: 1', 'CSeq: x'), 'latin1');
    case 'guessing':
      return Buffer.from(
        register(
          n,
          `Authorization: Digest username="u${n % 1000}", realm="${domain}", nonce="${'x'.repeat(36)}", ` +
            `uri="sip:${domain}", response="${n.toString(16).padStart(32, '0')}", algorithm=MD5, cnonce="a", qop=auth, nc=00000001\r\n`,
        ),
        'latin1',
      );
    default:
      return Buffer.from(n % 8 === 0 ? register(n).replaceAll('REGISTER', 'OPTIONS') : register(n), 'latin1');
  }
}

function register(n, more = '') {
  return (
    `REGISTER sip:${domain} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKflood${n};rport\r\n` +
    `Max-Forwards: 70\r\nFrom: <sip:nobody${n}@${domain}>;tag=${n}\r\nTo: <sip:nobody${n}@${domain}>\r\n` +
    `Call-ID: flood${n}\r\nCSeq: 1 REGISTER\r\nContact: <sip:nobody@192.0.2.1>\r\nUser-Agent: flood\r\n${more}Content-Length: 0\r\n\r\n`
  );
}
