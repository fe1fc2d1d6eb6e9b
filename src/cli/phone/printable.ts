import { textOf } from '../../auth/octets.js';

/**
 * A stranger's octets as text for a terminal: what would move the cursor or change colours is shown as `\x1b`.
 */
export function printable(octets: string): string {
  let text = '';
  for (const character of textOf(octets)) {
    const code = character.codePointAt(0) ?? 0;
    const isControl = (code < 0x20 && character !== '\t') || (code >= 0x7f && code < 0xa0);
    text += isControl ? `\\x${code.toString(16).padStart(2, '0')}` : character;
  }
  return text;
}
