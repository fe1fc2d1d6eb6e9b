import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';

/*
 * Messages that are almost SIP: what real clients sent, with something done to it. Texts are octet strings, one
 * character an octet.
 */

const CAPTURED = fileURLToPath(new URL('../fixtures/captured', import.meta.url));
const CORPUS = fileURLToPath(new URL('./corpus', import.meta.url));

/** What real clients sent. */
export const CAPTURED_MESSAGES: readonly string[] = readFolder(CAPTURED).map(({ octets }) => octets);

/** What once went wrong, and what is likely to. */
export const CORPUS_MESSAGES: readonly { readonly name: string; readonly octets: string }[] =
  readFolder(CORPUS);

const SEEDS = [...CAPTURED_MESSAGES, ...CORPUS_MESSAGES.map(({ octets }) => octets)];

/** What stands between things, in SIP's grammar and in those who read it carelessly. */
const DELIMITERS = [
  ...',;:<>"\\=@?&%[]()/ \t*\r\n\0\x7f\xff'.split(''),
  ...[
    '\r\n',
    '\r\n ',
    '\r\n\r\n',
    '\n\n',
    '""',
    '\\"',
    '<>',
    '%00',
    '%',
    ';;',
    '=;',
    '::',
    'sip:',
    '{}',
    '../',
  ],
];
const NUMBERS = [
  '0',
  '00',
  '-1',
  '+1',
  '1e9',
  '2147483648',
  '4294967296',
  '18446744073709551616',
  '9'.repeat(60),
];
const WORDS = [
  '*',
  'sips:',
  'tel:1',
  'Digest',
  'SIP/2.0',
  'SIP/3.0',
  '__proto__',
  'constructor',
  'toString',
  'l',
];

/** A place in a text whose length is not known yet, as a share of it. */
const place = fc.double({ min: 0, max: 1, noNaN: true });

type Mutation = (text: string, other: string) => string;

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  // Of octets.
  fc.tuple(place, fc.integer({ min: 0, max: 255 })).map(
    ([at, octet]): Mutation =>
      (text) => {
        const i = index(text, at);
        return text.slice(0, i) + String.fromCharCode(octet) + text.slice(i + 1);
      },
  ),
  fc.tuple(place, fc.integer({ min: 1, max: 200 })).map(
    ([at, length]): Mutation =>
      (text) => {
        const i = index(text, at);
        return text.slice(0, i) + text.slice(i + length);
      },
  ),
  fc.tuple(place, place, fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 20 })).map(
    ([from, to, length, times]): Mutation =>
      (text) => {
        const piece = text.slice(index(text, from), index(text, from) + length);
        return insert(text, to, piece.repeat(times));
      },
  ),
  fc.tuple(place, fc.constantFrom(...DELIMITERS), fc.constantFrom(1, 1, 1, 2, 7, 60, 3_000)).map(
    ([at, delimiter, times]): Mutation =>
      (text) =>
        insert(text, at, delimiter.repeat(times)),
  ),
  fc.tuple(place, place, fc.integer({ min: 1, max: 400 })).map(
    ([at, from, length]): Mutation =>
      (text, other) => {
        return insert(text, at, other.slice(index(other, from), index(other, from) + length));
      },
  ),
  place.map(
    (at): Mutation =>
      (text) =>
        text.slice(0, index(text, at)),
  ),
  // Of words.
  fc.tuple(place, fc.constantFrom(...NUMBERS, ...WORDS)).map(
    ([at, word]): Mutation =>
      (text) =>
        replaceWord(text, at, word),
  ),
  // Of lines.
  fc.tuple(place, place).map(
    ([from, to]): Mutation =>
      (text, other) => {
        const lines = text.split('\r\n');
        lines.splice(index(lines, to), 0, pick(other.split('\r\n'), from));
        return lines.join('\r\n');
      },
  ),
  place.map(
    (at): Mutation =>
      (text) => {
        const lines = text.split('\r\n');
        lines.splice(index(lines, at), 1);
        return lines.join('\r\n');
      },
  ),
  fc.tuple(place, place).map(
    ([from, to]): Mutation =>
      (text, other) => {
        // The value of one header field under the name of another.
        const lines = text.split('\r\n');
        const i = index(lines, to);
        const name = (lines[i] ?? '').split(':')[0] ?? '';
        lines[i] = `${name}:${pick(other.split('\r\n'), from).split(':').slice(1).join(':')}`;
        return lines.join('\r\n');
      },
  ),
);

