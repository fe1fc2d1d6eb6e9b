import { describe, expect, test } from 'vitest';
import type { Phone, RegisterParts } from '../support/phone.js';
import { InProcessServer } from './in-process.js';

/** As much as goes into one header field line with its name. */
const LINE = 8_100;
/** Quadratic work on 64 KB takes longer than that; linear work a tenth of it, even on a slow machine. */
const GENEROUS_MS = 60;
/** What a ratio of 2 is allowed to look like. */
const GENEROUS_RATIO = 3.5;
/** Below this, a ratio of two durations says more about the machine than about the work. */
const MEASURABLE_MS = 4;
const MAX_ROUNDS = 12;

const UNITS = [
  ...[
    'a',
    '1',
    '.',
    ' ',
    '\t',
    ',',
    ';',
    ':',
    '<',
    '>',
    '"',
    '\\',
    '=',
    '@',
    '?',
    '&',
    '%',
    '[',
    ']',
    '(',
    '/',
    '*',
  ],
  ...[';a', ';a=1', ';a="', '\\"', '"",', '<>,', 'a,', '%41', 'a=1,', 'a="1",', '<sip:a@b>,', '&a=1', '\xff'],
];

/** What each header field may begin with before it goes wrong. */
const HEADERS: Readonly<Record<string, readonly string[]>> = {
  Via: ['', 'SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK', 'SIP/2.0/UDP h;x="'],
  From: ['', '<sip:alice@example.com>;tag=1', '<sip:a', '"'],
  To: ['', '<sip:alice@example.com>', '<sip:alice@example.com;x=', '<sip:', '"'],
  'Call-ID': ['', 'a@b'],
  Contact: ['', '<sip:alice@192.0.2.9>', '<sip:alice@192.0.2.9', '<sip:', 'sip:a@b', '"'],
  Expires: ['', '1'],
  Authorization: ['', 'Digest ', 'Digest username="', 'Basic '],
  Require: ['', 'a'],
  Supported: ['', 'path,'],
  'User-Agent': [''],
  'Content-Type': ['', 'application/cpl+xml', 'a/b;c="'],
  'Content-Disposition': ['', 'render;handling='],
  'Max-Forwards': ['', '7'],
  Date: [''],
  Path: ['', '<sip:p;lr>'],
  Route: ['', '<sip:p;lr>'],
  'X-Unknown': [''],
};

interface Shape {
  readonly name: string;
  /** Parts of a REGISTER with `size` octets of the unit in it, all told. */
  readonly parts: (head: string, unit: string, size: number) => RegisterParts;
}

function runOf(head: string, unit: string, size: number): string {
  return head + unit.repeat(Math.max(0, Math.floor((size - head.length) / unit.length)));
}

function shapesOf(header: string): readonly Shape[] {
  const field = (value: string): RegisterParts => {
    switch (header) {
      case 'Via':
        return { via: value };
      case 'From':
        return { from: value };
      case 'To':
        return { to: value };
      case 'Call-ID':
        return { callId: value };
      case 'Contact':
        return { contacts: [value] };
      case 'Expires':
        return { expires: value };
      default:
        return { headers: [`${header}: ${value}`] };
    }
  };
  return [
    { name: 'one field', parts: (head, unit, size) => field(runOf(head, unit, size / 8)) },
    {
      name: 'many fields',
      parts: (head, unit, size) => ({
        headers: Array.from({ length: size / LINE }, () => `${header}: ${runOf(head, unit, LINE - 50)}`),
      }),
    },
    { name: 'one field too long', parts: (head, unit, size) => field(runOf(head, unit, size)) },
  ];
}

/** Milliseconds until the answer, or until it is clear that there is none. */
async function cost(server: InProcessServer, octets: string): Promise<number> {
  const before = performance.now();
  await server.ask(octets);
  return performance.now() - before;
}

