import { ELEMENTS, type ElementRule, NODES } from './call-script-schema.js';
import { parseXml, type XmlElement } from './xml.js';

/** The media type of call scripts (RFC 3880 §13.2). */
export const CALL_SCRIPT_TYPE = 'application/cpl+xml';
/** How long a call script may be, in octets. */
export const MAX_CALL_SCRIPT_BYTES = 65_536;

const CPL_NAMESPACE = 'urn:ietf:params:xml:ns:cpl';
/** Says where the schema lies, which is no part of the script: every script of RFC 3880 has it. */
const SCHEMA_INSTANCE_NAMESPACE = 'http://www.w3.org/2001/XMLSchema-instance';
/** What is quoted of a stranger's names. */
const MAX_QUOTED_LENGTH = 40;

/** A call script that is what RFC 3880 says; `text` is the document, which in UTF-8 gives the octets it came as. */
export interface CallScript {
  readonly kind: 'call_script';
  readonly text: string;
}

/** Why something is no call script. `detail` is printable ASCII without quotation marks. */
export interface CallScriptFault {
  readonly kind: 'call_script_fault';
  /** `too_large` is told apart, because nothing has been looked at. */
  readonly reason: 'too_large' | 'malformed' | 'invalid';
  readonly line: number;
  readonly detail: string;
}

/**
 * Takes the octets of a call script: UTF-8, well-formed XML without document type, and valid by the schema of RFC 3880:
 * elements, attributes, their values where the schema bounds them, and nesting. Extensions are refused, as a server
 * must that does not know them (§12): it would run another script than its author meant. A `sub` may call only what
 * stands before it, so that no script calls itself (§9.1).
 */
export function readCallScript(octets: Uint8Array): CallScript | CallScriptFault {
  if (octets.length > MAX_CALL_SCRIPT_BYTES) {
    return fault('too_large', 1, `more than ${MAX_CALL_SCRIPT_BYTES} octets`);
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(octets);
  } catch {
    return fault('malformed', 1, 'not UTF-8');
  }
  const lineOf = (offset: number): number => text.slice(0, offset).split('\n').length;
  const root = parseXml(text);
  if (root.kind === 'xml_fault') return fault('malformed', lineOf(root.offset), root.detail);
  const found = checkDocument(root);
  if (found !== undefined) return fault('invalid', lineOf(found.offset), found.detail);
  return { kind: 'call_script', text };
}

interface Finding {
  readonly offset: number;
  readonly detail: string;
}

function checkDocument(root: XmlElement): Finding | undefined {
  if (root.namespace !== CPL_NAMESPACE || root.name !== 'cpl')
    return finding(root, 'the document is no cpl element');
  return checkElement(root, new Set());
}

/** `callable` are the ids of the subactions before this place. */
function checkElement(element: XmlElement, callable: Set<string>): Finding | undefined {
  const rule = Object.hasOwn(ELEMENTS, element.name) ? ELEMENTS[element.name] : undefined;
  if (rule === undefined || element.namespace !== CPL_NAMESPACE) {
    return finding(element, `${quoted(element.name)} is no element of CPL`);
  }
  const unknown = element.declared.find((name) => ![CPL_NAMESPACE, SCHEMA_INSTANCE_NAMESPACE].includes(name));
  if (unknown !== undefined) return finding(element, `an extension that is not known: ${quoted(unknown)}`);
  if (element.hasText) return finding(element, `text within ${element.name}`);
  const own = checkAttributes(element, rule) ?? checkChildren(element, rule);
  if (own !== undefined) return own;
  if (element.name === 'sub' && !callable.has(attributeOf(element, 'ref') ?? '')) {
    return finding(element, 'sub of a subaction that does not stand before it');
  }
  for (const child of element.children) {
    const within = checkElement(child, callable);
    if (within !== undefined) return within;
  }
  if (element.name === 'subaction') {
    const id = attributeOf(element, 'id') ?? '';
    if (callable.has(id)) return finding(element, `two subactions of the id ${quoted(id)}`);
    callable.add(id);
  }
  return undefined;
}

function checkAttributes(element: XmlElement, rule: ElementRule): Finding | undefined {
  const { required = [], optional = [], oneOf = [], notBoth = [], values = {} } = rule;
  const present = new Set<string>();
  for (const { namespace, name, value } of element.attributes) {
    if (namespace === SCHEMA_INSTANCE_NAMESPACE) continue;
    if (namespace !== '' || ![...required, ...optional, ...oneOf].includes(name)) {
      return finding(element, `${element.name} has no attribute ${quoted(name)}`);
    }
    present.add(name);
    const pattern = Object.hasOwn(values, name) ? values[name] : undefined;
    if (pattern !== undefined && !pattern.test(value)) {
      return finding(element, `${name} of ${element.name} cannot be ${quoted(value)}`);
    }
  }
  const missing = required.find((name) => !present.has(name));
  if (missing !== undefined) return finding(element, `${element.name} needs ${missing}`);
  if (oneOf.length > 0 && oneOf.filter((name) => present.has(name)).length !== 1) {
    return finding(element, `${element.name} needs one of ${oneOf.join(', ')}`);
  }
  if (notBoth.length > 0 && notBoth.every((name) => present.has(name))) {
    return finding(element, `${element.name} cannot have both ${notBoth.join(' and ')}`);
  }
  return undefined;
}

function checkChildren({ name, children }: XmlElement, rule: ElementRule): Finding | undefined {
  const seen = new Set<string>();
  let place = 0;
  for (const child of children) {
    const found = rule.content.findIndex(({ of }) =>
      of === 'node' ? NODES.has(child.name) : of.includes(child.name),
    );
    const slot = rule.content[found];
    if (slot === undefined) return finding(child, `${quoted(child.name)} cannot stand in ${name}`);
    if (found < place) return finding(child, `${child.name} stands too late in ${name}`);
    // Groups that may mix stand at one place; the others follow each other.
    place = slot.isMixed === true ? place : found;
    const key = slot.of === 'node' ? 'node' : child.name;
    if (slot.isRepeated !== true && seen.has(key)) return finding(child, `a second ${child.name} in ${name}`);
    seen.add(key);
  }
  return undefined;
}

function attributeOf(element: XmlElement, attribute: string): string | undefined {
  return element.attributes.find(({ namespace, name }) => namespace === '' && name === attribute)?.value;
}

/** A stranger's word, fit for a header field and a log. */
function quoted(text: string): string {
  return text.slice(0, MAX_QUOTED_LENGTH).replace(/[^!#-[\]-~ ]/g, '?');
}

function finding({ offset }: XmlElement, detail: string): Finding {
  return { offset, detail };
}

function fault(reason: CallScriptFault['reason'], line: number, detail: string): CallScriptFault {
  return { kind: 'call_script_fault', reason, line, detail };
}
