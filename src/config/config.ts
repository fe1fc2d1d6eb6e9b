import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { z } from 'zod';

/** A setting can't be used; the message is one line that names it. */
export class ConfigError extends Error {
  readonly code = 'config_invalid';
  constructor(
    readonly setting: string,
    detail: string,
  ) {
    super(`${setting}: ${detail}`);
  }
}

const port = z.coerce.number().int().min(0).max(65_535);
const count = (min: number, max: number) => z.coerce.number().int().min(min).max(max);
const flag = z
  .enum(['true', 'false', '1', '0', 'yes', 'no', 'on', 'off'])
  .transform((text) => ['true', '1', 'yes', 'on'].includes(text));
const addresses = z
  .string()
  .transform((text) => text.split(',').map((address) => address.trim()))
  .refine(
    (list) => list.every((address) => isIP(address) !== 0),
    'not a comma-separated list of IP addresses',
  );

// Server = server-val *(LWS server-val), RFC 3261 §25.1, with single blanks and plain comments.
const SERVER_HEADER =
  /^(?:[\w.!%*+`'~-]+(?:\/[\w.!%*+`'~-]+)?|\([\x20-\x27\x2a-\x5b\x5d-\x7e]*\))(?: (?:[\w.!%*+`'~-]+(?:\/[\w.!%*+`'~-]+)?|\([\x20-\x27\x2a-\x5b\x5d-\x7e]*\)))*$/;

function isNetwork(text: string): boolean {
  const [address = '', prefix] = text.trim().split('/');
  const width = isIP(address) === 4 ? 32 : 128;
  return (
    isIP(address) !== 0 && (prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= width))
  );
}

const networks = z
  .string()
  .refine((text) => text.split(',').every(isNetwork), 'not a comma-separated list of addresses or networks');

interface Setting {
  readonly schema: z.ZodType;
  /** As an operator would write it; undefined means unset. */
  readonly default: string | undefined;
  readonly help: string;
}

/** Every setting with its default, in the order in which `--help` lists them. */
export const SETTINGS = {
  REGISTRAR_DATA_DIR: {
    schema: z.string().min(1),
    default: './data',
    help: 'folder of the database and of the key file; made when missing',
  },
  REGISTRAR_SIP_HOST: {
    schema: addresses,
    default: '0.0.0.0,::',
    help: 'addresses to listen on for SIP, comma-separated',
  },
  REGISTRAR_SIP_PORT: { schema: port, default: '5060', help: 'SIP port, UDP and TCP; 0 takes a free one' },
  REGISTRAR_HTTP_HOST: {
    schema: z.string().refine((text) => isIP(text) !== 0, 'not an IP address'),
    default: '127.0.0.1',
    help: 'address of the admin API',
  },
  REGISTRAR_HTTP_PORT: { schema: port, default: '8080', help: 'port of the admin API; 0 takes a free one' },
  REGISTRAR_BOOTSTRAP_API_KEY: {
    schema: z
      .string()
      .min(12)
      .max(256)
      .regex(/^[\x21-\x7e]+$/, 'has characters a header cannot carry')
      .optional(),
    default: undefined,
    help: 'first admin API key of a new database, instead of a drawn one (at least 12 characters)',
  },
  REGISTRAR_ENCRYPTION_KEY: {
    schema: z
      .string()
      .regex(/^[0-9a-fA-F]{64}$/, 'not 64 hex digits')
      .optional(),
    default: undefined,
    help: 'key that credentials are encrypted with, 64 hex digits; overrides the key file',
  },
  REGISTRAR_KEY_FILE: {
    schema: z.string().min(1).optional(),
    default: undefined,
    help: 'file with that key; made when missing (default: registrar.key in the data folder)',
  },
  REGISTRAR_NODE_NAME: {
    schema: z.string().min(1).max(64),
    default: hostname().slice(0, 64) || 'registrar',
    help: 'name of this server in the API',
  },
  REGISTRAR_LOG_LEVEL: {
    schema: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
    default: 'info',
    help: 'least level that is logged',
  },
  REGISTRAR_NONCE_LIFETIME_SECONDS: {
    schema: count(10, 86_400),
    default: '600',
    help: 'how long a digest nonce is good for',
  },
  REGISTRAR_MAX_NONCE_COUNTS: {
    schema: count(1_000, 10_000_000),
    default: '200000',
    help: 'nonces whose counts are remembered against replay; about 205 bytes each',
  },
  REGISTRAR_MAX_QUEUED_WRITES: {
    schema: count(1, 1_000_000),
    default: '10000',
    help: 'writes waiting for the disk; beyond, 503',
  },
  REGISTRAR_RETRANSMISSION_MEMORY_MB: {
    schema: count(1, 4_096),
    default: '64',
    help: 'responses kept for retransmissions, at most',
  },
  REGISTRAR_TCP_MAX_CONNECTIONS: {
    schema: count(1, 1_000_000),
    default: '20000',
    help: 'open SIP connections at each address listened on; beyond, new ones are closed',
  },
  REGISTRAR_TCP_MAX_CONNECTIONS_PER_SOURCE: {
    schema: count(1, 1_000_000),
    default: '1000',
    help: 'those of one IPv4 address or IPv6 /64; raise it for a proxy or a NAT with many phones behind',
  },
  REGISTRAR_TCP_IDLE_SECONDS: {
    schema: count(1, 604_800),
    default: '3900',
    help: 'a SIP connection silent for that long is closed',
  },
  REGISTRAR_SIP_SERVER_HEADER: {
    schema: z
      .string()
      .max(64)
      .regex(SERVER_HEADER, 'not products (name or name/version) and comments in parentheses')
      .optional(),
    default: undefined,
    help: 'what the Server header field of SIP responses says; without it there is none',
  },
  REGISTRAR_UNVERIFIED_TIME_PERCENT: {
    schema: count(1, 100),
    default: '40',
    help: 'time that datagrams of addresses that have not authenticated may take, in all; beyond, dropped',
  },
  REGISTRAR_UNVERIFIED_ANSWERS_PER_SECOND: {
    schema: count(1, 1_000_000),
    default: '200',
    help: 'answers over UDP to an address (IPv6: /64) that has not authenticated; five times that at once',
  },
  REGISTRAR_BAN_AUTOMATIC: {
    schema: flag,
    default: 'true',
    help: 'whether sources of many wrong passwords are banned for a while',
  },
  REGISTRAR_BAN_WRONG_PER_USER: {
    schema: count(5, 1_000),
    default: '30',
    help: 'distinct wrong responses in 10 minutes that a source may send for one user',
  },
  REGISTRAR_BAN_USERS_PER_SOURCE: {
    schema: count(2, 1_000),
    default: '15',
    help: 'usernames in 10 minutes that a source may send wrong responses for',
  },
  REGISTRAR_BAN_WRONG_PER_SOURCE: {
    schema: count(5, 10_000),
    default: '200',
    help: 'distinct wrong responses in 10 minutes that a source may send in all',
  },
  REGISTRAR_BAN_EXEMPT: {
    schema: networks.optional(),
    default: undefined,
    help: 'addresses or networks never banned automatically (a SIP proxy before this server), comma-separated',
  },
  REGISTRAR_HTTP_RATE_LIMIT_PER_MINUTE: {
    schema: count(1, 10_000_000),
    default: '6000',
    help: 'API requests a key may make in a minute; raise it for bulk provisioning',
  },
  REGISTRAR_HTTP_FAILED_AUTH_LIMIT_PER_MINUTE: {
    schema: count(1, 1_000_000),
    default: '60',
    help: 'wrong API keys an address may present in a minute',
  },
  REGISTRAR_HTTP_MAX_BODY_BYTES: {
    schema: count(1_024, 10_485_760),
    default: '262144',
    help: 'largest request body of the API',
  },
  REGISTRAR_HTTP_SWAGGER_UI: { schema: flag, default: 'true', help: 'whether /docs is served' },
  REGISTRAR_HTTP_REQUIRE_IF_MATCH: {
    schema: flag,
    default: 'false',
    help: 'whether changes over the API must carry If-Match',
  },
  REGISTRAR_HTTP_PUBLIC_METRICS: {
    schema: flag,
    default: 'false',
    help: 'whether /metrics is served without an API key',
  },
  REGISTRAR_HTTP_TRUST_PROXY: {
    schema: networks.optional(),
    default: undefined,
    help: 'addresses or networks of reverse proxies whose X-Forwarded-For is believed, comma-separated',
  },
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof SETTINGS;

/** The settings, each room's in a section of its own. Frozen. */
export interface Config {
  readonly dataDir: string;
  readonly nodeName: string;
  readonly logLevel: string;
  readonly bootstrapApiKey: string | undefined;
  readonly encryption: {
    /** 64 hex digits, when given by setting. */
    readonly key: string | undefined;
    readonly keyFile: string;
  };
  readonly sip: {
    readonly addresses: readonly string[];
    /** Whether the addresses are the default ones, of which those the machine lacks are left out. */
    readonly isDefaultAddresses: boolean;
    readonly port: number;
    readonly retransmissionBytes: number;
    readonly tcpMaxConnections: number;
    readonly tcpMaxConnectionsPerSource: number;
    readonly tcpIdleSeconds: number;
    /** What the Server header field of responses says. */
    readonly serverHeader: string | undefined;
    readonly unverifiedTimePercent: number;
    readonly unverifiedAnswersPerSecond: number;
  };
  readonly auth: { readonly nonceLifetimeSeconds: number; readonly maxNonceCounts: number };
  readonly guard: {
    /** Whether the server bans by itself. */
    readonly automatic: boolean;
    readonly wrongResponsesPerUser: number;
    readonly usernamesPerSource: number;
    readonly wrongResponsesPerSource: number;
    /** Addresses and networks that are never banned automatically. */
    readonly exempt: readonly string[];
  };
  readonly store: { readonly path: string; readonly maxQueued: number };
  readonly http: {
    readonly address: string;
    readonly port: number;
    readonly rateLimitPerMinute: number;
    readonly failedAuthLimitPerMinute: number;
    readonly maxBodyBytes: number;
    readonly swaggerUi: boolean;
    readonly requireIfMatch: boolean;
    readonly publicMetrics: boolean;
    /** Addresses or networks, comma-separated; false for none. */
    readonly trustProxy: string | false;
  };
}

/**
 * Reads the settings from names to texts (the environment over a file). Empty texts count as unset.
 * @throws ConfigError naming the first setting that can't be used.
 */
export function parseConfig(given: Readonly<Record<string, string | undefined>>): Config {
  const value = <Name extends SettingName>(name: Name): z.output<(typeof SETTINGS)[Name]['schema']> => {
    const setting: Setting = SETTINGS[name];
    const text = given[name] === '' ? undefined : given[name];
    const result = setting.schema.safeParse(text ?? setting.default);
    if (result.success) return result.data as z.output<(typeof SETTINGS)[Name]['schema']>;
    throw new ConfigError(name, `${result.error.issues[0]?.message ?? 'invalid'} (${show(name, text)})`);
  };
  const dataDir = value('REGISTRAR_DATA_DIR');
  const trustProxy = value('REGISTRAR_HTTP_TRUST_PROXY');
  const config: Config = {
    dataDir,
    nodeName: value('REGISTRAR_NODE_NAME'),
    logLevel: value('REGISTRAR_LOG_LEVEL'),
    bootstrapApiKey: value('REGISTRAR_BOOTSTRAP_API_KEY'),
    encryption: {
      key: value('REGISTRAR_ENCRYPTION_KEY'),
      keyFile: value('REGISTRAR_KEY_FILE') ?? `${dataDir}/registrar.key`,
    },
    sip: {
      addresses: value('REGISTRAR_SIP_HOST'),
      isDefaultAddresses: (given.REGISTRAR_SIP_HOST ?? '') === '',
      port: value('REGISTRAR_SIP_PORT'),
      retransmissionBytes: value('REGISTRAR_RETRANSMISSION_MEMORY_MB') * 1024 * 1024,
      tcpMaxConnections: value('REGISTRAR_TCP_MAX_CONNECTIONS'),
      tcpMaxConnectionsPerSource: value('REGISTRAR_TCP_MAX_CONNECTIONS_PER_SOURCE'),
      tcpIdleSeconds: value('REGISTRAR_TCP_IDLE_SECONDS'),
      serverHeader: value('REGISTRAR_SIP_SERVER_HEADER'),
      unverifiedTimePercent: value('REGISTRAR_UNVERIFIED_TIME_PERCENT'),
      unverifiedAnswersPerSecond: value('REGISTRAR_UNVERIFIED_ANSWERS_PER_SECOND'),
    },
    auth: {
      nonceLifetimeSeconds: value('REGISTRAR_NONCE_LIFETIME_SECONDS'),
      maxNonceCounts: value('REGISTRAR_MAX_NONCE_COUNTS'),
    },
    guard: {
      automatic: value('REGISTRAR_BAN_AUTOMATIC'),
      wrongResponsesPerUser: value('REGISTRAR_BAN_WRONG_PER_USER'),
      usernamesPerSource: value('REGISTRAR_BAN_USERS_PER_SOURCE'),
      wrongResponsesPerSource: value('REGISTRAR_BAN_WRONG_PER_SOURCE'),
      exempt: value('REGISTRAR_BAN_EXEMPT')?.split(',') ?? [],
    },
    store: { path: `${dataDir}/registrar.db`, maxQueued: value('REGISTRAR_MAX_QUEUED_WRITES') },
    http: {
      address: value('REGISTRAR_HTTP_HOST'),
      port: value('REGISTRAR_HTTP_PORT'),
      rateLimitPerMinute: value('REGISTRAR_HTTP_RATE_LIMIT_PER_MINUTE'),
      failedAuthLimitPerMinute: value('REGISTRAR_HTTP_FAILED_AUTH_LIMIT_PER_MINUTE'),
      maxBodyBytes: value('REGISTRAR_HTTP_MAX_BODY_BYTES'),
      swaggerUi: value('REGISTRAR_HTTP_SWAGGER_UI'),
      requireIfMatch: value('REGISTRAR_HTTP_REQUIRE_IF_MATCH'),
      publicMetrics: value('REGISTRAR_HTTP_PUBLIC_METRICS'),
      trustProxy: trustProxy ?? false,
    },
  };
  for (const section of Object.values(config)) Object.freeze(section);
  return Object.freeze(config);
}

export function isSetting(name: string): name is SettingName {
  return Object.hasOwn(SETTINGS, name);
}

/** Names that look like ours and mean nothing: mostly a slip of the pen. */
export function unknownSettings(given: Readonly<Record<string, string | undefined>>): readonly string[] {
  return Object.keys(given).filter(
    (name) => name.startsWith('REGISTRAR_') && name !== CONFIG_FILE_SETTING && !isSetting(name),
  );
}

/** Names the optional file of settings; itself only in the environment. */
export const CONFIG_FILE_SETTING = 'REGISTRAR_CONFIG_FILE';

/** The table that `--help` prints. */
export function describeSettings(): string {
  const lines = Object.entries(SETTINGS as Record<string, Setting>).map(
    ([name, { default: standard, help }]) =>
      `  ${name.padEnd(40)} ${help}${standard === undefined ? '' : ` [${standard}]`}`,
  );
  return [
    'Settings, from the environment, or from a file of NAME=value lines that --config or',
    `${CONFIG_FILE_SETTING} names; the environment wins:`,
    ...lines,
  ].join('\n');
}

const SECRET_SETTINGS: readonly string[] = ['REGISTRAR_BOOTSTRAP_API_KEY', 'REGISTRAR_ENCRYPTION_KEY'];

function show(name: string, text: string | undefined): string {
  return SECRET_SETTINGS.includes(name) ? 'its value is not shown' : `it is ${JSON.stringify(text)}`;
}
