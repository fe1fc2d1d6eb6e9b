import { describe, expect, it } from 'vitest';
import { contains, networkKey, parseNetwork, printNetwork, sourceOf } from '../../src/guard/network.js';

describe('networks', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['192.0.2.77/24', '192.0.2.0/24'],
    ['192.0.2.77/32', '192.0.2.77'],
    ['10.255.255.255/9', '10.128.0.0/9'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['2001:DB8::1', '2001:db8::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:ffff:ffff::/33', '2001:db8:8000::/33'],
    ['::/0', '::/0'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1/120', '192.0.2.0/24'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ])('%s is %s', (text, printed) => {
    const network = parseNetwork(text);
    expect(printNetwork(network!)).toBe(printed);
    expect(networkKey(parseNetwork(printed)!)).toBe(networkKey(network!));
  });

  it.each([
    '',
    'alice',
    '192.0.2',
    '192.0.2.1/33',
    '192.0.2.1/',
    '192.0.2.1/-1',
    '::/129',
    'fe80::1%eth0',
    '::ffff:1.2.3.4/95',
  ])('%j is none', (text) => expect(parseNetwork(text)).toBeUndefined());

  it.each([
    ['192.0.2.0/24', '192.0.2.255', true],
    ['192.0.2.0/24', '192.0.3.0', false],
    ['192.0.2.0/24', '192.0.2.128/25', true],
    ['192.0.2.128/25', '192.0.2.0/24', false],
    ['2001:db8::/32', '2001:db8:ffff::1', true],
    ['2001:db8::/32', '2001:db9::1', false],
    ['0.0.0.0/0', '::1', false],
    ['192.0.2.1', '::ffff:192.0.2.1', true],
  ])('%s holds %s: %s', (outer, inner, isWithin) => {
    expect(contains(parseNetwork(outer)!, parseNetwork(inner)!)).toBe(isWithin);
  });

  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::', '2001:db8:1:2::/64'],
    ['::1', '::/64'],
    ['not:an:address', 'not:an:address'],
  ])('what comes from %s counts for %s', (ip, source) => expect(sourceOf(ip)).toBe(source));
});
