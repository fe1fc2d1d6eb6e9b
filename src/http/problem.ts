import { STATUS_CODES } from 'node:http';
import type { AccountRefusalCode } from '../accounts/account-store.js';
import type { AdminRefusalCode } from '../admin/admin-store.js';
import type { Refusal } from '../base/refusal.js';
import type { BanRefusalCode } from '../guard/ban.js';
import type { DeregistrationRefusalCode } from '../location/deregistration.js';

/** What the HTTP face itself refuses, beside the refusals of the services. */
export type HttpOwnCode =
  | 'malformed_url'
  | 'malformed_json'
  | 'malformed_call_script'
  | 'validation_failed'
  | 'cursor_invalid'
  | 'cursor_mismatch'
  | 'unauthenticated'
  | 'insufficient_scope'
  | 'grant_exceeds_own'
  | 'domain_not_granted'
  | 'route_not_found'
  | 'deregistration_not_found'
  | 'call_script_invalid'
  | 'method_not_allowed'
  | 'body_too_large'
  | 'unsupported_media_type'
  | 'rate_limited'
  | 'internal_error'
  | 'store_overloaded';

export type ProblemCode =
  | AccountRefusalCode
  | AdminRefusalCode
  | BanRefusalCode
  | DeregistrationRefusalCode
  | HttpOwnCode;

/** One kind of problem, the same wherever it occurs. */
export interface ProblemType {
  readonly status: number;
  /** A short sentence without its full stop, the same for every occurrence. */
  readonly title: string;
  /** A `detail` as it really reads; the example in the contract. */
  readonly example: string;
  /** What to do about it; the text of the problem page. */
  readonly advice: string;
}

