import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_XML_ATTRIBUTES, MAX_XML_DEPTH, parseXml, type XmlElement } from '../../src/cpl/xml.js';

/** The document as a line: `{ns}name[attr=value](child,child)"`, the quote for text in it. */
function shape(text: string): string {
  const parsed = parseXml(text);
  return parsed.kind === 'xml_fault' ? `${parsed.offset}: ${parsed.detail}` : line(parsed);
}

function line({ namespace, name, attributes, children, hasText }: XmlElement): string {
  const own = attributes.map((a) => `${a.namespace === '' ? '' : `{${a.namespace}}`}${a.name}=${a.value}`);
  return [
    namespace === '' ? name : `{${namespace}}${name}`,
    own.length === 0 ? '' : `[${own.join(',')}]`,
    children.length === 0 ? '' : `(${children.map(line).join(',')})`,
    hasText ? '"' : '',
  ].join('');
}

describe('well-formed documents', () => {
  it.each([
    ['<a/>', 'a'],
    ['<a></a >', 'a'],
    ['\uFEFF<a/>', 'a'],
    ['<?xml version="1.0"?><a/>', 'a'],
    [`<?xml version='1.1' encoding = "utf-8" standalone='no' ?>\n<a/>\n`, 'a'],
    ['<?xml version="1.0" encoding="US-ASCII"?><a/>', 'a'],
    ['<!-- before --><?target data?><a/><!-- after -->\n<?end?>', 'a'],
    ['<a>\n <b/>\t<c></c>\r\n</a>', 'a(b,c)'],
    ['<a>text</a>', 'a"'],
    ['<a><![CDATA[<b>&nothing;]]></a>', 'a"'],
    ['<a><![CDATA[ ]]></a>', 'a'],
    ['<a>&amp;&#65;&#x1F600;</a>', 'a"'],
    ['<a><!-- <b> & --></a>', 'a'],
    [`<a b="1" c='"'/>`, 'a[b=1,c="]'],
    ['<a b = "x&lt;y&#10;z\n\tw"/>', 'a[b=x<y\nz  w]'],
    ['<a b="&amp;lt;"/>', 'a[b=&lt;]'],
    ['<a xmlns="urn:x"><b/></a>', '{urn:x}a({urn:x}b)'],
    ['<a xmlns="urn:x"><b xmlns=""/></a>', '{urn:x}a(b)'],
    ['<p:a xmlns:p="urn:x" p:b="1" b="2"/>', '{urn:x}a[{urn:x}b=1,b=2]'],
    ['<a xmlns:p="urn:x"><b xmlns:p="urn:y"><p:c/></b><p:d/></a>', 'a(b({urn:y}c),{urn:x}d)'],
    ['<a xml:lang="de"/>', 'a[{http://www.w3.org/XML/1998/namespace}lang=de]'],
    ['<élan.1-2·/>', 'élan.1-2·'],
  ])('%j is read', (text, expected) => {
    expect(shape(text)).toBe(expected);
  });
});

