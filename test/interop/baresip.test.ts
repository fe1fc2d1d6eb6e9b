import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { isLeftOut, startClient } from '../support/real-client.js';
import { temporaryFolder } from '../support/server-process.js';
import { PASSWORD, serverWithAlice, type TestServer } from '../support/test-server.js';

const ALICE = 'sip:alice@example.com';
const MODULES = '/usr/lib/baresip/modules';

/** A baresip of alice that registers at the server and does nothing else. */
function startBaresip(server: TestServer, transport: 'udp' | 'tcp', password: string) {
  const folder = temporaryFolder();
  const config = join(folder, 'config');
  mkdirSync(config);
  writeFileSync(
    join(config, 'config'),
    [
      'sip_listen 127.0.0.1:0',
      'net_interface 127.0.0.1',
      `module_path ${MODULES}`,
      'module g711.so',
      'module_tmp uuid.so',
      'module_tmp account.so',
      '',
    ].join('\n'),
  );
  const proxy = `sip:127.0.0.1:${server.sipPort};transport=${transport}`;
  writeFileSync(
    join(config, 'accounts'),
    `<${ALICE};transport=${transport}>;auth_pass=${password};outbound="${proxy}";regint=60\n`,
  );
  writeFileSync(join(config, 'contacts'), '');
  return startClient('baresip', ['-4', '-v', '-f', config], folder);
}

describe.skipIf(isLeftOut('baresip')).each(['udp', 'tcp'] as const)('baresip over %s', (transport) => {
  test('registers, is seen by the operator as it is, and is forced off', async () => {
    const server = await serverWithAlice();
    const baresip = startBaresip(server, transport, PASSWORD);

    await vi.waitFor(
      async () => expect(await server.bindings(ALICE), baresip.output()).toHaveLength(1),
      10_000,
    );
    const [binding] = await server.bindings(ALICE);
    const { port } = binding.received;
    expect(binding).toMatchObject({
      aor: ALICE,
      contact: expect.stringMatching(/^sip:alice-0x[0-9a-f]+@127\.0\.0\.1:\d+/),
      received: { transport, ip: '127.0.0.1' },
      user_agent: expect.stringMatching(/^baresip v/),
      instance_id: expect.stringMatching(/^urn:uuid:/),
      flow: transport === 'udp' ? null : { id: expect.stringMatching(/^flw_/) },
    });
    // Over UDP it sends from where it listens; what the Contact names is then what was really seen.
    if (transport === 'udp') expect(binding.contact).toContain(`@127.0.0.1:${port}`);
    expect(binding.expires_in_seconds).toBeGreaterThan(45);
    expect(binding.expires_in_seconds).toBeLessThanOrEqual(60);
    expect(server.logged('registration.rejected')).toEqual([]);

    const removed = await server.api('DELETE', `/v1/bindings/${binding.id}?close_flow=true&mode=block`);

    expect(removed.body).toMatchObject({
      removed: 1,
      effects: { users_blocked: 1, flows_closed: transport === 'tcp' ? 1 : 0 },
    });
    expect(await server.bindings(ALICE)).toEqual([]);
  });

  test('with a wrong password it gets nowhere, and the operator reads why', async () => {
    const server = await serverWithAlice();
    const baresip = startBaresip(server, transport, 'not the password');

    await vi.waitFor(
      () => expect(server.logged('registration.rejected'), baresip.output()).not.toEqual([]),
      10_000,
    );

    expect(server.logged('registration.rejected')[0]).toMatchObject({
      reason: 'wrong_password',
      status: 401,
      source_ip: '127.0.0.1',
      transport,
      username: 'alice',
      aor: ALICE,
      user_agent: expect.stringMatching(/^baresip v/),
    });
    expect(await server.bindings(ALICE)).toEqual([]);
  });
});
