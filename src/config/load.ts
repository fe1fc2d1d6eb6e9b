import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseEnv } from 'node:util';
import { CONFIG_FILE_SETTING, type Config, ConfigError, parseConfig, unknownSettings } from './config.js';

/**
 * The settings of this start: the environment over the optional file.
 * @throws ConfigError naming the setting that can't be used.
 */
export function loadConfig(
  environment: Readonly<Record<string, string | undefined>>,
  configFile: string | undefined,
): { readonly config: Config; readonly unknown: readonly string[] } {
  const path = configFile ?? environment[CONFIG_FILE_SETTING];
  const fromFile = path === undefined || path === '' ? {} : readSettingsFile(path);
  const given = { ...fromFile, ...environment };
  return { config: parseConfig(given), unknown: unknownSettings(given) };
}

function readSettingsFile(path: string): Record<string, string | undefined> {
  try {
    return parseEnv(readFileSync(path, 'utf8')) as Record<string, string | undefined>;
  } catch (error) {
    throw new ConfigError(CONFIG_FILE_SETTING, `${path} can't be read: ${(error as Error).message}`);
  }
}

/** Makes the data folder when it is missing. @throws ConfigError when it can't be made. */
export function prepareDataDir(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new ConfigError(
      'REGISTRAR_DATA_DIR',
      `the folder ${path} can't be made: ${(error as Error).message}`,
    );
  }
}

/**
 * The 32 bytes that credentials are encrypted with: given by setting, or read from the key file, which is made
 * with mode 0600 when it is missing and `mayMake` allows it: never beside a database that needs the lost one.
 * @throws ConfigError when the file is missing, can't be read or made, or holds something else.
 */
export function loadMasterKey(encryption: Config['encryption'], mayMake: boolean): Buffer {
  if (encryption.key !== undefined) return Buffer.from(encryption.key, 'hex');
  const { keyFile } = encryption;
  let text: string;
  try {
    text = readFileSync(keyFile, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      throw new ConfigError('REGISTRAR_KEY_FILE', `${keyFile} can't be read: ${(error as Error).message}`);
    }
    if (!mayMake) {
      throw new ConfigError(
        'REGISTRAR_KEY_FILE',
        `${keyFile} is missing, and the database holds credentials encrypted with it; restore the file`,
      );
    }
    return makeKeyFile(keyFile);
  }
  if (!/^[0-9a-fA-F]{64}$/.test(text)) {
    throw new ConfigError('REGISTRAR_KEY_FILE', `${keyFile} does not hold 64 hex digits`);
  }
  return Buffer.from(text, 'hex');
}

function makeKeyFile(path: string): Buffer {
  const key = randomBytes(32);
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    // `wx`: never over a key that another start has just made.
    writeFileSync(path, `${key.toString('hex')}\n`, { mode: 0o600, flag: 'wx' });
    chmodSync(path, 0o600);
  } catch (error) {
    throw new ConfigError('REGISTRAR_KEY_FILE', `${path} can't be made: ${(error as Error).message}`);
  }
  return key;
}
