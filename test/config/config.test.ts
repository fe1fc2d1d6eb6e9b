import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  CONFIG_FILE_SETTING,
  ConfigError,
  describeSettings,
  parseConfig,
  SETTINGS,
  type SettingName,
  unknownSettings,
} from '../../src/config/config.js';
import { loadConfig, loadMasterKey, prepareDataDir } from '../../src/config/load.js';
import { tempFolder } from '../store/open-store.js';

const NAMES = Object.keys(SETTINGS) as SettingName[];
const KEY = 'ab'.repeat(32);

/** `fine`, or the message. */
function outcome(read: () => unknown): string {
  try {
    read();
    return 'fine';
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message;
  }
}

/** For each setting: texts that are taken, and texts that are not. */
const BOUNDS: Readonly<
  Record<SettingName, { readonly good: readonly string[]; readonly bad: readonly string[] }>
> = {
  REGISTRAR_DATA_DIR: { good: ['/tmp/x', 'data'], bad: [] },
  REGISTRAR_SIP_HOST: {
    good: ['127.0.0.1', '::1, 10.0.0.1'],
    bad: ['localhost', '127.0.0.1,', '[::1]', '1.2.3'],
  },
  REGISTRAR_SIP_PORT: { good: ['0', '5060', '65535'], bad: ['-1', '65536', '5060.5', 'sip'] },
  REGISTRAR_HTTP_HOST: { good: ['0.0.0.0', '::'], bad: ['localhost', '0.0.0.0,::'] },
  REGISTRAR_HTTP_PORT: { good: ['0', '65535'], bad: ['-1', '65536', 'http'] },
  REGISTRAR_BOOTSTRAP_API_KEY: {
    good: ['x'.repeat(12), 'x'.repeat(256)],
    bad: ['x'.repeat(11), 'x'.repeat(257), 'has a blank in it', 'nön-ascii-key-1'],
  },
  REGISTRAR_ENCRYPTION_KEY: {
    good: [KEY, KEY.toUpperCase()],
    bad: [KEY.slice(1), `${KEY}0`, 'g'.repeat(64)],
  },
  REGISTRAR_KEY_FILE: { good: ['/etc/key'], bad: [] },
  REGISTRAR_NODE_NAME: { good: ['a', 'x'.repeat(64)], bad: ['x'.repeat(65)] },
  REGISTRAR_LOG_LEVEL: { good: ['trace', 'silent'], bad: ['INFO', 'verbose'] },
  REGISTRAR_NONCE_LIFETIME_SECONDS: { good: ['10', '86400'], bad: ['9', '86401', '1m'] },
  REGISTRAR_MAX_NONCE_COUNTS: { good: ['1000', '10000000'], bad: ['999', '10000001'] },
  REGISTRAR_MAX_QUEUED_WRITES: { good: ['1', '1000000'], bad: ['0', '1000001', '1e9'] },
  REGISTRAR_RETRANSMISSION_MEMORY_MB: { good: ['1', '4096'], bad: ['0', '4097'] },
  REGISTRAR_TCP_MAX_CONNECTIONS: { good: ['1', '1000000'], bad: ['0', '1000001'] },
  REGISTRAR_TCP_MAX_CONNECTIONS_PER_SOURCE: { good: ['1', '1000000'], bad: ['0', '1000001'] },
  REGISTRAR_TCP_IDLE_SECONDS: { good: ['1', '604800'], bad: ['0', '604801'] },
  REGISTRAR_BAN_AUTOMATIC: { good: ['true', 'off'], bad: ['TRUE', '2'] },
  REGISTRAR_BAN_WRONG_PER_USER: { good: ['5', '1000'], bad: ['4', '1001'] },
  REGISTRAR_BAN_USERS_PER_SOURCE: { good: ['2', '1000'], bad: ['1', '1001'] },
  REGISTRAR_BAN_WRONG_PER_SOURCE: { good: ['5', '10000'], bad: ['4', '10001'] },
  REGISTRAR_BAN_EXEMPT: { good: ['10.0.0.1', '10.0.0.0/8, 2001:db8::/32'], bad: ['proxy', '10.0.0.0/33'] },
  REGISTRAR_UNVERIFIED_TIME_PERCENT: { good: ['1', '100'], bad: ['0', '101'] },
  REGISTRAR_UNVERIFIED_ANSWERS_PER_SECOND: { good: ['1', '1000000'], bad: ['0', '1000001'] },
  REGISTRAR_SIP_SERVER_HEADER: {
    good: ['sip-registrar', 'sip-registrar/1.0 (edge, 2)', '(only a comment)'],
    bad: ['two  blanks', 'a/b/c', '(unclosed', 'ends with ', 'a\r\nVia: b', 'ä', 'x'.repeat(65)],
  },
  REGISTRAR_HTTP_RATE_LIMIT_PER_MINUTE: { good: ['1', '10000000'], bad: ['0', '10000001'] },
  REGISTRAR_HTTP_FAILED_AUTH_LIMIT_PER_MINUTE: { good: ['1', '1000000'], bad: ['0', '1000001'] },
  REGISTRAR_HTTP_MAX_BODY_BYTES: { good: ['1024', '10485760'], bad: ['1023', '10485761'] },
  REGISTRAR_HTTP_SWAGGER_UI: {
    good: ['true', 'false', '1', '0', 'yes', 'no', 'on', 'off'],
    bad: ['TRUE', '2', 'maybe'],
  },
  REGISTRAR_HTTP_REQUIRE_IF_MATCH: { good: ['on'], bad: ['maybe'] },
  REGISTRAR_HTTP_PUBLIC_METRICS: { good: ['on'], bad: ['maybe'] },
  REGISTRAR_HTTP_TRUST_PROXY: {
    good: ['10.0.0.1', '10.0.0.0/8, ::1', '::/0'],
    bad: ['true', '10.0.0.0/33', '10.0.0.0/', 'loopback', '::/129'],
  },
};

