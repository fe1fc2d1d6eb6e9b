import { setTimeout as sleep } from 'node:timers/promises';
import { Command, Option } from 'commander';
import { octetsOf } from '../../auth/octets.js';
import { type Clock, systemClock } from '../../base/clock.js';
import { printAddressOfRecord } from '../../location/address-of-record.js';
import { VERSION } from '../../server.js';
import { CliError } from '../cli.js';
import { wholeNumber } from '../whole-number.js';
import { localAddressTowards } from './local-address.js';
import {
  DEFAULT_SERVER,
  noWayTo,
  readAddress,
  readContact,
  readPassword,
  resolveServer,
  stableContact,
  stablePort,
} from './phone-options.js';
import { printable } from './printable.js';
import { Registration, type RegistrationResult } from './registration.js';
import { countContacts, explainFailure, listContacts, ownContact, printExpiry } from './report.js';
import { openSipPackageClient } from './sip-package-client.js';
import { createTrace } from './trace.js';
import { type ListedContact, PHONE_TRANSPORTS, type PhoneTransport } from './user-agent.js';

/** What every action of the phone takes. */
export interface PhoneOptions {
  readonly password?: string;
  readonly passwordFile?: string;
  readonly authUser?: string;
  readonly server: string;
  readonly transport: PhoneTransport;
  readonly contact?: string;
  readonly trace?: true;
  /** Seconds. */
  readonly timeout: number;
}

export interface RegisterOptions extends PhoneOptions {
  readonly expires: number;
  readonly stay?: true;
}

export interface UnregisterOptions extends PhoneOptions {
  readonly all?: true;
}

/** What a phone needs of its surroundings. */
export interface PhoneSurroundings {
  readonly clock: Clock;
  readonly write: (text: string) => void;
  /** The environment's SIP_PASSWORD. */
  readonly environmentPassword: string | undefined;
  /** Ends a phone that stays. */
  readonly ended: AbortSignal;
}

/** How long a phone that stays waits after a failed refresh, at most. */
const RETRY_SECONDS = 30;

/**
 * `phone`: registers, asks and unregisters as a phone does, and says in plain words what came back. Its SIP stack is
 * the npm package `sip`, so that it sees the registrar with other eyes than our own.
 */
export function phoneCommand(): Command {
  const command = new Command('phone')
    .description('be a phone: register an address, see what is registered, unregister')
    .exitOverride();
  action(command, 'register')
    .description('register one contact for an address such as sip:alice@example.com')
    .addOption(
      new Option('--expires <seconds>', 'how long for')
        .argParser(wholeNumber(1, 4_294_967_295))
        .default(3600),
    )
    .option('--stay', 'stay registered until Ctrl-C, then unregister')
    .action((aor: string, options: RegisterOptions) => withSurroundings(runRegister, aor, options));
  action(command, 'query')
    .description('list the contacts of an address, and change nothing')
    .action((aor: string, options: PhoneOptions) => withSurroundings(runQuery, aor, options));
  action(command, 'unregister')
    .description('remove the contact that register made')
    .option('--all', 'remove all contacts of the address, those of other phones too')
    .action((aor: string, options: UnregisterOptions) => withSurroundings(runUnregister, aor, options));
  return command;
}

/** Registers one contact. Resolves when the registrar has it, or, with `stay`, when it is gone again. */
export async function runRegister(
  address: string,
  options: RegisterOptions,
  surroundings: PhoneSurroundings,
): Promise<void> {
  await withPhone(address, options, surroundings, async (phone) => {
    const { aor, contact, registration } = phone;
    const contacts = doneOr(await registration.register(options.expires), aor);
    const own = ownContact(contacts, contact);
    if (own === undefined) {
      throw new CliError(`200 OK, but the registrar does not list our contact ${printable(contact)}`);
    }
    surroundings.write(
      `registered ${printable(aor)}: ${countContacts(contacts)}, ${printExpiry(own)}\n${listContacts(contacts)}`,
    );
    if (options.stay === true) {
      await stay(phone, own.expiresSeconds ?? options.expires, options.expires, surroundings);
    }
  });
}

/** Lists the contacts of an address. */
export async function runQuery(
  address: string,
  options: PhoneOptions,
  surroundings: PhoneSurroundings,
): Promise<void> {
  await withPhone(address, options, surroundings, async ({ aor, registration }) => {
    const contacts = doneOr(await registration.query(), aor);
    const found = contacts.length === 0 ? 'not registered' : countContacts(contacts);
    surroundings.write(`${printable(aor)}: ${found}\n${listContacts(contacts)}`);
  });
}

/** Removes the contact that this phone makes, or all of them. */
export async function runUnregister(
  address: string,
  options: UnregisterOptions,
  surroundings: PhoneSurroundings,
): Promise<void> {
  await withPhone(address, options, surroundings, async (phone) => {
    const { aor, registration } = phone;
    const result =
      options.all === true ? await registration.unregisterAll() : await registration.unregister();
    surroundings.write(describeRest(aor, doneOr(result, aor)));
  });
}

