import { type Domain, type DomainFilter, defaultDomainSettings } from '../../accounts/domain.js';
import { isRefusal } from '../../base/refusal.js';
import { domainBody, domainSettings } from '../bodies/domain-body.js';
import { revisionTag } from '../etag.js';
import { exampleDomain, exampleList } from '../examples.js';
import { listReply, pageRequest } from '../list.js';
import { type Call, type Operation, operation } from '../operation.js';
import { Problem, problemOf } from '../problem.js';
import { confinedTo, insistedRevision, reaches } from '../reach.js';
import { created, noContent, ok } from '../reply.js';
import {
  domain,
  domainDeleteQuery,
  domainList,
  domainListQuery,
  domainParams,
  domainPatch,
  newDomain,
} from '../schemas/domain.js';

const shown = {
  schema: domain,
  headers: ['ETag'],
  examples: { domain: { summary: 'A domain', value: exampleDomain } },
} as const;

const listDomains = operation({
  operationId: 'listDomains',
  method: 'get',
  path: '/v1/domains',
  tag: 'Domains',
  summary: 'List the domains',
  description:
    'The domains this server answers for. A REGISTER for any other host is answered 404. A key confined to domains sees only those.',
  access: 'domains:read',
  query: domainListQuery,
  successes: [
    {
      status: 200,
      description: 'A page of domains.',
      schema: domainList,
      headers: ['Link'],
      examples: { page: { summary: 'The only page', value: exampleList(exampleDomain) } },
    },
  ],
  problems: ['cursor_invalid', 'cursor_mismatch'],
  async handle(call) {
    const request = pageRequest(call);
    if (request instanceof Problem) return request;
    const filter: DomainFilter = { q: call.query.q, confinedTo: confinedTo(call.principal) };
    const page = await call.deps.accounts.listDomains(filter, request);
    return listReply(call, page, page.items.map(domainBody), call.query.fields);
  },
});

const createDomain = operation({
  operationId: 'createDomain',
  method: 'post',
  path: '/v1/domains',
  tag: 'Domains',
  summary: 'Serve a domain',
  description:
    'From the answer on, a REGISTER whose Request-URI and To name this domain or one of its aliases is handled here; before, it was answered 404. A key confined to domains makes none.',
  access: 'domains:write',
  body: {
    schema: newDomain,
    mediaType: 'application/json',
    examples: {
      plain: { summary: 'With the defaults', value: { name: 'example.com' } },
      settings: {
        summary: 'With settings of its own',
        value: {
          name: 'example.com',
          aliases: ['sip.example.com'],
          max_expires_seconds: 7200,
          overflow: 'evict_oldest',
        },
      },
    },
  },
  successes: [
    {
      ...shown,
      status: 201,
      description: 'The domain is served.',
      headers: ['Location', 'ETag'],
      links: {
        GetDomain: { operationId: 'getDomain', parameters: { domain: '$response.body#/name' } },
        UpdateDomain: { operationId: 'updateDomain', parameters: { domain: '$response.body#/name' } },
        DeleteDomain: { operationId: 'deleteDomain', parameters: { domain: '$response.body#/name' } },
      },
    },
  ],
  problems: ['domain_exists', 'domain_alias_in_use', 'domain_settings_invalid', 'domain_not_granted'],
  async handle({ body, deps, principal }) {
    if (confinedTo(principal) !== undefined) return new Problem('domain_not_granted');
    const { name, ...given } = body;
    const made = await deps.accounts.createDomain(name, domainSettings(given, defaultDomainSettings(name)));
    if (isRefusal(made)) return problemOf(made);
    return created(domainBody(made), {
      location: `/v1/domains/${encodeURIComponent(made.name)}`,
      etag: revisionTag(made.revision),
    });
  },
});

