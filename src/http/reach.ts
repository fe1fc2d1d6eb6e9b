import type { AccountService } from '../accounts/account-service.js';
import type { User } from '../accounts/user.js';
import type { Principal } from '../admin/admin-service.js';
import type { AddressOfRecord } from '../location/address-of-record.js';
import { readAddress } from './bodies/wire-text.js';
import { namesRevision } from './etag.js';
import type { Call } from './operation.js';
import { Problem } from './problem.js';

/** The domains a principal is confined to, for the filters of the services; undefined means all. */
export function confinedTo(principal: Principal): readonly string[] | undefined {
  return principal.domains.length === 0 ? undefined : principal.domains;
}

/** Whether the principal may see and touch what belongs to a domain. */
export function reaches(principal: Principal, domain: string): boolean {
  return principal.domains.length === 0 || principal.domains.includes(domain);
}

/** Whether something confined to `domains` (all, when undefined or empty) lies wholly within the principal's own. */
export function reachesAll(principal: Principal, domains: readonly string[] | undefined): boolean {
  if (principal.domains.length === 0) return true;
  if (domains === undefined || domains.length === 0) return false;
  return domains.every((domain) => principal.domains.includes(domain));
}

/** An address as an operator writes it, its host turned from an alias to the domain's name; undefined when it is none. */
export function readAor(accounts: AccountService, text: string): AddressOfRecord | undefined {
  const aor = readAddress(text);
  if (aor === undefined) return undefined;
  return { user: aor.user, domain: accounts.domainByHost(aor.domain)?.name ?? aor.domain };
}

type UserCall = Pick<Call<{ readonly id: string }, unknown, unknown>, 'params' | 'deps' | 'principal'>;

/** The user that the path names by id or address, as far as the caller may know of it. */
export async function findUser({ params, deps, principal }: UserCall): Promise<User | Problem> {
  const { accounts } = deps;
  const aor = params.id.includes('@') ? readAor(accounts, params.id) : undefined;
  const user = await accounts.getUser(aor === undefined ? params.id : `${aor.user}@${aor.domain}`);
  if (user === undefined || !reaches(principal, user.domain)) {
    return new Problem('user_not_found', `There is no user ${params.id}.`);
  }
  return user;
}

/**
 * The revision a change insists on: the current one when If-Match names it, undefined without If-Match. The
 * service looks at it again within the transaction.
 */
export function insistedRevision(
  { ifMatch }: Pick<Call<unknown, unknown, unknown>, 'ifMatch'>,
  current: { readonly revision: number },
): number | undefined | Problem {
  if (ifMatch === undefined || ifMatch === '*') return undefined;
  if (namesRevision(ifMatch, current.revision)) return current.revision;
  return new Problem('revision_mismatch', `The resource is at revision ${current.revision} by now.`);
}
