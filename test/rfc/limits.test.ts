import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import type { Phone } from '../support/phone.js';
import { serverWithAlice } from '../support/test-server.js';
import { VirtualClock } from '../support/virtual-clock.js';

const at = (n: number) => `sip:alice@192.0.2.${n}:5060`;

async function bind(phone: Phone, ...numbers: readonly number[]) {
  for (const n of numbers) {
    expect((await phone.register({ contacts: [`<${at(n)}>`], expires: 600 })).status).toBe(200);
  }
}

describe('How many bindings a user may have', () => {
  test('52: contacts count after the removals of the same request', async () => {
    const server = await serverWithAlice({ domain: { max_bindings_per_user: 2 } });
    const phone = await server.phone('alice');
    await bind(phone, 1, 2);

    const answer = await phone.register({ contacts: [`<${at(3)}>`, `<${at(1)}>;expires=0`] });

    expect(answer.status).toBe(200);
    expect(answer.contacts().toSorted()).toEqual([`<${at(2)}>`, `<${at(3)}>`]);
  });

  test('52: contacts count after the updates of the same request', async () => {
    const server = await serverWithAlice({ domain: { max_bindings_per_user: 2 } });
    const phone = await server.phone('alice');
    await bind(phone, 1, 2);

    const answer = await phone.register({ contacts: [`<${at(1)}>`, `<${at(2)}>`, `<${at(2)}>;q=0.5`] });

    expect([answer.status, answer.contacts().length]).toEqual([200, 2]);
  });

  test('52: what has expired does not count, though no sweep has run', async () => {
    const clock = new VirtualClock();
    const server = await serverWithAlice({ clock, domain: { max_bindings_per_user: 1 } });
    const phone = await server.phone('alice');
    await phone.register({ contacts: [`<${at(1)}>`], expires: 60 });
    clock.advanceSeconds(60);

    const answer = await phone.register({ contacts: [`<${at(2)}>`] });

    expect([answer.status, answer.contacts()]).toEqual([200, [`<${at(2)}>`]]);
  });

  test('R2, 56: one too many is refused with 503 and Retry-After, and nothing changes', async () => {
    const clock = new VirtualClock();
    const server = await serverWithAlice({ clock, domain: { max_bindings_per_user: 2 } });
    const phone = await server.phone('alice');
    await bind(phone, 1, 2);
    clock.advanceSeconds(500);

    const answer = await phone.register({ contacts: [`<${at(1)}>;q=0.1`, `<${at(3)}>`] });

    expect([answer.status, answer.reason, answer.value('Retry-After')]).toEqual([
      503,
      'Too Many Bindings',
      '100',
    ]);
    expect((await phone.query()).contacts().toSorted()).toEqual([`<${at(1)}>`, `<${at(2)}>`]);
  });

  test('R2: the default limit is 10 bindings, and a refresh at the limit goes through', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    await bind(phone, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10);

    expect((await phone.register({ contacts: [`<${at(11)}>`] })).status).toBe(503);
    expect((await phone.register({ contacts: [`<${at(10)}>`] })).status).toBe(200);
  });

  test('R2: the limit of the user is over the one of the domain', async () => {
    const server = await serverWithAlice({
      domain: { max_bindings_per_user: 1 },
      alice: { max_bindings: 2 },
    });
    const alice = await server.phone('alice');
    const bob = await server.phone('bob');
    await bind(alice, 1, 2);
    await bind(bob, 1);

    expect((await alice.register({ contacts: [`<${at(3)}>`] })).status).toBe(503);
    expect((await bob.register({ contacts: [`<${at(2)}>`] })).status).toBe(503);
  });

  test('R2: with evict_oldest the binding refreshed longest ago goes, and the event says so', async () => {
    const clock = new VirtualClock();
    const server = await serverWithAlice({
      clock,
      domain: { max_bindings_per_user: 2, overflow: 'evict_oldest' },
    });
    const phone = await server.phone('alice');
    await bind(phone, 1);
    clock.advanceSeconds(1);
    await bind(phone, 2);
    clock.advanceSeconds(1);
    await bind(phone, 1);

    const answer = await phone.register({ contacts: [`<${at(3)}>`] });

    expect(answer.status).toBe(200);
    expect(answer.contacts().toSorted()).toEqual([`<${at(1)}>`, `<${at(3)}>`]);
    expect(server.logged('binding.removed')).toMatchObject([{ cause: 'evicted', contact: at(2) }]);
  });

  test('R2: with evict_oldest a request that brings too many by itself is refused', async () => {
    const server = await serverWithAlice({ domain: { max_bindings_per_user: 2, overflow: 'evict_oldest' } });
    const phone = await server.phone('alice');
    await bind(phone, 1);

    const answer = await phone.register({ contacts: [`<${at(2)}>`, `<${at(3)}>`, `<${at(4)}>`] });

    expect(answer.status).toBe(503);
    expect((await phone.query()).contacts()).toEqual([`<${at(1)}>`]);
  });

  test('R2: who is over a limit that was lowered keeps the bindings and may refresh them', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    await bind(phone, 1, 2, 3);
    await server.changeDomain('example.com', { max_bindings_per_user: 2 });

    expect((await phone.register({ contacts: [`<${at(1)}>`] })).status).toBe(200);
    expect((await phone.register({ contacts: [`<${at(4)}>`] })).status).toBe(503);
    expect((await phone.query()).contacts()).toHaveLength(3);
  });
});

describe('When the store cannot take it', () => {
  test('5: a store failure is a 500, nothing is visible, and no event is emitted', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    await bind(phone, 1);
    const other = new Database(`${server.dataDir}/registrar.db`);
    // Somebody else holds the write lock for longer than the server waits for it.
    other.exec('BEGIN IMMEDIATE');

    const answer = await phone.register({ contacts: [`<${at(1)}>;expires=0`, `<${at(2)}>`] });
    other.exec('ROLLBACK');
    other.close();

    expect([answer.status, answer.values('Contact')]).toEqual([500, []]);
    expect((await phone.query()).contacts()).toEqual([`<${at(1)}>`]);
    expect(server.logged('binding.created')).toHaveLength(1);
    expect(server.logged('binding.removed')).toEqual([]);
    expect(server.logged('registration.rejected')).toMatchObject([{ reason: 'store_failed' }]);
    expect((await phone.register({ contacts: [`<${at(2)}>`] })).status).toBe(200);
  });

  test('56: what finds the queue full is refused with 503 and Retry-After, and may come again', async () => {
    const server = await serverWithAlice({ settings: { REGISTRAR_MAX_QUEUED_WRITES: '1' } });
    const wire = await server.tcp();
    const phones = [await server.phone('alice', { wire }), await server.phone('bob', { wire })];
    for (const phone of phones) await phone.fetchChallenge();

    // In one segment, so that both are read before the first is committed.
    wire.send(phones.map((phone) => phone.compose({ contacts: [`<${phone.contact}>`] })).join(''));
    const answers = [await wire.receive(), await wire.receive()].toSorted((a, b) => a.status - b.status);

    expect(answers.map(({ status }) => status)).toEqual([200, 503]);
    expect(Number(answers[1]?.value('Retry-After'))).toBeGreaterThan(0);
    const refused = phones.find((phone) => answers[1]?.value('To').includes(phone.identity.user));
    expect((await refused?.register({ contacts: [`<${refused.contact}>`] }))?.status).toBe(200);
  });
});