describe('what is not well-formed', () => {
  it.each([
    ['', 'no element'],
    ['<a>', 'does not end'],
    ['<a', 'malformed tag'],
    ['<a/><b/>', 'second element'],
    ['<a></b>', 'end tag of another'],
    ['<a><b></a></b>', 'end tag of another'],
    ['</a>', 'end tag of another'],
    ['<a></a b>', 'malformed end tag'],
    ['text<a/>', 'text outside'],
    ['<a/>text', 'text outside'],
    ['<![CDATA[x]]><a/>', 'text outside'],
    ['<a>]]></a>', ']]> in text'],
    ['<a>\0</a>', 'character that XML does not have'],
    ['<a>\uFFFE</a>', 'character that XML does not have'],
    ['<a>\uD800</a>', 'character that XML does not have'],
    ['<a>&nbsp;</a>', 'none of the five'],
    ['<a>&</a>', 'none of the five'],
    ['<a>&amp</a>', 'none of the five'],
    ['<a>&#0;</a>', 'no character'],
    ['<a>&#xD800;</a>', 'no character'],
    ['<a>&#x110000;</a>', 'no character'],
    ['<a b="&x;"/>', 'none of the five'],
    ['<a b="<"/>', '< in an attribute value'],
    ['<a b=1/>', 'without quotes'],
    ['<a b/>', 'without a value'],
    ['<a b="1"c="2"/>', 'malformed tag'],
    ['<a b="1" b="2"/>', 'twice'],
    ['<a xmlns:p="u" xmlns:q="u" p:b="1" q:b="2"/>', 'twice'],
    ['<a b="1/>', 'does not end'],
    ['<p:a/>', 'not declared'],
    ['<a p:b="1"/>', 'not declared'],
    ['<a xmlns:p=""/>', 'cannot be declared'],
    ['<a xmlns:xml="urn:x"/>', 'cannot be declared'],
    ['<a xmlns:xmlns="urn:x"/>', 'cannot be declared'],
    ['<a xmlns="http://www.w3.org/2000/xmlns/"/>', 'cannot be declared'],
    ['<a:b:c xmlns:a="u"/>', 'malformed tag'],
    ['<1a/>', 'without a name'],
    ['< a/>', 'without a name'],
    ['<a><!-- -- --></a>', 'two hyphens'],
    ['<a><!-- ', 'does not end'],
    ['<a><?xml version="1.0"?></a>', 'malformed processing instruction'],
    ['<a><? x?></a>', 'malformed processing instruction'],
    ['<a><?x </a>', 'does not end'],
    ['<a><?x?y?></a>', 'malformed processing instruction'],
    [' <?xml version="1.0"?><a/>', 'malformed processing instruction'],
    ['<?xml version="2.0"?><a/>', 'malformed XML declaration'],
    ['<?xml encoding="utf-8" version="1.0"?><a/>', 'malformed XML declaration'],
    ['<?xml version="1.0" encoding="utf-16"?><a/>', 'another encoding'],
    ['<!DOCTYPE a><a/>', 'document type'],
    ['<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', 'document type'],
    ['<a><!ELEMENT b ANY></a>', 'document type'],
  ])('%j is refused', (text, detail) => {
    expect(shape(text)).toContain(detail);
  });

  it('what is deeper than the bound, or has more attributes', () => {
    const nested = (depth: number) => '<a>'.repeat(depth) + '</a>'.repeat(depth);
    const attributes = (count: number) =>
      `<a ${Array.from({ length: count }, (_, i) => `a${i}=""`).join(' ')}/>`;
    expect(shape(nested(MAX_XML_DEPTH))).not.toContain('deeper');
    expect(shape(nested(MAX_XML_DEPTH + 1))).toContain('deeper');
    expect(shape(attributes(MAX_XML_ATTRIBUTES))).not.toContain('more than');
    expect(shape(attributes(MAX_XML_ATTRIBUTES + 1))).toContain('more than');
  });
});

const name = fc.stringMatching(/^[a-z][a-z0-9.-]{0,5}$/).filter((text) => !text.startsWith('xml'));
const character = fc.constantFrom('a', ' ', '\n', '&', '<', '>', '"', "'", ']', 'ü', '😀', '-');
const anyText = fc.array(character, { maxLength: 8 }).map((parts) => parts.join(''));

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&#60;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&#x22;')
    .replaceAll("'", '&apos;')
    .replaceAll('\n', '&#10;');
}

