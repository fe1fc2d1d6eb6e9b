import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DigestAlgorithm } from '../../src/accounts/domain.js';
import {
  type Answer,
  answer,
  challenged,
  credentialOf,
  LIFETIME_SECONDS,
  nonceOf,
  REALM,
  START,
  scene,
  subscriberOf,
  utf8,
  VirtualClock,
  verdict,
} from './scene.js';

const ALICE = { username: 'alice', password: 'open sesame' };
const RIGHT = 'authenticated crd_alice';

describe('challenging', () => {
  test('43: without credentials the answer is a challenge for our realm, not stale', () => {
    const result = challenged(scene().register([]));
    expect(result).toMatchObject({ reason: 'no_credentials', stale: false, username: undefined });
    expect(result.challenges).toEqual([
      expect.stringMatching(
        /^Digest realm="example\.com", nonce="[A-Za-z0-9_-]{32}", algorithm=MD5, qop="auth"$/,
      ),
    ]);
  });

  test('R4: one challenge at a time, as the policy says', () => {
    for (const [policy, algorithm] of [
      ['md5', 'MD5'],
      ['sha-256', 'SHA-256'],
      ['sha-512-256', 'SHA-512-256'],
    ] as const) {
      const { challenges } = challenged(scene({ policy }).register([]));
      expect(challenges).toHaveLength(1);
      expect(challenges[0]).toContain(`algorithm=${algorithm},`);
    }
  });

  test('44: policy all sends one challenge an algorithm of the domain, strongest first, with one nonce', () => {
    const { challenges } = challenged(scene({ policy: 'all' }).register([]));
    expect(challenges.map((value) => /algorithm=([^,]*)/.exec(value)?.[1])).toEqual([
      'SHA-512-256',
      'SHA-256',
      'MD5',
    ]);
    expect(new Set(challenges.map((value) => /nonce="([^"]*)"/.exec(value)?.[1])).size).toBe(1);

    const fewer = scene({ policy: 'all', domain: { algorithms: ['MD5', 'SHA-256'] } });
    expect(
      challenged(fewer.register([])).challenges.map((value) => /algorithm=([^,]*)/.exec(value)?.[1]),
    ).toEqual(['SHA-256', 'MD5']);
  });

  test('44: without credentials the policy is that of the user in To, with them that of the claimed user', () => {
    const s = scene({ policy: (user) => (user === 'bob' ? 'sha-256' : 'md5') });
    expect(challenged(s.register([], { toUser: 'bob' })).challenges[0]).toContain('algorithm=SHA-256');
    expect(challenged(s.register([], { toUser: 'alice' })).challenges[0]).toContain('algorithm=MD5');
    const asBob = answer({ username: 'bob@example.com', password: '-', nonce: s.nonce() });
    expect(challenged(s.register([asBob], { toUser: 'alice' })).challenges[0]).toContain('algorithm=SHA-256');
  });

  test('43: the realm is written as a quoted-string', () => {
    const { challenges } = challenged(scene({ domain: { realm: 'the "b\\st"' } }).register([]));
    expect(challenges[0]).toMatch(/^Digest realm="the \\"b\\\\st\\"", nonce=/);
  });

  test('43: each challenge has another nonce', () => {
    const s = scene();
    expect(s.nonce()).not.toBe(s.nonce());
  });

  test('R5: a failed response says whom it claimed to be, to the operator', () => {
    const s = scene();
    const result = s.register([answer({ ...ALICE, password: 'wrong', nonce: s.nonce() })]);
    expect(challenged(result).username).toBe('alice');
  });
});

describe('a right response', () => {
  const rightWith = (more: Partial<Answer> = {}, options: Parameters<typeof scene>[0] = {}) => {
    const s = scene(options);
    return verdict(
      s.register([answer({ ...ALICE, nonce: s.nonce(), ...more })], more.body ? { body: more.body } : {}),
    );
  };

  test('43: with qop=auth authenticates, and says when its nonce was issued', () => {
    const s = scene();
    const nonce = s.nonce();
    s.clock.advanceSeconds(2);
    expect(s.register([answer({ ...ALICE, nonce })])).toEqual({
      kind: 'authenticated',
      subscriber: expect.objectContaining({ username: 'alice' }),
      authUsername: 'alice',
      credentialId: 'crd_alice',
      nonceIssuedAt: START,
      wrongResponses: [],
    });
  });

  test('43: with qop=auth-int authenticates, body or none', () => {
    expect(rightWith({ qop: 'auth-int' })).toBe(RIGHT);
    expect(rightWith({ qop: 'auth-int', body: 'v=0\r\n\xff' })).toBe(RIGHT);
  });

  test('43: with qop=auth-int over another body is wrong', () => {
    const s = scene();
    const value = answer({ ...ALICE, nonce: s.nonce(), qop: 'auth-int', body: 'mine' });
    expect(verdict(s.register([value], { body: 'theirs' }))).toBe('wrong_password');
  });

  test('43: with qop=auth does not cover the body', () => {
    const s = scene();
    expect(verdict(s.register([answer({ ...ALICE, nonce: s.nonce() })], { body: 'any' }))).toBe(RIGHT);
  });

  test.each([
    ['md5', 'MD5'],
    ['sha-256', 'SHA-256'],
    ['sha-512-256', 'SHA-512-256'],
  ] as const)('44: under policy %s with %s authenticates', (policy, algorithm) => {
    expect(rightWith({ algorithm }, { policy })).toBe(RIGHT);
  });

  test.each(['MD5', 'SHA-256', 'SHA-512-256'] as const)(
    '44: under policy all with %s authenticates',
    (algorithm) => {
      expect(rightWith({ algorithm }, { policy: 'all' })).toBe(RIGHT);
    },
  );

  test('43: algorithm may be absent (MD5), lower-case or quoted', () => {
    expect(rightWith({ written: { algorithm: undefined } })).toBe(RIGHT);
    expect(rightWith({ written: { algorithm: 'md5' } })).toBe(RIGHT);
    expect(rightWith({ written: { algorithm: '"MD5"' } })).toBe(RIGHT);
  });

  test('43: qop and nc may be quoted', () => {
    expect(rightWith({ written: { qop: '"auth"', nc: '"00000001"' } })).toBe(RIGHT);
  });

  // As observed: linphone's double blanks, JAIN and baresip 1.0 unquoted here and there, npm sip's order and md5.
  test.each([
    ['pjsua', 'username, realm, nonce, uri, response, algorithm, cnonce, qop, nc', ', '],
    ['linphone', ' realm, nonce, algorithm, username,  uri, response, cnonce, nc, qop', ', '],
    ['Sofia-SIP', 'username, realm, nonce, cnonce, algorithm, uri, response, qop, nc', ', '],
    ['Twinkle', 'username, realm, nonce, uri, response, algorithm, cnonce, qop, nc', ','],
    ['JsSIP', 'algorithm, username, realm, nonce, uri, response, qop, cnonce, nc', ', '],
    ['npm sip', 'realm, username, nonce, uri, nc, algorithm, cnonce, qop, response', ','],
    ['baresip', 'username, realm, nonce, uri, response, cnonce, qop, nc', ', '],
  ])('43: written the way of %s is read', (client, order, separator) => {
    const s = scene();
    const [scheme = '', rest = ''] = answer({ ...ALICE, nonce: s.nonce() }).split(/ (.*)/);
    const byName = new Map(rest.split(', ').map((text) => [text.slice(0, text.indexOf('=')), text]));
    if (client === 'npm sip') byName.set('algorithm', 'algorithm=md5');
    const parameters = order
      .split(', ')
      .map((name) => name.replace(/\w+/, (known) => byName.get(known) ?? ''));
    expect(verdict(s.register([`${scheme} ${parameters.join(separator)}`]))).toBe(RIGHT);
  });

  test('43: a realm with quotes in it is recognised when it comes back', () => {
    const s = scene({ domain: { realm: 'the "b\\st"' } });
    const value = answer({ ...ALICE, nonce: s.nonce(), written: { realm: '"the \\"b\\\\st\\""' } });
    expect(verdict(s.register([value]))).toBe(RIGHT);
  });

  test('43: the method in A2 is that of the request', () => {
    expect(rightWith({ method: 'INVITE' })).toBe('wrong_password');
    const s = scene();
    const value = answer({ ...ALICE, nonce: s.nonce(), method: 'SUBSCRIBE' });
    expect(verdict(s.register([value], { method: 'SUBSCRIBE' }))).toBe(RIGHT);
  });

  test('43: a username with @domain authenticates by the HA1 over both', () => {
    expect(rightWith({ username: 'alice@example.com' })).toBe(RIGHT);
  });

  test('43: a username with another domain names nobody here', () => {
    expect(rightWith({ username: 'alice@example.net' })).toBe('unknown_user');
  });

  test('43: a username with an alias of the domain names the user, though its HA1 is unknown', () => {
    expect(
      rightWith({ username: 'alice@sip.example.com' }, { domain: { aliases: ['sip.example.com'] } }),
    ).toBe('wrong_password');
  });

  test('43: digest usernames are case-sensitive', () => {
    expect(rightWith({ username: 'Alice' })).toBe('unknown_user');
  });

  test('43: usernames and passwords beyond ASCII are UTF-8', () => {
    const subscribers = [subscriberOf('jäsøn', [credentialOf('jäsøn', 'pässwörd €🔑')])];
    const jason = { username: 'jäsøn', password: 'pässwörd €🔑' };
    for (const algorithm of ['MD5', 'SHA-512-256'] as const) {
      expect(rightWith({ ...jason, algorithm }, { subscribers, policy: 'all' })).toBe(
        'authenticated crd_jäsøn',
      );
    }
    expect(rightWith({ ...jason, username: 'jäsøn@example.com' }, { subscribers })).toBe(
      'authenticated crd_jäsøn',
    );
    const s = scene({ subscribers });
    const wrong = s.register([answer({ ...jason, password: 'x', nonce: s.nonce() })]);
    expect(challenged(wrong).username).toBe('jäsøn');
  });

  test('43: a username that is not UTF-8 is unknown and nothing worse', () => {
    expect(rightWith({ written: { username: '"j\xe4son"' } })).toBe('unknown_user');
  });

  test('43: a cnonce beyond ASCII is hashed as the octets it is', () => {
    expect(rightWith({ cnonce: utf8('ünïque') })).toBe(RIGHT);
  });

  test('43: any active credential of the user will do, and the one used is named', () => {
    const subscribers = [
      subscriberOf('alice', [
        credentialOf('alice', 'first', { id: 'crd_1' }),
        credentialOf('alice', 'second', { id: 'crd_2' }),
        credentialOf('alice', 'third', { id: 'crd_3' }),
        credentialOf('alice', 'fourth', { id: 'crd_4' }),
      ]),
    ];
    expect(rightWith({ password: 'first' }, { subscribers })).toBe('authenticated crd_1');
    expect(rightWith({ password: 'fourth' }, { subscribers })).toBe('authenticated crd_4');
    expect(rightWith({ password: 'fifth' }, { subscribers })).toBe('wrong_password');
  });

  test('43: an expired credential no longer counts, and stale is not said of it', () => {
    const subscribers = [
      subscriberOf('alice', [
        credentialOf('alice', 'old', { id: 'crd_1', expiresAt: START }),
        credentialOf('alice', 'new', { id: 'crd_2', expiresAt: START + 1 }),
      ]),
    ];
    expect(rightWith({ password: 'old' }, { subscribers })).toBe('credential_expired');
    expect(rightWith({ password: 'old', nonce: 'foreign' }, { subscribers })).toBe('credential_expired');
    expect(rightWith({ password: 'new' }, { subscribers })).toBe('authenticated crd_2');
  });

  test('43: an expired credential does not hide a later one with the same password', () => {
    const subscribers = [
      subscriberOf('alice', [
        credentialOf('alice', 'same', { id: 'crd_1', expiresAt: START }),
        credentialOf('alice', 'same', { id: 'crd_2' }),
      ]),
    ];
    expect(rightWith({ password: 'same' }, { subscribers })).toBe('authenticated crd_2');
  });

  test('43: an expired account no longer authenticates, and stale is not said of it', () => {
    const subscribers = [subscriberOf('alice', [credentialOf('alice', 'open sesame')], { expiresAt: START })];
    expect(rightWith({}, { subscribers })).toBe('account_expired');
    expect(rightWith({ nonce: 'foreign' }, { subscribers })).toBe('account_expired');
    expect(rightWith({ password: 'x' }, { subscribers })).toBe('wrong_password');
  });
});

describe('algorithms', () => {
  test('44: a response with an algorithm that was not offered is challenged again', () => {
    const s = scene({ policy: 'sha-256' });
    const result = challenged(s.register([answer({ ...ALICE, nonce: s.nonce(), algorithm: 'MD5' })]));
    expect(verdict(result)).toBe('algorithm_not_offered');
    expect(result.challenges[0]).toContain('algorithm=SHA-256');
  });

  test('44: session variants and unknown algorithms count as not offered', () => {
    const s = scene({ policy: 'all' });
    for (const algorithm of ['MD5-sess', 'SHA-256-sess', 'AKAv1-MD5', '""', 'constructor']) {
      const value = answer({ ...ALICE, nonce: s.nonce(), written: { algorithm } });
      expect(verdict(s.register([value]))).toBe('algorithm_not_offered');
    }
  });

  test('44: an MD5-only account answering SHA-256 is challenged', () => {
    const subscribers = [
      subscriberOf('alice', [credentialOf('alice', 'open sesame', { algorithms: ['MD5'] })]),
    ];
    const s = scene({ subscribers, policy: 'all' });
    const value = (algorithm: DigestAlgorithm) => answer({ ...ALICE, nonce: s.nonce(), algorithm });
    expect(verdict(s.register([value('SHA-256')]))).toBe('no_secret_for_algorithm');
    expect(verdict(s.register([value('MD5')]))).toBe(RIGHT);
    const md5Only = scene({ subscribers, policy: 'md5' });
    expect(verdict(md5Only.register([value('SHA-256')]))).toBe('algorithm_not_offered');
  });

  test('44: an algorithm not among the domain’s is not taken under policy all', () => {
    const s = scene({ policy: 'all', domain: { algorithms: ['SHA-256'] } });
    expect(verdict(s.register([answer({ ...ALICE, nonce: s.nonce() })]))).toBe('algorithm_not_offered');
  });
});

describe('stale', () => {
  const nonces = {
    fresh: (s: ReturnType<typeof scene>) => s.nonce(),
    expired: (s: ReturnType<typeof scene>) => {
      const nonce = s.nonce();
      s.clock.advanceSeconds(LIFETIME_SECONDS + 1);
      return nonce;
    },
    'expired, once used': (s: ReturnType<typeof scene>) => {
      const nonce = s.nonce();
      s.register([answer({ ...ALICE, nonce })]);
      s.clock.advanceSeconds(LIFETIME_SECONDS + 1);
      return nonce;
    },
    foreign: () => 'dcd98b7102dd2f0e8b11d0f600bfb0c093',
    empty: () => '',
    'of another secret': () => scene({ settings: { nonceSecret: Buffer.alloc(32, 9) } }).nonce(),
    'of an earlier life of the process': (s: ReturnType<typeof scene>) =>
      scene({ clock: new VirtualClock(s.clock.at - 1) }).nonce(),
    replayed: (s: ReturnType<typeof scene>) => {
      const nonce = s.nonce();
      s.register([answer({ ...ALICE, nonce, nc: '00000002' })]);
      return nonce;
    },
  };

  test.each([
    ['fresh', RIGHT],
    ['expired', 'nonce_expired stale'],
    ['expired, once used', 'nonce_expired stale'],
    ['foreign', 'nonce_foreign stale'],
    ['empty', 'nonce_foreign stale'],
    ['of another secret', 'nonce_foreign stale'],
    ['of an earlier life of the process', 'nonce_forgotten stale'],
    ['replayed', 'nonce_replayed stale'],
  ] as const)(
    '43: a nonce that is %s: the right response gets %s, the wrong one never stale',
    (kind, expected) => {
      const s = scene();
      const nonce = nonces[kind](s);
      expect(verdict(s.register([answer({ ...ALICE, nonce, nc: '00000002', password: 'wrong' })]))).toBe(
        'wrong_password',
      );
      expect(verdict(s.register([answer({ ...ALICE, nonce, nc: '00000002', username: 'nobody' })]))).toBe(
        'unknown_user',
      );
      const result = s.register([answer({ ...ALICE, nonce, nc: '00000002' })]);
      expect(verdict(result)).toBe(expected);
      if (result.kind === 'challenge') {
        for (const value of result.challenges) expect(value).toMatch(/, stale=true$/);
      }
    },
  );

  test('43: a challenge without a right response says nothing of stale', () => {
    const s = scene();
    const result = challenged(s.register([answer({ ...ALICE, nonce: 'foreign', password: 'wrong' })]));
    expect(result.challenges[0]).not.toContain('stale');
  });

  test('43: the nonce of a stale challenge serves at once', () => {
    const s = scene();
    const stale = challenged(s.register([answer({ ...ALICE, nonce: 'foreign' })]));
    expect(verdict(s.register([answer({ ...ALICE, nonce: nonceOf(stale) })]))).toBe(RIGHT);
  });
});

describe('nonce counts', () => {
  const withNc = (s: ReturnType<typeof scene>, nonce: string, nc: string, more: Partial<Answer> = {}) =>
    verdict(s.register([answer({ ...ALICE, nonce, nc, ...more })]));

  test('43: nc must rise, and may leave gaps', () => {
    const s = scene();
    const nonce = s.nonce();
    expect(withNc(s, nonce, '00000001')).toBe(RIGHT);
    expect(withNc(s, nonce, '00000002')).toBe(RIGHT);
    expect(withNc(s, nonce, '00000002')).toBe('nonce_replayed stale');
    expect(withNc(s, nonce, '0000000a')).toBe(RIGHT);
    expect(withNc(s, nonce, '0000000A')).toBe('nonce_replayed stale');
    expect(withNc(s, nonce, '00000009')).toBe('nonce_replayed stale');
    expect(withNc(s, nonce, 'ffffffff')).toBe(RIGHT);
  });

  test('43: counting from zero is tolerated, counting it twice is not', () => {
    const s = scene();
    const nonce = s.nonce();
    expect(withNc(s, nonce, '00000000')).toBe(RIGHT);
    expect(withNc(s, nonce, '00000000')).toBe('nonce_replayed stale');
    expect(withNc(s, nonce, '00000001')).toBe(RIGHT);
  });

  test('43: a wrong response uses up no nc', () => {
    const s = scene();
    const nonce = s.nonce();
    expect(withNc(s, nonce, 'ffffffff', { password: 'wrong' })).toBe('wrong_password');
    expect(withNc(s, nonce, '00000001')).toBe(RIGHT);
    expect(withNc(s, nonce, 'ffffffff', { password: 'wrong' })).toBe('wrong_password');
    expect(withNc(s, nonce, '00000002')).toBe(RIGHT);
  });

  test('43: nc is eight hex digits and comes with a cnonce', () => {
    const s = scene();
    for (const nc of ['1', '0000001', '000000001', '0000000g', '', ' 0000001', '+0000001', '0x000001']) {
      const value = answer({ ...ALICE, nonce: s.nonce(), nc, written: { nc: `"${nc}"` } });
      expect(verdict(s.register([value]))).toBe('malformed_credentials');
    }
    const without = (written: Answer['written'] = {}) =>
      verdict(s.register([answer({ ...ALICE, nonce: s.nonce(), written })]));
    expect(without({ nc: undefined })).toBe('malformed_credentials');
    expect(without({ cnonce: undefined })).toBe('malformed_credentials');
  });

  test('43: when the table is full the oldest nonce is forgotten, and no replay gets through', () => {
    const s = scene({ settings: { maxNonceCounts: 2 } });
    const used = [1, 2, 3].map(() => {
      s.clock.advanceSeconds(1);
      const nonce = s.nonce();
      expect(withNc(s, nonce, '00000001')).toBe(RIGHT);
      return nonce;
    });
    expect(withNc(s, used[0]!, '00000001')).toBe('nonce_forgotten stale');
    expect(withNc(s, used[0]!, '00000002')).toBe('nonce_forgotten stale');
    expect(withNc(s, used[1]!, '00000001')).toBe('nonce_replayed stale');
    expect(withNc(s, used[2]!, '00000002')).toBe(RIGHT);
    expect(withNc(s, s.nonce(), '00000001')).toBe(RIGHT);
  });

  test('43: a restart with the same secret lets no replay through', () => {
    const before = scene();
    const nonce = before.nonce();
    const value = answer({ ...ALICE, nonce });
    expect(verdict(before.register([value]))).toBe(RIGHT);
    const after = scene({ clock: new VirtualClock(START + 1000) });
    expect(verdict(after.register([value]))).toBe('nonce_forgotten stale');
  });
});

describe('quality of protection', () => {
  test('R4: a response without qop is challenged where the domain does not allow it, right or wrong', () => {
    const s = scene();
    expect(verdict(s.register([answer({ ...ALICE, nonce: s.nonce(), qop: null })]))).toBe('qop_missing');
    const wrong = answer({ ...ALICE, nonce: s.nonce(), qop: null, password: 'wrong' });
    expect(verdict(s.register([wrong]))).toBe('qop_missing');
  });

  test('R4: where the domain allows it, a response without qop is good once per nonce', () => {
    const s = scene({ domain: { allowNoQop: true } });
    const nonce = s.nonce();
    const value = answer({ ...ALICE, nonce, qop: null });
    expect(verdict(s.register([value]))).toBe(RIGHT);
    expect(verdict(s.register([value]))).toBe('nonce_replayed stale');
    expect(verdict(s.register([answer({ ...ALICE, nonce, nc: 'fffffffe' })]))).toBe('nonce_replayed stale');
    expect(verdict(s.register([answer({ ...ALICE, nonce, qop: null, password: 'wrong' })]))).toBe(
      'wrong_password',
    );
    const next = answer({ ...ALICE, nonce: s.nonce(), qop: null });
    expect(verdict(s.register([next]))).toBe(RIGHT);
  });

  test('R4: a nonce used with qop is no longer good without', () => {
    const s = scene({ domain: { allowNoQop: true } });
    const nonce = s.nonce();
    expect(verdict(s.register([answer({ ...ALICE, nonce })]))).toBe(RIGHT);
    expect(verdict(s.register([answer({ ...ALICE, nonce, qop: null })]))).toBe('nonce_replayed stale');
  });

  test('R4: stripping qop from a response does not make it right', () => {
    const s = scene({ domain: { allowNoQop: true } });
    const written = { qop: undefined, nc: undefined, cnonce: undefined };
    expect(verdict(s.register([answer({ ...ALICE, nonce: s.nonce(), written })]))).toBe('wrong_password');
  });

  test('43: another qop than auth and auth-int is challenged', () => {
    const s = scene();
    for (const qop of ['auth-conf', 'auth,auth-int', '']) {
      const value = answer({ ...ALICE, nonce: s.nonce(), qop, written: { qop: `"${qop}"` } });
      expect(verdict(s.register([value]))).toBe('qop_unsupported');
    }
  });
});

describe('digest uri', () => {
  const asked = (uri: string, requestUri: string, more: Partial<Answer> = {}) => {
    const s = scene();
    return verdict(s.register([answer({ ...ALICE, nonce: s.nonce(), uri, ...more })], { requestUri }));
  };

  test('43: it may be any URI equal to the Request-URI, and is hashed as sent', () => {
    expect(asked('sip:example.com', 'sip:EXAMPLE.com')).toBe(RIGHT);
    expect(asked('SIP:Example.Com;lr', 'sip:example.com;lr')).toBe(RIGHT);
    expect(asked('sip:%61lice@example.com', 'sip:alice@example.com')).toBe(RIGHT);
  });

  test('43: another URI is challenged, whatever the response', () => {
    for (const uri of [
      'sip:example.net',
      'sip:example.com:5060',
      'sips:example.com',
      'sip:x@example.com',
      '/',
      '',
    ]) {
      expect(asked(uri, 'sip:example.com')).toBe('uri_mismatch');
      expect(asked(uri, 'sip:example.com', { password: 'wrong' })).toBe('uri_mismatch');
    }
  });

  test('43: what does not parse as a SIP URI is compared octet by octet', () => {
    expect(asked('not a uri', 'not a uri')).toBe(RIGHT);
    expect(asked('not a uri', 'Not a uri')).toBe('uri_mismatch');
  });
});

describe('several Authorization header fields', () => {
  const other = (s: ReturnType<typeof scene>) =>
    answer({ ...ALICE, nonce: s.nonce(), realm: 'elsewhere.example' });

  test('45: the one for our realm counts, wherever it stands', () => {
    for (const order of [0, 1]) {
      const s = scene();
      const values = [other(s), answer({ ...ALICE, nonce: s.nonce() })];
      expect(verdict(s.register(order === 0 ? values : values.reverse()))).toBe(RIGHT);
    }
  });

  test('45: credentials for other realms only are no credentials', () => {
    const s = scene();
    expect(verdict(s.register([other(s)]))).toBe('no_credentials');
    const upper = answer({ ...ALICE, nonce: s.nonce(), realm: 'EXAMPLE.com' });
    expect(verdict(s.register([upper]))).toBe('no_credentials');
  });

  test('43: the realm is ours, not the client’s: a response right for its own realm does not count', () => {
    const s = scene();
    const value = answer({ ...ALICE, nonce: s.nonce(), realm: 'evil', written: { realm: `"${REALM}"` } });
    expect(verdict(s.register([value]))).toBe('wrong_password');
  });

  test('45: other schemes are passed over', () => {
    const s = scene();
    expect(verdict(s.register(['Basic YWxpY2U6b3BlbiBzZXNhbWU=', 'Bearer x']))).toBe('no_credentials');
    expect(verdict(s.register(['Bearer x', answer({ ...ALICE, nonce: s.nonce() })]))).toBe(RIGHT);
  });

  test('45: broken ones are passed over when another is for our realm', () => {
    const s = scene();
    const broken = 'Digest username="alice", realm="example.com';
    expect(verdict(s.register([broken]))).toBe('malformed_credentials');
    expect(verdict(s.register([broken, answer({ ...ALICE, nonce: s.nonce() })]))).toBe(RIGHT);
    const wrong = answer({ ...ALICE, nonce: s.nonce(), password: 'wrong' });
    expect(verdict(s.register([broken, wrong]))).toBe('wrong_password');
  });

  test('44: of several answers for our realm, one an algorithm, a right one suffices', () => {
    const s = scene({ policy: 'all' });
    const nonce = s.nonce();
    const wrong = answer({ ...ALICE, nonce, algorithm: 'SHA-512-256', password: 'wrong' });
    const right = answer({ ...ALICE, nonce, algorithm: 'SHA-256' });
    expect(verdict(s.register([wrong, right]))).toBe(RIGHT);
    expect(verdict(s.register([wrong, right]))).toBe('nonce_replayed stale');
  });

  test('45: no more than three answers for our realm are looked at', () => {
    const s = scene();
    const nonce = s.nonce();
    const wrong = answer({ ...ALICE, nonce, password: 'wrong' });
    expect(verdict(s.register([wrong, wrong, answer({ ...ALICE, nonce })]))).toBe(RIGHT);
    expect(verdict(s.register([wrong, wrong, wrong, answer({ ...ALICE, nonce: s.nonce() })]))).toBe(
      'wrong_password',
    );
  });
});

describe('anything at all', () => {
  const anyText = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string(),
    fc.constantFrom(
      '',
      '"',
      '\\',
      '"\\"',
      'auth',
      'auth-int',
      'MD5',
      'alice',
      'alice@',
      '@',
      'sip:',
      'sip:@',
    ),
  );

  test('43: whatever a client sends, the answer is a value', () => {
    const s = scene({ domain: { allowNoQop: true }, policy: 'all' });
    const base = { ...ALICE, nonce: s.nonce() };
    const parameter = fc.constantFrom(
      'username',
      'realm',
      'nonce',
      'uri',
      'response',
      'algorithm',
      'qop',
      'nc',
      'cnonce',
      'opaque',
      'userhash',
    );
    const written = fc.dictionary(
      parameter,
      fc.oneof(
        anyText,
        anyText.map((text) => `"${text}"`),
        fc.constant(undefined),
      ),
    );
    const value = fc.oneof(
      anyText,
      anyText.map((text) => `Digest ${text}`),
      written.map((replaced) => answer({ ...base, written: replaced })),
    );
    fc.assert(
      fc.property(
        fc.array(value, { maxLength: 5 }),
        fc.record({
          method: anyText,
          requestUri: fc.oneof(anyText, fc.constant('sip:example.com')),
          body: anyText,
          toUser: anyText,
        }),
        (authorizations, request) => {
          const result = s.register(authorizations, request);
          return result.kind === 'authenticated' || result.challenges.length === 3;
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('43: only the password makes a response right', () => {
    const s = scene();
    fc.assert(
      fc.property(fc.string(), fc.string(), (username, password) => {
        fc.pre(password !== ALICE.password && !/["\\]/.test(username));
        const value = answer({ username, password, nonce: s.nonce() });
        return s.register([value]).kind === 'challenge';
      }),
    );
  });
});
