import { BlockList, isIP } from 'node:net';
import type { NetworkInterfaceInfo } from 'node:os';
import type { SipListener } from './listeners.js';

/** The machine's network interfaces, as os.networkInterfaces gives them. */
export type NetworkInterfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/** Where this server itself is listening. */
export class OwnAddresses {
  private readonly byPort = new Map<number, BlockList>();

  /** A listener on 0.0.0.0 or :: stands for every address of its family that the interfaces have. */
  constructor(listeners: readonly SipListener[], interfaces: NetworkInterfaces) {
    const local = Object.values(interfaces).flatMap((addresses) => addresses ?? []);
    for (const { address, port } of listeners) {
      const addresses = this.byPort.get(port) ?? new BlockList();
      this.byPort.set(port, addresses);
      const family = familyOf(address);
      addresses.addAddress(address, family);
      if (address === '0.0.0.0') addresses.addSubnet('127.0.0.0', 8, 'ipv4');
      if (address !== '0.0.0.0' && address !== '::') continue;
      for (const found of local) {
        const plain = found.address.replace(/%.*$/, '');
        if (familyOf(plain) === family) addresses.addAddress(plain, family);
      }
    }
  }

  /** Whether a listener is there. `host` is the host of a URI: an IPv6 address in brackets; names are none of ours. */
  has(host: string, port: number): boolean {
    const address = host.startsWith('[') ? host.slice(1, -1) : host;
    return isIP(address) !== 0 && this.byPort.get(port)?.check(address, familyOf(address)) === true;
  }

  /** Whether a listener has that port, at whatever address. */
  hasPort(port: number): boolean {
    return this.byPort.has(port);
  }
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return address.includes(':') ? 'ipv6' : 'ipv4';
}
