import { Command, CommanderError } from 'commander';
import { ConfigError } from '../config/config.js';
import { VERSION } from '../server.js';
import { apiKeyCommand } from './api-key.js';
import { demoCommand } from './demo/demo.js';
import { phoneCommand } from './phone/phone.js';
import { serveCommand } from './serve.js';

/** An operator's mistake or a thing that is in the way: one line, exit code 1. */
export class CliError extends Error {
  readonly code = 'cli_error';
}

/** Runs one command line; resolves with the exit code. */
export async function runCli(argv: readonly string[]): Promise<number> {
  const program = new Command('sip-registrar')
    .description('A SIP registrar with a REST admin service.')
    .version(VERSION)
    .exitOverride()
    .showHelpAfterError('(--help lists what there is)');
  const outcome = { exitCode: 0 };
  for (const command of [serveCommand(), demoCommand(), apiKeyCommand(), phoneCommand()]) {
    program.addCommand(command.exitOverride());
  }
  try {
    await program.parseAsync([...argv]);
    return outcome.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    if (error instanceof ConfigError || error instanceof CliError) {
      process.stderr.write(`sip-registrar: ${error.message}\n`);
      return 1;
    }
    throw error;
  }
}
