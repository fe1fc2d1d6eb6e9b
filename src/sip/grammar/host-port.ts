import { isIPv4, isIPv6 } from 'node:net';
import { classesOf, DIGIT, DOT, HOST, readDigits } from './scanner.js';

/** A host with or without a port. `host` is as sent: an IPv6 address keeps its brackets. `port` is 1–65535. */
export interface HostPort {
  readonly host: string;
  readonly port: number | undefined;
}

const OPEN_BRACKET = 0x5b;
const HYPHEN = 0x2d;
/** The longest text of an IPv6 address, an embedded IPv4 address included. */
const MAX_IPV6_LENGTH = 45;

/** Reads `host [ ":" port ]` (RFC 3261 §25.1); undefined when the text is anything else. */
export function parseHostPort(text: string): HostPort | undefined {
  const hostEnd = endOfHost(text, 0, text.length);
  if (hostEnd === -1) return undefined;
  if (hostEnd === text.length) return { host: text, port: undefined };
  if (text.charAt(hostEnd) !== ':') return undefined;
  const port = readPort(text, hostEnd + 1, text.length);
  return port === -1 ? undefined : { host: text.substring(0, hostEnd), port };
}

export function printHostPort(address: HostPort): string {
  return address.port === undefined ? address.host : `${address.host}:${address.port}`;
}

/**
 * The index after the host that begins at `from`: a host name, an IPv4 address or an IPv6 address in brackets
 * (RFC 3261 §25.1); -1 when there is none. More liberal than the RFC in two points that real networks need: `_`,
 * and a last label that begins with a digit as long as it is no number.
 */
export function endOfHost(text: string, from: number, end: number): number {
  if (from >= end) return -1;
  if (text.charCodeAt(from) === OPEN_BRACKET) return endOfIpv6Reference(text, from, end);
  // One pass: labels are checked as they end, and how many of them could be octets of an IPv4 address is counted.
  let i = from;
  let labels = 0;
  let octets = 0;
  let labelStart = from;
  let number = 0;
  let isNumber = true;
  let isLastNumber = false;
  let before = DOT;
  for (; i < end; i++) {
    const code = text.charCodeAt(i);
    const classes = classesOf(code);
    if ((classes & HOST) === 0) break;
    if (code === DOT) {
      if (before === DOT || before === HYPHEN) return -1;
      labels++;
      if (isNumber && number <= 255 && i - labelStart <= 3) octets++;
      isLastNumber = isNumber;
      labelStart = i + 1;
      number = 0;
      isNumber = true;
    } else if ((classes & DIGIT) !== 0) {
      if (number <= 255) number = number * 10 + code - 0x30;
    } else {
      if (code === HYPHEN && before === DOT) return -1;
      isNumber = false;
    }
    before = code;
  }
  if (i === from || before === HYPHEN) return -1;
  // A dot at the end is the root's, which an address does not have.
  if (before === DOT) return isLastNumber ? -1 : i;
  if (!isNumber) return i;
  const isAddress = labels === 3 && octets === 3 && number <= 255 && i - labelStart <= 3;
  return isAddress ? i : -1;
}

/** The port that [from, end) says, 1–65535; -1 when it says none. */
export function readPort(text: string, from: number, end: number): number {
  const port = readDigits(text, from, end, 65_536);
  return port >= 1 && port <= 65_535 ? port : -1;
}

/**
 * Whether two hosts are the same: names without regard to case, IPv6 addresses by value (RFC 3261 §19.1.4, RFC
 * 5954 §4).
 */
export function sameHost(a: string, b: string): boolean {
  if (a === b) return true;
  if (a.charCodeAt(0) === OPEN_BRACKET && b.charCodeAt(0) === OPEN_BRACKET) {
    return ipv6Groups(a.slice(1, -1)) === ipv6Groups(b.slice(1, -1));
  }
  return a.toLowerCase() === b.toLowerCase();
}

function endOfIpv6Reference(text: string, from: number, end: number): number {
  const limit = Math.min(end, from + MAX_IPV6_LENGTH + 2);
  for (let i = from + 1; i < limit; i++) {
    const code = text.charCodeAt(i);
    // A zone (`%eth0`) means nothing to another host and is no part of IPv6reference.
    if (code === 0x25) return -1;
    if (code === 0x5d) return isIPv6(withoutThirdColon(text.substring(from + 1, i))) ? i + 1 : -1;
  }
  return -1;
}

/**
 * The address without the third colon that RFC 3261's grammar has between `::` and an IPv4 address. RFC 5118 §4.10
 * asks that both be taken for the same.
 */
function withoutThirdColon(address: string): string {
  const colons = address.indexOf(':::');
  if (colons === -1 || !isIPv4(address.substring(colons + 3))) return address;
  return address.substring(0, colons) + address.substring(colons + 1);
}

/** An IPv6 address as eight groups without leading zeros, so that equal addresses are equal texts. */
function ipv6Groups(reference: string): string {
  const address = withoutThirdColon(reference);
  const gap = address.indexOf('::');
  const left = groupsOf(gap === -1 ? address : address.slice(0, gap));
  const right = gap === -1 ? [] : groupsOf(address.slice(gap + 2));
  const zeros = new Array<number>(Math.max(0, 8 - left.length - right.length)).fill(0);
  return [...left, ...zeros, ...right].map((group) => group.toString(16)).join(':');
}

function groupsOf(text: string): readonly number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}