/** Every refusal there is, and how HTTP says it. A new refusal does not compile until it stands here. */
export const PROBLEM_TYPES = {
  malformed_url: {
    status: 400,
    title: 'The URL is malformed',
    example: 'The path contains a percent sign that no two hexadecimal digits follow.',
    advice: 'Percent-encode each path segment as UTF-8.',
  },
  malformed_json: {
    status: 400,
    title: 'The body is not acceptable JSON',
    example: 'The body is not JSON.',
    advice:
      'Send one JSON value in UTF-8. A key may occur once in an object, and no key may be __proto__, constructor or prototype.',
  },
  malformed_call_script: {
    status: 400,
    title: 'The call script is no well-formed XML',
    example: 'Line 3: an end tag of another element.',
    advice:
      'Send one XML document in UTF-8, without document type and without entities but the five predefined.',
  },
  validation_failed: {
    status: 400,
    title: 'The request does not match the contract',
    example: 'One part of the request is not as the contract says; see errors.',
    advice: 'Each entry of errors names the body property, the parameter or the header at fault.',
  },
  filter_required: {
    status: 400,
    title: 'A deregistration needs a filter',
    example: 'The filter matches everything; say {"all": true} if that is meant.',
    advice: 'Name at least one condition, or say {"all": true}.',
  },
  cursor_invalid: {
    status: 400,
    title: 'The cursor was not issued by this server',
    example: 'The cursor is damaged; start again from the first page.',
    advice: 'Send next_cursor back exactly as it was given, or start without a cursor.',
  },
  cursor_mismatch: {
    status: 400,
    title: 'The cursor belongs to another list',
    example: 'The cursor was issued for another filter or another order; start again from the first page.',
    advice: 'Keep filter and sort the same from page to page.',
  },
  unauthenticated: {
    status: 401,
    title: 'A valid API key is needed',
    example: 'Send an API key in the header field Authorization: Bearer rk_…',
    advice: 'The key is missing, unknown, revoked, expired, or used from a network it is not allowed from.',
  },
  insufficient_scope: {
    status: 403,
    title: 'The API key lacks a scope',
    example: 'This operation needs the scope users:write.',
    advice: 'Use a key with the scope named in detail; GET /v1/me tells what a key may do.',
  },
  grant_exceeds_own: {
    status: 403,
    title: 'A key grants only what it holds itself',
    example: 'The asking key does not hold keys:write itself.',
    advice: 'Ask with a key that holds every scope and domain it hands on.',
  },
  domain_not_granted: {
    status: 403,
    title: 'The API key is confined to other domains',
    example: 'The key is confined to domains and makes no new ones.',
    advice: 'Use a key that is not confined to domains, or stay within its domains.',
  },
  route_not_found: {
    status: 404,
    title: 'There is no such path',
    example: 'Nothing is served at /v1/user.',
    advice: 'The paths are listed in /openapi.yaml and shown at /docs.',
  },
  domain_not_found: {
    status: 404,
    title: 'The domain is not served here',
    example: 'There is no domain example.net.',
    advice: 'Check the name; a key confined to domains sees only those.',
  },
  user_not_found: {
    status: 404,
    title: 'There is no such user',
    example: 'There is no user bob@example.com.',
    advice: 'Address a user by id or by address; a key confined to domains sees only the users of those.',
  },
  call_script_not_found: {
    status: 404,
    title: 'The user has no call script',
    example: 'The user has no call script.',
    advice: 'PUT one, or let the phone of the user bring one in a REGISTER.',
  },
  credential_not_found: {
    status: 404,
    title: 'The user has no such credential',
    example: 'The user has no credential crd_01K8ZV7Q3M5T9XW2ABCDEFGHJK.',
    advice: 'List the credentials of the user.',
  },
  binding_not_found: {
    status: 404,
    title: 'There is no such binding',
    example: 'There is no binding bnd_01K8ZV7Q3M5T9XW2ABCDEFGHJK.',
    advice: 'A binding is gone once it expired or was removed; a phone that comes back gets a new id.',
  },
  deregistration_not_found: {
    status: 404,
    title: 'There is no such deregistration',
    example: 'There is no deregistration drg_01K8ZV7Q3M5T9XW2ABCDEFGHJK.',
    advice: 'List the deregistrations.',
  },
  api_key_not_found: {
    status: 404,
    title: 'There is no such API key',
    example: 'There is no API key key_01K8ZV7Q3M5T9XW2ABCDEFGHJK.',
    advice: 'A key confined to domains sees only keys within those.',
  },
  ban_not_found: {
    status: 404,
    title: 'There is no such ban',
    example: 'There is no ban ban_01K8ZVL7Q3M5T9XW2ABCDEFGHJ.',
    advice:
      'A ban is gone once it ended or was lifted; a key confined to domains sees only bans within those.',
  },
  method_not_allowed: {
    status: 405,
    title: 'The path does not take this method',
    example: 'PUT is not among GET, HEAD, PATCH, DELETE.',
    advice: 'The header field Allow lists the methods.',
  },
  domain_exists: {
    status: 409,
    title: 'The domain exists already',
    example: 'example.com is served already.',
    advice: 'Change the existing domain with PATCH.',
  },
  domain_not_empty: {
    status: 409,
    title: 'The domain still has users',
    example: 'The domain example.com still has 12 users.',
    advice: 'Delete the users first, or say cascade=true with If-Match.',
  },
  domain_alias_in_use: {
    status: 409,
    title: 'The host name is taken',
    example: 'sip.example.com is an alias of example.net.',
    advice: 'A host name leads to one domain only, as its name or as an alias.',
  },
  realm_immutable_with_credentials: {
    status: 409,
    title: 'The realm is fixed while there are credentials',
    example:
      'The realm is part of every stored HA1; it can change only while the domain has no active credentials.',
    advice: 'Revoke the credentials first, or serve the new realm as a new domain.',
  },
  user_limit: {
    status: 409,
    title: 'The domain is full',
    example: 'The domain example.com has its 500 users.',
    advice: 'Raise max_users of the domain, or delete users.',
  },
  user_exists: {
    status: 409,
    title: 'The user exists already',
    example: 'alice@example.com is taken by usr_01K8ZV7Q3M5T9XW2ABCDEFGHJK.',
    advice: 'A username is unique within its domain.',
  },
  username_in_use: {
    status: 409,
    title: 'The digest username is taken',
    example: 'Another user of example.com authenticates as alice.',
    advice: 'A digest username leads to one user of the domain; choose another auth_username.',
  },
  external_id_in_use: {
    status: 409,
    title: 'The external id is taken',
    example: 'hr-8841 belongs to usr_01K8ZV7Q3M5T9XW2ABCDEFGHJK.',
    advice: 'An external id is unique within its domain.',
  },
  credential_limit: {
    status: 409,
    title: 'The user has as many active credentials as allowed',
    example: 'A user has at most 4 active credentials.',
    advice: 'Revoke one that is no longer used; last_used_at tells which.',
  },
  credential_revoked: {
    status: 409,
    title: 'The credential is revoked',
    example: 'A revoked credential does not change any more.',
    advice: 'Make a new credential.',
  },
  ban_exists: {
    status: 409,
    title: 'The network is banned already',
    example: 'ban_01K8ZVL7Q3M5T9XW2ABCDEFGHJ bans that already; lift it first.',
    advice: 'Lift the ban first; there is one a network, domain and user.',
  },
  ban_limit: {
    status: 409,
    title: 'There are as many bans as may be',
    example: 'There are at most 10000 bans by operators.',
    advice: 'Lift some, or ban wider networks in a firewall.',
  },
  api_key_exists: {
    status: 409,
    title: 'The API key exists already',
    example: 'There is an API key with the same value.',
    advice: 'Ask again.',
  },
  api_key_revoked: {
    status: 409,
    title: 'The API key is revoked',
    example: 'A revoked key does not change any more.',
    advice: 'Make a new key.',
  },
  last_admin_key: {
    status: 409,
    title: 'The last admin key stays',
    example: 'This is the last unrestricted admin key; make another one first.',
    advice: 'Without such a key nobody could make keys any more.',
  },
  idempotency_in_flight: {
    status: 409,
    title: 'The same request is under way',
    example: 'A request with this Idempotency-Key has not been answered yet.',
    advice: 'Wait, then send the request again to get its answer.',
  },
  expected_count_mismatch: {
    status: 409,
    title: 'Another number of bindings matches',
    example: '43 bindings match, 41 were expected; nothing was removed.',
    advice: 'Look at the matches again with dry_run, then send the new number.',
  },
  revision_mismatch: {
    status: 412,
    title: 'The resource has changed since it was read',
    example: 'The resource is at revision 4 by now.',
    advice: 'Read it again, and send the change with the new ETag.',
  },
  body_too_large: {
    status: 413,
    title: 'The body is too large',
    example: 'The body may have at most 65536 bytes.',
    advice: 'Send less.',
  },
  unsupported_media_type: {
    status: 415,
    title: 'The body has the wrong media type',
    example: 'This operation takes application/merge-patch+json in UTF-8.',
    advice: 'POST takes application/json, PATCH takes application/merge-patch+json.',
  },
  call_script_invalid: {
    status: 422,
    title: 'The call script is not valid',
    example: 'Line 3: location needs url.',
    advice: 'The script must hold to the schema of RFC 3880, without extensions.',
  },
  domain_settings_invalid: {
    status: 422,
    title: 'The settings of the domain contradict each other',
    example:
      'min_expires_seconds (600) ≤ default_expires_seconds (300) ≤ max_expires_seconds (3600) does not hold.',
    advice: 'The settings are looked at as they would be after the change.',
  },
  network_too_wide: {
    status: 422,
    title: 'The network is too wide for a ban',
    example: 'A ban reaches no further than /8.',
    advice: 'Ban an IPv4 network of /8 or longer, or an IPv6 network of /16 or longer.',
  },
  username_invalid: {
    status: 422,
    title: 'The username is not possible in a SIP address',
    example: "A username has 1 to 64 of the characters A-Z a-z 0-9 - _ . ! ~ * ' ( ) & = + $ , ; ? /",
    advice: 'Choose a name of these characters; the display name may have any.',
  },
  algorithm_not_enabled: {
    status: 422,
    title: 'The domain does not use this algorithm',
    example: 'The domain does not use SHA-256.',
    advice: "Send HA1 values, and choose a user's challenge, of the domain's algorithms only.",
  },
  password_too_weak: {
    status: 422,
    title: 'The password is too weak',
    example: 'A password has 12 to 256 characters.',
    advice: 'Let the server draw one with {"generate": true}.',
  },
  idempotency_key_reused: {
    status: 422,
    title: 'The Idempotency-Key stands for another request',
    example: 'This Idempotency-Key was used with another body within the last 24 hours.',
    advice: 'Draw a new key for each new request.',
  },
  if_match_required: {
    status: 428,
    title: 'The change needs If-Match',
    example: 'Send If-Match with the ETag of the resource as it was read.',
    advice: 'Read the resource, then send its ETag in If-Match.',
  },
  rate_limited: {
    status: 429,
    title: 'Too many requests',
    example: 'The limit is 600 requests a minute.',
    advice: 'Wait for as many seconds as Retry-After says.',
  },
  internal_error: {
    status: 500,
    title: 'The server failed',
    example: 'The request failed for a reason that is in the log under its request_id.',
    advice: 'Tell the operator the request_id.',
  },
  store_overloaded: {
    status: 503,
    title: 'The server has more to write than it can',
    example: 'Nothing was changed; try again shortly.',
    advice: 'Wait for as many seconds as Retry-After says, then send the request again.',
  },
} as const satisfies Record<ProblemCode, ProblemType>;

