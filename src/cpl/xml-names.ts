import { XmlStop } from './xml-stop.js';

/* Namespaces in XML 1.0: what prefixes stand for. */

export interface XmlAttribute {
  /** Empty for an attribute without prefix. */
  readonly namespace: string;
  readonly name: string;
  readonly value: string;
}

/** An attribute as written: its prefix is empty when it has none. */
export interface WrittenAttribute {
  readonly prefix: string;
  readonly name: string;
  readonly value: string;
  readonly offset: number;
}

/** What prefixes stand for, from the innermost element outwards; the empty prefix is the default. */
export interface Scope {
  readonly outer: Scope | undefined;
  readonly bound: ReadonlyMap<string, string>;
}

const XML_NAMESPACE = 'http://www.w3.org/XML/1998/namespace';
const XMLNS_NAMESPACE = 'http://www.w3.org/2000/xmlns/';

function isDeclaration({ prefix, name }: WrittenAttribute): boolean {
  return prefix === 'xmlns' || (prefix === '' && name === 'xmlns');
}

/** Which prefixes the attributes of an element declare, and as what; the empty prefix is the default namespace. */
export function declarations(attributes: readonly WrittenAttribute[]): ReadonlyMap<string, string> {
  const bound = new Map<string, string>();
  for (const attribute of attributes) {
    if (!isDeclaration(attribute)) continue;
    const { prefix, name, value, offset } = attribute;
    const declared = prefix === '' ? '' : name;
    const isReserved = value === XMLNS_NAMESPACE || (value === XML_NAMESPACE) !== (declared === 'xml');
    if (isReserved || declared === 'xmlns' || (declared !== '' && value === '')) {
      throw new XmlStop(offset, 'a namespace that cannot be declared so');
    }
    bound.set(declared, value);
  }
  return bound;
}

/** The namespace that a prefix of an element's name stands for; empty for none. */
export function namespaceOf(prefix: string, scope: Scope | undefined, offset: number): string {
  if (prefix === 'xml') return XML_NAMESPACE;
  for (let inner = scope; inner !== undefined; inner = inner.outer) {
    const namespace = inner.bound.get(prefix);
    if (namespace !== undefined) return namespace;
  }
  if (prefix === '') return '';
  throw new XmlStop(offset, 'a prefix that is not declared');
}

/** The attributes that are no declarations, with their namespaces; the default one is not theirs. */
export function resolved(
  attributes: readonly WrittenAttribute[],
  scope: Scope | undefined,
): readonly XmlAttribute[] {
  const names = new Set<string>();
  return attributes
    .filter((attribute) => !isDeclaration(attribute))
    .map(({ prefix, name, value, offset }) => {
      const namespace = prefix === '' ? '' : namespaceOf(prefix, scope, offset);
      const expanded = `${namespace} ${name}`;
      if (names.has(expanded)) throw new XmlStop(offset, 'an attribute twice');
      names.add(expanded);
      return { namespace, name, value };
    });
}
