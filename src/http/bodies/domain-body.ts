import type { Domain, DomainSettings } from '../../accounts/domain.js';
import type { DomainBody, GivenDomainSettings } from '../schemas/domain.js';
import { fromInstant } from '../schemas/text.js';

export function domainBody(domain: Domain): DomainBody {
  return {
    name: domain.name,
    aliases: [...domain.aliases],
    realm: domain.realm,
    algorithms: [...domain.algorithms],
    challenge: domain.challenge,
    allow_no_qop: domain.allowNoQop,
    min_expires_seconds: domain.minExpiresSeconds,
    default_expires_seconds: domain.defaultExpiresSeconds,
    max_expires_seconds: domain.maxExpiresSeconds,
    max_bindings_per_user: domain.maxBindingsPerUser,
    overflow: domain.overflow,
    sequence: domain.sequence,
    routing: domain.routing,
    max_users: domain.maxUsers,
    created_at: fromInstant(domain.createdAt),
    updated_at: fromInstant(domain.updatedAt),
  };
}

/** The settings that were given; null stands for the default, what was not mentioned is not there. */
export function domainSettings(
  given: GivenDomainSettings,
  defaults: DomainSettings,
): Partial<DomainSettings> {
  const settings: { [Name in keyof DomainSettings]: DomainSettings[Name] | null | undefined } = {
    aliases: given.aliases,
    realm: given.realm,
    algorithms: given.algorithms,
    challenge: given.challenge,
    allowNoQop: given.allow_no_qop,
    minExpiresSeconds: given.min_expires_seconds,
    defaultExpiresSeconds: given.default_expires_seconds,
    maxExpiresSeconds: given.max_expires_seconds,
    maxBindingsPerUser: given.max_bindings_per_user,
    overflow: given.overflow,
    sequence: given.sequence,
    routing: given.routing,
    maxUsers: given.max_users,
  };
  return mentioned(settings, defaults);
}

/** Drops what was not mentioned, and puts the default where null was said. */
export function mentioned<Settings extends object>(
  given: { readonly [Name in keyof Settings]: Settings[Name] | null | undefined },
  defaults: Settings,
): Partial<Settings> {
  const settings: Partial<Settings> = {};
  for (const name of Object.keys(given) as (keyof Settings)[]) {
    const value = given[name];
    if (value === undefined) continue;
    settings[name] = value === null ? defaults[name] : value;
  }
  return settings;
}
