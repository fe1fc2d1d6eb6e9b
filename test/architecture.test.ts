import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

/*
 * Who may import whom (ARCHITECTURE.md), held against the files as they are. Rooms import from rows above their own,
 * from themselves, and beside themselves only within the same wing.
 */

const SRC = fileURLToPath(new URL('../src/', import.meta.url));

interface Room {
  readonly row: number;
  /** Rooms of one row and wing may see each other: the three of SIP's wire belong together. */
  readonly wing?: string;
}

const ROOMS: Readonly<Record<string, Room>> = {
  base: { row: 0 },
  'sip/grammar': { row: 1 },
  config: { row: 1 },
  cpl: { row: 1 },
  accounts: { row: 2 },
  admin: { row: 2 },
  location: { row: 2 },
  guard: { row: 3 },
  auth: { row: 3 },
  events: { row: 3 },
  webhooks: { row: 4 },
  'sip/transport': { row: 5, wing: 'sip' },
  'sip/transaction': { row: 5, wing: 'sip' },
  'sip/uas': { row: 5, wing: 'sip' },
  'store/sqlite': { row: 5 },
  'store/postgres': { row: 5 },
  'store/memory': { row: 5 },
  registrar: { row: 6 },
  redirect: { row: 6 },
  'reg-event': { row: 6 },
  keepalive: { row: 6 },
  http: { row: 6 },
  observe: { row: 6 },
  server: { row: 7, wing: 'top' },
  cli: { row: 7, wing: 'top' },
  main: { row: 7, wing: 'top' },
};