/** Each time a new request, so that none is a retransmission and no nonce count is old. */
async function expectLinear(
  server: InProcessServer,
  make: (size: number) => string,
  what: string,
): Promise<void> {
  let short = Number.POSITIVE_INFINITY;
  let long = Number.POSITIVE_INFINITY;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    long = Math.min(long, await cost(server, make(8 * LINE)));
    if (long < MEASURABLE_MS) return;
    short = Math.min(short, await cost(server, make(4 * LINE)));
    if (round >= 2 && long < GENEROUS_MS && long / short < GENEROUS_RATIO) return;
  }
  expect.fail(`${what} took ${short.toFixed(1)} ms, and twice of it ${long.toFixed(1)} ms`);
}

async function expectLinearWhateverComes(
  server: InProcessServer,
  phone: Phone,
  header: string,
  isSigned: boolean,
): Promise<void> {
  for (const { name, parts } of shapesOf(header)) {
    for (const head of HEADERS[header] ?? []) {
      for (const unit of UNITS) {
        const make = (size: number): string =>
          phone.compose({ ...parts(head, unit, size), ...(isSigned ? {} : { authorization: null }) });
        await expectLinear(server, make, JSON.stringify(`${name}: ${header}: ${head}${unit}…`));
      }
    }
  }
}

describe.each([
  ['of a stranger', false],
  ['signed rightly', true],
])('A REGISTER %s takes the whole server time in proportion to its length', (_, isSigned) => {
  test.each(Object.keys(HEADERS))('%s', async (header) => {
    const server = await InProcessServer.start();
    const phone = server.phone();
    if (isSigned) await phone.fetchChallenge();
    // So that the damaged ones stand where the good ones do.
    expect((await phone.exchange(phone.compose({ contacts: [`<${phone.contact}>`] }))).status).toBe(
      isSigned ? 200 : 401,
    );
    await expectLinearWhateverComes(server, phone, header, isSigned);
  });

  test.each([
    ...['a', '<', '\r\n', 'a: b\r\n', ',', '"', '\0'],
    ...[
      '<a>',
      '<a/>',
      '<a b="',
      ' b="1"',
      '&lt;',
      '&',
      '<!--',
      '<!-- -->',
      '<![CDATA[',
      '<?a?>',
      ']]>',
      '<!DOCTYPE ',
    ],
  ])('a body of %j', async (unit) => {
    const server = await InProcessServer.start();
    const phone = server.phone();
    if (isSigned) await phone.fetchChallenge();
    for (const [type, begin] of [
      ['a/b', ''],
      ['application/cpl+xml', ''],
      ['application/cpl+xml', '<?xml version="1.0"?><cpl xmlns="urn:ietf:params:xml:ns:cpl">'],
      ['application/cpl+xml', '<cpl xmlns="urn:ietf:params:xml:ns:cpl"><incoming '],
    ] as const) {
      const make = (size: number): string =>
        phone.compose({
          body: runOf(begin, unit, size - 1_500),
          headers: [`Content-Type: ${type}`],
          ...(isSigned ? {} : { authorization: null }),
        });
      await expectLinear(server, make, `a ${type} body of ${JSON.stringify(unit)}`);
    }
  });
});

test('many contacts, each to be compared with each that is there', async () => {
  const server = await InProcessServer.start();
  const phone = server.phone();
  await phone.fetchChallenge();
  const contacts = (count: number, first: number) =>
    Array.from(
      { length: count },
      (_, n) => `<sip:alice@192.0.2.${n % 200}:${first + n};x=${'y'.repeat(200)}>`,
    );
  for (let n = 0; n < 15; n++) {
    expect((await phone.exchange(phone.compose({ contacts: contacts(64, 2_000 + n * 64) }))).status).toBe(
      200,
    );
  }

  let fastest = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 5; round++) {
    fastest = Math.min(fastest, await cost(server, phone.compose({ contacts: contacts(64, 2_000) })));
  }
  // 64 × 960 comparisons; a millisecond each would be a minute.
  expect(fastest).toBeLessThan(500);
});
