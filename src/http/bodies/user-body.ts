import { DEFAULT_USER_SETTINGS, type User, type UserSettings } from '../../accounts/user.js';
import type { AddressOfRecord } from '../../location/address-of-record.js';
import { revisionTag } from '../etag.js';
import { Problem, type ProblemPart } from '../problem.js';
import { fromInstant, toInstant } from '../schemas/text.js';
import type { GivenUserSettings, UserBody } from '../schemas/user.js';
import { mentioned } from './domain-body.js';
import { printAddress } from './wire-text.js';

export function userBody(user: User): UserBody {
  return {
    id: user.id,
    aor: printAddress({ user: user.username, domain: user.domain }),
    username: user.username,
    domain: user.domain,
    display_name: user.displayName,
    state: user.state,
    tags: [...user.tags],
    external_id: user.externalId,
    max_bindings: user.maxBindings,
    challenge: user.challenge,
    may_register: [...user.mayRegister],
    expires_at: fromInstant(user.expiresAt),
    blocked_until: fromInstant(user.blockedUntil),
    registration: {
      state: user.registration.state,
      bindings: user.registration.bindings,
      last_registered_at: fromInstant(user.registration.lastRegisteredAt),
    },
    created_at: fromInstant(user.createdAt),
    updated_at: fromInstant(user.updatedAt),
  };
}

export function userTag(user: User): string {
  return revisionTag(user.revision, [
    user.registration.bindings,
    user.registration.lastRegisteredAt,
    user.blockedUntil,
  ]);
}

/**
 * The settings that were given; null stands for the default. The problem names addresses in may_register that
 * are none by `readAddress`, or that lie outside the domains `reaches` lets through.
 */
export function userSettings(
  given: GivenUserSettings,
  readAddress: (text: string) => AddressOfRecord | undefined,
  reaches: (domain: string) => boolean,
): Partial<UserSettings> | Problem {
  const mayRegister = given.may_register?.map(readAddress);
  const parts: ProblemPart[] = [];
  let isOutside = false;
  for (const [index, aor] of mayRegister?.entries() ?? []) {
    const pointer = `/may_register/${index}`;
    if (aor === undefined) {
      parts.push({ pointer, code: 'invalid_format', detail: 'This is no address-of-record.' });
    } else if (!reaches(aor.domain)) {
      isOutside = true;
      parts.push({ pointer, code: 'domain_not_granted', detail: `The key does not reach ${aor.domain}.` });
    }
  }
  if (isOutside) {
    return new Problem('domain_not_granted', 'The key is confined to other domains.', parts);
  }
  if (parts.length > 0) return new Problem('validation_failed', undefined, parts);
  return mentioned<UserSettings>(
    {
      displayName: given.display_name,
      tags: given.tags,
      externalId: given.external_id,
      maxBindings: given.max_bindings,
      challenge: given.challenge,
      mayRegister:
        given.may_register === null
          ? null
          : mayRegister?.flatMap((aor) => (aor === undefined ? [] : [printAddress(aor)])),
      expiresAt: toInstant(given.expires_at),
    },
    DEFAULT_USER_SETTINGS,
  );
}
