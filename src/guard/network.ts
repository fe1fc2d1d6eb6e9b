import { isIP } from 'node:net';

/**
 * An IPv4 or IPv6 network; an address is the network of itself alone. IPv4-mapped IPv6 (RFC 4291 §2.5.5.2) is
 * IPv4: a dual-stack socket shows the same phone either way.
 */
export interface Network {
  readonly family: 4 | 6;
  /** Groups of 16 bits, two for IPv4, eight for IPv6; those past the prefix are zero. */
  readonly groups: readonly number[];
  /** How many leading bits count: 32 or 128 for a single address. */
  readonly prefix: number;
}

const GROUP_BITS = 16;
/** What one customer of an IPv6 provider has at least, and can draw addresses from at will. */
const IPV6_SOURCE_PREFIX = 64;
const MAPPED_PREFIX = 96;

/** Reads `192.0.2.1`, `192.0.2.0/24`, `2001:db8::/32`; bits past the prefix are cleared. Undefined when it is none. */
export function parseNetwork(text: string): Network | undefined {
  const slash = text.indexOf('/');
  const address = parseAddress(slash === -1 ? text : text.slice(0, slash));
  if (address === undefined || slash === -1) return address;
  const written = text.slice(slash + 1);
  if (!/^\d{1,3}$/.test(written)) return undefined;
  const isMapped = address.family === 4 && text.includes(':');
  const prefix = Number(written) - (isMapped ? MAPPED_PREFIX : 0);
  return prefix < 0 || prefix > address.prefix ? undefined : around(address, prefix);
}

/** As it is written: `192.0.2.1`, `192.0.2.0/24`, `2001:db8::/32` (RFC 5952). */
export function printNetwork({ family, groups, prefix }: Network): string {
  const width = groups.length * GROUP_BITS;
  const address = family === 4 ? printIpv4(groups) : printIpv6(groups);
  return prefix === width ? address : `${address}/${prefix}`;
}

/** The network with that prefix around another; `prefix` is not longer than its own. */
export function around(network: Network, prefix: number): Network {
  return { family: network.family, groups: masked(network.groups, prefix), prefix };
}

/** The same text for the same network, and for no other. */
export function networkKey({ groups, prefix }: Network): string {
  return `${groups.length}/${prefix}/${groups.join('.')}`;
}

/** Whether `inner`, an address or a network, lies within `outer`. */
export function contains(outer: Network, inner: Network): boolean {
  return (
    outer.family === inner.family &&
    outer.prefix <= inner.prefix &&
    networkKey(around(inner, outer.prefix)) === networkKey(outer)
  );
}

/**
 * Who is counted and banned for what comes from an address: the address itself for IPv4, its /64 for IPv6. Text
 * that is no address counts as a source of its own.
 */
export function sourceOf(ip: string): string {
  if (!ip.includes(':')) return ip;
  const address = parseAddress(ip);
  if (address === undefined) return ip;
  return printNetwork(address.family === 4 ? address : around(address, IPV6_SOURCE_PREFIX));
}

function parseAddress(text: string): Network | undefined {
  if (text.includes('%')) return undefined;
  const version = isIP(text);
  if (version === 0) return undefined;
  if (version === 4) return ipv4(text);
  const [head = '', tail] = text.split('::');
  const left = groupsOf(head);
  const right = tail === undefined ? [] : groupsOf(tail);
  const zeros = new Array<number>(8 - left.length - right.length).fill(0);
  const groups = [...left, ...zeros, ...right];
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  return isMapped
    ? { family: 4, groups: groups.slice(6), prefix: 32 }
    : { family: 6, groups, prefix: groups.length * GROUP_BITS };
}

function ipv4(text: string): Network {
  const [a = 0, b = 0, c = 0, d = 0] = text.split('.').map(Number);
  return { family: 4, groups: [a * 256 + b, c * 256 + d], prefix: 32 };
}

/** The groups of one side of `::`; the last may be IPv4 in dots. */
function groupsOf(text: string): number[] {
  if (text === '') return [];
  return text
    .split(':')
    .flatMap((part) => (part.includes('.') ? ipv4(part).groups : [Number.parseInt(part, 16)]));
}

function masked(groups: readonly number[], prefix: number): readonly number[] {
  return groups.map((group, index) => {
    const bits = Math.min(GROUP_BITS, Math.max(0, prefix - index * GROUP_BITS));
    return group & (0xffff << (GROUP_BITS - bits)) & 0xffff;
  });
}

function printIpv4(groups: readonly number[]): string {
  return groups.flatMap((group) => [group >> 8, group & 0xff]).join('.');
}

function printIpv6(groups: readonly number[]): string {
  let longest = { at: -1, length: 1 };
  for (let at = 0; at < groups.length; at++) {
    let length = 0;
    while (groups[at + length] === 0) length++;
    if (length > longest.length) longest = { at, length };
  }
  const hex = groups.map((group) => group.toString(16));
  if (longest.at === -1) return hex.join(':');
  return `${hex.slice(0, longest.at).join(':')}::${hex.slice(longest.at + longest.length).join(':')}`;
}
