import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Ban } from '../../src/guard/ban.js';
import { BanList } from '../../src/guard/ban-list.js';
import { contains, parseNetwork } from '../../src/guard/network.js';

const NOW = 2_000_000_000_000;

function ban(id: string, network: string, changes: Partial<Ban> = {}): Ban {
  return {
    id,
    kind: 'manual',
    network: parseNetwork(network)!,
    domain: null,
    username: null,
    reason: null,
    createdAt: NOW,
    expiresAt: NOW + 1_000,
    createdBy: null,
    ...changes,
  };
}

const octet = fc.integer({ min: 0, max: 3 });
const address = fc.oneof(
  fc.tuple(octet, octet).map(([a, b]) => `10.0.${a}.${b}`),
  fc.tuple(octet, octet).map(([a, b]) => `2001:db8:${a}::${b}`),
);
const network = fc
  .tuple(address, fc.integer({ min: 0, max: 128 }))
  .map(([ip, prefix]) => `${ip}/${ip.includes(':') ? prefix : prefix % 33}`);

it('finds what a walk over all bans would find, whatever was added and taken off before', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          network,
          domain: fc.constantFrom(null, 'example.com', 'example.net'),
          username: fc.constantFrom(null, 'alice', 'bob'),
          isOver: fc.boolean(),
          isLifted: fc.boolean(),
        }),
        { maxLength: 30 },
      ),
      address,
      (given, ip) => {
        const list = new BanList();
        const bans = given.map(({ network: text, domain, username, isOver }, index) =>
          ban(`ban_${index}`, text, {
            domain,
            username: domain === null ? null : username,
            expiresAt: isOver ? NOW : NOW + 1,
          }),
        );
        for (const one of bans) list.add(one);
        for (const [index, { isLifted }] of given.entries()) if (isLifted) list.remove(`ban_${index}`);
        const left = bans.filter(({ id }) => list.get(id) !== undefined);
        const walked = left.filter(
          (one) =>
            one.expiresAt > NOW &&
            contains(one.network, parseNetwork(ip)!) &&
            (one.domain === null || one.domain === 'example.com') &&
            (one.username === null || one.username === 'alice'),
        );
        const found = list.matching(ip, 'example.com', () => ['alice', 'carol'], NOW);
        expect(found.map(({ id }) => id).sort()).toEqual(walked.map(({ id }) => id).sort());
        expect(list.size).toBe(left.length);
        expect(list.count('manual')).toBe(left.length);
      },
    ),
    { numRuns: 500 },
  );
});

it('has one ban a network and scope: a second takes the place of the first', () => {
  const list = new BanList();
  list.add(ban('ban_1', '192.0.2.1'));
  list.add(ban('ban_2', '192.0.2.1/32'));
  list.add(ban('ban_3', '192.0.2.1', { domain: 'example.com' }));
  expect(list.get('ban_1')).toBeUndefined();
  expect(list.size).toBe(2);
  expect(list.at(parseNetwork('192.0.2.1')!, { domain: null, username: null })?.id).toBe('ban_2');
});

it('is left empty by taking everything off', () => {
  const list = new BanList();
  for (let i = 0; i < 100; i++) list.add(ban(`ban_${i}`, `10.0.0.${i}/${16 + (i % 17)}`));
  for (let i = 0; i < 100; i++) list.remove(`ban_${i}`);
  expect(list.remove('ban_0')).toBeUndefined();
  const inner = list as unknown as {
    byNetwork: Map<string, unknown>;
    prefixes: Record<4 | 6, Map<number, number>>;
  };
  expect([list.size, inner.byNetwork.size, inner.prefixes[4].size]).toEqual([0, 0, 0]);
});

it('takes about the same time with ten thousand bans as with ten', () => {
  const timed = (count: number): number => {
    const list = new BanList();
    for (let i = 0; i < count; i++) list.add(ban(`ban_${i}`, `10.${i >> 8}.${i & 255}.1`));
    const start = process.hrtime.bigint();
    for (let i = 0; i < 20_000; i++) list.matching('192.0.2.1', 'example.com', () => [], NOW);
    return Number(process.hrtime.bigint() - start);
  };
  timed(10);
  const few = Math.min(timed(10), timed(10), timed(10));
  const many = Math.min(timed(10_000), timed(10_000), timed(10_000));
  expect(many / few).toBeLessThan(10);
});
