import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseDigestCredentials } from '../../../src/sip/grammar/headers/authorization.js';
import { parseCallId } from '../../../src/sip/grammar/headers/call-id.js';
import { parseContacts } from '../../../src/sip/grammar/headers/contact.js';
import { parseCSeq } from '../../../src/sip/grammar/headers/cseq.js';
import { parseExpires } from '../../../src/sip/grammar/headers/expires.js';
import { parseFrom, parseTo } from '../../../src/sip/grammar/headers/from-to.js';
import { parseMaxForwards } from '../../../src/sip/grammar/headers/max-forwards.js';
import { parseOptionTags } from '../../../src/sip/grammar/headers/option-tags.js';
import { branchOf, parseTopVia } from '../../../src/sip/grammar/headers/via.js';
import {
  allValues,
  parseMessage,
  printMessage,
  type SipRequest,
  singleValue,
} from '../../../src/sip/grammar/message.js';
import { isParseError } from '../../../src/sip/grammar/sip-parse-error.js';
import { StreamFramer } from '../../../src/sip/grammar/stream-framer.js';
import { isSipUri, parseUri, sameUri } from '../../../src/sip/grammar/uri.js';

const FIXTURES = new URL('../../fixtures/captured/', import.meta.url);
const names = readdirSync(FIXTURES).filter((name) => name.endsWith('.txt'));

function load(name: string): string {
  return readFileSync(new URL(name, FIXTURES), 'latin1');
}

function request(text: string): SipRequest {
  const message = parseMessage(text, { framing: 'datagram' });
  if (message.kind !== 'request') throw new Error(`no request: ${JSON.stringify(message)}`);
  return message;
}

function ok<T>(result: T): Exclude<T, { readonly status: number; readonly detail: string }> {
  if (isParseError(result)) throw new Error(`${result.header}: ${result.detail}`);
  return result as Exclude<T, { readonly status: number; readonly detail: string }>;
}

function only(message: SipRequest, name: string): string {
  const value = ok(singleValue(message.headers, name));
  if (value === undefined) throw new Error(`no ${name}`);
  return value;
}

/** Seconds the captured clients were configured with; jami and the two call rigs had others. */
function expectedExpires(name: string): number {
  if (name.includes('unregister')) return 0;
  if (name.startsWith('call-')) return 120;
  return name.startsWith('jami-') ? 3600 : 60;
}

describe('a REGISTER as real clients send it', () => {
  it('is among the fixtures', () => {
    expect(names.length).toBeGreaterThan(30);
  });

  it.each(names)('%s is read, every header the registrar looks at', (name) => {
    const message = request(load(name));
    expect(message.method).toBe('REGISTER');
    expect(isSipUri(ok(parseUri(message.requestUri)))).toBe(true);
    expect(branchOf(ok(parseTopVia(allValues(message.headers, 'via')[0] ?? '')))).toMatch(/^z9hG4bK/);
    const from = ok(parseFrom(only(message, 'from')));
    const to = ok(parseTo(only(message, 'to')));
    expect(from.tag).toBeDefined();
    expect(to.tag).toBeUndefined();
    expect(sameUri(from.uri, to.uri)).toBe(true);
    expect(to.uri).toMatchObject({ user: expect.stringMatching(/^cap\.|^call-/), host: 'sip.test' });
    expect(ok(parseCSeq(only(message, 'cseq')))).toMatchObject({ method: 'REGISTER' });
    expect(ok(parseCallId(only(message, 'call-id')))).not.toBe('');
    expect(ok(parseMaxForwards(only(message, 'max-forwards')))).toBeGreaterThan(60);
    const contacts = ok(parseContacts(allValues(message.headers, 'contact')));
    const kind =
      name.includes('wildcard-auth') || name.includes('wildcard-2')
        ? 'star'
        : name.includes('query')
          ? 'none'
          : 'list';
    expect(contacts.kind).toBe(kind);
    if (contacts.kind === 'list') {
      const [contact] = contacts.contacts;
      const expires =
        parseExpires(contact?.expires) ?? parseExpires(ok(singleValue(message.headers, 'expires')));
      expect(expires).toBe(expectedExpires(name));
    }
    ok(parseOptionTags(allValues(message.headers, 'supported')));
    const authorization = allValues(message.headers, 'authorization');
    expect(authorization).toHaveLength(name.includes('-auth') ? 1 : 0);
    for (const value of authorization) {
      expect(ok(parseDigestCredentials(value))).toMatchObject({
        realm: 'sip.test',
        username: expect.stringMatching(/^cap\.|^call-/),
        uri: expect.stringMatching(/^sip:/),
        response: expect.stringMatching(/^([0-9a-f]{32}|[0-9a-f]{64})$/),
        qop: 'auth',
        nc: expect.stringMatching(/^[0-9a-f]{8}$/),
      });
    }
  });

  it.each(names)('%s is the same after printing and parsing', (name) => {
    const message = request(load(name));
    const again = request(printMessage(message));
    const withoutLength = ({ headers }: SipRequest) =>
      headers.filter((field) => field.name !== 'content-length');
    expect({ ...again, headers: withoutLength(again) }).toEqual({
      ...message,
      headers: withoutLength(message),
    });
    expect(singleValue(again.headers, 'content-length')).toBe('0');
  });

  it.each(names)('%s is the same with bare LFs, and over a stream in pieces', (name) => {
    const text = load(name);
    const message = request(text);
    expect(request(text.replaceAll('\r\n', '\n'))).toEqual(message);
    const printed = Buffer.from(printMessage(message), 'latin1');
    const framer = new StreamFramer();
    const events = Array.from(printed, (octet) => framer.push(Buffer.from([octet]))).flat();
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({ kind: 'message' });
  });

  it('41: of Twinkle is read from its compact forms', () => {
    const message = request(load('twinkle-compact-wildcard-6-register-auth.txt'));
    expect(message.headers.map(({ name }) => name).slice(0, 7)).toEqual([
      'via',
      'max-forwards',
      'to',
      'from',
      'call-id',
      'cseq',
      'contact',
    ]);
  });
});
