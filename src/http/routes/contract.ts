import { type Operation, operation } from '../operation.js';
import { PROBLEM_PAGE_PATH, problemsAsHtml } from '../problem.js';
import { text } from '../reply.js';

const getOpenApiYaml = operation({
  operationId: 'getOpenApiYaml',
  method: 'get',
  path: '/openapi.yaml',
  tag: 'Contract',
  summary: 'This description in YAML',
  description: 'OpenAPI 3.1, the same that /docs shows. Nothing of this touches SIP.',
  access: 'public',
  successes: [
    {
      status: 200,
      description: 'The contract.',
      mediaType: 'application/yaml',
      examples: { beginning: { summary: 'Its beginning', value: 'openapi: 3.1.0\n' } },
    },
  ],
  problems: [],
  handle: ({ contract }) => text('application/yaml', contract.yaml),
});

const getOpenApiJson = operation({
  operationId: 'getOpenApiJson',
  method: 'get',
  path: '/openapi.json',
  tag: 'Contract',
  summary: 'This description in JSON',
  description: 'OpenAPI 3.1, the same that /docs shows. Nothing of this touches SIP.',
  access: 'public',
  successes: [
    {
      status: 200,
      description: 'The contract.',
      mediaType: 'application/json',
      examples: { beginning: { summary: 'Its beginning', value: { openapi: '3.1.0' } } },
    },
  ],
  problems: [],
  handle: ({ contract }) => text('application/json', contract.json),
});

const getProblemTypes = operation({
  operationId: 'getProblemTypes',
  method: 'get',
  path: PROBLEM_PAGE_PATH,
  tag: 'Contract',
  summary: 'The kinds of problems, explained',
  description:
    'Where the type of each problem leads: a page with one entry for each code. Nothing of this touches SIP.',
  access: 'public',
  successes: [
    {
      status: 200,
      description: 'The page.',
      mediaType: 'text/html',
      examples: { beginning: { summary: 'Its beginning', value: '<!DOCTYPE html>' } },
    },
  ],
  problems: [],
  handle: () => text('text/html', problemsAsHtml()),
});

export const contractOperations: readonly Operation[] = [getOpenApiYaml, getOpenApiJson, getProblemTypes];