describe('each setting', () => {
  it.each(NAMES.flatMap((name) => BOUNDS[name].good.map((text) => [name, text] as const)))(
    '%s takes %j',
    (name, text) => {
      expect(outcome(() => parseConfig({ [name]: text }))).toBe('fine');
    },
  );

  it.each(NAMES.flatMap((name) => BOUNDS[name].bad.map((text) => [name, text] as const)))(
    '%s refuses %j, and says so in one line',
    (name, text) => {
      const message = outcome(() => parseConfig({ [name]: text }));
      expect(message.startsWith(`${name}: `)).toBe(true);
      expect(message).not.toContain('\n');
    },
  );

  it.each(NAMES)('%s: empty is unset', (name) => {
    expect(parseConfig({ [name]: '' })).toEqual(parseConfig({}));
  });

  it.each(NAMES)('%s is in the help, with its default', (name) => {
    const setting: { readonly default: string | undefined; readonly help: string } = SETTINGS[name];
    const line = describeSettings()
      .split('\n')
      .find((text) => text.trim().startsWith(`${name} `));
    expect(line).toContain(setting.help);
    if (setting.default !== undefined) expect(line).toContain(`[${setting.default}]`);
  });
});

it('the defaults are what the README says, and the config does not change any more', () => {
  const config = parseConfig({});
  expect(config).toMatchObject({
    dataDir: './data',
    encryption: { key: undefined, keyFile: './data/registrar.key' },
    sip: { addresses: ['0.0.0.0', '::'], isDefaultAddresses: true, port: 5060 },
    http: {
      address: '127.0.0.1',
      port: 8080,
      swaggerUi: true,
      requireIfMatch: false,
      publicMetrics: false,
      trustProxy: false,
    },
    store: { path: './data/registrar.db' },
  });
  expect(Object.isFrozen(config) && Object.values(config).every((section) => Object.isFrozen(section))).toBe(
    true,
  );
});

it.each(['REGISTRAR_BOOTSTRAP_API_KEY', 'REGISTRAR_ENCRYPTION_KEY'])(
  '%s is not shown when it is wrong',
  (name) => {
    const message = outcome(() => parseConfig({ [name]: 'secret ö' }));
    expect(message).toContain('its value is not shown');
    expect(message).not.toContain('secret');
  },
);

it('addresses that were given are no default ones, also when they are the same', () => {
  expect(parseConfig({ REGISTRAR_SIP_HOST: '0.0.0.0,::' }).sip.isDefaultAddresses).toBe(false);
});

it('names that look like ours and mean nothing are told', () => {
  const given = {
    REGISTRAR_SIP_PROT: '1',
    REGISTRAR_SIP_PORT: '1',
    [CONFIG_FILE_SETTING]: 'x',
    PATH: '/bin',
  };
  expect(unknownSettings(given)).toEqual(['REGISTRAR_SIP_PROT']);
});

