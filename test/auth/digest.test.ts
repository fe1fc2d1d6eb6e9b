import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { DigestAlgorithm } from '../../src/accounts/domain.js';
import {
  dummyHa1,
  ha1,
  ha1OfText,
  ha2,
  ha2WithBody,
  isSameResponse,
  parseAlgorithm,
  response,
} from '../../src/auth/digest.js';
import { octetsOf } from '../../src/auth/octets.js';

/** The same sums by another road: createHash over octets. */
function independently(algorithm: DigestAlgorithm, ...parts: readonly string[]): string {
  const name = { MD5: 'md5', 'SHA-256': 'sha256', 'SHA-512-256': 'sha512-256' }[algorithm];
  return createHash(name)
    .update(Buffer.from(parts.join(':'), 'latin1'))
    .digest('hex');
}

describe('RFC 7616 §3.9.1: Mufasa', () => {
  const protection = {
    qop: 'auth',
    nc: '00000001',
    cnonce: 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ',
  };
  const nonce = '7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v';

  test.each([
    ['MD5', '8ca523f5e9506fed4657c9700eebdbec'],
    ['SHA-256', '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1'],
  ] as const)('43: the %s response is the one in the RFC', (algorithm, expected) => {
    const secret = ha1(algorithm, 'Mufasa', 'http-auth@example.org', 'Circle of Life');
    const computed = response(algorithm, secret, nonce, protection, ha2(algorithm, 'GET', '/dir/index.html'));
    expect(computed).toBe(expected);
    expect(computed).toBe(
      independently(
        algorithm,
        independently(algorithm, 'Mufasa', 'http-auth@example.org', 'Circle of Life'),
        nonce,
        protection.nc,
        protection.cnonce,
        'auth',
        independently(algorithm, 'GET', '/dir/index.html'),
      ),
    );
  });
});

test('44: RFC 7616 §3.9.2 with SHA-512-256 and a username in UTF-8 gives the response of erratum 4897', () => {
  // The RFC's own values were made with SHA-512 cut short; the erratum has those of SHA-512/256.
  const secret = ha1OfText('SHA-512-256', 'Jäsøn Doe', 'api@example.org', 'Secret, or not?');
  const protection = {
    qop: 'auth',
    nc: '00000001',
    cnonce: 'NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v',
  };
  expect(
    response(
      'SHA-512-256',
      secret,
      '5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK',
      protection,
      ha2('SHA-512-256', 'GET', '/doe.json'),
    ),
  ).toBe('3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5');
});

test('43: RFC 2617 §3.5: the example with MD5 and qop=auth', () => {
  const secret = ha1('MD5', 'Mufasa', 'testrealm@host.com', 'Circle Of Life');
  expect(secret).toBe('939e7578ed9e3c518a452acee763bce9');
  const protection = { qop: 'auth', nc: '00000001', cnonce: '0a4f113b' };
  const second = ha2('MD5', 'GET', '/dir/index.html');
  expect(second).toBe('39aff3a2bab6126f332b942af96d3366');
  expect(response('MD5', secret, 'dcd98b7102dd2f0e8b11d0f600bfb0c093', protection, second)).toBe(
    '6629fae49393a05397450978507c4ef1',
  );
});

test('43: RFC 2069 §2.4 without qop gives the response of erratum 749', () => {
  const secret = ha1('MD5', 'Mufasa', 'testrealm@host.com', 'CircleOfLife');
  const second = ha2('MD5', 'GET', '/dir/index.html');
  expect(response('MD5', secret, 'dcd98b7102dd2f0e8b11d0f600bfb0c093', undefined, second)).toBe(
    '1949323746fe6a43ef61f9606e7febea',
  );
});

test.each(['MD5', 'SHA-256', 'SHA-512-256'] as const)(
  '43: %s with auth-int hashes the body into HA2',
  (algorithm) => {
    for (const body of ['', 'v=0\r\n', 'caf\xe9']) {
      expect(ha2WithBody(algorithm, 'REGISTER', 'sip:example.com', body)).toBe(
        independently(algorithm, 'REGISTER', 'sip:example.com', independently(algorithm, body)),
      );
    }
  },
);

test.each(['MD5', 'SHA-256', 'SHA-512-256'] as const)(
  '43: %s of octet strings is over the octets',
  (algorithm) => {
    expect(ha1(algorithm, 'j\xe4son', 'r\xe9alm', 'p\xff')).toBe(
      independently(algorithm, 'j\xe4son', 'r\xe9alm', 'p\xff'),
    );
  },
);

test('43: HA1 of text is HA1 of its UTF-8 octets', () => {
  expect(ha1OfText('SHA-256', 'Jäsøn', 'example.com', 'pässword€🔑')).toBe(
    ha1('SHA-256', octetsOf('Jäsøn'), 'example.com', octetsOf('pässword€🔑')),
  );
});

test('43: algorithm tokens are read without regard to letter case, and absent means MD5', () => {
  expect(parseAlgorithm('md5')).toBe('MD5');
  expect(parseAlgorithm('Sha-256')).toBe('SHA-256');
  expect(parseAlgorithm('SHA-512-256')).toBe('SHA-512-256');
  expect(parseAlgorithm(undefined)).toBe('MD5');
});

test('44: algorithms not offered here are not recognised', () => {
  for (const token of ['MD5-sess', 'SHA-256-sess', 'SHA-512', 'AKAv1-MD5', '', '__proto__', 'constructor']) {
    expect(parseAlgorithm(token)).toBeUndefined();
  }
});

test('43: responses are compared whole, in either letter case, and any other text is merely different', () => {
  const computed = independently('SHA-256', 'x');
  expect(isSameResponse(computed, computed)).toBe(true);
  expect(isSameResponse(computed, computed.toUpperCase())).toBe(true);
  for (let i = 0; i < computed.length; i++) {
    const other = computed[i] === '0' ? '1' : '0';
    expect(isSameResponse(computed, computed.slice(0, i) + other + computed.slice(i + 1))).toBe(false);
  }
  for (const claimed of ['', computed.slice(1), `${computed}0`, '€'.repeat(64), '\0'.repeat(64)]) {
    expect(isSameResponse(computed, claimed)).toBe(false);
  }
});

test('43: comparing an MD5 response leaves nothing behind that a later one could match', () => {
  const computed = independently('MD5', 'x');
  expect(isSameResponse(computed, computed)).toBe(true);
  expect(isSameResponse(independently('MD5', 'y'), computed)).toBe(false);
  expect(isSameResponse(computed, computed)).toBe(true);
});

test('R5: the HA1 of nobody is as long as a real one', () => {
  for (const algorithm of ['MD5', 'SHA-256', 'SHA-512-256'] as const) {
    expect(dummyHa1(algorithm)).toHaveLength(ha1(algorithm, 'a', 'b', 'c').length);
  }
});