function action(command: Command, name: string): Command {
  return command
    .command(`${name} <address>`)
    .option(
      '--password <text>',
      'password; better in SIP_PASSWORD or a file, where other users do not see it',
    )
    .option('--password-file <file>', 'file that holds the password')
    .option('--auth-user <name>', 'user name for the password (default: the one in the address)')
    .addOption(
      new Option('--server <host[:port]>', 'the registrar; by default the one on this machine')
        .env('SIP_SERVER')
        .default(DEFAULT_SERVER),
    )
    .addOption(new Option('--transport <name>', 'how to get there').choices(PHONE_TRANSPORTS).default('udp'))
    .option(
      '--contact <uri>',
      'where the phone is (default: made from the address, the same in every run on this machine)',
    )
    .option('--trace', 'show every message')
    .addOption(
      new Option('--timeout <seconds>', 'how long to wait for an answer')
        .argParser(wholeNumber(1, 3600))
        .default(8),
    );
}

/** Runs an action in this process, Ctrl-C and SIGTERM ending a phone that stays. */
async function withSurroundings<Options extends PhoneOptions>(
  run: (address: string, options: Options, surroundings: PhoneSurroundings) => Promise<void>,
  address: string,
  options: Options,
): Promise<void> {
  const end = new AbortController();
  const isStaying = 'stay' in options;
  const onSignal = () => end.abort();
  if (isStaying) {
    // A second signal finds no listener and ends the process at once.
    process.once('SIGINT', onSignal);
    process.once('SIGTERM', onSignal);
  }
  try {
    await run(address, options, {
      clock: systemClock,
      write: (text) => process.stdout.write(text),
      environmentPassword: process.env.SIP_PASSWORD,
      ended: end.signal,
    });
  } finally {
    process.removeListener('SIGINT', onSignal);
    process.removeListener('SIGTERM', onSignal);
  }
}

interface Phone {
  readonly aor: string;
  readonly contact: string;
  readonly registration: Registration;
}

async function withPhone(
  address: string,
  options: PhoneOptions,
  { clock, write, environmentPassword }: PhoneSurroundings,
  use: (phone: Phone) => Promise<void>,
): Promise<void> {
  const record = readAddress(address);
  const aor = printAddressOfRecord(record);
  const password = readPassword(options.password, options.passwordFile, environmentPassword);
  const given = options.contact === undefined ? undefined : readContact(options.contact);
  const registrar = await resolveServer(options.server, options.transport);
  const localAddress = await localAddressTowards(registrar.address, registrar.port).catch((error) => {
    throw noWayTo(registrar, error);
  });
  const client = await openSipPackageClient({
    registrar,
    localAddress,
    preferredPort: stablePort(aor),
    timeoutMs: options.timeout * 1000,
    trace: options.trace === true ? createTrace(clock, write) : undefined,
  });
  try {
    const contact = given ?? stableContact(aor, localAddress, registrar);
    const username = options.authUser === undefined ? record.user : octetsOf(options.authUser);
    const registration = new Registration(client, {
      aor,
      requestUri: `sip:${record.domain}`,
      contact,
      identity: password === undefined ? undefined : { username, password: octetsOf(password) },
      userAgent: `sip-registrar-phone/${VERSION}`,
    });
    await use({ aor, contact, registration });
  } finally {
    client.close();
  }
}

/** Refreshes until it is ended, then unregisters. A refresh that fails is tried again while there is hope. */
async function stay(
  { aor, contact, registration }: Phone,
  grantedSeconds: number,
  askedSeconds: number,
  { write, ended }: PhoneSurroundings,
): Promise<void> {
  let waitSeconds = grantedSeconds / 2;
  while (await isStillOn(waitSeconds, ended)) {
    const result = await registration.register(askedSeconds);
    if (result.kind === 'done') {
      const own = ownContact(result.contacts, contact);
      waitSeconds = (own?.expiresSeconds ?? askedSeconds) / 2;
      write(`refreshed ${printable(aor)}: ${countContacts(result.contacts)}, ${printExpiry(own)}\n`);
    } else if (isHopeless(result)) {
      throw new CliError(explainFailure(result, aor));
    } else {
      const pause =
        (result.kind === 'refused' ? result.response.retryAfterSeconds : undefined) ?? RETRY_SECONDS;
      waitSeconds = Math.min(pause, grantedSeconds / 2);
      write(`not refreshed: ${explainFailure(result, aor)}; again in ${Math.ceil(waitSeconds)} s\n`);
    }
  }
  write(describeRest(aor, doneOr(await registration.unregister(), aor)));
}

/** Whether the time passed without an end. */
async function isStillOn(seconds: number, ended: AbortSignal): Promise<boolean> {
  if (ended.aborted) return false;
  // Longer than that and a timer would fire at once.
  const milliseconds = Math.min(Math.max(seconds * 1000, 500), 2_147_483_647);
  return sleep(milliseconds, true, { signal: ended }).catch(() => false);
}

/** The registrar answered, and asking again would get the same answer. */
function isHopeless(result: Exclude<RegistrationResult, { kind: 'done' }>): boolean {
  return result.kind === 'refused' && result.response.status < 500;
}

/** @throws CliError in plain words when it is not done. */
function doneOr(result: RegistrationResult, aor: string): readonly ListedContact[] {
  if (result.kind === 'done') return result.contacts;
  throw new CliError(explainFailure(result, aor));
}

function describeRest(aor: string, contacts: readonly ListedContact[]): string {
  const left = contacts.length === 0 ? 'no contact left' : `${countContacts(contacts)} left`;
  return `unregistered ${printable(aor)}: ${left}\n${listContacts(contacts)}`;
}