describe('the settings file', () => {
  function file(text: string): string {
    const path = join(tempFolder(), 'registrar.env');
    writeFileSync(path, text);
    return path;
  }

  it('gives what the environment does not', () => {
    const path = file(
      '# ours\nREGISTRAR_SIP_PORT=5070\nREGISTRAR_NODE_NAME="node one"\nREGISTRAR_HTTP_PORT=1\n',
    );
    const { config, unknown } = loadConfig({ REGISTRAR_SIP_PORT: '5080', REGISTRAR_HTTP_PORT: '' }, path);
    expect([config.sip.port, config.nodeName, config.http.port, unknown]).toEqual([5080, 'node one', 1, []]);
  });

  it('is named by the environment as well, and by the command line before it', () => {
    const [one, two] = [file('REGISTRAR_SIP_PORT=1'), file('REGISTRAR_SIP_PORT=2')];
    expect(loadConfig({ [CONFIG_FILE_SETTING]: one }, undefined).config.sip.port).toBe(1);
    expect(loadConfig({ [CONFIG_FILE_SETTING]: one }, two).config.sip.port).toBe(2);
    expect(loadConfig({ [CONFIG_FILE_SETTING]: '' }, undefined).config.sip.port).toBe(5060);
  });

  it('has no names but settings', () => {
    const path = file(`SIP_PORT=1\nREGISTRAR_SIP_PROT=1\n${CONFIG_FILE_SETTING}=x\n`);
    const { unknown } = loadConfig({ REGISTRAR_SIP_PROT: '2', REGISTRAR_OTHER: '1' }, path);
    expect([...unknown].sort()).toEqual([
      CONFIG_FILE_SETTING,
      'REGISTRAR_OTHER',
      'REGISTRAR_SIP_PROT',
      'SIP_PORT',
    ]);
  });

  it('that can not be read is refused by name', () => {
    expect(outcome(() => loadConfig({}, '/no/such/file'))).toMatch(
      /^REGISTRAR_CONFIG_FILE: \/no\/such\/file can't be read/,
    );
  });
});

describe('the key file', () => {
  const encryption = (keyFile: string, key?: string) => ({ key, keyFile });

  it('is made once, readable by its owner alone, whatever the umask', () => {
    const path = join(tempFolder(), 'new', 'registrar.key');
    const umask = process.umask(0);
    try {
      const key = loadMasterKey(encryption(path), true);
      expect(key).toHaveLength(32);
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect(statSync(join(path, '..')).mode & 0o777).toBe(0o700);
      expect(readFileSync(path, 'utf8')).toBe(`${key.toString('hex')}\n`);
      expect(loadMasterKey(encryption(path), true)).toEqual(key);
    } finally {
      process.umask(umask);
    }
  });

  it('gives way to a key that was set, and is not made then', () => {
    const path = join(tempFolder(), 'registrar.key');
    expect(loadMasterKey(encryption(path, KEY), true).toString('hex')).toBe(KEY);
    expect(existsSync(path)).toBe(false);
  });

  it('is not made beside a database that needs the lost one', () => {
    const path = join(tempFolder(), 'registrar.key');
    expect(outcome(() => loadMasterKey(encryption(path), false))).toMatch(
      /^REGISTRAR_KEY_FILE: .* is missing/,
    );
    expect(existsSync(path)).toBe(false);
  });

  it.each([
    ['', 'empty'],
    ['no key', 'words'],
    [KEY.slice(2), 'short'],
  ])('that holds %j is refused, and left alone', (text) => {
    const path = join(tempFolder(), 'registrar.key');
    writeFileSync(path, text);
    const message = outcome(() => loadMasterKey(encryption(path), true));
    expect(message).toMatch(/^REGISTRAR_KEY_FILE: .* does not hold 64 hex digits$/);
    expect(readFileSync(path, 'utf8')).toBe(text);
  });

  it('that is a folder is refused in words', () => {
    const path = join(tempFolder(), 'registrar.key');
    mkdirSync(path);
    expect(outcome(() => loadMasterKey(encryption(path), true))).toMatch(
      /^REGISTRAR_KEY_FILE: .* can't be read/,
    );
  });
});

it('the data folder is made for its owner alone; one that can not be made is refused by name', () => {
  const path = join(tempFolder(), 'a', 'b');
  prepareDataDir(path);
  prepareDataDir(path);
  expect(statSync(path).mode & 0o077).toBe(0);
  const file = join(path, 'file');
  writeFileSync(file, '');
  chmodSync(file, 0o600);
  expect(outcome(() => prepareDataDir(join(file, 'below')))).toMatch(/^REGISTRAR_DATA_DIR: /);
});
