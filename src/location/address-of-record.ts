/**
 * The name under which bindings are kept (RFC 3261 §10.3 step 5): user part unescaped, host in lower case, no
 * parameters. `sip` and `sips` name the same AOR here: the scheme says how to reach it, not who it is.
 */
export interface AddressOfRecord {
  /** Octet string, unescaped; `bob;x` keeps its `;x`, which is part of the user. */
  readonly user: string;
  /** The domain's own name, never an alias, in lower case. */
  readonly domain: string;
}

/** `sip:alice@example.com`, with the user part escaped where RFC 3261 §25.1 asks for it. */
export function printAddressOfRecord(aor: AddressOfRecord): string {
  return `sip:${escapeUser(aor.user)}@${aor.domain}`;
}

/**
 * Reads `sip:alice@example.com`, `sips:…` or the bare `alice@example.com` as an operator writes it.
 * Undefined when it is none of these.
 */
export function parseAddressOfRecord(text: string): AddressOfRecord | undefined {
  const match = /^(?:sips?:)?([^@\s]+)@([A-Za-z0-9.\-[\]:]+)$/i.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  const user = unescapeUser(match[1]);
  return user === undefined ? undefined : { user, domain: match[2].toLowerCase() };
}

// user = 1*( unreserved / escaped / user-unreserved ), RFC 3261 §25.1
const MUST_ESCAPE = /[^A-Za-z0-9\-_.!~*'()&=+$,;?/]/g;

function escapeUser(user: string): string {
  return user.replace(MUST_ESCAPE, (octet) => {
    const hex = octet.charCodeAt(0).toString(16).toUpperCase();
    return `%${hex.padStart(2, '0')}`;
  });
}

function unescapeUser(text: string): string | undefined {
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) return undefined;
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}
