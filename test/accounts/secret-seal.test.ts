import { expect, it } from 'vitest';
import { deriveKey, SealBroken, SecretSeal } from '../../src/accounts/secret-seal.js';

const SECRET = { ha1: { MD5: 'a'.repeat(32) }, ha1WithDomain: { MD5: 'b'.repeat(32) } };
const seal = new SecretSeal(Buffer.alloc(32, 1));

it('what was sealed opens, and no two sealings are alike', () => {
  const sealed = seal.seal('crd_1', SECRET);
  expect(seal.open('crd_1', sealed)).toEqual(SECRET);
  expect(seal.seal('crd_1', SECRET).equals(sealed)).toBe(false);
  expect(sealed.includes('aaaaaaaa')).toBe(false);
});

it.each<[string, (sealed: Buffer) => unknown]>([
  ['with another key', (sealed) => new SecretSeal(Buffer.alloc(32, 2)).open('crd_1', sealed)],
  ['in another row', (sealed) => seal.open('crd_2', sealed)],
  ['with a bit flipped in the secret', (sealed) => seal.open('crd_1', flipped(sealed, sealed.length - 1))],
  ['with a bit flipped in the tag', (sealed) => seal.open('crd_1', flipped(sealed, 12))],
  ['with a bit flipped in the nonce', (sealed) => seal.open('crd_1', flipped(sealed, 0))],
  ['cut short', (sealed) => seal.open('crd_1', sealed.subarray(0, 20))],
  ['with a shortened tag', (sealed) => seal.open('crd_1', sealed.subarray(0, 12 + 4))],
  ['erased', () => seal.open('crd_1', Buffer.alloc(0))],
])('%s it does not open', (_, open) => {
  expect(() => open(seal.seal('crd_1', SECRET))).toThrow(SealBroken);
});

it('each purpose has a key of its own, and the name of a key is not the key', () => {
  const master = Buffer.alloc(32, 1);
  expect(deriveKey(master, 'a')).toEqual(deriveKey(master, 'a'));
  expect(deriveKey(master, 'a')).not.toEqual(deriveKey(master, 'b'));
  expect(seal.keyId).toMatch(/^[0-9a-f]{16}$/);
  expect(new SecretSeal(Buffer.alloc(32, 2)).keyId).not.toBe(seal.keyId);
});

function flipped(bytes: Buffer, index: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[index] = (copy[index] ?? 0) ^ 1;
  return copy;
}