const { tree } = fc.letrec<{ tree: { written: string; shape: string } }>((tie) => ({
  tree: fc
    .tuple(
      name,
      fc.uniqueArray(fc.tuple(name, anyText), { maxLength: 3, selector: ([key]) => key }),
      fc.oneof({ maxDepth: 4 }, fc.constant([]), fc.array(tie('tree'), { maxLength: 3 })),
      anyText,
    )
    .map(([tag, attributes, children, text]) => {
      const own = attributes.map(([key, value]) => ` ${key}="${escaped(value)}"`).join('');
      const shown = attributes.map(([key, value]) => `${key}=${value}`);
      const inner = children as { written: string; shape: string }[];
      return {
        written: `<${tag}${own}>${escaped(text)}${inner.map((child) => child.written).join('<!-- -->')}</${tag}>`,
        shape: [
          tag,
          shown.length === 0 ? '' : `[${shown.join(',')}]`,
          inner.length === 0 ? '' : `(${inner.map((child) => child.shape).join(',')})`,
          /[^ \t\r\n]/.test(escaped(text)) ? '"' : '',
        ].join(''),
      };
    }),
}));

describe('whatever is sent', () => {
  it('reads every document that was written by the rules', () => {
    fc.assert(
      fc.property(tree, ({ written, shape: expected }) => shape(written) === expected),
      { numRuns: 500 },
    );
  });

  it('says of every text that it is a document or where it is none', () => {
    const piece = fc.constantFrom(
      ...[
        '<',
        '>',
        '/',
        '!',
        '?',
        '--',
        '[CDATA[',
        ']]>',
        '&',
        ';',
        '#x',
        '"',
        "'",
        '=',
        ' ',
        'a',
        'xmlns:',
        'xml',
      ],
      ...[
        '<a>',
        '</a>',
        '<a b="',
        '<!--',
        '-->',
        '<?xml version="1.0"?>',
        ':',
        '\n',
        '\uFEFF',
        '\uD800',
        '\0',
      ],
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        const text = pieces.join('');
        const parsed = parseXml(text);
        return parsed.kind === 'element' || (parsed.offset >= 0 && parsed.offset <= text.length);
      }),
      { numRuns: 5_000 },
    );
  });

  it('no part of a document is one: cut anywhere, it is refused', () => {
    fc.assert(
      fc.property(tree, fc.nat(), ({ written }, at) => {
        const cut = written.slice(0, at % written.length);
        return parseXml(cut).kind === 'xml_fault';
      }),
      { numRuns: 500 },
    );
  });

  it.each<[string, (n: number) => string]>([
    ['names', (n) => `<${'a'.repeat(n)}/>`],
    ['prefixes without end', (n) => '<a:'.repeat(n / 3)],
    ['blanks in a tag', (n) => `<a${' '.repeat(n)}>`],
    ['blanks in the declaration', (n) => `<?xml version="1.0"${' '.repeat(n)}x?><a/>`],
    ['references', (n) => `<a>${'&amp;'.repeat(n / 5)}</a>`],
    ['references in a value', (n) => `<a b="${'&#65;'.repeat(n / 5)}"/>`],
    ['beginnings of comments', (n) => `<a>${'<!--'.repeat(n / 4)}`],
    ['beginnings of CDATA', (n) => `<a>${'<![CDATA['.repeat(n / 9)}`],
    ['brackets', (n) => `<a>${']'.repeat(n)}</a>`],
    ['elements', (n) => `<a>${'<b/>'.repeat(n / 4)}</a>`],
    ['attributes', (n) => `<a>${'<b c="" d="" e=""/>'.repeat(n / 19)}</a>`],
    ['namespaces', (n) => `<a>${'<b xmlns:p="u"><p:c/></b>'.repeat(n / 25)}</a>`],
  ])('needs time in proportion to the length: %s', { retry: 3 }, (_, make) => {
    const [short, long] = [make(16 * 1024), make(64 * 1024)];
    // The best of many: what else the machine does takes time from one, not from all.
    const timeOf = (text: string) =>
      Math.min(
        ...Array.from({ length: 10 }, () => {
          const start = performance.now();
          parseXml(text);
          return performance.now() - start;
        }),
      );
    timeOf(short);
    // Four times the length; a square would take sixteen times as long.
    expect(timeOf(long)).toBeLessThan(Math.max(timeOf(short), 0.5) * 12);
  });
});
