import type { Instant } from '../../base/clock.js';
import type { CountedBan } from '../../guard/ban.js';
import { printNetwork } from '../../guard/network.js';
import { revisionTag } from '../etag.js';
import type { BanBody } from '../schemas/ban.js';
import { fromInstant } from '../schemas/text.js';

export function banBody(ban: CountedBan, now: Instant): BanBody {
  return {
    id: ban.id,
    kind: ban.kind,
    network: printNetwork(ban.network),
    domain: ban.domain,
    username: ban.username,
    reason: ban.reason,
    refused_requests: ban.refusedRequests,
    created_by: ban.createdBy,
    created_at: fromInstant(ban.createdAt),
    expires_at: fromInstant(ban.expiresAt),
    expires_in_seconds: Math.max(0, Math.ceil((ban.expiresAt - now) / 1000)),
  };
}

/** A ban never changes; what it has refused does. */
export function banTag(ban: CountedBan): string {
  return revisionTag(1, [ban.refusedRequests]);
}