/** Row apart: what a room above may still not see. Room, then what it must not import. */
const FORBIDDEN: readonly (readonly [room: string, from: RegExp, why: string])[] = [
  [
    'http',
    /^src\/(sip|store|registrar|config)\//,
    'REST sees neither SIP, nor the store, nor the environment',
  ],
  ['registrar', /^src\/store\//, 'faces come through the services'],
  ['observe', /^src\/(store|sip)\//, 'observers get what they count'],
  ['location', /^src\/(accounts|admin)\//, 'the domain stands alone'],
  ['accounts', /^src\/(location|sip)\//, 'accounts know no bindings and no SIP'],
  ['admin', /^src\/sip\//, 'API keys know no SIP'],
];

/** Packages that one place alone knows. */
const PACKAGES: readonly (readonly [name: RegExp, where: RegExp])[] = [
  [/^better-sqlite3$/, /^src\/store\/sqlite\//],
  [/^sip$/, /^src\/cli\/phone/],
  [
    /^(express|helmet|express-rate-limit|swagger-ui-express|@asteasolutions\/zod-to-openapi)$/,
    /^src\/http\//,
  ],
  [/^zod$/, /^src\/(http|config|cli)\//],
  [/^pino$/, /^src\/base\//],
  [/^prom-client$/, /^src\/(observe|http)\/|^src\/server\.ts$/],
  [/^commander$/, /^src\/cli\//],
  [/^ulid$/, /^src\/base\//],
  [/^node:(net|dgram|tls)$/, /^src\/(sip\/transport|cli)\//],
  [/^node:http$/, /^src\/(http\/|server\.ts$|cli\/)/],
];
/** Of node:net these are mere texts, no sockets. */
const ADDRESS_CHECKS = /^(isIP|isIPv4|isIPv6|BlockList)$/;

/** What reads the world's state, and where it may be: everything else is handed a clock, bytes or settings. */
const SOURCES_OF_CHANGE: readonly (readonly [what: RegExp, where: RegExp])[] = [
  [
    /\bDate\.now\(|\bnew Date\(\)|\bperformance\./,
    // The rate limiter counts in windows of the wall clock; how long a request took is no business of the clock's.
    /^src\/(base\/|http\/(admin-auth|first-contact)\.ts$)/,
  ],
  [/\bMath\.random\(/, /^$/],
  [/\bprocess\.env\b/, /^src\/(config|cli)\//],
  [/\bconsole\./, /^$/],
  [
    /\b(randomBytes|randomUUID|randomInt|randomFillSync|getRandomValues)\(/,
    new RegExp(
      `^src/(${[
        'base/random',
        'accounts/secret-seal', // a nonce for each sealing
        'admin/admin-service', // keys
        'config/load', // the key file
        'http/idempotency', // a nonce for each sealed answer
        'http/[a-z-]+', // ids of requests, names of pages
        'sip/transaction/response-memory', // the seed that strangers must not know
        'sip/uas/user-agent-server', // To tags unlike any other process's
        'server', // the nonces' secret, new with each start
      ].join('|')})\\.ts$`,
    ),
  ],
];

/** Files longer than 400 lines, and why they are one. */
const MAX_LINES = 400;
const LONG_FILES: Readonly<Record<string, string>> = {
  'src/http/problem.ts': 'one table: every problem with its status, title and words',
  'src/store/sqlite/sqlite-account-store.ts': 'three tables that change in the same transactions',
};

interface Source {
  /** `src/location/register.ts` */
  readonly path: string;
  readonly text: string;
  readonly imports: readonly Import[];
}

interface Import {
  readonly specifier: string;
  readonly names: readonly string[];
}

const IMPORT = /(?:^|\n)(?:import|export)\b([^'";=(]*?)\bfrom\s+'([^']+)'|(?:^|\n)import\s+'([^']+)'/g;
const DYNAMIC_IMPORT = /\b(?:import|require)\(\s*'([^']+)'/g;

function sources(): readonly Source[] {
  return readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))
    .map((file) => {
      const text = readFileSync(join(SRC, file), 'utf8');
      const imports = [...text.matchAll(IMPORT)].map(([, clause = '', from, alone]) => ({
        specifier: from ?? alone ?? '',
        names: clause
          .replace(/[{}]|\btype\b/g, ' ')
          .split(/[\s,]+/)
          .filter((name) => name !== ''),
      }));
      const dynamic = [...text.matchAll(DYNAMIC_IMPORT)].map(([, specifier = '']) => ({
        specifier,
        names: [],
      }));
      return { path: `src/${file}`, text, imports: [...imports, ...dynamic] };
    });
}

/** `src/sip/grammar/uri.ts` lies in `sip/grammar`, `src/server.ts` in `server`. */
function roomOf(path: string): string {
  const [, first = '', second = ''] = path.replace(/\.ts$/, '').split('/');
  return Object.hasOwn(ROOMS, `${first}/${second}`) ? `${first}/${second}` : first;
}

function targetOf(source: Source, { specifier }: Import): string | undefined {
  if (!specifier.startsWith('.')) return undefined;
  return normalize(join(dirname(source.path), specifier)).replace(/\.js$/, '.ts');
}

const ALL = sources();

function offences(look: (source: Source) => readonly string[]): readonly string[] {
  return ALL.flatMap((source) => look(source).map((offence) => `${source.path}: ${offence}`));
}

it('every file lies in a room of the table', () => {
  expect(ALL.length).toBeGreaterThan(50);
  expect(
    offences(({ path }) => (Object.hasOwn(ROOMS, roomOf(path)) ? [] : [`no room ${roomOf(path)}`])),
  ).toEqual([]);
});

it('a room imports only from rows above it, from itself and from its wing', () => {
  expect(
    offences((source) =>
      source.imports.flatMap((imported) => {
        const target = targetOf(source, imported);
        if (target === undefined) return [];
        const [here, there] = [roomOf(source.path), roomOf(target)];
        if (here === there) return [];
        const [mine, theirs] = [ROOMS[here], ROOMS[there]];
        if (mine === undefined || theirs === undefined) return [`imports ${target}, which lies nowhere`];
        const isAllowed =
          theirs.row < mine.row ||
          (theirs.row === mine.row && mine.wing !== undefined && theirs.wing === mine.wing);
        return isAllowed ? [] : [`row ${mine.row} imports ${target} of row ${theirs.row}`];
      }),
    ),
  ).toEqual([]);
});

it('what a room must not see it does not import', () => {
  expect(
    offences((source) =>
      source.imports.flatMap((imported) => {
        const target = targetOf(source, imported) ?? '';
        return FORBIDDEN.filter(([room, from]) => roomOf(source.path) === room && from.test(target)).map(
          ([, , why]) => `imports ${target}: ${why}`,
        );
      }),
    ),
  ).toEqual([]);
});

it('an imported file is there', () => {
  const paths = new Set(ALL.map(({ path }) => path));
  expect(
    offences((source) =>
      source.imports.flatMap((imported) => {
        const target = targetOf(source, imported);
        const isThere = target === undefined || paths.has(target) || target.endsWith('.json');
        return isThere ? [] : [`imports ${imported.specifier}`];
      }),
    ),
  ).toEqual([]);
});

it('a package is known where it belongs, and nowhere else', () => {
  expect(
    offences((source) =>
      source.imports.flatMap(({ specifier, names }) =>
        PACKAGES.filter(([name, where]) => name.test(specifier) && !where.test(source.path))
          .filter(() => !(specifier === 'node:net' && names.every((name) => ADDRESS_CHECKS.test(name))))
          .map(() => `imports ${specifier}`),
      ),
    ),
  ).toEqual([]);
});

it('time, randomness and the environment are read where the table says', () => {
  expect(
    offences(({ path, text }) => {
      const code = withoutComments(text);
      return SOURCES_OF_CHANGE.filter(([what, where]) => what.test(code) && !where.test(path)).map(
        ([what]) => `uses ${what.exec(code)?.[0]}`,
      );
    }),
  ).toEqual([]);
});

it('there are no default exports, no barrels and no drawers for odds and ends', () => {
  expect(
    offences(({ path, text }) => {
      const code = withoutComments(text);
      return [
        ...(/\bexport\s+default\b|\bas\s+default\b/.test(code) ? ['a default export'] : []),
        ...(/\bexport\s+(\*|(type\s+)?\{[^}]*\})\s*from\b/.test(code)
          ? ['passes on what another file exports']
          : []),
        ...(/\/(index|utils?|helpers?|common|types)\.ts$/.test(path) ? ['a name that says nothing'] : []),
        ...(/\/[^/]*[A-Z_][^/]*$/.test(path) ? ['a name that is not in kebab case'] : []),
      ];
    }),
  ).toEqual([]);
});

it('no SQL outside the store', () => {
  expect(
    offences(({ path, text }) =>
      !path.startsWith('src/store/') &&
      /\b(SELECT .* FROM|INSERT INTO|DELETE FROM|PRAGMA )\b/.test(withoutComments(text))
        ? ['speaks SQL']
        : [],
    ),
  ).toEqual([]);
});

it('the location service knows no status codes', () => {
  expect(
    offences(({ path, text }) =>
      roomOf(path) === 'location' &&
      /\b(200|40[0-9]|42[0-9]|48[0-9]|50[0-9])\b/.test(withoutComments(text).replace(/\b\w+_SIZE = \d+/g, ''))
        ? ['has a number that looks like a status']
        : [],
    ),
  ).toEqual([]);
});

it('no file is longer than one reads at a sitting, or it says why', () => {
  const long = ALL.filter(({ text }) => text.split('\n').length - 1 > MAX_LINES).map(({ path }) => path);
  expect(long.filter((path) => !Object.hasOwn(LONG_FILES, path))).toEqual([]);
  expect(Object.keys(LONG_FILES).filter((path) => !long.includes(path))).toEqual([]);
});

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1');
}
