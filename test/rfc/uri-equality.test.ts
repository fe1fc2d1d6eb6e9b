import { describe, expect, test } from 'vitest';
import { serverWithAlice } from '../support/test-server.js';
import { VirtualClock } from '../support/virtual-clock.js';

/** Registers one contact, then the other; tells whether the second replaced the first. */
async function areSame(first: string, second: string): Promise<boolean> {
  const clock = new VirtualClock();
  const server = await serverWithAlice({ clock });
  const phone = await server.phone('alice');
  expect((await phone.register({ contacts: [`<${first}>`] })).status).toBe(200);
  const answer = await phone.register({ contacts: [`<${second}>`] });
  expect(answer.status).toBe(200);
  const listed = answer.contacts();
  if (listed.length === 1) expect(listed).toEqual([`<${second}>`]);
  else expect(listed.toSorted()).toEqual([`<${first}>`, `<${second}>`].toSorted());
  return listed.length === 1;
}

describe('Which contacts are the same (RFC 3261 §19.1.4)', () => {
  test.each([
    ['15', 'sip:alice@host.example.net', 'sips:alice@host.example.net'],
    ['15', 'sip:alice@host.example.net', 'sip:Alice@host.example.net'],
    ['16', 'sip:alice@host.example.net', 'sip:alice%20@host.example.net'],
    ['17', 'sip:u@host.example.net', 'sip:u@host.example.net:5060'],
    ['17', 'sip:u@host.example.net', 'sip:u@host.example.net;transport=udp'],
    ['17', 'sip:u@host.example.net:5060;transport=udp', 'sip:u@host.example.net:5060;transport=tcp'],
    ['17', 'sip:u@192.0.2.4', 'sip:u@host.example.net'],
    ['18', 'sip:u@host.example.net', 'sip:u@host.example.net;user=ip'],
    ['18', 'sip:u@host.example.net', 'sip:u@host.example.net;ttl=15'],
    ['18', 'sip:u@host.example.net', 'sip:u@host.example.net;method=INVITE'],
    ['18', 'sip:u@host.example.net', 'sip:u@host.example.net;maddr=239.255.255.1'],
    ['18', 'sip:u@host.example.net;x-a=1', 'sip:u@host.example.net;x-a=2'],
    ['19', 'sip:u@host.example.net', 'sip:u@host.example.net?Subject=next'],
    ['19', 'sip:u@host.example.net?Subject=a', 'sip:u@host.example.net?Subject=b'],
  ])('%s: %s and %s are two bindings', async (_, first, second) => {
    expect(await areSame(first, second)).toBe(false);
    expect(await areSame(second, first)).toBe(false);
  });

  test.each([
    ['15', 'sip:alice@host.example.net;transport=tcp', 'SIP:alice@HOST.Example.NET;Transport=TCP'],
    ['16', 'sip:alice@host.example.net', 'sip:%61lice@host.example.net'],
    ['16', 'sip:%61lice@host.example.net;transport=TCP', 'sip:alice@HosT.example.net;Transport=tcp'],
    ['18', 'sip:u@host.example.net', 'sip:u@host.example.net;newparam=5'],
    ['18', 'sip:u@host.example.net;x-a=1', 'sip:u@host.example.net;X-A=1;x-b=2'],
    ['19', 'sip:u@host.example.net;x=1;y=2', 'sip:u@host.example.net;y=2;x=1'],
    [
      '19',
      'sip:u@host.example.net?to=alice%40example.com&priority=urgent',
      'sip:u@host.example.net?priority=urgent&to=alice%40example.com',
    ],
    ['15', 'sip:u@[2001:db8::1]', 'sip:u@[2001:DB8:0:0::1]'],
  ])('%s: %s and %s are one binding, which takes the later octets', async (_, first, second) => {
    expect(await areSame(first, second)).toBe(true);
    expect(await areSame(second, first)).toBe(true);
  });

  test('16: escapes in the host part are not resolved, and such a contact is malformed', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    expect((await phone.register({ contacts: ['<sip:alice@%68ost.example.net>'] })).status).toBe(400);
  });

  test('20: of several bindings that match, a refresh changes the one with the same octets', async () => {
    const { phone, on, off, bare } = await threeOfWhichTwoDiffer();
    expect(await listed(phone)).toEqual([off, on]);

    await phone.register({ contacts: [`<${off}>;q=0.7`] });

    expect((await phone.query()).contacts().toSorted()).toEqual([`<${off}>;q=0.7`, `<${on}>`]);
    await phone.register({ contacts: [`<${bare}>;q=0.3`] });
    // Nothing has its octets: the one refreshed last gives way.
    expect((await phone.query()).contacts().toSorted()).toEqual([`<${bare}>;q=0.3`, `<${on}>`].toSorted());
  });

  test('20: of several bindings that match, a removal takes all', async () => {
    const { phone, bare } = await threeOfWhichTwoDiffer();

    const answer = await phone.register({ contacts: [`<${bare}>;expires=0`] });

    expect([answer.status, answer.contacts()]).toEqual([200, []]);
  });
});

/** `;security=on` and `;security=off` are two contacts, and the bare URI equals either. */
async function threeOfWhichTwoDiffer() {
  const on = 'sip:carol@chicago.example.net;security=on';
  const off = 'sip:carol@chicago.example.net;security=off';
  const bare = 'sip:carol@chicago.example.net';
  const clock = new VirtualClock();
  const server = await serverWithAlice({ clock });
  const phone = await server.phone('alice');
  await phone.register({ contacts: [`<${on}>`] });
  clock.advanceSeconds(1);
  await phone.register({ contacts: [`<${off}>`] });
  clock.advanceSeconds(1);
  return { phone, on, off, bare };
}

async function listed(phone: Awaited<ReturnType<typeof threeOfWhichTwoDiffer>>['phone']) {
  return (await phone.query())
    .contacts()
    .map((contact) => contact.slice(1, -1))
    .toSorted();
}
