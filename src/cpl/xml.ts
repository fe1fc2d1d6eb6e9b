import {
  declarations,
  namespaceOf,
  resolved,
  type Scope,
  type WrittenAttribute,
  type XmlAttribute,
} from './xml-names.js';
import { XmlStop } from './xml-stop.js';
import { NOT_A_CHARACTER, resolveReferences } from './xml-text.js';

/*
 * A reader of XML 1.0 with namespaces, as much of it as a call script may have: elements, attributes, text, CDATA,
 * comments, processing instructions, the five predefined entities and character references. There are no document
 * types, so nothing is ever declared, expanded or fetched. Every character is looked at a bounded number of times.
 */

/** How deep elements may nest. */
export const MAX_XML_DEPTH = 64;
/** How many attributes an element may have, namespace declarations included. */
export const MAX_XML_ATTRIBUTES = 64;

export interface XmlElement {
  readonly kind: 'element';
  /** Empty when none is in force. */
  readonly namespace: string;
  /** Without prefix. */
  readonly name: string;
  /** Without namespace declarations. */
  readonly attributes: readonly XmlAttribute[];
  /** The namespaces that this element itself declares. */
  readonly declared: readonly string[];
  readonly children: readonly XmlElement[];
  /** Whether there is text in it that is not blank. */
  readonly hasText: boolean;
  /** Where it begins in the text. */
  readonly offset: number;
}

/** Why a text is not taken as XML; `offset` says where. */
export interface XmlFault {
  readonly kind: 'xml_fault';
  readonly offset: number;
  readonly detail: string;
}

const START =
  'A-Z_a-z\\u00C0-\\u00D6\\u00D8-\\u00F6\\u00F8-\\u02FF\\u0370-\\u037D\\u037F-\\u1FFF\\u200C\\u200D\\u2070-\\u218F\\u2C00-\\u2FEF\\u3001-\\uD7FF\\uF900-\\uFDCF\\uFDF0-\\uFFFD\\u{10000}-\\u{EFFFF}';
const NC_NAME = `[${START}][${START}.0-9\\u00B7\\u0300-\\u036F\\u203F\\u2040-]*`;
const QUALIFIED_NAME = new RegExp(`(?:(${NC_NAME}):)?(${NC_NAME})`, 'uy');
const BLANKS = /[ \t\r\n]*/y;
const DECLARATION =
  /<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(["'])1\.[0-9]+\1(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(["'])([A-Za-z][A-Za-z0-9._-]*)\2)?(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(["'])(?:yes|no)\4)?[ \t\r\n]*\?>/y;
const ENCODINGS = /^(?:utf-8|us-ascii)$/i;

interface Open extends XmlElement {
  readonly children: XmlElement[];
  hasText: boolean;
  /** The name as written, which the end tag must repeat. */
  readonly written: string;
  readonly scope: Scope | undefined;
}

/** Takes a whole document apart; its root element, or the first thing that is wrong. A byte order mark may come first. */
export function parseXml(text: string): XmlElement | XmlFault {
  try {
    return new Reader(text).document();
  } catch (error) {
    if (error instanceof XmlStop) return { kind: 'xml_fault', offset: error.offset, detail: error.detail };
    throw error;
  }
}

class Reader {
  private at = 0;
  private readonly open: Open[] = [];
  private root: XmlElement | undefined;

  constructor(private readonly text: string) {}

  document(): XmlElement {
    const { text } = this;
    const bad = NOT_A_CHARACTER.exec(text);
    if (bad !== null) throw new XmlStop(bad.index, 'a character that XML does not have');
    if (text.startsWith('\uFEFF')) this.at = 1;
    this.declaration();
    while (this.at < text.length) {
      const markup = text.indexOf('<', this.at);
      this.characters(markup === -1 ? text.length : markup);
      if (markup !== -1) this.markup();
    }
    const unclosed = this.open.at(-1);
    if (unclosed !== undefined) throw new XmlStop(unclosed.offset, 'an element that does not end');
    if (this.root === undefined) throw new XmlStop(text.length, 'no element');
    return this.root;
  }

  private declaration(): void {
    if (!/^<\?xml[ \t\r\n]/.test(this.text.slice(this.at, this.at + 6))) return;
    const match = this.match(DECLARATION);
    if (match === null) throw new XmlStop(this.at, 'a malformed XML declaration');
    if (match[3] !== undefined && !ENCODINGS.test(match[3]))
      throw new XmlStop(this.at, 'another encoding than UTF-8');
    this.at += match[0].length;
  }

  private markup(): void {
    const { text, at } = this;
    switch (text[at + 1]) {
      case '/':
        this.endTag();
        return;
      case '?': {
        const [target = 'xml'] = this.match(QUALIFIED_NAME, at + 2) ?? [];
        const rest = text.slice(at + 2 + target.length, at + 4 + target.length);
        const isSound = !/^xml$/i.test(target) && /^(?:[ \t\r\n]|\?>)/.test(rest);
        if (!isSound) throw new XmlStop(at, 'a malformed processing instruction');
        this.at = this.past('?>', at + 2 + target.length, 'a processing instruction that does not end');
        return;
      }
      case '!':
        if (text.startsWith('<!--', at)) {
          const dashes = this.past('--', at + 4, 'a comment that does not end');
          if (text[dashes] !== '>') throw new XmlStop(dashes - 2, 'two hyphens within a comment');
          this.at = dashes + 1;
          return;
        }
        if (text.startsWith('<![CDATA[', at)) {
          const end = this.past(']]>', at + 9, 'a CDATA section that does not end');
          this.inElement(at, /[^ \t\r\n]/.test(text.slice(at + 9, end - 3)));
          this.at = end;
          return;
        }
        throw new XmlStop(at, 'a document type, which is not taken');
      default:
        this.startTag();
    }
  }

