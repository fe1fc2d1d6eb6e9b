import { describe, expect, test } from 'vitest';
import { PASSWORD, serverWithAlice, type TestServer } from '../support/test-server.js';
import { VirtualClock } from '../support/virtual-clock.js';

const ALICE = 'sip:alice@example.com';

async function onlyBinding(server: TestServer) {
  const bindings = await server.bindings(ALICE);
  expect(bindings).toHaveLength(1);
  return bindings[0];
}

async function contactsAt(server: TestServer): Promise<readonly string[]> {
  const { body } = await server.api('GET', `/v1/locations?aor=${ALICE}`);
  return body.contacts.map(({ contact }: { contact: string }) => contact);
}

describe('An operator forces a phone off', () => {
  test('kick: the binding is gone at once, everywhere, and the phone comes back under a new id', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    await phone.register({ contacts: [`<${phone.contact}>`] });
    const { id } = await onlyBinding(server);

    const gone = await server.api('DELETE', `/v1/bindings/${id}`);

    expect(gone.body).toMatchObject({
      state: 'completed',
      mode: 'kick',
      matched: 1,
      removed: 1,
      sample: [id],
    });
    expect((await server.api('GET', `/v1/bindings/${id}`)).status).toBe(404);
    expect(await contactsAt(server)).toEqual([]);
    expect((await phone.query()).contacts()).toEqual([]);
    expect(server.logged('binding.removed')).toMatchObject([
      { cause: 'admin_deregistration', binding_id: id },
    ]);
    expect((await phone.register({ contacts: [`<${phone.contact}>`] })).status).toBe(200);
    expect((await onlyBinding(server)).id).not.toBe(id);
    expect(server.logged('binding.created')).toHaveLength(2);
  });

  test('a removed binding is not brought back by a retransmission of the REGISTER that made it', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    await phone.fetchChallenge();
    const octets = phone.compose({ contacts: [`<${phone.contact}>`] });
    await phone.exchange(octets);
    const { id } = await onlyBinding(server);
    await server.api('DELETE', `/v1/bindings/${id}`);

    expect((await phone.exchange(octets)).status).toBe(200);

    expect(await server.bindings(ALICE)).toEqual([]);
  });

  test('50: block: every REGISTER is 403 until block_seconds have passed, then the phone is welcome', async () => {
    const clock = new VirtualClock();
    const server = await serverWithAlice({ clock });
    const phone = await server.phone('alice');
    await phone.register({ contacts: [`<${phone.contact}>`] });

    const blocked = await server.api('POST', '/v1/deregistrations', {
      filter: { aor: ALICE },
      mode: 'block',
      block_seconds: 600,
      reason: 'lost handset',
    });

    expect(blocked.status).toBe(201);
    expect(blocked.body).toMatchObject({ removed: 1, effects: { users_blocked: 1 } });
    for (const parts of [
      { contacts: [`<${phone.contact}>`] },
      { contacts: ['*'], expires: 0 },
      {},
      { contacts: ['<sip:alice@10.9.9.9>'], callId: 'another' },
    ]) {
      const answer = await phone.register(parts);
      expect([answer.status, answer.values('Contact')]).toEqual([403, []]);
    }
    expect(await server.bindings(ALICE)).toEqual([]);
    expect(server.logged('registration.rejected').map(({ reason }) => reason)).toEqual(
      Array(4).fill('blocked'),
    );
    clock.advanceSeconds(599);
    expect((await phone.register({ contacts: [`<${phone.contact}>`] })).status).toBe(403);
    clock.advanceSeconds(1);
    expect((await phone.register({ contacts: [`<${phone.contact}>`] })).status).toBe(200);
  });

  test('50: a stranger is not told that a user is blocked', async () => {
    const server = await serverWithAlice();
    await server.api('DELETE', '/v1/users/alice%40example.com/bindings?mode=block&block_seconds=600');
    const phone = await server.phone('alice');

    expect((await phone.exchange(phone.compose({}))).status).toBe(401);
  });

  test('block of one user leaves the others alone', async () => {
    const server = await serverWithAlice();
    await server.api('DELETE', '/v1/users/alice%40example.com/bindings?mode=block&block_seconds=600');
    const bob = await server.phone('bob');

    expect((await bob.register({ contacts: [`<${bob.contact}>`] })).status).toBe(200);
  });

  test('close_flow=true closes the TCP connection of the binding', async () => {
    const server = await serverWithAlice();
    const wire = await server.tcp();
    const phone = await server.phone('alice', { wire });
    await phone.register({ contacts: [`<${phone.contact}>`] });
    const { id } = await onlyBinding(server);

    const { body } = await server.api('DELETE', `/v1/bindings/${id}?close_flow=true`);

    expect(body.effects).toMatchObject({ flows_closed: 1, flows_kept_shared: 0 });
    await wire.closedByServer();
    const back = await server.phone('alice', { transport: 'tcp' });
    expect((await back.register({ contacts: [`<${back.contact}>`] })).status).toBe(200);
  });

  test('close_flow=true leaves a connection open that another binding uses', async () => {
    const server = await serverWithAlice();
    const wire = await server.tcp();
    const alice = await server.phone('alice', { wire });
    const bob = await server.phone('bob', { wire });
    await alice.register({ contacts: [`<${alice.contact}>`] });
    await bob.register({ contacts: [`<${bob.contact}>`] });
    const { id } = await onlyBinding(server);

    const { body } = await server.api('DELETE', `/v1/bindings/${id}?close_flow=true`);

    expect(body.effects).toMatchObject({ flows_closed: 0, flows_kept_shared: 1 });
    expect((await bob.register({ contacts: [`<${bob.contact}>`] })).status).toBe(200);
    expect(wire.isClosed).toBe(false);
  });

  test('without close_flow the connection stays', async () => {
    const server = await serverWithAlice();
    const wire = await server.tcp();
    const phone = await server.phone('alice', { wire });
    await phone.register({ contacts: [`<${phone.contact}>`] });

    await server.api('DELETE', `/v1/bindings/${(await onlyBinding(server)).id}`);

    expect((await phone.register({ contacts: [`<${phone.contact}>`] })).status).toBe(200);
    expect(wire.isClosed).toBe(false);
  });
});

