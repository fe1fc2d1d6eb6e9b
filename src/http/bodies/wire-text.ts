import {
  type AddressOfRecord,
  parseAddressOfRecord,
  printAddressOfRecord,
} from '../../location/address-of-record.js';

/**
 * What octets from the wire (one character a byte) read as: UTF-8 as SIP says, or one character a byte where
 * a phone sent something else. Inverse of `toOctets` for valid UTF-8.
 */
export function fromOctets(octets: string): string {
  const bytes = Buffer.from(octets, 'latin1');
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return octets;
  }
}

export function nullableFromOctets(octets: string | null): string | null {
  return octets === null ? null : fromOctets(octets);
}

/** The octets a text would have on the wire, one character a byte: what filters compare with. */
export function toOctets(text: string): string;
export function toOctets(text: string | undefined): string | undefined;
export function toOctets(text: string | undefined): string | undefined {
  return text === undefined ? undefined : Buffer.from(text, 'utf8').toString('latin1');
}

/** An address-of-record as an operator writes it; undefined when it is none. */
export function readAddress(text: string): AddressOfRecord | undefined {
  return parseAddressOfRecord(toOctets(text));
}

/** The one way an address-of-record is written: `sip:alice@example.com`. */
export function printAddress(aor: AddressOfRecord): string {
  return printAddressOfRecord(aor);
}
