import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { isLeftOut, startClient } from '../support/real-client.js';
import { temporaryFolder } from '../support/server-process.js';
import { PASSWORD, TestServer } from '../support/test-server.js';

const DOMAIN = 'biloxi.example.com';
const BOB = `sip:bob@${DOMAIN}`;

/** Runs one scenario of ./sipp once; SIPp itself says by its exit code whether all went as the scenario wants. */
async function runScenario(server: TestServer, transport: string, scenario: string) {
  const sipp = startClient(
    'sipp',
    [
      `127.0.0.1:${server.sipPort}`,
      ...['-sf', fileURLToPath(new URL(`./sipp/${scenario}.xml`, import.meta.url))],
      ...['-t', transport, '-i', '127.0.0.1', '-m', '1', '-l', '1', '-nostdin'],
      ...['-auth_uri', DOMAIN, '-key', 'domain', DOMAIN],
      ...['-timeout', '10', '-timeout_error'],
    ],
    temporaryFolder(),
  );
  const code = await sipp.ended;
  expect([scenario, code, code === 0 ? '' : sipp.output()]).toEqual([scenario, 0, '']);
}

describe.skipIf(isLeftOut('sipp')).each([
  ['UDP', 'u1'],
  ['TCP', 't1'],
] as const)('SIPp over %s', (name, transport) => {
  test('goes through the registration flows of RFC 3665 §2, and the API shows what each leads to', async () => {
    const server = await TestServer.start();
    await server.addDomain(DOMAIN);
    // The password stands in the scenarios: SIPp has no way to hand it in.
    expect(PASSWORD).toBe('Zx81-open-Sesame');
    await server.addUser('bob', DOMAIN);

    await runScenario(server, transport, '2.1-new-registration');
    expect(await server.bindings(BOB)).toMatchObject([
      {
        contact: expect.stringMatching(new RegExp(`^sip:bob@127\\.0\\.0\\.1:\\d+;transport=${name}$`)),
        received: { transport: name.toLowerCase(), ip: '127.0.0.1' },
        user_agent: 'SIPp',
      },
    ]);
    await runScenario(server, transport, '2.2-update-of-contact-list');
    expect(await server.bindings(BOB)).toHaveLength(2);
    await runScenario(server, transport, '2.3-request-for-contact-list');
    expect(await server.bindings(BOB)).toHaveLength(2);
    await runScenario(server, transport, '2.4-cancellation');
    expect(await server.bindings(BOB)).toEqual([]);
    expect(server.logged('registration.rejected')).toEqual([]);

    await runScenario(server, transport, '2.5-unsuccessful-registration');
    expect(await server.bindings(BOB)).toEqual([]);
    expect(server.logged('registration.rejected')).toMatchObject([
      { reason: 'wrong_password', username: 'bob', user_agent: 'SIPp' },
    ]);
  });
});
