/*
 * Between octet strings (what is on the wire: one character an octet) and Unicode text (what operators write).
 * Both functions hand ASCII back as it is, which is nearly everything.
 */

/** The UTF-8 octets of a text, as an octet string. */
export function octetsOf(text: string): string {
  return Buffer.byteLength(text) === text.length ? text : Buffer.from(text).toString('latin1');
}

/** The text whose UTF-8 octets these are; when they are not UTF-8, each octet as the Latin-1 character it is. */
export function textOf(octets: string): string {
  if (Buffer.byteLength(octets) === octets.length) return octets;
  try {
    return UTF8.decode(Buffer.from(octets, 'latin1'));
  } catch {
    return octets;
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
