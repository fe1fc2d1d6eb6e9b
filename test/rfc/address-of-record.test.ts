import { describe, expect, test } from 'vitest';
import { serverWithAlice } from '../support/test-server.js';

const DESK = 'sip:alice@192.0.2.1:5060';

describe('Which address-of-record a REGISTER is for (RFC 3261 §10.3 steps 1 to 5)', () => {
  test.each([
    'sip:alice@example.com;transport=udp;user=phone',
    'sip:%61lice@example.com',
    'sip:alice@EXAMPLE.com',
    'sips:alice@example.com',
  ])('21: a To of %s is alice@example.com', async (to) => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    const answer = await phone.register({ to: `<${to}>`, contacts: [`<${DESK}>`] });

    expect(answer.status).toBe(200);
    expect(await server.bindings('sip:alice@example.com')).toHaveLength(1);
  });

  test('21: sip:bob;x@example.com keeps its ;x, which is part of the user', async () => {
    const server = await serverWithAlice();
    await server.addUser('bob;x', 'example.com');
    const bobX = await server.phone('bob;x');

    expect((await bobX.register({ contacts: [`<${DESK}>`] })).status).toBe(200);
    expect(await server.bindings('sip:bob;x@example.com')).toHaveLength(1);
    expect(await server.bindings('sip:bob@example.com')).toEqual([]);
    const bob = await server.phone('bob');
    expect((await bob.register({ to: '<sip:bob;x@example.com>', contacts: [`<${DESK}>`] })).status).toBe(403);
  });

  test('21: the letter case of the user counts', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    expect((await phone.register({ to: '<sip:Alice@example.com>', contacts: [`<${DESK}>`] })).status).toBe(
      403,
    );
  });

  test.each(['sip:alice@elsewhere.example', 'tel:+12015550123', 'sip:example.com'])(
    '22: a To of %s is not valid for the domain and is answered 404',
    async (to) => {
      const server = await serverWithAlice();
      const phone = await server.phone('alice');

      const answer = await phone.register({ to: `<${to}>`, contacts: [`<${DESK}>`] });

      expect([answer.status, answer.values('Contact')]).toEqual([404, []]);
      expect(server.logged('registration.rejected')).toMatchObject([{ reason: 'aor_not_in_domain' }]);
    },
  );

  test('22: that 404 is for the authenticated only; a stranger is challenged', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    const answer = await phone.exchange(
      phone.compose({ to: '<sip:alice@elsewhere.example>', authorization: null }),
    );

    expect(answer.status).toBe(401);
  });

  test('23: a user who registers the To of another is refused with 403', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    const answer = await phone.register({ to: '<sip:bob@example.com>', contacts: [`<${DESK}>`] });

    expect(answer.status).toBe(403);
    expect(await server.bindings('sip:bob@example.com')).toEqual([]);
    expect(server.logged('registration.rejected')).toMatchObject([
      { reason: 'not_authorized', username: 'alice' },
    ]);
  });

  test('23: To decides, not From', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    const forged = await phone.register({
      from: '<sip:bob@example.com>;tag=1',
      to: '<sip:bob@example.com>',
      contacts: [`<${DESK}>`],
    });
    const own = await phone.register({ from: '<sip:bob@example.com>;tag=1', contacts: [`<${DESK}>`] });

    expect([forged.status, own.status]).toEqual([403, 200]);
    expect(await server.bindings('sip:bob@example.com')).toEqual([]);
    expect(await server.bindings('sip:alice@example.com')).toHaveLength(1);
  });

  test('24: with an explicit grant a user registers for another, and the binding is the other one’s', async () => {
    const server = await serverWithAlice({ alice: { may_register: ['sip:bob@example.com'] } });
    const phone = await server.phone('alice');

    const answer = await phone.register({ to: '<sip:bob@example.com>', contacts: [`<${DESK}>`] });

    expect(answer.status).toBe(200);
    expect(await server.bindings('sip:bob@example.com')).toMatchObject([{ contact: DESK }]);
    expect(await server.bindings('sip:alice@example.com')).toEqual([]);
  });

  test('24: a grant ends when it is taken back', async () => {
    const server = await serverWithAlice({ alice: { may_register: ['sip:bob@example.com'] } });
    await server.api('PATCH', '/v1/users/alice%40example.com', { may_register: [] });
    const phone = await server.phone('alice');

    const answer = await phone.register({ to: '<sip:bob@example.com>', contacts: [`<${DESK}>`] });

    expect(answer.status).toBe(403);
  });

  test.each(['tel:+12015550123', 'mailto:alice@example.com', 'http://example.com'])(
    '25: the Request-URI %s is answered 416',
    async (requestUri) => {
      const server = await serverWithAlice();
      const phone = await server.phone('alice');

      const answer = await phone.exchange(phone.compose({ requestUri, contacts: [`<${DESK}>`] }));

      expect([answer.status, answer.reason]).toEqual([416, 'Unsupported URI Scheme']);
    },
  );

  test('25: userinfo in the Request-URI is tolerated', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    const answer = await phone.register({
      requestUri: 'sip:alice@example.com',
      contacts: [`<${DESK}>`],
    });

    expect(answer.status).toBe(200);
  });

  test.each(['sip:elsewhere.example', 'sip:192.0.2.77', 'sip:sub.example.com'])(
    'R7: a Request-URI of %s, which is not served, is answered 404 without a challenge',
    async (requestUri) => {
      const server = await serverWithAlice();
      const phone = await server.phone('alice');

      const answer = await phone.exchange(phone.compose({ requestUri, contacts: [`<${DESK}>`] }));

      expect([answer.status, answer.values('WWW-Authenticate')]).toEqual([404, []]);
      expect(server.logged('registration.rejected')).toMatchObject([{ reason: 'domain_not_served' }]);
    },
  );

  test('R7: an alias counts as its domain, in the Request-URI and in To', async () => {
    const server = await serverWithAlice({ domain: { aliases: ['sip.example.com', '192.0.2.5'] } });
    const phone = await server.phone('alice');

    for (const host of ['sip.example.com', 'SIP.example.com', '192.0.2.5']) {
      const answer = await phone.register({
        requestUri: `sip:${host}`,
        to: `<sip:alice@${host}>`,
        contacts: [`<${DESK}>`],
      });
      expect(answer.status).toBe(200);
    }
    expect(await server.bindings('sip:alice@example.com')).toHaveLength(1);
  });

  test('R7: an alias is forgotten as soon as it is taken off', async () => {
    const server = await serverWithAlice({ domain: { aliases: ['sip.example.com'] } });
    const phone = await server.phone('alice');
    expect((await phone.register({ requestUri: 'sip:sip.example.com' })).status).toBe(200);

    await server.changeDomain('example.com', { aliases: [] });

    expect((await phone.register({ requestUri: 'sip:sip.example.com' })).status).toBe(404);
  });
});