/** One part of the request at fault: a body property (RFC 6901), a parameter or a header field. */
export interface ProblemPart {
  readonly pointer?: string;
  readonly parameter?: string;
  readonly header?: string;
  readonly code: string;
  readonly detail: string;
}

/** A refusal on its way to becoming an answer. */
export class Problem {
  constructor(
    readonly code: ProblemCode,
    readonly detail: string = PROBLEM_TYPES[code].example,
    readonly parts: readonly ProblemPart[] = [],
    /** Header fields beside the usual ones, `Retry-After` for one. */
    readonly headers: Readonly<Record<string, string>> = {},
  ) {}

  get status(): number {
    return PROBLEM_TYPES[this.code].status;
  }
}

/** The problem a service's refusal becomes; `pointerPrefix` says where in the body its input stood. */
export function problemOf(refusal: Refusal<ProblemCode>, pointerPrefix = ''): Problem {
  const { code, detail, pointer } = refusal;
  if (pointer === undefined) return new Problem(code, detail);
  return new Problem(code, detail, [{ pointer: `${pointerPrefix}${pointer}`, code, detail }]);
}

/** The body of an answer with status 4xx or 5xx (RFC 9457). */
export interface ProblemBody {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly instance: string;
  readonly code: ProblemCode;
  readonly request_id: string;
  readonly errors?: readonly ProblemPart[];
}

