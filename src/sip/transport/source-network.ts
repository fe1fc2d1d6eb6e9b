/** How many groups of an IPv6 address name the network: /64, since whoever has one address there has them all. */
const NETWORK_GROUPS = 4;

/**
 * Whom an address counts as where peers are counted: an IPv4 address itself, an IPv6 address its /64. `address` is
 * IPv4 or IPv6 text without brackets or zone, as the system gives it.
 */
export function sourceNetwork(address: string): string {
  if (!address.includes(':')) return address;
  // An IPv4 address in an IPv6 one is a single host.
  if (address.includes('.')) return address;
  const gap = address.indexOf('::');
  const left = (gap === -1 ? address : address.slice(0, gap)).split(':');
  if (gap === -1 || left.length >= NETWORK_GROUPS) return left.slice(0, NETWORK_GROUPS).join(':');
  const known = left[0] === '' ? [] : left;
  const right = address.slice(gap + 2).split(':');
  const zeros = 8 - known.length - (right[0] === '' ? 0 : right.length);
  return [...known, ...Array<string>(zeros).fill('0'), ...right].slice(0, NETWORK_GROUPS).join(':');
}