/** A message that is almost one. */
export const almostSip: fc.Arbitrary<string> = fc
  .record({
    seed: fc.constantFrom(...SEEDS),
    other: fc.constantFrom(...SEEDS),
    mutations: fc.array(mutation, { minLength: 1, maxLength: 6 }),
  })
  .map(({ seed, other, mutations }) => {
    let text = seed;
    for (const mutate of mutations) text = mutate(text, other);
    return text.slice(0, 60_000);
  });

const CONTACTS = [
  '<sip:a@192.0.2.1:5060;ob>;expires=60',
  '"A \\" B" <sip:a@[2001:db8::1]>;q=0.5;+sip.instance="<urn:uuid:1>";reg-id=1',
  'sip:a@example.com;expires=0',
  '*',
  'A B <sips:a@b?x=y&Route=%3csip:c%3e>;+g.3gpp="*!,;"',
  '<tel:+1;x=y>, <sip:b@c>',
];

const SCRIPT =
  '<?xml version="1.0"?>\n<!-- x --><cpl xmlns="urn:ietf:params:xml:ns:cpl"><subaction id="a"><location url="sip:b@c">' +
  '<redirect/></location></subaction><incoming><address-switch field="origin"><address is="sip:d&amp;e"><sub ref="a"/>' +
  '</address><otherwise><reject status="busy"/></otherwise></address-switch></incoming></cpl>';

/** What somebody who knows a password could put into a REGISTER. Values are header values. */
export const signedParts: fc.Arbitrary<{
  readonly contacts: readonly string[];
  readonly expires: string;
  readonly callId: string;
  readonly to: string;
  readonly headers: readonly string[];
  readonly body: string;
}> = fc
  .record({
    values: fc.array(fc.tuple(fc.constantFrom(...CONTACTS), fc.array(mutation, { maxLength: 3 })), {
      maxLength: 6,
    }),
    expires: fc.constantFrom('60', '3600', '', 'x', ...NUMBERS),
    callId: fc.constantFrom('a', 'a@b', '__proto__', '<>"', 'x'.repeat(3_000)),
    to: fc.tuple(
      fc.constantFrom('<sip:fuzz@example.com>', '"x" <sip:fuzz@example.com;a=b?c=d>;tag=1'),
      fc.array(mutation, { maxLength: 1 }),
    ),
    headers: fc.array(
      fc.tuple(fc.constantFrom(...CAPTURED_MESSAGES), place, fc.array(mutation, { maxLength: 2 })),
      {
        maxLength: 5,
      },
    ),
    script: fc.option(fc.array(mutation, { maxLength: 4 })),
  })
  .map(({ values, expires, callId, to, headers, script }) => ({
    contacts: values.map(([value, mutations]) => onOneLine(apply(value, mutations))),
    expires,
    callId,
    to: onOneLine(apply(to[0], to[1])),
    body: script === null ? '' : apply(SCRIPT, script).slice(0, 20_000),
    headers: headers
      .map(([message, at, mutations]) =>
        onOneLine(apply(pick(message.split('\r\n').slice(1), at), mutations)),
      )
      .filter((line) => line.includes(':') && !/^\s|^(l|content-length)\s*:/i.test(line))
      .concat(script === null ? [] : ['Content-Type: application/cpl+xml']),
  }));

function apply(text: string, mutations: readonly Mutation[]): string {
  return mutations.reduce((mutated, mutate) => mutate(mutated, text), text);
}

function onOneLine(text: string): string {
  return text.replaceAll(/[\r\n]/g, ' ').slice(0, 8_000);
}

function index(text: { readonly length: number }, at: number): number {
  return Math.min(Math.floor(at * text.length), Math.max(0, text.length - 1));
}

function pick(list: readonly string[], at: number): string {
  return list[index(list, at)] ?? '';
}

function insert(text: string, at: number, piece: string): string {
  const i = index(text, at);
  return text.slice(0, i) + piece + text.slice(i);
}

function replaceWord(text: string, at: number, word: string): string {
  const from = index(text, at);
  const start = text.slice(from).search(/[A-Za-z0-9]/);
  if (start === -1) return text + word;
  const rest = text.slice(from + start);
  const end = rest.search(/[^A-Za-z0-9]/);
  return text.slice(0, from + start) + word + (end === -1 ? '' : rest.slice(end));
}

function readFolder(folder: string): readonly { name: string; octets: string }[] {
  return readdirSync(folder)
    .sort()
    .map((name) => ({ name, octets: readFileSync(`${folder}/${name}`, 'latin1') }));
}
