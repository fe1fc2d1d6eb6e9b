import { readFileSync } from 'node:fs';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormatsModule from 'ajv-formats';
import { parse } from 'yaml';

/** The committed contract, as far as the tests look into it. */
export interface ContractDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, ContractOperation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, object>>;
    readonly examples: Readonly<Record<string, { readonly value: { readonly code: string } }>>;
  };
}

export interface ContractOperation {
  readonly operationId: string;
  readonly summary: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly security: readonly object[];
  readonly 'x-required-scopes': readonly string[];
  readonly parameters?: readonly ContractParameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, ContractContent>> };
  readonly responses: Readonly<Record<string, ContractResponse>>;
}

export interface ContractParameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly schema: object;
}

export interface ContractContent {
  readonly schema: object;
  readonly examples: Readonly<Record<string, { readonly value?: unknown; readonly $ref?: string }>>;
}

export interface ContractResponse {
  readonly headers?: Readonly<Record<string, object>>;
  readonly links?: Readonly<Record<string, { readonly operationId: string }>>;
  readonly content?: Readonly<Record<string, ContractContent>>;
}

export const committedYaml = readFileSync(new URL('../../../openapi.yaml', import.meta.url), 'utf8');
export const contract = parse(committedYaml) as ContractDocument;

// ajv-formats is CommonJS: its default export is one level deeper here.
const addFormats = addFormatsModule as unknown as (ajv: Ajv2020) => void;

/** Every operation with its place. */
export function eachOperation(): readonly { path: string; method: string; operation: ContractOperation }[] {
  return Object.entries(contract.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
  );
}

export function operationAt(
  method: string,
  path: string,
): { template: string; operation: ContractOperation } | undefined {
  for (const [template, item] of Object.entries(contract.paths)) {
    const pattern = new RegExp(`^${template.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`);
    const operation = item[method.toLowerCase()];
    if (operation !== undefined && pattern.test(path)) return { template, operation };
  }
  return undefined;
}

/** As the contract says, and with nothing the contract does not mention: what leaks is noticed. */
const strict = withoutAdditions(contract) as object;
/** The same where `fields` has left out properties. */
const partial = withoutRequired(strict) as object;

const ajv = new Ajv2020({ strict: false, allErrors: true, validateSchema: false });
addFormats(ajv);
ajv.addSchema(strict, 'strict');
ajv.addSchema(partial, 'partial');
const validators = new Map<string, ValidateFunction>();

/** What is wrong with a JSON body by the schema at a place of the contract; empty when nothing is. */
export function faults(
  pointer: readonly string[],
  body: unknown,
  variant: 'strict' | 'partial' = 'strict',
): string[] {
  const fragment = pointer.map((step) => step.replaceAll('~', '~0').replaceAll('/', '~1')).join('/');
  const reference = `${variant}#/${encodeURI(fragment).replaceAll('#', '%23')}`;
  let validate = validators.get(reference);
  if (validate === undefined) {
    validate = ajv.compile({ $ref: reference });
    validators.set(reference, validate);
  }
  if (validate(body)) return [];
  return (validate.errors ?? []).map(
    ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
  );
}

function withoutAdditions(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(withoutAdditions);
  if (typeof node !== 'object' || node === null) return node;
  const copy: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(node)) {
    copy[name] = name === 'examples' || name === 'example' ? value : withoutAdditions(value);
  }
  if (copy.type === 'object' && copy.properties !== undefined) copy.additionalProperties ??= false;
  return copy;
}

function withoutRequired(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(withoutRequired);
  if (typeof node !== 'object' || node === null) return node;
  return Object.fromEntries(
    Object.entries(node)
      .filter(([name, value]) => !(name === 'required' && Array.isArray(value)))
      .map(([name, value]) => [name, withoutRequired(value)]),
  );
}
