import { describe, expect, test } from 'vitest';
import { API_KEY, serverWithAlice, type TestServer } from '../support/test-server.js';

const DESK = 'sip:alice@192.0.2.1:5060';
const TYPE = 'Content-Type: application/cpl+xml';
const script = (status: string) =>
  `<cpl xmlns="urn:ietf:params:xml:ns:cpl"><incoming><reject status="${status}"/></incoming></cpl>`;

async function stored(server: TestServer, user = 'alice'): Promise<string | number> {
  const response = await fetch(`${server.httpUrl}/v1/users/${user}@example.com/cpl`, {
    headers: { Authorization: `Bearer ${API_KEY}` },
  });
  return response.status === 200 ? response.text() : response.status;
}

describe('A REGISTER with a body (RFC 3261 §8.2.3)', () => {
  test.each([
    ['of an unknown type', ['Content-Type: text/plain']],
    ['of several parts', ['Content-Type: multipart/mixed;boundary=x']],
    ['without a type', []],
    ['of a type that is none', ['Content-Type: cpl']],
    ['of an unknown charset', [`${TYPE};charset=utf-16`]],
    ['that is to be rung with', [TYPE, 'Content-Disposition: alert']],
    ['that must be handled', ['Content-Type: text/plain', 'Content-Disposition: render;handling=required']],
  ])('31: %s is 415 with what is understood, and nothing is stored', async (_, headers) => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    const answer = await phone.register({ headers, body: script('busy'), contacts: [`<${DESK}>`] });

    expect([answer.status, answer.value('Accept')]).toEqual([415, 'application/cpl+xml']);
    expect(await server.bindings('alice@example.com')).toEqual([]);
    expect(await stored(server)).toBe(404);
    expect(server.logged('registration.rejected')).toMatchObject([{ reason: 'unsupported_body' }]);
  });

  test.each([
    ['of an unknown type', ['Content-Type: text/plain', 'Content-Disposition: render;handling=optional']],
    ['with an unknown purpose', [TYPE, 'Content-Disposition: x-unknown ; HANDLING=Optional']],
    [
      'with an unknown encoding',
      [TYPE, 'Content-Encoding: gzip', 'Content-Disposition: script;handling=optional'],
    ],
  ])('31: %s and handling=optional is ignored', async (_, headers) => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    const answer = await phone.register({ headers, body: 'whatever', contacts: [`<${DESK}>`] });

    expect([answer.status, await stored(server)]).toEqual([200, 404]);
  });

  test('31: an encoding that is not understood is 415 with Accept-Encoding', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    const answer = await phone.register({ headers: [TYPE, 'e: identity, gzip'], body: script('busy') });

    expect([answer.status, answer.value('Accept-Encoding')]).toEqual([415, 'identity']);
  });

  test('31: who has not authenticated is asked to, whatever the body', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    const answer = await phone.exchange(phone.compose({ headers: ['Content-Type: text/plain'], body: 'x' }));

    expect(answer.status).toBe(401);
  });

  test.each(['Content-Type: nothing/', 'Content-Disposition: ;;', 'Content-Encoding: gzip', 'Expires: soon'])(
    '30: without a body, "%s" does not matter',
    async (header) => {
      const server = await serverWithAlice();
      const phone = await server.phone('alice');

      expect((await phone.register({ headers: [header], contacts: [`<${DESK}>`] })).status).toBe(200);
    },
  );
});

describe('A call script (RFC 3880)', () => {
  test.each([
    ['alone', [TYPE]],
    [
      'with a charset and a purpose',
      [`${TYPE} ; charset="UTF-8"`, 'Content-Disposition: script;action=store'],
    ],
    ['in identity', [TYPE, 'Content-Encoding: identity']],
  ])('R11: %s is stored with the contacts', async (_, headers) => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    const answer = await phone.register({ headers, body: script('busy'), contacts: [`<${DESK}>`] });

    expect(answer.status).toBe(200);
    expect(await stored(server)).toBe(script('busy'));
    expect(await stored(server, 'bob')).toBe(404);
    expect(await server.bindings('alice@example.com')).toHaveLength(1);
  });

  test('R11: it survives a restart, is replaced by the next, and stays with a REGISTER that brings none', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    await phone.register({ headers: [TYPE], body: script('busy') });
    await phone.register({ headers: [TYPE], body: script('reject'), contacts: [`<${DESK}>`] });
    await phone.register({ contacts: ['*'], expires: 0 });

    await server.restart();

    expect(await stored(server)).toBe(script('reject'));
  });

  test('R11: octets above ASCII come back as they were sent', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    const text = script('busy').replace('/>', ' reason="Später ☎"/>');

    await phone.register({ headers: [TYPE], body: Buffer.from(text, 'utf8').toString('latin1') });

    expect(await stored(server)).toBe(text);
  });

  test.each([
    ['not well-formed', '<cpl>', 'line 1: an element that does not end'],
    ['against the schema', script('302'), 'line 1: status of reject cannot be 302'],
    [
      'with a document type',
      `<!DOCTYPE cpl SYSTEM "file:///etc/passwd">${script('busy')}`,
      'line 1: a document type',
    ],
    ['with an entity', script('&boom;'), 'line 1: an entity that is none of the five'],
    ['not in UTF-8', script('busy').replace('/>', ' reason="\xe9"/>'), 'line 1: not UTF-8'],
    ['deeper than any', '<a>'.repeat(5_000), 'line 1: elements deeper than 64'],
  ])(
    'R11: one that is %s is 400 with a Warning that says why, and nothing is stored',
    async (_, body, why) => {
      const server = await serverWithAlice();
      const phone = await server.phone('alice', { transport: 'tcp' });

      const answer = await phone.register({ headers: [TYPE], body, contacts: [`<${DESK}>`] });

      expect([answer.status, answer.reason]).toEqual([400, 'Bad Call Script']);
      expect(answer.value('Warning')).toContain(`399 registrar "${why}`);
      expect(await server.bindings('alice@example.com')).toEqual([]);
      expect(await stored(server)).toBe(404);
    },
  );

  test('R11: contacts that are refused take the script with them', async () => {
    const server = await serverWithAlice({ domain: { max_bindings_per_user: 1 } });
    const phone = await server.phone('alice');

    const answer = await phone.register({
      headers: [TYPE],
      body: script('busy'),
      contacts: [`<${DESK}>`, '<sip:alice@192.0.2.2>'],
    });

    expect([answer.status, await stored(server)]).toEqual([503, 404]);
  });

  test('R11: a grant to register another is no grant to handle their calls', async () => {
    const server = await serverWithAlice({ alice: { may_register: ['sip:bob@example.com'] } });
    const phone = await server.phone('alice');
    const to = '<sip:bob@example.com>';

    const withScript = await phone.register({ to, headers: [TYPE], body: script('busy') });
    const without = await phone.register({ to, contacts: ['<sip:bob@192.0.2.1>'] });

    expect([withScript.status, without.status]).toEqual([403, 200]);
    expect(await stored(server, 'bob')).toBe(404);
  });
});
