import { expect, test } from 'vitest';
import { Phone } from '../support/phone.js';
import { builtProgram, ServerProcess, temporaryFolder } from '../support/server-process.js';
import { UdpWire } from '../support/sip-wire.js';
import { PASSWORD } from '../support/test-server.js';

const USERS = 16;
/** Contacts that one phone plays with; under the limit of bindings below. */
const CONTACTS = 40;
const LOAD_MS = 1_200;

const main = builtProgram();

/** What a phone knows of one of its contacts. */
interface Known {
  /** The CSeq of the last REGISTER about it that was answered 200; undefined when that removed it. */
  acknowledged: number | undefined;
  /** What that becomes by one that was sent and not answered: it may have happened or not. */
  inTheAir: { readonly result: number | undefined } | undefined;
}

/** A phone that registers, refreshes and removes without pause, and remembers what it was told. */
class BusyPhone {
  readonly known = new Map<string, Known>();
  acknowledgements = 0;
  private cseq = 0;

  constructor(readonly user: string) {}

  /** Works until the server is killed, and stops with one request in the air. */
  async run(port: number, killed: Promise<undefined>): Promise<void> {
    const wire = await UdpWire.open({ host: '127.0.0.1', port });
    const phone = new Phone(wire, { user: this.user, domain: 'example.com', password: PASSWORD });
    await phone.fetchChallenge();
    for (let turn = 0; ; turn++) {
      const contact = `sip:${this.user}@192.0.2.1:${20_000 + (turn % CONTACTS)}`;
      const isRemoval = turn % 7 === 6;
      const cseq = ++this.cseq;
      const known = this.known.get(contact) ?? { acknowledged: undefined, inTheAir: undefined };
      known.inTheAir = { result: isRemoval ? undefined : cseq };
      this.known.set(contact, known);
      const octets = phone.compose({
        callId: this.user,
        cseq,
        contacts: [`<${contact}>`],
        expires: isRemoval ? 0 : 3600,
      });
      const answer = await Promise.race([phone.exchange(octets).catch(() => undefined), killed]);
      if (answer === undefined) break;
      expect(answer.status).toBe(200);
      known.acknowledged = isRemoval ? undefined : cseq;
      known.inTheAir = undefined;
      this.acknowledgements++;
    }
    wire.close();
  }
}

test('after kill -9 under load every acknowledged REGISTER is there, and nothing that was acknowledged as removed', async () => {
  const dataDir = temporaryFolder();
  const phones = Array.from({ length: USERS }, (_, n) => new BusyPhone(`user${n}`));
  let server = await ServerProcess.start(main(), dataDir);
  await server.api('POST', '/v1/domains', { name: 'example.com', max_bindings_per_user: 100 });
  for (const { user } of phones) {
    const made = await server.api('POST', '/v1/users', {
      username: user,
      domain: 'example.com',
      credential: { password: PASSWORD },
    });
    expect(made.status).toBe(201);
  }

  for (let round = 1; round <= 2; round++) {
    const { sipPort } = server;
    const before = phones.reduce((sum, { acknowledgements }) => sum + acknowledgements, 0);
    const killed = server.ended.then(() => undefined);
    const running = phones.map((phone) => phone.run(sipPort, killed));
    await new Promise((resolve) => setTimeout(resolve, LOAD_MS));
    expect((await server.end('SIGKILL')).signal).toBe('SIGKILL');
    await Promise.all(running);
    const acknowledged = phones.reduce((sum, { acknowledgements }) => sum + acknowledgements, 0) - before;
    expect(acknowledged).toBeGreaterThan(USERS * 5);

    server = await ServerProcess.start(main(), dataDir);
    const stored = new Map((await server.allBindings()).map(({ contact, cseq }) => [contact, cseq]));
    for (const { known } of phones) {
      for (const [contact, { acknowledged, inTheAir }] of known) {
        const possible = inTheAir === undefined ? [acknowledged] : [acknowledged, inTheAir.result];
        expect(possible).toContain(stored.get(contact));
        // What was in the air is settled now, one way or the other.
        known.set(contact, { acknowledged: stored.get(contact), inTheAir: undefined });
      }
    }
  }
}, 40_000);
