import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { type Clock, systemClock } from '../../base/clock.js';
import { createLog } from '../../base/log.js';
import { ConfigError, parseConfig } from '../../config/config.js';
import { type RunningServer, startServer } from '../../server.js';
import { CliError } from '../cli.js';
import type { Hop, PhoneTransport } from '../phone/user-agent.js';
import { wholeNumber } from '../whole-number.js';
import { AdminApi } from './admin-api.js';
import { DEMO_DOMAIN, DEMO_USERS, type DemoUsername, play, type Stage } from './scenario.js';

export interface DemoOptions {
  /** Undefined takes the usual port when it is free, else any. */
  readonly sipPort?: number;
  readonly httpPort?: number;
  /** How long; undefined runs until it is ended. */
  readonly seconds?: number;
}

/** What the demo needs of its surroundings. */
export interface DemoSurroundings {
  readonly clock: Clock;
  readonly write: (text: string) => void;
  readonly ended: AbortSignal;
}

const ADDRESS = '127.0.0.1';
const USUAL_SIP_PORT = 5060;
const USUAL_HTTP_PORT = 8080;

/** `demo`: a registrar in a temporary folder, with phones that come and go, until Ctrl-C. */
export function demoCommand(): Command {
  return new Command('demo')
    .description('show a registrar at work: a temporary one, with phones that come and go')
    .addOption(
      new Option('--sip-port <port>', 'SIP port (default: 5060, or a free one)').argParser(
        wholeNumber(0, 65_535),
      ),
    )
    .addOption(
      new Option('--http-port <port>', 'port of the admin API (default: 8080, or a free one)').argParser(
        wholeNumber(0, 65_535),
      ),
    )
    .addOption(
      new Option('--seconds <count>', 'end after that long (default: at Ctrl-C)').argParser(
        wholeNumber(1, 1_000_000),
      ),
    )
    .action(async (options: DemoOptions) => {
      const end = new AbortController();
      const stop = () => end.abort();
      // A second signal during the cleaning up finds no listener and ends the process at once.
      for (const signal of SIGNALS) process.once(signal, stop);
      // Nobody reads any more (`demo | head`): clean up as well.
      process.stdout.on('error', stop);
      try {
        const write = (text: string) => process.stdout.write(text);
        await runDemo(options, { clock: systemClock, write, ended: end.signal });
      } finally {
        for (const signal of SIGNALS) process.removeListener(signal, stop);
      }
    });
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Runs the demo to its end. Whatever happens, nothing is left behind: no phone, no server, no folder. */
export async function runDemo(
  options: DemoOptions,
  { clock, write, ended }: DemoSurroundings,
): Promise<void> {
  const end = new AbortController();
  const stop = () => end.abort();
  ended.addEventListener('abort', stop);
  if (ended.aborted) stop();
  const timer = options.seconds === undefined ? undefined : setTimeout(stop, options.seconds * 1000);
  const folder = mkdtempSync(join(tmpdir(), 'sip-registrar-demo-'));
  let server: RunningServer | undefined;
  try {
    server = await start(options, folder, clock);
    const key = server.firstApiKey?.key ?? '';
    const api = new AdminApi(server.httpUrl, key);
    const passwords = await provision(api);
    const registrar = { udp: hopOf(server, 'udp'), tcp: hopOf(server, 'tcp') };
    write(greeting(server.httpUrl, key, registrar.udp.port, passwords));
    await play({
      registrar,
      passwords,
      api,
      say: (who, what) => write(`${timeOfDay(clock)}  ${who.padEnd(6)} ${what}\n`),
      ended: end.signal,
    });
  } finally {
    clearTimeout(timer);
    ended.removeEventListener('abort', stop);
    end.abort();
    await server?.close();
    rmSync(folder, { recursive: true, force: true });
  }
  write('The server is closed and its folder is gone.\n');
}

/** Starts on the ports that were asked for, or on the usual ones, or on free ones. */
async function start(options: DemoOptions, folder: string, clock: Clock): Promise<RunningServer> {
  let sipPort = options.sipPort ?? USUAL_SIP_PORT;
  let httpPort = options.httpPort ?? USUAL_HTTP_PORT;
  for (let attempt = 1; ; attempt++) {
    const config = parseConfig({
      // A start that failed half-way has made its first key already: each one gets a folder of its own.
      REGISTRAR_DATA_DIR: join(folder, `data-${attempt}`),
      REGISTRAR_SIP_HOST: ADDRESS,
      REGISTRAR_SIP_PORT: String(sipPort),
      REGISTRAR_HTTP_HOST: ADDRESS,
      REGISTRAR_HTTP_PORT: String(httpPort),
      REGISTRAR_NODE_NAME: 'demo',
      // Refused phones are told in words here.
      REGISTRAR_LOG_LEVEL: 'error',
    });
    try {
      return await startServer({ config, log: createLog(config.logLevel), clock });
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      if (error.setting === 'REGISTRAR_SIP_PORT' && options.sipPort === undefined && sipPort !== 0)
        sipPort = 0;
      else if (error.setting === 'REGISTRAR_HTTP_PORT' && options.httpPort === undefined && httpPort !== 0) {
        httpPort = 0;
      } else throw new CliError(explain(error));
    }
  }
}

/** In the words of this command's options. */
function explain(error: ConfigError): string {
  return error.message
    .replace('REGISTRAR_SIP_PORT', '--sip-port')
    .replace('REGISTRAR_HTTP_PORT', '--http-port');
}

async function provision(api: AdminApi): Promise<Stage['passwords']> {
  await api.createDomain(DEMO_DOMAIN);
  const passwords: Partial<Record<DemoUsername, string>> = {};
  for (const { username, displayName } of DEMO_USERS) {
    passwords[username] = await api.createUser(DEMO_DOMAIN, username, displayName);
  }
  return passwords as Record<DemoUsername, string>;
}

function hopOf(server: RunningServer, transport: PhoneTransport): Hop {
  const listener = server.sip.list.find((candidate) => candidate.transport === transport);
  if (listener === undefined) throw new Error(`the server does not listen on ${transport}`);
  return { transport, address: listener.address, port: listener.port };
}

function greeting(httpUrl: string, key: string, sipPort: number, passwords: Stage['passwords']): string {
  const phone = `npx sip-registrar phone register sip:alice@${DEMO_DOMAIN} --server ${ADDRESS}:${sipPort}`;
  return [
    '',
    'A registrar with four users and their phones, for as long as this runs.',
    '',
    `Swagger UI  ${httpUrl}/docs`,
    `API key     ${key}  (press Authorize there and paste it)`,
    `SIP         ${ADDRESS}:${sipPort}, UDP and TCP`,
    `Users       ${DEMO_USERS.map(({ username }) => `${username} (${passwords[username]})`).join(', ')}`,
    '',
    'Be one more phone of alice, in another terminal:',
    `  ${phone} --password ${passwords.alice}`,
    '',
    'Ctrl-C ends it.',
    '',
    '',
  ].join('\n');
}

function timeOfDay(clock: Clock): string {
  return new Date(clock.now()).toTimeString().slice(0, 8);
}
