import { isIPv4, isIPv6 } from 'node:net';

/** An address as 32 hex digits (IPv4 as `::ffff:a.b.c.d`), so that a network is a range of texts. */
export function addressKey(ip: string): string {
  if (isIPv4(ip)) return `${'0'.repeat(20)}ffff${hexOfIpv4(ip)}`;
  const [address = ''] = ip.split('%');
  if (!isIPv6(address)) return '';
  const tail = address.includes('.') ? address.slice(address.lastIndexOf(':') + 1) : undefined;
  const plain =
    tail === undefined
      ? address
      : `${address.slice(0, -tail.length)}${hexOfIpv4(tail).slice(0, 4)}:${hexOfIpv4(tail).slice(4)}`;
  const [head = '', rest] = plain.split('::');
  const groupsOf = (text: string) => (text === '' ? [] : text.split(':'));
  const left = groupsOf(head);
  const right = rest === undefined ? [] : groupsOf(rest);
  const missing = 8 - left.length - right.length;
  return [...left, ...Array<string>(missing).fill('0'), ...right]
    .map((group) => group.padStart(4, '0'))
    .join('')
    .toLowerCase();
}

/** First and last address key of a network in CIDR notation, or of a single address; undefined when it is neither. */
export function networkRange(cidr: string): { readonly first: string; readonly last: string } | undefined {
  const match = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(cidr);
  const address = match?.[1] ?? '';
  const key = addressKey(address);
  if (key === '') return undefined;
  const width = isIPv4(address) ? 32 : 128;
  const length = match?.[2] === undefined ? width : Number(match[2]);
  if (length > width) return undefined;
  const hostBits = BigInt(width - length);
  const value = BigInt(`0x${key}`);
  const first = (value >> hostBits) << hostBits;
  const last = first + (1n << hostBits) - 1n;
  const text = (bits: bigint) => bits.toString(16).padStart(32, '0');
  return { first: text(first), last: text(last) };
}

function hexOfIpv4(ip: string): string {
  return ip
    .split('.')
    .map((octet) => Number(octet).toString(16).padStart(2, '0'))
    .join('');
}
