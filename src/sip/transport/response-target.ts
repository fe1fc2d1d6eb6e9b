import { isIP } from 'node:net';
import type { Via } from '../grammar/headers/via.js';
import { paramValue } from '../grammar/params.js';
import type { ResponseTarget } from './flow.js';

const DEFAULT_PORT = 5060;

/**
 * Where the response to a request goes by its topmost Via (RFC 3261 §18.2.2, RFC 3581 §4): for a datagram, whatever
 * transport its Via claims, maddr first; else the address the request came from, at the port it came from when `rport`
 * is there, at the sent-by port (default 5060) when not. For a stream it is where a new connection would go if the old one is closed. Host
 * names are never looked up: the source address is always known.
 */
export function responseTarget(
  via: Via,
  isDatagram: boolean,
  sourceAddress: string,
  sourcePort: number,
): ResponseTarget {
  const sentByPort = via.port ?? DEFAULT_PORT;
  if (isDatagram) {
    const maddr = paramValue(via.params, 'maddr');
    if (maddr !== undefined && isIP(maddr) !== 0) return { address: maddr, port: sentByPort };
    if (via.params.some(({ name }) => name.toLowerCase() === 'rport')) {
      return { address: sourceAddress, port: sourcePort };
    }
  }
  return { address: sourceAddress, port: sentByPort };
}

/**
 * What of `received` and `rport` the topmost Via is stamped with (RFC 3261 §18.2.1, RFC 3581 §4): `received` when
 * the sent-by is a name or another address, and always together with `rport`.
 */
export function viaStamp(
  via: Via,
  sourceAddress: string,
  sourcePort: number,
): { readonly received: string | undefined; readonly rport: number | undefined } {
  const wantsPort = via.params.some(({ name }) => name.toLowerCase() === 'rport');
  const differs = !isSameAddress(via.host, sourceAddress);
  return {
    received: wantsPort || differs ? sourceAddress : undefined,
    rport: wantsPort ? sourcePort : undefined,
  };
}

function isSameAddress(sentBy: string, address: string): boolean {
  if (sentBy === address) return true;
  if (!sentBy.startsWith('[')) return false;
  return canonicalIpv6(sentBy.slice(1, -1)) === canonicalIpv6(address);
}

function canonicalIpv6(address: string): string {
  try {
    return new URL(`http://[${address}]/`).hostname;
  } catch {
    return address;
  }
}
