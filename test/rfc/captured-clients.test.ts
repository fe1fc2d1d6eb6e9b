import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { authorize, type Challenge, readChallenge } from '../support/digest-client.js';
import { PASSWORD, TestServer } from '../support/test-server.js';

/*
 * What real clients sent, sent again: each session of test/fixtures/captured-sessions in its order, octet for octet, but
 * for what belongs to the day of the recording — the port of the client, the nonce and the response to it.
 */

const FIXTURES = new URL('../fixtures/captured-sessions/', import.meta.url);

interface Recorded {
  readonly file: string;
  readonly octets: string;
}

/** `baresip-udp-2-register-auth.txt` is the second message of the session `baresip-udp`. */
function sessions(): readonly (readonly [name: string, messages: readonly Recorded[]])[] {
  const byName = new Map<string, (Recorded & { readonly number: number })[]>();
  for (const file of readdirSync(FIXTURES)) {
    const [, name = '', number] = /^(.+?)-(\d+)-[a-z-]+\.txt$/.exec(file) ?? [];
    if (number === undefined) throw new Error(`a fixture without a number: ${file}`);
    const octets = readFileSync(new URL(file, FIXTURES), 'latin1');
    if (!/^(?:v|via): SIP\/2\.0\/(?:UDP|TCP) /im.test(octets)) continue;
    byName.set(name, [...(byName.get(name) ?? []), { file, octets, number: Number(number) }]);
  }
  return [...byName].map(([name, messages]) => [name, messages.sort((a, b) => a.number - b.number)] as const);
}

function field(octets: string, name: string): string {
  return new RegExp(`^${name}: *([^\r\n]*)`, 'im').exec(octets)?.[1] ?? '';
}

function contactOf(octets: string): string {
  return field(octets, '(?:m|contact)');
}

/** The Authorization as the client wrote it, with another nonce and the response that goes with it. */
function resigned(octets: string, challenge: Challenge): string {
  const given = readChallenge(field(octets, 'authorization').replace(/^Digest\s+/, 'Digest '));
  const fresh = authorize({
    username: given.username ?? '',
    password: PASSWORD,
    uri: given.uri ?? '',
    challenge: { ...challenge, realm: given.realm ?? '' },
    nc: Number.parseInt(given.nc ?? '', 16),
    ...(given.algorithm === undefined ? {} : { algorithm: given.algorithm as 'MD5' }),
    cnonce: given.cnonce ?? '',
  });
  const response = readChallenge(fresh).response ?? '';
  return octets
    .replace(/([ ,])nonce="[^"]*"/, `$1nonce="${challenge.nonce}"`)
    .replace(/response="[^"]*"/, `response="${response}"`);
}

describe('Sessions recorded from real clients', () => {
  const all = sessions();

  test('the recordings of every client with UDP or TCP are here', () => {
    const clients = new Set(all.map(([name]) => name.replace(/^call-/, '').split('-')[0]));
    expect([...clients].toSorted()).toEqual([
      'baresip',
      'baresip4',
      'jain',
      'jami',
      'linphone',
      'netsip',
      'nodesip',
      'pjsua',
      'sipp',
      'sipsak',
      'sofia',
      'twinkle',
    ]);
  });

  test.each(all)(
    '%s registers, and finds its own Contact byte for byte in the 200',
    async (name, messages) => {
      const first = messages[0]?.octets ?? '';
      const sentBy = /^(?:v|via): SIP\/2\.0\/(?:UDP|TCP) ([^; ]+)/im.exec(first)?.[1] ?? '';
      const server = await TestServer.start({ host: sentBy.startsWith('[') ? '::1' : '127.0.0.1' });
      await server.addDomain('sip.test', { challenge: name.includes('sha256') ? 'sha-256' : 'md5' });
      await server.addUser(/^(?:t|to):.*sip:([^@]+)@/im.exec(first)?.[1] ?? '', 'sip.test');
      const wire = first.includes('SIP/2.0/TCP') ? await server.tcp() : await server.udp();
      // A client with two flows has two sequences at once, each with its own nonce.
      const challenges = new Map<string, Challenge>();

      for (const { file, octets: recorded } of messages) {
        const octets = recorded.replaceAll(sentBy, wire.sentBy);
        const callId = field(octets, '(?:i|call-id)');
        const contact = contactOf(octets);
        const isRemoval = field(octets, 'expires') === '0' || /;expires=0\b/.test(contact);
        if (field(octets, 'authorization') === '') {
          wire.send(octets);
          const answer = await wire.receive();
          expect([file, answer.status]).toEqual([file, 401]);
          challenges.set(callId, readChallenge(answer.value('WWW-Authenticate')));
          continue;
        }
        const challenge = challenges.get(callId) ?? (await fetchChallenge(octets));
        challenges.set(callId, challenge);
        wire.send(resigned(octets, challenge));
        const answer = await wire.receive();

        expect([file, answer.status]).toEqual([file, 200]);
        if (contact === '*') expect(answer.contacts()).toEqual([]);
        else if (isRemoval) expect(answer.contacts()).not.toContain(echoOf(contact));
        else if (contact !== '') expect(answer.contacts()).toContain(echoOf(contact));
      }
      // A wrong guess of ours would show as a failed password.
      expect(server.logged('registration.rejected')).toEqual([]);

      /** For sessions whose first message was not recorded: the same without credentials. */
      async function fetchChallenge(octets: string): Promise<Challenge> {
        wire.send(
          octets
            .replace(/^Authorization: [^\r]*\r\n/im, '')
            .replace(/branch=z9hG4bK/, 'branch=z9hG4bKfirst')
            .replace(/^(CSeq: +)\d+/im, '$11'),
        );
        return readChallenge((await wire.receive()).value('WWW-Authenticate'));
      }
    },
  );
});

/** The Contact as the 200 must have it, `expires` left out: in brackets, parameters in their order. */
function echoOf(contact: string): string {
  const bracketed = contact.includes('<') ? contact : contact.replace(/^[^;]*/, '<$&>');
  return bracketed.replace(/;expires=\d+/, '');
}
