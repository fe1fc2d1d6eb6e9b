import { randomBytes } from 'node:crypto';
import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import { AccountService } from '../../src/accounts/account-service.js';
import { SecretSeal } from '../../src/accounts/secret-seal.js';
import { Authenticator } from '../../src/auth/authenticator.js';
import { ha1OfText } from '../../src/auth/digest.js';
import { systemClock as clock } from '../../src/base/clock.js';
import { Tally } from '../../src/base/tally.js';
import { Guard } from '../../src/guard/guard.js';
import { LocationService } from '../../src/location/location-service.js';
import { Registrar } from '../../src/registrar/registrar.js';
import { ServerTransactions } from '../../src/sip/transaction/server-transactions.js';
import { UserAgentServer } from '../../src/sip/uas/user-agent-server.js';
import { openSqliteStore } from '../../src/store/sqlite/sqlite.js';
import { Phone } from '../support/phone.js';
import { readAnswer, type SipAnswer } from '../support/sip-answer.js';
import type { Wire } from '../support/sip-wire.js';
import { PASSWORD } from '../support/test-server.js';

/** The way of a REGISTER through everything but sockets and disk, for measuring what octets cost. */
export class InProcessServer {
  private constructor(private readonly uas: UserAgentServer) {}

  /** With the domain example.com and its user alice. */
  static async start(): Promise<InProcessServer> {
    const log = pino({ level: 'silent' });
    const store = openSqliteStore({ path: ':memory:', clock, log, maxQueued: 1_000 });
    onTestFinished(() => store.close());
    const seal = new SecretSeal(randomBytes(32));
    const accounts = new AccountService(store.accounts, seal, ha1OfText, clock, randomBytes(32));
    await accounts.createDomain('example.com', { maxBindingsPerUser: 1_000 });
    await accounts.createUser({
      username: 'alice',
      domain: 'example.com',
      settings: {},
      credential: { source: { kind: 'password', password: PASSWORD } },
    });
    const registrar = new Registrar({
      accounts,
      authenticator: new Authenticator(accounts, clock, {
        nonceSecret: randomBytes(32),
        nonceLifetimeSeconds: 3_600,
        maxNonceCounts: 1_000,
      }),
      location: new LocationService(store.location, { close: () => false }, clock, log),
      guard: new Guard({
        store: store.bans,
        clock,
        log,
        settings: {
          automatic: false,
          wrongResponsesPerUser: 30,
          usernamesPerSource: 15,
          wrongResponsesPerSource: 200,
          exempt: [],
        },
        banEvents: new Tally(),
        suppressed: new Tally(),
      }),
      own: { has: () => false, hasPort: () => false },
      clock,
      log,
      rejections: new Tally(),
    });
    const uas = new UserAgentServer({
      handlers: { REGISTER: (request) => registrar.handle(request) },
      transactions: new ServerTransactions({
        maxVerifiedBytes: 1e6,
        maxUnverifiedBytes: 1e6,
        maxInProgress: 100,
      }),
      clock,
      log,
      fates: new Tally(),
      responses: new Tally(),
    });
    return new InProcessServer(uas);
  }

  /**
   * Hands it over as a datagram. `work` is what the server does at once; `answered` resolves with the answer, or with
   * undefined when there will be none.
   */
  ask(octets: string): Promise<string | undefined> {
    const bytes = Buffer.from(octets, 'latin1');
    return new Promise((resolve) => {
      let isAnswered = false;
      this.uas.receive(bytes, {
        transport: 'udp',
        id: null,
        remoteAddress: '192.0.2.9',
        remotePort: 5060,
        respond: (answer) => {
          isAnswered = true;
          resolve(answer.toString('latin1'));
        },
      });
      // What waits for the store is answered within a few turns; what is not worth an answer never is.
      let turns = 0;
      const look = (): void => {
        if (isAnswered) return;
        if (turns++ < 20) setImmediate(look);
        else resolve(undefined);
      };
      look();
    });
  }

  /** A phone of alice over a wire that is a function call. */
  phone(): Phone {
    const answers: Promise<string | undefined>[] = [];
    const wire: Wire = {
      transport: 'UDP',
      localPort: 5060,
      sentBy: '192.0.2.9:5060',
      send: (octets) => {
        answers.push(this.ask(octets));
      },
      receive: async (): Promise<SipAnswer> => readAnswer((await answers.shift()) ?? ''),
      close: () => undefined,
    };
    return new Phone(wire, { user: 'alice', domain: 'example.com', password: PASSWORD });
  }
}
