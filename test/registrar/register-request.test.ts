import { expect, it } from 'vitest';
import type { RegisterCommand } from '../../src/location/register.js';
import {
  MAX_CONTACTS_A_REQUEST,
  MAX_USER_AGENT_LENGTH,
  readAction,
  readUserAgent,
} from '../../src/registrar/register-request.js';
import { parseMessage } from '../../src/sip/grammar/message.js';
import { isParseError } from '../../src/sip/grammar/sip-parse-error.js';
import type { Flow } from '../../src/sip/transport/flow.js';
import { type IncomingRequest, readRequest } from '../../src/sip/uas/incoming-request.js';

const FLOW: Flow = {
  transport: 'udp',
  id: null,
  remoteAddress: '192.0.2.1',
  remotePort: 5060,
  respond: () => undefined,
};

function request(...lines: readonly string[]): IncomingRequest {
  const text = [
    'REGISTER sip:example.com SIP/2.0',
    'Via: SIP/2.0/UDP h;branch=z9hG4bK1',
    'From: <sip:alice@example.com>;tag=a',
    'To: <sip:alice@example.com>',
    'Call-ID: c',
    'CSeq: 1 REGISTER',
    ...lines,
  ].join('\r\n');
  const message = parseMessage(`${text}\r\n\r\n`, { framing: 'datagram' });
  if (message.kind !== 'request') throw new Error(message.kind);
  const incoming = readRequest(message, FLOW, 0);
  if (isParseError(incoming)) throw new Error(incoming.detail);
  return incoming;
}

/** What is asked for: `query`, `remove_all`, `400`, or each contact with its interval. */
function asked(...lines: readonly string[]): unknown {
  const action = readAction(request(...lines));
  if (isParseError(action)) return action.status;
  if (action.kind !== 'update') return action.kind;
  return action.contacts.map(({ contact, requestedSeconds }) => `${contact} ${requestedSeconds}`);
}

it.each<[string, readonly string[], unknown]>([
  ['8: no Contact is a query', [], 'query'],
  ['8, 13: with an Expires it still is', ['Expires: 30'], 'query'],
  ['4: * with Expires: 0', ['Contact: *', 'Expires: 0'], 'remove_all'],
  ['4: * without Expires', ['Contact: *'], 400],
  ['4: * with another Expires', ['Contact: *', 'Expires: 60'], 400],
  ['4: * with a malformed Expires', ['Contact: *', 'Expires: now'], 400],
  ['4: a parameter on * does not count', ['Contact: *;expires=0'], 400],
  ['4: * beside another in the same field', ['Contact: *, <sip:a@h>', 'Expires: 0'], 400],
  ['4: * beside another in another field', ['Contact: *', 'Contact: <sip:a@h>', 'Expires: 0'], 400],
  ['11: nothing asked', ['Contact: <sip:a@h>'], ['sip:a@h undefined']],
  ['11: the header field', ['Contact: <sip:a@h>', 'Expires: 60'], ['sip:a@h 60']],
  [
    '11: the parameter beats it, for each contact',
    ['Contact: <sip:a@h>;expires=30, <sip:b@h>', 'Expires: 60'],
    ['sip:a@h 30', 'sip:b@h 60'],
  ],
  ['12: a malformed parameter is one hour', ['Contact: <sip:a@h>;expires=soon'], ['sip:a@h 3600']],
  ['12: a malformed header field is one hour', ['Contact: <sip:a@h>', 'Expires: -1'], ['sip:a@h 3600']],
  ['12: more than 2^32 - 1 is clamped', ['Contact: <sip:a@h>;expires=99999999999'], ['sip:a@h 4294967295']],
  ['6: zero', ['Contact: <sip:a@h>;expires=0'], ['sip:a@h 0']],
  [
    '41: compact and in several fields',
    ['m: <sip:a@h>', 'Contact: <sip:b@h>'],
    ['sip:a@h undefined', 'sip:b@h undefined'],
  ],
  ["42: parameters of a bare URI are the contact's", ['Contact: sip:a@h;expires=60'], ['sip:a@h 60']],
  ['42: a bare URI with a question mark', ['Contact: sip:a@h?x=y'], 400],
  ['R8: other schemes', ['Contact: <tel:+123>'], ['tel:+123 undefined']],
  ['55: q above 1', ['Contact: <sip:a@h>;q=1.1'], 400],
  ['55: q with four decimals', ['Contact: <sip:a@h>;q=0.1234'], 400],
  ['55: q that is fine', ['Contact: <sip:a@h>;q=0.123'], ['sip:a@h undefined']],
  ['an empty Contact', ['Contact: '], 400],
  [
    'as many contacts as there may be',
    Array(MAX_CONTACTS_A_REQUEST).fill('Contact: <sip:a@h>'),
    Array(MAX_CONTACTS_A_REQUEST).fill('sip:a@h undefined'),
  ],
  ['one more', Array(MAX_CONTACTS_A_REQUEST + 1).fill('Contact: <sip:a@h>'), 400],
])('%s', (_, lines, expected) => {
  expect(asked(...lines)).toEqual(expected);
});

it('10: URI, name and parameters are kept as sent, expires apart', () => {
  const action = readAction(
    request(
      'Contact: "A, \\"B\\"" <sip:%61l@H:5060;Transport=TCP>;Expires=60;Q=0.5;+sip.instance="<urn:uuid:1>";reg-id=2;methods="A,B"',
    ),
  );
  const [contact] = (action as Extract<RegisterCommand['action'], { kind: 'update' }>).contacts;
  expect(contact).toMatchObject({
    contact: 'sip:%61l@H:5060;Transport=TCP',
    displayName: '"A, \\"B\\""',
    contactParams: ';Q=0.5;+sip.instance="<urn:uuid:1>";reg-id=2;methods="A,B"',
    qThousandths: 500,
    requestedSeconds: 60,
    regId: 2,
  });
});

it.each<[readonly string[], string | null]>([
  [[], null],
  [['User-Agent: '], null],
  [['User-Agent: Phone/1.0 (x)'], 'Phone/1.0 (x)'],
  [[`User-Agent: ${'x'.repeat(300)}`], 'x'.repeat(MAX_USER_AGENT_LENGTH)],
])('the User-Agent of %j', (lines, expected) => {
  expect(readUserAgent(request(...lines))).toBe(expected);
});
