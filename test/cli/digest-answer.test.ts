import { describe, expect, it } from 'vitest';
import { ha1, ha2WithBody, response } from '../../src/auth/digest.js';
import { type Challenge, DigestSession, readChallenge } from '../../src/cli/phone/digest-answer.js';

const MUFASA = { username: 'Mufasa', password: 'Circle of Life' };
const CNONCE = 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ';

/** The challenges of RFC 7616 §3.9.1, as sent. */
function rfc7616Challenge(algorithm: string): Challenge {
  return readChallenge([
    ['realm', '"http-auth@example.org"'],
    ['qop', '"auth, auth-int"'],
    ['algorithm', algorithm],
    ['nonce', '"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"'],
    ['opaque', '"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'],
  ])!;
}

function answerOf(challenges: readonly Challenge[], method = 'GET', uri = '/dir/index.html') {
  const session = DigestSession.answering(challenges, MUFASA, CNONCE);
  return session === undefined ? undefined : new Map(session.answer(method, uri));
}

describe('answering a digest challenge', () => {
  it('gives the MD5 answer of RFC 7616 §3.9.1', () => {
    const answer = answerOf([rfc7616Challenge('MD5')]);
    expect(answer?.get('response')).toBe('"8ca523f5e9506fed4657c9700eebdbec"');
    expect(answer?.get('nc')).toBe('00000001');
    expect(answer?.get('qop')).toBe('auth');
    expect(answer?.get('opaque')).toBe('"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"');
  });

  it('gives the SHA-256 answer of RFC 7616 §3.9.1', () => {
    const answer = answerOf([rfc7616Challenge('SHA-256')]);
    expect(answer?.get('response')).toBe(
      '"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"',
    );
  });

  it('takes the first challenge whose algorithm it knows', () => {
    const challenges = [rfc7616Challenge('SHA-1'), rfc7616Challenge('SHA-512-256'), rfc7616Challenge('MD5')];
    expect(answerOf(challenges)?.get('algorithm')).toBe('SHA-512-256');
  });

  it('gives nothing when it knows none of the algorithms or protections', () => {
    expect(answerOf([])).toBeUndefined();
    expect(answerOf([rfc7616Challenge('MD5-sess')])).toBeUndefined();
    expect(answerOf([{ ...rfc7616Challenge('MD5'), qop: ['auth-conf'] }])).toBeUndefined();
  });

  it('counts the uses of a nonce', () => {
    const session = DigestSession.answering([rfc7616Challenge('MD5')], MUFASA, CNONCE)!;
    const counts = [1, 2, 3].map(() => new Map(session.answer('REGISTER', 'sip:example.com')).get('nc'));
    expect(counts).toEqual(['00000001', '00000002', '00000003']);
  });

  it('answers a challenge without qop and algorithm as RFC 2069 phones do', () => {
    const challenge = readChallenge([
      ['Realm', '"example.com"'],
      ['NONCE', '"n1"'],
    ])!;
    const answer = answerOf([challenge]);
    expect([...answer!.keys()]).toEqual(['username', 'realm', 'nonce', 'uri', 'response']);
  });

  it('applies auth-int when nothing else is offered', () => {
    const challenge = { ...rfc7616Challenge('MD5'), qop: ['auth-int'] };
    const answer = answerOf([challenge], 'REGISTER', 'sip:example.com');
    const identity = ha1('MD5', MUFASA.username, challenge.realm, MUFASA.password);
    const protection = { qop: 'auth-int', nc: '00000001', cnonce: CNONCE };
    const request = ha2WithBody('MD5', 'REGISTER', 'sip:example.com', '');
    expect(answer?.get('response')).toBe(
      `"${response('MD5', identity, challenge.nonce, protection, request)}"`,
    );
  });

  it('escapes quotes in names', () => {
    const challenge = readChallenge([
      ['realm', '"a \\"quoted\\" realm"'],
      ['nonce', '"n"'],
    ])!;
    expect(challenge.realm).toBe('a "quoted" realm');
    expect(answerOf([challenge])?.get('realm')).toBe('"a \\"quoted\\" realm"');
  });

  it('reads stale in any case, quoted or not', () => {
    const stale = (value: string) =>
      readChallenge([
        ['realm', '"r"'],
        ['nonce', '"n"'],
        ['stale', value],
      ])?.isStale;
    expect([stale('TRUE'), stale('"true"'), stale('false')]).toEqual([true, true, false]);
  });

  it('reads no challenge without realm or nonce', () => {
    expect(readChallenge([['realm', '"r"']])).toBeUndefined();
    expect(readChallenge([['nonce', '"n"']])).toBeUndefined();
  });
});
