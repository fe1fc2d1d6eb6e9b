import { describe, expect, test } from 'vitest';
import { serverWithAlice } from '../support/test-server.js';

describe('Contacts that lead back here', () => {
  test.each([
    ['the address-of-record', () => 'sip:alice@example.com'],
    ['it in another spelling', () => 'sip:%61lice@EXAMPLE.com;transport=tcp'],
    ['it as sips', () => 'sips:alice@example.com'],
    ['it under an alias of the domain', () => 'sip:alice@sip.example.com'],
    ['it at the port of this server', (port: number) => `sip:alice@example.com:${port}`],
    ['the address of this server', (port: number) => `sip:alice@127.0.0.1:${port}`],
    ['the address of this server, another user', (port: number) => `sip:bob@127.0.0.1:${port}`],
    ['the address of this server, no user', (port: number) => `sip:127.0.0.1:${port};lr`],
    ['the address of this server as maddr', (port: number) => `sip:alice@192.0.2.1:${port};maddr=127.0.0.1`],
  ])('R10: %s is refused with 403, and nothing is stored', async (_, contact) => {
    const server = await serverWithAlice({ domain: { aliases: ['sip.example.com'] } });
    const phone = await server.phone('alice');

    const answer = await phone.register({
      contacts: ['<sip:alice@192.0.2.1>', `<${contact(server.sipPort)}>`],
    });

    expect([answer.status, answer.reason]).toEqual([403, 'Contact Leads Back Here']);
    expect(await server.bindings('alice@example.com')).toEqual([]);
    expect(server.logged('registration.rejected')).toMatchObject([{ reason: 'contact_loops', status: 403 }]);
  });

  test.each([
    ['another user of the domain', 'sip:bob@example.com'],
    ['another port of the domain’s host', 'sip:alice@example.com:5099'],
    ['another address', 'sip:alice@127.0.0.2:5060'],
    ['another scheme', 'mailto:alice@example.com'],
    ['the address-of-record by way of a Route', 'sip:alice@example.com?Route=%3Csip:edge.example.net%3E'],
  ])('R10: %s is none of them', async (_, contact) => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    expect((await phone.register({ contacts: [`<${contact}>`] })).status).toBe(200);
  });

  test('R10: one that is being removed is not refused', async () => {
    const server = await serverWithAlice();
    const phone = await server.phone('alice');

    expect((await phone.register({ contacts: ['<sip:alice@example.com>;expires=0'] })).status).toBe(200);
  });

  test('R10: a server that listens on every address knows them all', async () => {
    const server = await serverWithAlice({ host: '0.0.0.0' });
    const wire = await server.udp('127.0.0.1');
    const phone = await server.phone('alice', { wire });

    for (const host of ['127.0.0.1', '127.0.0.53', '0.0.0.0', '[::ffff:127.0.0.1]']) {
      const answer = await phone.register({ contacts: [`<sip:alice@${host}:${server.sipPort}>`] });
      expect([host, answer.status]).toEqual([host, 403]);
    }
    expect((await phone.register({ contacts: [`<sip:alice@192.0.2.1:${server.sipPort}>`] })).status).toBe(
      200,
    );
  });
});
