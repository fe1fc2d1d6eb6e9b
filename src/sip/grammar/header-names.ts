// Long names as they are usually written. Everything the registrar sends or looks at is here, so that reading a
// usual message lower-cases nothing.
const USUAL_NAMES = [
  'Accept',
  'Accept-Contact',
  'Accept-Encoding',
  'Accept-Language',
  'Alert-Info',
  'Allow',
  'Allow-Events',
  'Authentication-Info',
  'Authorization',
  'Call-ID',
  'Call-Info',
  'Contact',
  'Content-Disposition',
  'Content-Encoding',
  'Content-Language',
  'Content-Length',
  'Content-Type',
  'CSeq',
  'Date',
  'Error-Info',
  'Event',
  'Expires',
  'Flow-Timer',
  'From',
  'Geolocation',
  'Identity',
  'Identity-Info',
  'In-Reply-To',
  'Max-Forwards',
  'MIME-Version',
  'Min-Expires',
  'Min-SE',
  'Organization',
  'P-Access-Network-Info',
  'P-Asserted-Identity',
  'P-Associated-URI',
  'P-Preferred-Identity',
  'Path',
  'Priority',
  'Privacy',
  'Proxy-Authenticate',
  'Proxy-Authorization',
  'Proxy-Require',
  'RAck',
  'Reason',
  'Record-Route',
  'Refer-To',
  'Referred-By',
  'Reject-Contact',
  'Replaces',
  'Reply-To',
  'Request-Disposition',
  'Require',
  'Retry-After',
  'Route',
  'RSeq',
  'Security-Client',
  'Security-Server',
  'Security-Verify',
  'Server',
  'Service-Route',
  'Session-Expires',
  'SIP-ETag',
  'SIP-If-Match',
  'Subject',
  'Subscription-State',
  'Supported',
  'Timestamp',
  'To',
  'Unsupported',
  'User-Agent',
  'Via',
  'Warning',
  'WWW-Authenticate',
] as const;

// RFC 3261 §7.3.3 and the IANA registry of header fields.
const COMPACT_FORMS: Readonly<Record<string, string>> = {
  a: 'accept-contact',
  b: 'referred-by',
  c: 'content-type',
  d: 'request-disposition',
  e: 'content-encoding',
  f: 'from',
  i: 'call-id',
  j: 'reject-contact',
  k: 'supported',
  l: 'content-length',
  m: 'contact',
  n: 'identity-info',
  o: 'event',
  r: 'refer-to',
  s: 'subject',
  t: 'to',
  u: 'allow-events',
  v: 'via',
  x: 'session-expires',
  y: 'identity',
};

const LONG_BY_SPELLING = new Map<string, string>();
const USUAL_BY_LONG = new Map<string, string>();
for (const usual of USUAL_NAMES) {
  const long = usual.toLowerCase();
  // `Call-id`, `Cseq`: what stacks write that capitalise the first letter alone.
  const firstOnly = usual.charAt(0) + long.slice(1);
  for (const spelling of [usual, long, firstOnly]) LONG_BY_SPELLING.set(spelling, long);
  USUAL_BY_LONG.set(long, usual);
}
for (const [compact, long] of Object.entries(COMPACT_FORMS)) {
  LONG_BY_SPELLING.set(compact, long);
  LONG_BY_SPELLING.set(compact.toUpperCase(), long);
}

/** The long lower-case name that a spelling stands for: `v`, `Via` and `VIA` are `via` (RFC 3261 §7.3). */
export function longHeaderName(spelling: string): string {
  const known = LONG_BY_SPELLING.get(spelling);
  if (known !== undefined) return known;
  const lower = spelling.toLowerCase();
  return LONG_BY_SPELLING.get(lower) ?? lower;
}

/** How a long lower-case name is usually written: `Call-ID`, `WWW-Authenticate`; others `X-Like-This`. */
export function usualHeaderName(long: string): string {
  return USUAL_BY_LONG.get(long) ?? long.replace(/^[a-z]|-[a-z]/g, (start) => start.toUpperCase());
}
