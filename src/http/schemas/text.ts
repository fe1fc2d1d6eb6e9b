import { isIP, isIPv6 } from 'node:net';
import { z } from 'zod';

/** Text for people: no control characters, since it ends up in headers, logs and terminals. Length in UTF-16 units. */
export function plainText(maxLength: number) {
  return (
    z
      .string()
      .min(1)
      .max(maxLength)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
      .regex(/^[^\u0000-\u001F\u007F]*$/, 'Control characters are not taken.')
  );
}

/** Room enough for any name, address or URN that an operator compares with. */
export const MAX_FILTER_TEXT_LENGTH = 256;
export const filterText = plainText(MAX_FILTER_TEXT_LENGTH);

// RFC 1123 labels; digits and dots alone are an IPv4 address, and looked at again below.
const HOST_NAME =
  /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/;

/** A host name or an address literal as the host part of a SIP URI; comes out in lower case. */
export const hostName = z
  .string()
  .min(1)
  .max(253)
  .refine(isHost, 'A domain is a host name, an IPv4 address, or an IPv6 address in brackets.')
  .overwrite((host) => host.toLowerCase())
  .meta({
    description: 'A host name, an IPv4 address, or an IPv6 address in brackets.',
    example: 'example.com',
  });

function isHost(text: string): boolean {
  if (text.startsWith('[') && text.endsWith(']')) return isIPv6(text.slice(1, -1)) && !text.includes('%');
  if (/^[0-9.]+$/.test(text)) return isIP(text) === 4;
  return HOST_NAME.test(text);
}

/** An address, or a network in CIDR notation. */
export const network = z
  .string()
  .min(1)
  .max(49)
  .refine(isNetwork, 'Give an IPv4 or IPv6 address, or a network in CIDR notation.')
  .meta({ description: 'An address, or a network in CIDR notation.', example: '203.0.113.0/24' });

function isNetwork(text: string): boolean {
  const [address = '', prefix, ...rest] = text.split('/');
  const version = address.includes('%') ? 0 : isIP(address);
  if (version === 0 || rest.length > 0) return false;
  if (prefix === undefined) return true;
  return /^(0|[1-9][0-9]{0,2})$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128);
}

/** An instant given by a caller, with any offset; fractions of a second may be there. */
export const givenTime = z.iso
  .datetime({ offset: true, error: 'Give an RFC 3339 time such as 2027-01-31T12:00:00Z.' })
  .meta({ example: '2027-01-31T12:00:00Z' });

/** An instant in an answer: RFC 3339, UTC, milliseconds. */
export const shownTime = z.iso.datetime().meta({ example: '2026-11-22T10:15:30.000Z' });

/** Milliseconds since the epoch of a time that passed `givenTime`. */
export function toInstant(text: string): number;
export function toInstant(text: string | null): number | null;
export function toInstant(text: string | undefined): number | undefined;
export function toInstant(text: string | null | undefined): number | null | undefined;
export function toInstant(text: string | null | undefined): number | null | undefined {
  return typeof text === 'string' ? Date.parse(text) : text;
}

/** The RFC 3339 text of an instant, UTC, milliseconds. */
export function fromInstant(instant: number): string;
export function fromInstant(instant: number | null): string | null;
export function fromInstant(instant: number | null): string | null {
  return instant === null ? null : new Date(instant).toISOString();
}