  /** Text up to `end`. */
  private characters(end: number): void {
    const { text, at } = this;
    if (at === end) return;
    const run = text.slice(at, end);
    const isBlank = !/[^ \t\r\n]/.test(run);
    if (!isBlank) this.inElement(at, true);
    const closing = run.indexOf(']]>');
    if (closing !== -1) throw new XmlStop(at + closing, ']]> in text');
    resolveReferences(run, at);
    this.at = end;
  }

  private inElement(at: number, isText: boolean): void {
    const parent = this.open.at(-1);
    if (parent === undefined) throw new XmlStop(at, 'text outside of the element');
    if (isText) parent.hasText = true;
  }

  private startTag(): void {
    const offset = this.at;
    const parent = this.open.at(-1);
    if (parent === undefined && this.root !== undefined) throw new XmlStop(offset, 'a second element');
    if (this.open.length >= MAX_XML_DEPTH) throw new XmlStop(offset, `elements deeper than ${MAX_XML_DEPTH}`);
    this.at++;
    const written = this.name('an element without a name');
    const attributes = this.attributes();
    const isEmpty = this.text[this.at] === '/';
    if (isEmpty) this.at++;
    if (this.text[this.at] !== '>') throw new XmlStop(this.at, 'a malformed tag');
    this.at++;

    const bound = declarations(attributes);
    const scope = bound.size === 0 ? parent?.scope : { outer: parent?.scope, bound };
    const element: Open = {
      kind: 'element',
      namespace: namespaceOf(written.prefix, scope, offset),
      name: written.name,
      attributes: resolved(attributes, scope),
      declared: [...bound.values()],
      children: [],
      hasText: false,
      offset,
      written: written.text,
      scope,
    };
    if (parent === undefined) this.root = element;
    else parent.children.push(element);
    if (!isEmpty) this.open.push(element);
  }

  private endTag(): void {
    const offset = this.at;
    this.at += 2;
    const { text: written } = this.name('an end tag without a name');
    this.blanks();
    if (this.text[this.at] !== '>') throw new XmlStop(offset, 'a malformed end tag');
    this.at++;
    if (this.open.pop()?.written !== written) throw new XmlStop(offset, 'an end tag of another element');
  }

  private attributes(): readonly WrittenAttribute[] {
    const found: WrittenAttribute[] = [];
    const names = new Set<string>();
    for (;;) {
      const hasBlank = this.blanks();
      const next = this.text[this.at];
      if (next === '>' || next === '/' || next === undefined) return found;
      const offset = this.at;
      if (!hasBlank) throw new XmlStop(offset, 'a malformed tag');
      const { text: written, prefix, name } = this.name('a malformed attribute');
      this.blanks();
      if (this.text[this.at] !== '=') throw new XmlStop(offset, 'an attribute without a value');
      this.at++;
      this.blanks();
      if (names.has(written)) throw new XmlStop(offset, 'an attribute twice');
      names.add(written);
      if (names.size > MAX_XML_ATTRIBUTES)
        throw new XmlStop(offset, `more than ${MAX_XML_ATTRIBUTES} attributes`);
      found.push({ prefix, name, value: this.value(), offset });
    }
  }

  /** A quoted attribute value, its references resolved and its blanks made spaces (XML 1.0 §3.3.3). */
  private value(): string {
    const { text } = this;
    const quote = text[this.at];
    if (quote !== '"' && quote !== "'") throw new XmlStop(this.at, 'an attribute value without quotes');
    const start = this.at + 1;
    const end = this.past(quote, start, 'an attribute value that does not end') - 1;
    const raw = text.slice(start, end);
    const markup = raw.indexOf('<');
    if (markup !== -1) throw new XmlStop(start + markup, '< in an attribute value');
    this.at = end + 1;
    return resolveReferences(raw.replace(/\r\n|[\t\r\n]/g, ' '), start);
  }

  private name(otherwise: string): { readonly text: string; readonly prefix: string; readonly name: string } {
    const match = this.match(QUALIFIED_NAME);
    if (match?.[2] === undefined) throw new XmlStop(this.at, otherwise);
    this.at += match[0].length;
    return { text: match[0], prefix: match[1] ?? '', name: match[2] };
  }

  private blanks(): boolean {
    const length = this.match(BLANKS)?.[0].length ?? 0;
    this.at += length;
    return length > 0;
  }

  private match(pattern: RegExp, at = this.at): RegExpExecArray | null {
    pattern.lastIndex = at;
    return pattern.exec(this.text);
  }

  /** The place after the next `end`. */
  private past(end: string, from: number, otherwise: string): number {
    const found = this.text.indexOf(end, from);
    if (found === -1) throw new XmlStop(this.at, otherwise);
    return found + end.length;
  }
}
