import { setTimeout as sleep } from 'node:timers/promises';
import { Registration, type RegistrationResult } from '../phone/registration.js';
import { countContacts, explainFailure } from '../phone/report.js';
import type { Hop, PhoneTransport } from '../phone/user-agent.js';
import type { AdminApi } from './admin-api.js';
import { openSocketClient } from './socket-client.js';

/** One line about something that happened: who, and what. */
export type Say = (who: string, what: string) => void;

export const DEMO_DOMAIN = 'example.com';

/** The users of the demo, with the passwords they were given. */
export const DEMO_USERS = [
  { username: 'alice', displayName: 'Alice' },
  { username: 'bob', displayName: 'Bob' },
  { username: 'carol', displayName: 'Carol' },
  { username: 'dave', displayName: 'Dave' },
] as const;
export type DemoUsername = (typeof DEMO_USERS)[number]['username'];

/** What goes on depends on these. */
export interface Stage {
  readonly registrar: { readonly [Transport in PhoneTransport]: Hop };
  readonly passwords: Readonly<Record<DemoUsername, string>>;
  readonly api: AdminApi;
  readonly say: Say;
  readonly ended: AbortSignal;
}

/** Real phones come back at half of that; these do so more often, to have something to see. */
const EXPIRES_SECONDS = 60;

/**
 * Plays all parts at once until it is ended: phones that stay, one that comes and goes, one with a wrong password,
 * and an administrator. Resolves when every phone has unregistered.
 */
export async function play(stage: Stage): Promise<void> {
  const { alice, bob, carol } = stage.passwords;
  const desk = { username: 'alice', device: 'desk phone', transport: 'udp', password: alice } as const;
  const mobile = { username: 'alice', device: 'mobile', transport: 'tcp', password: alice } as const;
  const meeting = { username: 'bob', device: 'meeting room phone', transport: 'udp', password: bob } as const;
  const softphone = { username: 'carol', device: 'softphone', transport: 'tcp', password: carol } as const;
  const stranger = { username: 'dave', device: 'old phone', transport: 'udp', password: 'letmein' } as const;
  const failed = new AbortController();
  const cast: Stage = { ...stage, ended: AbortSignal.any([stage.ended, failed.signal]) };
  const parts = [
    staysRegistered(cast, desk, { afterMs: 0, everyMs: 7_000 }),
    staysRegistered(cast, mobile, { afterMs: 700, everyMs: 11_000 }),
    staysRegistered(cast, meeting, { afterMs: 1_400, everyMs: 9_000 }),
    comesAndGoes(cast, softphone, { afterMs: 2_100, everyMs: 5_000 }),
    knowsNoPassword(cast, stranger, { afterMs: 3_000, everyMs: 20_000 }),
    administers(cast, { afterMs: 4_000, everyMs: 15_000 }),
  ];
  // Who fails ends it for all: a demo with a part missing would mislead.
  const played = parts.map((part) =>
    part.catch((error: unknown) => {
      failed.abort();
      throw error;
    }),
  );
  await Promise.allSettled(played);
  await Promise.all(played);
}

interface Actor {
  readonly username: DemoUsername;
  readonly device: string;
  readonly transport: PhoneTransport;
  readonly password: string;
}

interface Rhythm {
  readonly afterMs: number;
  readonly everyMs: number;
}

async function staysRegistered(stage: Stage, actor: Actor, { afterMs, everyMs }: Rhythm): Promise<void> {
  await withPhone(stage, actor, afterMs, async (registration, tell) => {
    tell('registers', await registration.register(EXPIRES_SECONDS));
    while (await passes(everyMs, stage.ended)) {
      tell('refreshes', await registration.register(EXPIRES_SECONDS));
    }
    tell('unregisters', await registration.unregister());
  });
}

async function comesAndGoes(stage: Stage, actor: Actor, { afterMs, everyMs }: Rhythm): Promise<void> {
  await withPhone(stage, actor, afterMs, async (registration, tell) => {
    do {
      tell('registers', await registration.register(EXPIRES_SECONDS));
      await passes(everyMs / 2, stage.ended);
      tell('unregisters', await registration.unregister());
    } while (await passes(everyMs, stage.ended));
  });
}

async function knowsNoPassword(stage: Stage, actor: Actor, { afterMs, everyMs }: Rhythm): Promise<void> {
  await withPhone(stage, actor, afterMs, async (registration, tell) => {
    do {
      tell('tries to register', await registration.register(EXPIRES_SECONDS));
    } while (await passes(everyMs, stage.ended));
  });
}

/** Looks, and every other time forces Bob's phone off, which comes back with its next refresh. */
async function administers({ api, say, ended }: Stage, { afterMs, everyMs }: Rhythm): Promise<void> {
  if (!(await passes(afterMs, ended))) return;
  do {
    const { bindings, users } = await api.countBindings();
    say('admin', `GET /v1/bindings: ${bindings} bindings of ${users} users`);
    if (!(await passes(everyMs / 2, ended))) return;
    const address = `bob@${DEMO_DOMAIN}`;
    const removed = await api.removeBindings(address);
    say(
      'admin',
      `DELETE /v1/users/${address}/bindings: ${removed} removed; the phone is back at its next refresh`,
    );
  } while (await passes(everyMs, ended));
}

/** Opens a phone when its time has come, and lets go of it whatever happens. */
async function withPhone(
  stage: Stage,
  { username, device, transport, password }: Actor,
  afterMs: number,
  use: (
    registration: Registration,
    tell: (what: string, result: RegistrationResult) => void,
  ) => Promise<void>,
): Promise<void> {
  if (!(await passes(afterMs, stage.ended))) return;
  const aor = `sip:${username}@${DEMO_DOMAIN}`;
  const client = await openSocketClient(stage.registrar[transport]);
  try {
    const suffix = transport === 'tcp' ? ';transport=tcp' : '';
    const registration = new Registration(client, {
      aor,
      requestUri: `sip:${DEMO_DOMAIN}`,
      contact: `sip:${username}@127.0.0.1:${client.localPort}${suffix}`,
      identity: { username, password },
      userAgent: `demo ${device}`,
    });
    await use(registration, (what, result) => {
      const outcome =
        result.kind === 'done'
          ? `200, ${username} has ${result.contacts.length === 0 ? 'no contact' : countContacts(result.contacts)}`
          : explainFailure(result, aor);
      stage.say(username, `${device} ${what} over ${transport.toUpperCase()}: ${outcome}`);
    });
  } finally {
    client.close();
  }
}

/** Whether that time passed without an end. */
function passes(milliseconds: number, ended: AbortSignal): Promise<boolean> {
  if (ended.aborted) return Promise.resolve(false);
  return sleep(milliseconds, true, { signal: ended }).catch(() => false);
}