describe('An operator takes an account away', () => {
  test('deleting the user drops the bindings, and the next REGISTER is 401 like anybody’s', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    await phone.register({ contacts: [`<${phone.contact}>`] });
    const { id } = await onlyBinding(server);

    expect((await server.api('DELETE', '/v1/users/alice%40example.com')).status).toBe(204);

    expect((await server.api('GET', `/v1/bindings/${id}`)).status).toBe(404);
    expect((await phone.register({ contacts: [`<${phone.contact}>`] })).status).toBe(401);
    expect(server.logged('binding.removed')).toMatchObject([{ cause: 'user_deleted', binding_id: id }]);
    expect(server.logged('registration.rejected')).toMatchObject([{ reason: 'unknown_user' }]);
  });

  test('a user made anew under the same name begins without bindings', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    await phone.register({ contacts: [`<${phone.contact}>`] });
    await server.api('DELETE', '/v1/users/alice%40example.com');
    await server.addUser('alice', 'example.com');

    expect((await phone.query()).contacts()).toEqual([]);
    expect((await phone.register({ contacts: [`<${phone.contact}>`] })).status).toBe(200);
  });

  test('a credential revoked with deregister=true takes its bindings along and no others', async () => {
    const server = await serverWithAlice();
    const path = '/v1/users/alice%40example.com/credentials';
    const [first] = (await server.api('GET', path)).body.data;
    const made = await server.api('POST', path, { password: 'Another-pass-phrase-7' });
    expect(made.status).toBe(201);
    const desk = await server.phone('alice');
    const cell = await server.phone('alice');
    Object.assign(cell.identity, { password: 'Another-pass-phrase-7' });
    await desk.register({ contacts: ['<sip:alice@10.0.0.1>'] });
    await cell.register({ contacts: ['<sip:alice@10.0.0.2>'] });
    expect((await server.bindings(ALICE)).map((b) => b.credential_id).toSorted()).toEqual(
      [first.id, made.body.id].toSorted(),
    );

    const revoked = await server.api('DELETE', `${path}/${first.id}?deregister=true`);

    expect(revoked.status).toBe(200);
    expect(revoked.body).toMatchObject({ state: 'revoked', bindings_removed: 1 });
    expect(await contactsAt(server)).toEqual(['sip:alice@10.0.0.2']);
    expect(server.logged('binding.removed')).toMatchObject([{ cause: 'credential_revoked' }]);
    expect((await desk.register({ contacts: ['<sip:alice@10.0.0.1>'] })).status).toBe(401);
    expect((await cell.register({ contacts: ['<sip:alice@10.0.0.2>'] })).status).toBe(200);
  });

  test('an account whose time is up no longer authenticates', async () => {
    const clock = new VirtualClock();
    const server = await serverWithAlice({
      clock,
      alice: { expires_at: new Date(clock.at + 600_000).toISOString() },
    });
    const phone = await server.phone('alice');
    expect((await phone.register({ contacts: [`<${phone.contact}>`] })).status).toBe(200);
    clock.advanceSeconds(600);

    const answer = await phone.register({ contacts: [`<${phone.contact}>`] });

    expect(answer.status).toBe(401);
    expect(server.logged('registration.rejected')).toMatchObject([{ reason: 'account_expired' }]);
  });

  test('a new password works at once, the old one until it is revoked', async () => {
    const server = await serverWithAlice();
    const path = '/v1/users/alice%40example.com/credentials';
    const [first] = (await server.api('GET', path)).body.data;
    const { password } = (await server.api('POST', path, { generate: true })).body;
    const old = await server.phone('alice');
    const next = await server.phone('alice');
    Object.assign(next.identity, { password });

    expect((await next.register({})).status).toBe(200);
    expect((await old.register({})).status).toBe(200);
    await server.api('DELETE', `${path}/${first.id}`);
    expect((await old.register({})).status).toBe(401);
    expect((await next.register({})).status).toBe(200);
    expect(password).not.toBe(PASSWORD);
  });

  test('a domain that is deleted is no longer served', async () => {
    const server = await serverWithAlice();
    await server.addDomain('short.example');
    await server.addUser('carol', 'short.example');
    const carol = await server.phone('carol', { domain: 'short.example' });
    expect((await carol.register({ contacts: [`<${carol.contact}>`] })).status).toBe(200);
    await server.api('DELETE', '/v1/users/carol%40short.example');

    expect((await server.api('DELETE', '/v1/domains/short.example')).status).toBe(204);

    expect((await carol.exchange(carol.compose({}))).status).toBe(404);
  });
});
