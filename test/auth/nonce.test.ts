import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NonceMint } from '../../src/auth/nonce.js';

const SECRET = Buffer.alloc(32, 7);
const NOW = 1_760_000_000_000;
const mint = new NonceMint(SECRET, 300);

test('43: a nonce opens as valid, with its time of issue in whole milliseconds', () => {
  const nonce = mint.mint(NOW + 0.75);
  expect(mint.open(nonce, NOW + 0.75)).toEqual({ kind: 'valid', issuedAt: NOW });
  expect(mint.open(nonce, NOW + 300_000)).toEqual({ kind: 'valid', issuedAt: NOW });
});

test('43: a nonce past its lifetime opens as expired', () => {
  const nonce = mint.mint(NOW);
  expect(mint.open(nonce, NOW + 300_001)).toEqual({ kind: 'expired', issuedAt: NOW });
});

test('43: a nonce issued in the future is foreign', () => {
  expect(mint.open(mint.mint(NOW + 1), NOW)).toEqual({ kind: 'foreign' });
});

test('43: a nonce needs no quoting and is short', () => {
  for (let i = 0; i < 1000; i++) expect(mint.mint(NOW + i)).toMatch(/^[A-Za-z0-9_-]{32}$/);
});

test('43: no nonce is made twice, not even within a millisecond', () => {
  const nonces = new Set(Array.from({ length: 10_000 }, () => mint.mint(NOW)));
  expect(nonces.size).toBe(10_000);
});

test('43: the signature is HMAC-SHA-256 over the first 16 characters, cut to 96 bits', () => {
  const nonce = mint.mint(NOW);
  const mac = createHmac('sha256', SECRET).update(nonce.slice(0, 16)).digest('base64url').slice(0, 16);
  expect(nonce.slice(16)).toBe(mac);
});

test('43: a nonce of another secret is foreign', () => {
  const other = new NonceMint(Buffer.alloc(32, 8), 300);
  expect(mint.open(other.mint(NOW), NOW)).toEqual({ kind: 'foreign' });
});

test('43: a nonce with any character changed is foreign', () => {
  const nonce = mint.mint(NOW);
  fc.assert(
    fc.property(fc.nat(31), fc.string({ minLength: 1, maxLength: 1 }), (at, other) => {
      fc.pre(other !== nonce[at]);
      const changed = nonce.slice(0, at) + other + nonce.slice(at + 1);
      return mint.open(changed, NOW).kind === 'foreign';
    }),
  );
});

test('43: a nonce spelt with characters of the same low octet is foreign', () => {
  const nonce = mint.mint(NOW);
  for (let at = 0; at < nonce.length; at++) {
    const twin = String.fromCharCode(nonce.charCodeAt(at) + 0x100);
    expect(mint.open(nonce.slice(0, at) + twin + nonce.slice(at + 1), NOW)).toEqual({ kind: 'foreign' });
  }
});

test('43: any text can be opened', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 80 }),
      (text) => mint.open(text, NOW).kind === 'foreign',
    ),
  );
});

test('43: a secret that is not 32 octets is refused', () => {
  expect(() => new NonceMint(Buffer.alloc(16), 300)).toThrow(RangeError);
});
