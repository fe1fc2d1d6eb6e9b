import { Command } from 'commander';
import { systemClock } from '../base/clock.js';
import { createLog } from '../base/log.js';
import { describeSettings } from '../config/config.js';
import { loadConfig } from '../config/load.js';
import { type RunningServer, startServer } from '../server.js';

/** Shorter keys than that can be guessed by somebody patient. */
const STRONG_KEY_LENGTH = 32;

/** `serve`: the registrar and its admin API, until SIGTERM or SIGINT. */
export function serveCommand(): Command {
  return new Command('serve')
    .description('run the registrar and its admin API')
    .option('--config <file>', 'file of NAME=value settings')
    .addHelpText('after', `\n${describeSettings()}`)
    .action(async (options: { config?: string }) => {
      const { config, unknown } = loadConfig(process.env, options.config);
      const log = createLog(config.logLevel);
      for (const name of unknown) log.warn({ event: 'config.unknown_setting', setting: name });
      const given = config.bootstrapApiKey;
      if (given !== undefined && given.length < STRONG_KEY_LENGTH) {
        log.warn({ event: 'config.short_bootstrap_key', recommended_length: STRONG_KEY_LENGTH });
      }
      // From here on, not from when it has started: a signal in between must not cut it short.
      const stop = terminated();
      const server = await startServer({
        config,
        log,
        clock: systemClock,
        // What is on disk can only be told by reading it anew: let the supervisor start another process.
        onStoreLost: () => process.exit(1),
      });
      process.stdout.write(greeting(server, given !== undefined));
      await stop;
      await server.close();
    });
}

/** What a newcomer needs next, with the key filled in when it was drawn just now. */
export function greeting(server: RunningServer, isKeyGiven: boolean): string {
  const { httpUrl, firstApiKey, sip } = server;
  const key = firstApiKey === undefined || isKeyGiven ? '$API_KEY' : firstApiKey.key;
  const curl = `curl -sS -H 'Authorization: Bearer ${key}'`;
  const post = `${curl.replaceAll("'", key === '$API_KEY' ? '"' : "'")} -H 'Content-Type: application/json'`;
  const get = curl.replaceAll("'", key === '$API_KEY' ? '"' : "'");
  const lines = [
    '',
    `SIP     ${sip.list.map(({ transport, address, port }) => `${transport} ${bracketed(address)}:${port}`).join(', ')}`,
    `API     ${httpUrl}/v1`,
    `Docs    ${httpUrl}/docs  (Swagger UI)`,
    '',
    keyLine(server, isKeyGiven),
    '',
    'Quick start:',
    `  ${post} -d '{"name":"example.com"}' ${httpUrl}/v1/domains`,
    `  ${post} -d '{"username":"alice","domain":"example.com","credential":{"generate":true}}' ${httpUrl}/v1/users`,
    `  ${get} ${httpUrl}/v1/bindings`,
    '',
    '',
  ];
  return lines.join('\n');
}

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

function keyLine({ firstApiKey }: RunningServer, isKeyGiven: boolean): string {
  if (firstApiKey === undefined) {
    return 'API key: as made earlier (export API_KEY=…). Another one: POST /v1/api-keys, or, with the server\nstopped, npx sip-registrar api-key create';
  }
  if (isKeyGiven) return 'API key: the one given as REGISTRAR_BOOTSTRAP_API_KEY (export API_KEY=…).';
  return [
    `API key: ${firstApiKey.key}`,
    'It is shown this once. Another one: POST /v1/api-keys, or, with the server stopped,',
    'npx sip-registrar api-key create',
  ].join('\n');
}

function terminated(): Promise<void> {
  return new Promise((resolve) => {
    // A second signal during shutdown finds no listener and ends the process at once.
    process.once('SIGTERM', () => resolve());
    process.once('SIGINT', () => resolve());
  });
}
