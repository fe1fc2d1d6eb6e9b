import { expect, it } from 'vitest';
import { type NetworkInterfaces, OwnAddresses } from '../../../src/sip/transport/own-addresses.js';

const nic = (address: string, family: 'IPv4' | 'IPv6') => {
  const shared = { address, netmask: '', mac: '', internal: false, cidr: null };
  return family === 'IPv4' ? { ...shared, family } : { ...shared, family, scopeid: 0 };
};
const INTERFACES: NetworkInterfaces = {
  lo: [nic('127.0.0.1', 'IPv4'), nic('::1', 'IPv6')],
  eth0: [nic('192.0.2.7', 'IPv4'), nic('2001:db8::7', 'IPv6'), nic('fe80::1%eth0', 'IPv6')],
  gone: undefined,
};

function own(...addresses: readonly string[]): OwnAddresses {
  const listeners = addresses.map((address) => ({ transport: 'udp' as const, address, port: 5060 }));
  return new OwnAddresses(listeners, INTERFACES);
}

it.each<[string, readonly string[], string, boolean]>([
  ['the very address', ['192.0.2.7'], '192.0.2.7', true],
  ['another address of the machine', ['192.0.2.7'], '127.0.0.1', false],
  ['any address of the machine', ['0.0.0.0'], '192.0.2.7', true],
  ['any loopback address', ['0.0.0.0'], '127.0.0.53', true],
  ['the wildcard itself', ['0.0.0.0'], '0.0.0.0', true],
  ['an address of elsewhere', ['0.0.0.0'], '192.0.2.8', false],
  ['the other family', ['0.0.0.0'], '[2001:db8::7]', false],
  ['IPv6, whatever the spelling', ['::'], '[2001:DB8:0:0::7]', true],
  ['IPv6 link-local without its zone', ['::'], '[fe80::1]', true],
  ['IPv6 of elsewhere', ['::'], '[2001:db8::8]', false],
  ['IPv4 in IPv6', ['0.0.0.0', '::'], '[::ffff:192.0.2.7]', true],
  ['a name', ['0.0.0.0', '::'], 'localhost', false],
  ['no address', ['0.0.0.0', '::'], '192.0.2.007', false],
])('R10: %s', (_, addresses, host, expected) => {
  expect(own(...addresses).has(host, 5060)).toBe(expected);
  expect(own(...addresses).has(host, 5061)).toBe(false);
});

it('R10: a port is ours when something listens on it', () => {
  expect([own('192.0.2.7').hasPort(5060), own('192.0.2.7').hasPort(5061)]).toEqual([true, false]);
});
