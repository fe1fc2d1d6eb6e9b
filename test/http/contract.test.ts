import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SCOPES } from '../../src/admin/scope.js';
import { renderContract } from '../../src/http/openapi.js';
import { PROBLEM_TYPES, problemCodes, problemsAsMarkdown } from '../../src/http/problem.js';
import { committedYaml, contract, eachOperation, faults } from './support/contract.js';
import { Harness } from './support/harness.js';

let api: Harness;
beforeAll(async () => {
  api = await Harness.open();
});
afterAll(() => api.close());

/** What Express really serves: `get /v1/users/{id}`. */
function routes(): string[] {
  interface Layer {
    readonly route?: { readonly path: string; readonly methods: Readonly<Record<string, boolean>> };
  }
  const { stack } = api.app.router as unknown as { readonly stack: readonly Layer[] };
  return stack.flatMap(({ route }) => {
    if (route === undefined) return [];
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}');
    return Object.keys(route.methods)
      .filter((method) => method !== '_all')
      .map((method) => `${method} ${path}`);
  });
}

describe('the contract', () => {
  test('every route is one operation, and every operation is a route', () => {
    const described = eachOperation().map(({ method, path }) => `${method} ${path}`);
    expect(routes().sort()).toEqual(described.sort());
    expect(new Set(routes()).size).toBe(routes().length);
  });

  test('the committed files are what the program says', () => {
    expect(committedYaml === renderContract().yaml, 'run: npm run openapi').toBe(true);
    const problems = readFileSync(new URL('../../docs/problems.md', import.meta.url), 'utf8');
    expect(problems === problemsAsMarkdown(), 'run: npm run openapi').toBe(true);
  });

  test('the served contract is the committed one', async () => {
    const yaml = await api.get('/openapi.yaml', { key: null });
    expect(yaml.headers['content-type']).toContain('application/yaml');
    expect(yaml.text).toBe(committedYaml);
    const json = await api.get('/openapi.json', { key: null });
    expect(json.body).toEqual(contract);
  });

  test('it passes the linter', () => {
    const root = fileURLToPath(new URL('../../', import.meta.url));
    const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' };
    const run = () =>
      execFileSync(process.execPath, ['node_modules/@redocly/cli/bin/cli.js', 'lint', 'openapi.yaml'], {
        cwd: root,
        env,
        stdio: 'pipe',
      });
    expect(run).not.toThrow();
  }, 60_000);

  test.each(eachOperation())('$method $path is described in full', ({ operation, path, method }) => {
    expect(operation.operationId).toMatch(/^[a-z][A-Za-z]+$/);
    expect(operation.tags).toHaveLength(1);
    expect(operation.summary.length).toBeGreaterThan(5);
    expect(operation.description).toMatch(/[.!]$/);
    for (const scope of operation['x-required-scopes']) expect(SCOPES).toContain(scope);
    expect(operation.security.length === 0).toBe(!path.startsWith('/v1/') && path !== '/metrics');
    const names = (operation.parameters ?? []).map(({ name }) => name);
    expect(names.includes('Idempotency-Key')).toBe(method === 'post');
    if (operation.responses['201'] !== undefined) {
      expect(Object.keys(operation.responses['201'].links ?? {}).length).toBeGreaterThan(0);
      expect(Object.keys(operation.responses['201'].headers ?? {})).toContain('Location');
    }
  });

  test.each(eachOperation())(
    'the examples of $method $path hold what they promise',
    ({ operation, path, method }) => {
      for (const [mediaType, { examples }] of Object.entries(operation.requestBody?.content ?? {})) {
        expect(Object.keys(examples).length).toBeGreaterThan(0);
        for (const [name, { value }] of Object.entries(examples)) {
          const pointer = ['paths', path, method, 'requestBody', 'content', mediaType, 'schema'];
          expect(faults(pointer, value), name).toEqual([]);
        }
      }
      for (const [status, response] of Object.entries(operation.responses)) {
        for (const [mediaType, { examples }] of Object.entries(response.content ?? {})) {
          expect(Object.keys(examples).length, status).toBeGreaterThan(0);
          if (path.startsWith('/openapi')) continue;
          const pointer = ['paths', path, method, 'responses', status, 'content', mediaType, 'schema'];
          for (const [name, example] of Object.entries(examples)) {
            const shared = example.$ref?.split('/').at(-1);
            const value = shared === undefined ? example.value : contract.components.examples[shared]!.value;
            expect(faults(pointer, value), `${status} ${name}`).toEqual([]);
          }
        }
      }
    },
  );

  test('links lead to operations that exist', () => {
    const ids = new Set(eachOperation().map(({ operation }) => operation.operationId));
    expect(ids.size).toBe(eachOperation().length);
    for (const { operation } of eachOperation()) {
      for (const response of Object.values(operation.responses)) {
        for (const link of Object.values(response.links ?? {})) expect(ids).toContain(link.operationId);
      }
    }
  });

  test('request examples are accepted by the server', async () => {
    await api.domain();
    await api.user('alice');
    for (const { path, method, operation } of eachOperation()) {
      for (const [mediaType, { examples }] of Object.entries(operation.requestBody?.content ?? {})) {
        for (const { value } of Object.values(examples)) {
          const url = path
            .replace('{domain}', 'example.com')
            .replace('{cid}', 'crd_none')
            .replace('{id}', 'alice@example.com');
          const sent = mediaType.endsWith('json') ? { body: value } : { rawBody: String(value) };
          const answer = await api.call(method as 'post', url, { type: mediaType, ...sent });
          expect([200, 201, 202, 404, 409], `${operation.operationId} ${answer.text}`).toContain(
            answer.status,
          );
        }
      }
    }
  });

  test('no answer has room for a secret but the three that show one once', () => {
    const once = new Set(['IssuedCredential', 'IssuedApiKey']);
    const requests = new Set(['NewCredential']);
    for (const [name, schema] of Object.entries(contract.components.schemas)) {
      const secrets = propertyNames(schema).filter((property) =>
        /password|ha1|secret|token|^key$/i.test(property),
      );
      if (!once.has(name) && !requests.has(name)) expect(secrets, name).toEqual([]);
    }
    const { properties } = contract.components.schemas.NewCredential as {
      properties: Record<string, { writeOnly?: boolean }>;
    };
    expect(properties.password?.writeOnly).toBe(true);
    expect(properties.ha1?.writeOnly).toBe(true);
  });
});

