import { XmlStop } from './xml-stop.js';

/** Anything but Char (XML 1.0 §2.2): controls, halves of surrogate pairs, U+FFFE and U+FFFF. */
export const NOT_A_CHARACTER = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u;

const REFERENCE = /&(?:(amp|lt|gt|quot|apos)|#([0-9]{1,7})|#x([0-9A-Fa-f]{1,6}));/y;
const PREDEFINED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/**
 * The text with the five predefined entities and character references resolved, once (XML 1.0 §4.6, §4.1). Nothing else
 * is an entity here. `offset` is where the text stands in its document. @throws XmlStop
 */
export function resolveReferences(text: string, offset: number): string {
  const pieces: string[] = [];
  let from = 0;
  for (let at = text.indexOf('&'); at !== -1; at = text.indexOf('&', from)) {
    REFERENCE.lastIndex = at;
    const match = REFERENCE.exec(text);
    if (match === null) throw new XmlStop(offset + at, 'an entity that is none of the five');
    const [whole, name, decimal, hexadecimal = ''] = match;
    pieces.push(text.slice(from, at));
    if (name !== undefined) {
      pieces.push(PREDEFINED[name] ?? '');
    } else {
      const code = decimal === undefined ? Number.parseInt(hexadecimal, 16) : Number(decimal);
      const character = code <= 0x10ffff ? String.fromCodePoint(code) : '';
      if (character === '' || NOT_A_CHARACTER.test(character)) {
        throw new XmlStop(offset + at, 'a reference to no character');
      }
      pieces.push(character);
    }
    from = at + whole.length;
  }
  return from === 0 ? text : pieces.join('') + text.slice(from);
}
