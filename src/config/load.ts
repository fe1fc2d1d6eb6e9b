import { randomBytes } from 'node:crypto';
import { closeSync, fchmodSync, fsyncSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseEnv } from 'node:util';
import {
  CONFIG_FILE_SETTING,
  type Config,
  ConfigError,
  isSetting,
  parseConfig,
  unknownSettings,
} from './config.js';

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
  // Empty counts as unset, here too: what a container runtime passes on empty must not hide the file's value.
  const fromEnvironment = Object.fromEntries(
    Object.entries(environment).filter(([, text]) => (text ?? '') !== ''),
  );
  const unknown = [
    ...Object.keys(fromFile).filter((name) => !isSetting(name)),
    ...unknownSettings(environment).filter((name) => !Object.hasOwn(fromFile, name)),
  ];
  return { config: parseConfig({ ...fromFile, ...fromEnvironment }), unknown };
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
    const file = openSync(path, 'wx', 0o600);
    try {
      fchmodSync(file, 0o600);
      writeSync(file, `${key.toString('hex')}\n`);
      // On disk before anything is encrypted with it: what it seals survives a loss of power, so must the key.
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    syncFolder(dirname(path));
  } catch (error) {
    throw new ConfigError('REGISTRAR_KEY_FILE', `${path} can't be made: ${(error as Error).message}`);
  }
  return key;
}

function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
