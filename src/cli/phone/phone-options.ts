import { createHash } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { isIPv4, isIPv6 } from 'node:net';
import { octetsOf } from '../../auth/octets.js';
import { type AddressOfRecord, parseAddressOfRecord } from '../../location/address-of-record.js';
import { isParseError } from '../../sip/grammar/sip-parse-error.js';
import { isSipUri, parseUri } from '../../sip/grammar/uri.js';
import { CliError } from '../cli.js';
import { type Hop, type PhoneTransport, printHop } from './user-agent.js';

/** Where the phone sends when it is told nothing: the registrar on this machine. */
export const DEFAULT_SERVER = '127.0.0.1:5060';
const DEFAULT_PORT = 5060;

/** Ports a contact is made of: below those that systems hand out on their own. */
const FIRST_CONTACT_PORT = 20_000;
const CONTACT_PORTS = 10_000;

/** Reads what the user typed. @throws CliError when it is no address. */
export function readAddress(text: string): AddressOfRecord {
  const aor = parseAddressOfRecord(octetsOf(text));
  if (aor === undefined) throw new CliError(`${text} is no address like sip:alice@example.com`);
  return aor;
}

/** Resolves `host[:port]` to an IPv4 address. @throws CliError when it does not name one. */
export async function resolveServer(text: string, transport: PhoneTransport): Promise<Hop> {
  if (isIPv6(text) || text.startsWith('[')) {
    throw new CliError(`--server ${text}: this phone speaks IPv4 only`);
  }
  const match = /^([A-Za-z0-9._-]+)(?::(\d{1,5}))?$/.exec(text);
  const port = Number(match?.[2] ?? DEFAULT_PORT);
  if (match?.[1] === undefined || port < 1 || port > 65_535) {
    throw new CliError(`--server ${text}: not a host or host:port`);
  }
  const [, host] = match;
  if (isIPv4(host)) return { transport, address: host, port };
  try {
    // The system's resolver, so that the hosts file counts.
    const { address } = await lookup(host, { family: 4 });
    return { transport, address, port };
  } catch {
    throw new CliError(
      `the name ${host} does not resolve to an IPv4 address; give --server <address>[:port]`,
    );
  }
}

/**
 * The contact that every run for that address makes here, so that `unregister` finds what `register` bound: the port
 * comes from the address-of-record, not from the socket.
 */
export function stableContact(aor: string, localAddress: string, registrar: Hop): string {
  const user = aor.slice(aor.indexOf(':') + 1, aor.lastIndexOf('@'));
  const suffix = registrar.transport === 'tcp' ? ';transport=tcp' : '';
  return `sip:${user}@${localAddress}:${stablePort(aor)}${suffix}`;
}

/** A port that belongs to an address-of-record: the same in every run, different for most others. */
export function stablePort(aor: string): number {
  const digest = createHash('sha256').update(aor, 'latin1').digest();
  return FIRST_CONTACT_PORT + (digest.readUInt32BE(0) % CONTACT_PORTS);
}

/** Checks a contact given by hand. @throws CliError when it is no SIP URI. */
export function readContact(text: string): string {
  const uri = parseUri(text);
  if (isParseError(uri) || !isSipUri(uri)) throw new CliError(`--contact ${text}: not a SIP URI`);
  return text;
}

/** The password from where it was given; undefined when there is none. @throws CliError when the file can't be read. */
export function readPassword(
  option: string | undefined,
  file: string | undefined,
  environment: string | undefined,
): string | undefined {
  if (option !== undefined) return option;
  if (file === undefined) return environment;
  try {
    // The line break at the end is the editor's.
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    throw new CliError(`--password-file ${file} can't be read: ${(error as Error).message}`);
  }
}

/** What to say when the system finds no way to the registrar. */
export function noWayTo(registrar: Hop, error: unknown): CliError {
  return new CliError(`there is no way to ${printHop(registrar)} from here (${(error as Error).message})`);
}
