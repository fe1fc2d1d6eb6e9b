import { Command, Option } from 'commander';
import { deriveKey } from '../accounts/secret-seal.js';
import { AdminService } from '../admin/admin-service.js';
import { ROLES, type Role } from '../admin/scope.js';
import { systemClock } from '../base/clock.js';
import { createLog } from '../base/log.js';
import { isRefusal } from '../base/refusal.js';
import { ConfigError } from '../config/config.js';
import { loadConfig, loadMasterKey, prepareDataDir } from '../config/load.js';
import { DatabaseRefused } from '../store/sqlite/database.js';
import { openSqliteStore } from '../store/sqlite/sqlite.js';
import { CliError } from './cli.js';

/** `api-key`: keys of the admin API, made beside a stopped server; a running one makes them over its API. */
export function apiKeyCommand(): Command {
  const command = new Command('api-key').description(
    'make keys of the admin API while the server is stopped',
  );
  command
    .command('create')
    .description('make a key and print it, this once')
    .option('--config <file>', 'file of NAME=value settings')
    .option('--label <text>', 'what the key is for', 'made on the command line')
    .addOption(new Option('--role <role>', 'what it may do').choices([...ROLES]).default('admin'))
    .action(async (options: { config?: string; label: string; role: Role }) => {
      const { config } = loadConfig(process.env, options.config);
      prepareDataDir(config.dataDir);
      const log = createLog('error');
      const store = open({ ...config.store, clock: systemClock, log });
      try {
        const masterKey = loadMasterKey(config.encryption, store.admin.countApiKeys() === 0);
        const admin = new AdminService(store.admin, deriveKey(masterKey, 'api-key-pepper'), systemClock);
        if (!admin.knowsStoredKeys()) {
          throw new ConfigError(
            'REGISTRAR_KEY_FILE',
            'the database was made with another key; give it that one',
          );
        }
        const issued = await admin.createApiKey({
          label: options.label,
          role: options.role,
          scopes: [],
          domains: [],
          allowedCidrs: [],
          expiresAt: null,
        });
        if (isRefusal(issued)) throw new CliError(issued.detail);
        process.stdout.write(`${issued.key}\n`);
      } finally {
        await store.close();
      }
    });
  return command;
}

function open(options: Parameters<typeof openSqliteStore>[0]) {
  try {
    return openSqliteStore(options);
  } catch (error) {
    if (error instanceof DatabaseRefused) throw new ConfigError('REGISTRAR_DATA_DIR', error.message);
    throw error;
  }
}