export const PROBLEM_MEDIA_TYPE = 'application/problem+json';
/** Where the problem types are explained; each has its anchor there. */
export const PROBLEM_PAGE_PATH = '/problems';

/** The RFC 9457 body. `instance` is the path asked for, without its query. */
export function problemBody(problem: Problem, instance: string, requestId: string): ProblemBody {
  return {
    type: problemTypeUri(problem.code),
    title: PROBLEM_TYPES[problem.code].title,
    status: problem.status,
    detail: problem.detail,
    instance,
    code: problem.code,
    request_id: requestId,
    ...(problem.parts.length > 0 ? { errors: problem.parts } : {}),
  };
}

/** A reference relative to this server: it resolves to the page that explains the problem. */
export function problemTypeUri(code: ProblemCode): string {
  return `${PROBLEM_PAGE_PATH}#${code}`;
}

/** All codes in order of status, then name. */
export function problemCodes(): readonly ProblemCode[] {
  const codes = Object.keys(PROBLEM_TYPES) as ProblemCode[];
  return codes.sort((a, b) => PROBLEM_TYPES[a].status - PROBLEM_TYPES[b].status || (a < b ? -1 : 1));
}

/** The problem types as a page in Markdown: docs/problems.md. */
export function problemsAsMarkdown(): string {
  const lines = [
    '# Problem types',
    '',
    'Every answer with status 4xx or 5xx is an `application/problem+json` body (RFC 9457) with `type`, `title`,',
    '`status`, `detail`, `instance`, `code` and `request_id`; `errors` names the parts of the request at fault.',
    'Programs decide by `code`: it never changes its meaning. This page is generated from the table in',
    '`src/http/problem.ts`; a running server shows it at `/problems`.',
  ];
  let status = 0;
  for (const code of problemCodes()) {
    const type: ProblemType = PROBLEM_TYPES[code];
    if (type.status !== status) {
      status = type.status;
      lines.push('', `## ${status} ${STATUS_CODES[status] ?? ''}`);
    }
    lines.push('', `### ${code}`, '', `${type.title}. ${type.advice}`, '', `> ${type.example}`);
  }
  return `${lines.join('\n')}\n`;
}

/** The same page in HTML, with an anchor for each code. */
export function problemsAsHtml(): string {
  const entries = problemCodes().map((code) => {
    const { status, title, advice, example } = PROBLEM_TYPES[code];
    return `<h2 id="${code}">${status} <code>${code}</code></h2>
<p>${escapeHtml(title)}. ${escapeHtml(advice)}</p>
<blockquote>${escapeHtml(example)}</blockquote>`;
  });
  return `<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Problem types</title></head>
<body>
<h1>Problem types</h1>
<p>Each <code>type</code> of an <code>application/problem+json</code> answer leads to its entry here.</p>
${entries.join('\n')}
</body>
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
