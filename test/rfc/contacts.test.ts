import { describe, expect, test } from 'vitest';
import { expiresOf } from '../support/sip-answer.js';
import { serverWithAlice } from '../support/test-server.js';
import { VirtualClock } from '../support/virtual-clock.js';

const DESK = 'sip:alice@192.0.2.1:5060';
const CELL = 'sip:alice@192.0.2.2:5060';
const HOME = 'sip:alice@192.0.2.3:5060';

describe('The contacts of a REGISTER (RFC 3261 §10.2, §10.3)', () => {
  test.each<[string, { contacts: readonly string[]; expires?: number | string }]>([
    ['with Expires other than 0', { contacts: ['*'], expires: 60 }],
    ['with a malformed Expires', { contacts: ['*'], expires: 'never' }],
    ['without Expires', { contacts: ['*'] }],
    ['with expires=0 as its parameter only', { contacts: ['*;expires=0'] }],
    ['with another contact in the same header field', { contacts: [`*, <${DESK}>`], expires: 0 }],
    ['with another contact before it', { contacts: [`<${DESK}>, *`], expires: 0 }],
    ['with another contact in a header field of its own', { contacts: ['*', `<${DESK}>`], expires: 0 }],
    ['twice', { contacts: ['*', '*'], expires: 0 }],
  ])('4: a * %s is refused with 400 and removes nothing', async (_, parts) => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    await phone.register({ contacts: [`<${DESK}>`, `<${CELL}>`] });

    const answer = await phone.register(parts);

    expect(answer.status).toBe(400);
    expect((await phone.query()).contacts().toSorted()).toEqual([`<${DESK}>`, `<${CELL}>`]);
  });

  test('4: a * with Expires: 0 removes every binding, and says so in the log', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    await phone.register({ contacts: [`<${DESK}>`, `<${CELL}>`] });

    const answer = await phone.register({ contacts: ['*'], expires: 0 });

    expect(answer.status).toBe(200);
    expect(answer.values('Contact')).toEqual([]);
    expect(await server.bindings('sip:alice@example.com')).toEqual([]);
    expect(server.logged('binding.removed').map(({ cause }) => cause)).toEqual([
      'unregistered',
      'unregistered',
    ]);
  });

  test.each([
    ['has a malformed URI', '<not a uri>'],
    ['has a q above 1', `<${CELL}>;q=1.5`],
    ['asks for too brief an interval', `<${CELL}>;expires=1`],
    ['is a late copy', `<${HOME}>`],
  ])('5: when the second contact %s, the first is not stored either', async (_, second) => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    await phone.register({ callId: 'same', cseq: 5, contacts: [`<${HOME}>`] });
    const eventsBefore = server.logged('binding.created').length;

    const answer = await phone.register({ callId: 'same', cseq: 5, contacts: [`<${DESK}>`, second] });

    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect((await phone.query()).contacts()).toEqual([`<${HOME}>`]);
    expect(server.logged('binding.created')).toHaveLength(eventsBefore);
  });

  test('5: when the second contact is bad, the removal before it does not happen', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    await phone.register({ contacts: [`<${DESK}>`] });

    const answer = await phone.register({ contacts: [`<${DESK}>;expires=0`, `<${CELL}>;expires=1`] });

    expect(answer.status).toBe(423);
    expect((await phone.query()).contacts()).toEqual([`<${DESK}>`]);
  });

  test('6: expires=0 on one contact removes only that one', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    await phone.register({ contacts: [`<${DESK}>`, `<${CELL}>`] });

    const answer = await phone.register({ contacts: [`<${DESK}>;expires=0`] });

    expect(answer.status).toBe(200);
    expect(answer.contacts()).toEqual([`<${CELL}>`]);
  });

  test('6: removing a contact that is not bound is answered 200 and changes nothing', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    await phone.register({ contacts: [`<${DESK}>`] });

    const answer = await phone.register({ contacts: [`<${CELL}>`], expires: 0 });

    expect(answer.status).toBe(200);
    expect(answer.contacts()).toEqual([`<${DESK}>`]);
    expect(server.logged('binding.removed')).toEqual([]);
  });

  test('7: one REGISTER adds, refreshes and removes together', async () => {
    const clock = new VirtualClock();
    const server = await serverWithAlice({ clock });
    const phone = await server.phone('alice');
    await phone.register({ contacts: [`<${DESK}>`, `<${CELL}>`], expires: 600 });
    const ids = new Map((await server.bindings('alice@example.com')).map((b) => [b.contact, b.id]));
    clock.advanceSeconds(100);

    const answer = await phone.register({
      contacts: [`<${DESK}>;expires=0`, `<${CELL}>;expires=900`, `<${HOME}>;expires=300`],
    });

    expect(answer.status).toBe(200);
    expect(answer.contacts().toSorted()).toEqual([`<${CELL}>`, `<${HOME}>`]);
    expect([expiresOf(answer, CELL), expiresOf(answer, HOME)]).toEqual([900, 300]);
    const after = await server.bindings('alice@example.com');
    expect(after.find((b) => b.contact === CELL).id).toBe(ids.get(CELL));
  });

  test('8: a REGISTER without Contact lists the bindings and leaves them as they are', async () => {
    const clock = new VirtualClock();
    const server = await serverWithAlice({ clock });
    const phone = await server.phone('alice');
    await phone.register({ contacts: [`<${DESK}>`], expires: 600 });
    const before = await server.bindings('alice@example.com');
    clock.advanceSeconds(1);

    const answer = await phone.register({});

    expect(answer.status).toBe(200);
    expect(answer.values('Contact')).toEqual([`<${DESK}>;expires=599`]);
    const after = await server.bindings('alice@example.com');
    expect(after.map(({ cseq, refreshed_at }) => ({ cseq, refreshed_at }))).toEqual(
      before.map(({ cseq, refreshed_at }) => ({ cseq, refreshed_at })),
    );
  });

  test('8: an empty list is a 200 with no Contact', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    const answer = await phone.register({});

    expect(answer.status).toBe(200);
    expect(answer.values('Contact')).toEqual([]);
  });

  test("9: the 200 lists every binding, other devices' too, each with the seconds it has left", async () => {
    const clock = new VirtualClock();
    const server = await serverWithAlice({ clock });
    const desk = await server.phone('alice');
    const cell = await server.phone('alice');
    await desk.register({ contacts: [`<${DESK}>`], expires: 600 });
    clock.advanceSeconds(100);

    const answer = await cell.register({ contacts: [`<${CELL}>`], expires: 300 });

    expect(answer.values('Contact').toSorted()).toEqual([`<${DESK}>;expires=500`, `<${CELL}>;expires=300`]);
  });

  test('9: a binding whose time has passed is not listed, though no sweep has run', async () => {
    const clock = new VirtualClock();
    const server = await serverWithAlice({ clock });
    const phone = await server.phone('alice');
    await phone.register({ contacts: [`<${DESK}>;expires=60`, `<${CELL}>;expires=600`] });
    clock.advanceSeconds(60);

    const answer = await phone.query();

    expect(answer.values('Contact')).toEqual([`<${CELL}>;expires=540`]);
  });

  test('9: the 200 carries Date', async () => {
    const clock = new VirtualClock(Date.UTC(2033, 4, 18, 3, 33, 20));
    const server = await serverWithAlice({ clock });
    const phone = await server.phone('alice');

    expect((await phone.register({})).value('Date')).toBe('Wed, 18 May 2033 03:33:20 GMT');
  });

  test.each([
    ['escapes and letter case', 'sip:%61LiCe@EXAMPLE.net:5060'],
    ['URI parameters', 'sip:alice@192.0.2.1:5060;transport=UDP;ob;x-a=%41'],
    ['URI headers', 'sip:alice@192.0.2.1?Subject=a%20b&priority='],
    ['a comma and a semicolon inside the brackets', 'sip:al,ice;x=y@192.0.2.1:5060'],
    ['an IPv6 address', 'sip:alice@[2001:DB8::0001]:5070'],
    ['a password', 'sip:alice:pw@192.0.2.1'],
    ['another scheme', 'tel:+1-201-555-0123'],
  ])('10: a Contact URI with %s comes back byte for byte', async (_, uri) => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    const answer = await phone.register({ contacts: [`<${uri}>;expires=60`] });

    expect(answer.status).toBe(200);
    expect(answer.values('Contact')).toEqual([`<${uri}>;expires=60`]);
    expect((await server.bindings('alice@example.com')).map(({ contact }) => contact)).toEqual([uri]);
  });

  test('10: parameters of the URI stay inside <>; q, instance, reg-id and feature tags outside', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');
    const params =
      ';q=0.5;+sip.instance="<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>";reg-id=1;audio;methods="INVITE, BYE"';

    const answer = await phone.register({ contacts: [`"Alice, desk" <${DESK};ob>${params}`] });

    expect(answer.contacts()).toEqual([`"Alice, desk" <${DESK};ob>${params}`]);
    expect(await server.bindings('alice@example.com')).toMatchObject([
      {
        contact: `${DESK};ob`,
        display_name: '"Alice, desk"',
        q: 0.5,
        instance_id: 'urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6',
        reg_id: 1,
      },
    ]);
  });

  test('42: without <> the parameters belong to the header field', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    const answer = await phone.register({ contacts: [`${DESK};expires=60;q=0.4`] });

    expect(answer.values('Contact')).toEqual([`<${DESK}>;q=0.4;expires=60`]);
  });

  test.each(['sip:alice@192.0.2.1?Route=%3Csip:sip.example.com%3E', 'sip:al,ice@192.0.2.1'])(
    '42: the bare URI %s is malformed, and the REGISTER refused with 400',
    async (uri) => {
      const server = await serverWithAlice();
      const phone = await server.phone('alice');

      const answer = await phone.register({ contacts: [uri] });

      expect(answer.status).toBe(400);
      expect(await server.bindings('alice@example.com')).toEqual([]);
    },
  );

  test.each(['1.001', '2', '-0.1', '0.1234', 'high', ''])('55: q=%s is refused with 400', async (q) => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    const answer = await phone.register({ contacts: [`<${DESK}>;q=${q}`] });

    expect(answer.status).toBe(400);
    expect(await server.bindings('alice@example.com')).toEqual([]);
  });

  test('55: contacts are listed by falling q, an absent one counting as 1, then the newest first', async () => {
    const clock = new VirtualClock();
    const server = await serverWithAlice({ clock });
    const phone = await server.phone('alice');
    for (const contact of [
      '<sip:a@192.0.2.9>;q=0.5',
      '<sip:b@192.0.2.9>;q=0.123',
      '<sip:c@192.0.2.9>',
      '<sip:d@192.0.2.9>;q=0.5',
      '<sip:e@192.0.2.9>;q=1.000',
      '<sip:f@192.0.2.9>;q=0',
    ]) {
      await phone.register({ contacts: [contact] });
      clock.advanceSeconds(1);
    }

    const users = (await phone.query()).values('Contact').map((contact) => contact.slice(5, 6));

    expect(users).toEqual(['e', 'c', 'd', 'a', 'b', 'f']);
    const location = await server.api('GET', '/v1/locations?aor=sip:alice@example.com');
    expect(location.body.contacts.map((c: { contact: string }) => c.contact.slice(4, 5))).toEqual(users);
  });

  test.each(['tel:+12015550123', 'mailto:alice@example.com', 'https://example.com/alice'])(
    'R8: the contact %s is stored and returned as it is',
    async (uri) => {
      const server = await serverWithAlice();
      const phone = await server.phone('alice');

      expect((await phone.register({ contacts: [`<${uri}>`] })).contacts()).toEqual([`<${uri}>`]);
    },
  );
});