const getDomain = operation({
  operationId: 'getDomain',
  method: 'get',
  path: '/v1/domains/{domain}',
  tag: 'Domains',
  summary: 'Show a domain',
  description: 'The rules by which registrations of this domain live.',
  access: 'domains:read',
  params: domainParams,
  successes: [{ ...shown, status: 200, description: 'The domain.' }],
  problems: ['domain_not_found'],
  async handle(call) {
    const found = await findDomain(call);
    return found instanceof Problem ? found : ok(domainBody(found), revisionTag(found.revision));
  },
});

const updateDomain = operation({
  operationId: 'updateDomain',
  method: 'patch',
  path: '/v1/domains/{domain}',
  tag: 'Domains',
  summary: 'Change a domain',
  description:
    'The new rules hold for the next REGISTER; bindings that exist stay as they were granted, even above a lowered limit, until they are refreshed or expire. A new list of algorithms holds for new credentials only. null takes the default back.',
  access: 'domains:write',
  ifMatch: 'revision',
  params: domainParams,
  body: {
    schema: domainPatch,
    mediaType: 'application/merge-patch+json',
    examples: {
      shorter: {
        summary: 'Let phones refresh more often',
        value: { max_expires_seconds: 1800, default_expires_seconds: 1800 },
      },
      default: { summary: 'Take a default back', value: { challenge: null } },
    },
  },
  successes: [{ ...shown, status: 200, description: 'The domain as it is now.' }],
  problems: [
    'domain_not_found',
    'domain_alias_in_use',
    'domain_settings_invalid',
    'realm_immutable_with_credentials',
    'revision_mismatch',
  ],
  async handle(call) {
    const current = await findDomain(call);
    if (current instanceof Problem) return current;
    const ifRevision = insistedRevision(call, current);
    if (ifRevision instanceof Problem) return ifRevision;
    const settings = domainSettings(call.body, defaultDomainSettings(current.name));
    const changed = await call.deps.accounts.updateDomain(current.name, settings, { ifRevision });
    return isRefusal(changed) ? problemOf(changed) : ok(domainBody(changed), revisionTag(changed.revision));
  },
});

const deleteDomain = operation({
  operationId: 'deleteDomain',
  method: 'delete',
  path: '/v1/domains/{domain}',
  tag: 'Domains',
  summary: 'Stop serving a domain',
  description:
    'A REGISTER for the domain is answered 404 from then on. A domain with users is refused unless cascade=true, which takes users, credentials and bindings with it in one transaction and needs If-Match with the ETag of the domain (not *). Phones are not told; they notice at their next refresh.',
  access: 'domains:write',
  ifMatch: 'revision',
  params: domainParams,
  query: domainDeleteQuery,
  successes: [{ status: 204, description: 'The domain is gone.' }],
  problems: ['domain_not_found', 'domain_not_empty', 'revision_mismatch', 'if_match_required'],
  async handle(call) {
    const current = await findDomain(call);
    if (current instanceof Problem) return current;
    const ifRevision = insistedRevision(call, current);
    if (ifRevision instanceof Problem) return ifRevision;
    const { cascade } = call.query;
    if (cascade && ifRevision === undefined) {
      return new Problem('if_match_required', 'cascade=true needs If-Match with the ETag of the domain.');
    }
    const deleted = await call.deps.accounts.deleteDomain(current.name, { cascade, ifRevision });
    return isRefusal(deleted) ? problemOf(deleted) : noContent();
  },
});

async function findDomain({
  params,
  deps,
  principal,
}: Pick<Call<{ readonly domain: string }, unknown, unknown>, 'params' | 'deps' | 'principal'>): Promise<
  Domain | Problem
> {
  const found = await deps.accounts.getDomain(params.domain.toLowerCase());
  if (found === undefined || !reaches(principal, found.name)) {
    return new Problem('domain_not_found', `There is no domain ${params.domain}.`);
  }
  return found;
}

export const domainOperations: readonly Operation[] = [
  listDomains,
  createDomain,
  getDomain,
  updateDomain,
  deleteDomain,
];
