import fc from 'fast-check';
import { NO_PARAMS, type Param } from '../../../src/sip/grammar/params.js';
import type { OtherUri, SipUri, Uri } from '../../../src/sip/grammar/uri.js';

const ALPHANUM = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
const ESCAPES = ['%41', '%3b', '%00', '%fF'];

function text(
  chars: string,
  lengths: { min: number; max: number },
  more: readonly string[] = [],
): fc.Arbitrary<string> {
  const unit = fc.constantFrom(...chars, ...more);
  return fc.array(unit, { minLength: lengths.min, maxLength: lengths.max }).map((units) => units.join(''));
}

function params(
  name: fc.Arbitrary<string>,
  value: fc.Arbitrary<string | undefined>,
): fc.Arbitrary<readonly Param[]> {
  return fc
    .array(fc.record({ name, value }, { noNullPrototype: true }), { maxLength: 12 })
    .map((list) => (list.length === 0 ? NO_PARAMS : list));
}

const UNRESERVED = `${ALPHANUM}-_.!~*'()`;
const token = text(`${ALPHANUM}-.!%*_+\`'~`, { min: 1, max: 8 });
const quoted = text(`${ALPHANUM} ;,<>@=\t\xe9`, { min: 0, max: 8 }, ['\\"', '\\\\', '\\a']).map(
  (inner) => `"${inner}"`,
);
const uriWord = text(`${UNRESERVED}[]/:&+$`, { min: 1, max: 6 }, ESCAPES);
const wellKnown = fc.constantFrom('transport', 'Transport', 'lr', 'x', 'X', 'y', 'maddr', 'user');

export const host: fc.Arbitrary<string> = fc.oneof(
  fc.domain(),
  fc.ipV4(),
  fc.ipV6().map((address) => `[${address}]`),
  fc.constantFrom('localhost', 'EXAMPLE.com.', 'a_b', 'x1.invalid'),
);
export const port: fc.Arbitrary<number | undefined> = fc.option(fc.integer({ min: 1, max: 65_535 }), {
  nil: undefined,
});

/** Header parameters: tokens with tokens, quoted strings or nothing. */
export const headerParams: fc.Arbitrary<readonly Param[]> = params(
  fc.oneof(token, fc.constantFrom('tag', 'expires', 'q', 'branch', 'rport', 'received')),
  fc.oneof(fc.constant(undefined), token, quoted, fc.constantFrom('[::1]', 'a=b', 'a/b')),
);

export const displayName: fc.Arbitrary<string> = fc.oneof(
  fc.constant(''),
  token,
  quoted,
  fc.constant('Bob B.'),
);

const userinfo = fc.oneof(
  fc.constant({ user: undefined, password: undefined }),
  fc.record({
    user: text(`${UNRESERVED}&=+$,;?/`, { min: 1, max: 8 }, ESCAPES),
    password: fc.option(text(`${UNRESERVED}&=+$,`, { min: 0, max: 5 }, ESCAPES), { nil: undefined }),
  }),
);

export const sipUri: fc.Arbitrary<SipUri> = fc
  .record({
    scheme: fc.constantFrom('sip' as const, 'sips' as const),
    userinfo,
    host,
    port,
    params: params(fc.oneof(wellKnown, uriWord), fc.option(uriWord, { nil: undefined })),
    headers: params(
      text(`${UNRESERVED}[]/?:+$`, { min: 1, max: 6 }, ESCAPES),
      text(`${UNRESERVED}[]/?:+$`, { min: 0, max: 6 }, ESCAPES),
    ),
  })
  .map(({ userinfo: { user, password }, ...rest }) => ({ ...rest, user, password }));

const otherUri: fc.Arbitrary<OtherUri> = fc
  .record({ scheme: fc.constantFrom('tel', 'mailto', 'urn', 'x+y.z-1'), rest: uriWord })
  .map(({ scheme, rest }) => ({ scheme, text: `${scheme}:${rest}` }));

export const anyUri: fc.Arbitrary<Uri> = fc.oneof({ arbitrary: sipUri, weight: 5 }, otherUri);