function propertyNames(schema: unknown): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const own = 'properties' in schema ? Object.keys(schema.properties as object) : [];
  return [...own, ...Object.values(schema).flatMap(propertyNames)];
}

describe('the check that every answer in these tests goes through', () => {
  const health = ['components', 'schemas', 'Health'];

  test('notices a property that the contract does not mention, and one that is missing', () => {
    expect(faults(health, { status: 'ok' })).toEqual([]);
    expect(faults(health, { status: 'ok', password: 'x' })).toHaveLength(1);
    expect(faults(health, {})).toHaveLength(1);
    expect(faults(health, {}, 'partial')).toEqual([]);
  });
});

describe('problems', () => {
  test.each(problemCodes())('%s is said in sentences', (code) => {
    const { title, example, advice, status } = PROBLEM_TYPES[code];
    expect(title).toMatch(/^[A-Z].*[^.]$/);
    expect(advice).toMatch(/^[A-Z].*[.]$/);
    expect(example.length).toBeGreaterThan(10);
    expect(status).toBeGreaterThanOrEqual(400);
  });

  test('each leads to its place on the page that explains them', async () => {
    const page = await api.get('/problems', { key: null });
    expect(page.headers['content-type']).toContain('text/html');
    for (const code of problemCodes()) expect(page.text).toContain(`id="${code}"`);
    const refused = await api.get('/v1/nothing');
    expect(refused.body.type).toBe('/problems#route_not_found');
  });

  test('each is among the answers of some operation, or of none that exists', () => {
    const said = new Set(
      eachOperation().flatMap(({ operation }) =>
        Object.values(operation.responses).flatMap(({ content }) =>
          Object.keys(content?.['application/problem+json']?.examples ?? {}),
        ),
      ),
    );
    const silent = problemCodes().filter((code) => !said.has(code));
    expect(silent).toEqual(['route_not_found', 'method_not_allowed']);
  });
});
