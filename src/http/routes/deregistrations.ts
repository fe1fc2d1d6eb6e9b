import type { Principal } from '../../admin/admin-service.js';
import type { Deregistration } from '../../location/deregistration.js';
import { deregistrationBody, deregistrationTag } from '../bodies/deregistration-body.js';
import { bindingFilter, blockSeconds, deregister, onTheSipSide } from '../deregister.js';
import {
  exampleBinding,
  exampleBlock,
  exampleDeregistration,
  exampleList,
  exampleRunningDeregistration,
} from '../examples.js';
import { listReply, pageRequest, visiblePage } from '../list.js';
import { type Operation, operation } from '../operation.js';
import { Problem } from '../problem.js';
import { confinedTo, reaches, reachesAll } from '../reach.js';
import { ok } from '../reply.js';
import {
  deregistration,
  deregistrationList,
  deregistrationListQuery,
  deregistrationParams,
  deregistrationPreview,
  newDeregistration,
} from '../schemas/deregistration.js';

const createDeregistration = operation({
  operationId: 'createDeregistration',
  method: 'post',
  path: '/v1/deregistrations',
  tag: 'Deregistrations',
  summary: 'Deregister phones by filter',
  description: `Removes every binding the filter matches when it begins. dry_run tells what would match and changes nothing; expected_count refuses when another number matches by now. Up to 1,000 matches are done when the answer comes (201); more run in the background (202), survive a restart, and are followed at Location. A key confined to domains reaches the bindings of those only.\n\n${onTheSipSide}`,
  access: 'bindings:deregister',
  body: {
    schema: newDeregistration,
    mediaType: 'application/json',
    examples: {
      kick: {
        summary: 'Make phones of one make register anew',
        value: {
          filter: { domain: 'example.com', user_agent_prefix: 'OldPhone/1.' },
          reason: 'firmware CVE',
          mode: 'kick',
          dry_run: false,
          expected_count: 41,
          close_flows: true,
        },
      },
      block: {
        summary: 'Keep a user off for an hour',
        value: {
          filter: { aor: 'sip:alice@example.com' },
          reason: 'lost handset',
          mode: 'block',
          block_seconds: 3600,
        },
      },
      preview: {
        summary: 'Look first',
        value: { filter: { source_ip: '203.0.113.0/24' }, dry_run: true },
      },
    },
  },
  successes: [
    {
      status: 200,
      description: 'With dry_run: what would be removed.',
      schema: deregistrationPreview,
      examples: {
        preview: {
          summary: 'What would be removed',
          value: { dry_run: true, matched: 41, sample: [exampleBinding.id] },
        },
      },
    },
    {
      status: 201,
      description: 'Done.',
      schema: deregistration,
      headers: ['Location', 'ETag'],
      examples: {
        kick: { summary: 'Mode kick', value: exampleDeregistration },
        block: { summary: 'Mode block', value: exampleBlock },
      },
      links: {
        GetDeregistration: { operationId: 'getDeregistration', parameters: { id: '$response.body#/id' } },
      },
    },
    {
      status: 202,
      description: 'Begun; follow it at Location.',
      schema: deregistration,
      headers: ['Location'],
      examples: { running: { summary: 'Running', value: exampleRunningDeregistration } },
      links: {
        GetDeregistration: { operationId: 'getDeregistration', parameters: { id: '$response.body#/id' } },
      },
    },
  ],
  problems: ['filter_required', 'expected_count_mismatch', 'binding_not_found', 'user_not_found'],
  async handle(call) {
    const { body, deps, principal } = call;
    const conditions = bindingFilter(body.filter, deps, 'pointer');
    if (conditions instanceof Problem) return conditions;
    return deregister(
      call,
      {
        filter: { ...conditions, bindingId: body.filter.binding_id, all: body.filter.all },
        reason: body.reason ?? null,
        mode: body.mode,
        blockSeconds: blockSeconds(body.mode, body.block_seconds),
        dryRun: body.dry_run,
        expectedCount: body.expected_count,
        closeFlows: body.close_flows,
        createdBy: principal.keyId,
      },
      201,
    );
  },
});

const listDeregistrations = operation({
  operationId: 'listDeregistrations',
  method: 'get',
  path: '/v1/deregistrations',
  tag: 'Deregistrations',
  summary: 'List the deregistrations',
  description:
    'What was deregistered, by which key, and why. A key confined to domains sees those that were confined to its domains; it gets no total.',
  access: 'bindings:read',
  query: deregistrationListQuery,
  successes: [
    {
      status: 200,
      description: 'A page of deregistrations.',
      schema: deregistrationList,
      headers: ['Link'],
      examples: { page: { summary: 'The only page', value: exampleList(exampleDeregistration) } },
    },
  ],
  problems: ['cursor_invalid', 'cursor_mismatch'],
  async handle(call) {
    const { deps, principal } = call;
    const request = pageRequest(call);
    if (request instanceof Problem) return request;
    const { location } = deps;
    const page =
      confinedTo(principal) === undefined
        ? await location.listDeregistrations(request)
        : await visiblePage(
            request,
            (part) => location.listDeregistrations(part),
            (item) => isVisible(principal, item),
          );
    return listReply(call, page, page.items.map(deregistrationBody));
  },
});

const getDeregistration = operation({
  operationId: 'getDeregistration',
  method: 'get',
  path: '/v1/deregistrations/{id}',
  tag: 'Deregistrations',
  summary: 'Show a deregistration',
  description: 'While it runs, removed and effects grow; they count what has really happened.',
  access: 'bindings:read',
  params: deregistrationParams,
  successes: [
    {
      status: 200,
      description: 'The deregistration.',
      schema: deregistration,
      headers: ['ETag'],
      examples: {
        completed: { summary: 'Done', value: exampleDeregistration },
        running: { summary: 'Running', value: exampleRunningDeregistration },
      },
    },
  ],
  problems: ['deregistration_not_found'],
  async handle({ params, deps, principal }) {
    const found = await deps.location.getDeregistration(params.id);
    if (found === undefined || !isVisible(principal, found)) {
      return new Problem('deregistration_not_found', `There is no deregistration ${params.id}.`);
    }
    return ok(deregistrationBody(found), deregistrationTag(found));
  },
});

function isVisible(principal: Principal, { filter }: Deregistration): boolean {
  if (filter.confinedTo === undefined && filter.domain !== undefined)
    return reaches(principal, filter.domain);
  return reachesAll(principal, filter.confinedTo);
}

export const deregistrationOperations: readonly Operation[] = [
  createDeregistration,
  listDeregistrations,
  getDeregistration,
];
