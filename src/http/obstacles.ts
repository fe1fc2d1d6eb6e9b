import type { DigestAlgorithm, Domain } from '../accounts/domain.js';
import { MAX_BINDINGS_LIMIT } from '../accounts/rules.js';
import type { User } from '../accounts/user.js';
import type { Attempt } from '../guard/attempt.js';
import { printNetwork } from '../guard/network.js';
import type { ObstacleBody } from './schemas/attempt.js';
import { fromInstant } from './schemas/text.js';
import type { HttpDeps } from './services.js';

/** What keeps phones of a user from registering at this moment; `attempts` say where they try it from. */
export async function obstaclesOf(
  user: User,
  attempts: readonly Attempt[],
  deps: HttpDeps,
): Promise<readonly ObstacleBody[]> {
  const { accounts, location, guard, clock } = deps;
  const now = clock.now();
  const domain = await accounts.getDomain(user.domain);
  const active = (await accounts.listCredentials(user.id)).filter(({ state }) => state === 'active');
  const good = active.filter(({ expiresAt }) => expiresAt === null || expiresAt > now);
  const bindings = await location.listBindings(
    { userId: user.id },
    { limit: MAX_BINDINGS_LIMIT, sort: 'registered_at', descending: true, includeTotal: false },
  );
  const found: ObstacleBody[] = [];
  if (user.expiresAt !== null && user.expiresAt <= now) {
    found.push(
      obstacle('account_expired', `The account expired at ${fromInstant(user.expiresAt)}; see expires_at.`),
    );
  }
  if (user.blockedUntil !== null && user.blockedUntil > now) {
    const explanation = 'A forced deregistration in mode block refuses every REGISTER of the user with 403.';
    found.push({ ...obstacle('blocked', explanation), until: fromInstant(user.blockedUntil) });
  }
  if (active.length === 0) {
    found.push(obstacle('no_credential', 'The user has no active credential to authenticate with.'));
  } else if (good.length === 0) {
    found.push(obstacle('credentials_expired', 'All active credentials of the user have expired.'));
  } else if (domain !== undefined) {
    const asked = challengedWith(user, domain);
    if (asked !== undefined && !good.some(({ algorithms }) => algorithms.includes(asked))) {
      const explanation = `The challenge asks for ${asked}, and no credential has an HA1 for it; issue a new one.`;
      found.push(obstacle('missing_algorithm', explanation));
    }
  }
  const limit = user.maxBindings ?? domain?.maxBindingsPerUser;
  if (limit !== undefined && domain?.overflow === 'reject' && bindings.items.length >= limit) {
    found.push(
      obstacle(
        'binding_limit',
        `${bindings.items.length} of ${limit} bindings are taken; another phone is refused.`,
      ),
    );
  }
  const ips = [...attempts.map(({ ip }) => ip), ...bindings.items.map(({ received }) => received.ip)];
  const usernames = [user.username, ...active.map(({ authUsername }) => authUsername)];
  for (const ban of guard.bansOn([...new Set(ips)], user.domain, [...new Set(usernames)])) {
    const why = ban.reason === null ? '' : `: ${ban.reason}`;
    found.push({
      code: 'banned',
      explanation: `${printNetwork(ban.network)} is banned${why}.`,
      until: fromInstant(ban.expiresAt),
      ban_id: ban.id,
    });
  }
  return found;
}

function obstacle(code: ObstacleBody['code'], explanation: string): ObstacleBody {
  return { code, explanation, until: null, ban_id: null };
}

/** The one algorithm the user is challenged with; undefined when there is a choice. */
function challengedWith(user: User, domain: Domain): DigestAlgorithm | undefined {
  const policies = {
    md5: 'MD5',
    'sha-256': 'SHA-256',
    'sha-512-256': 'SHA-512-256',
    all: undefined,
  } as const;
  return policies[user.challenge ?? domain.challenge];
}
