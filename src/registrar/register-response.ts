import type { Instant } from '../base/clock.js';
import type { Binding } from '../location/binding.js';
import type { RegisterOutcome } from '../location/register.js';
import { type Answer, answer } from '../sip/uas/response.js';

type AnswerOf<Kind extends RegisterOutcome['kind']> = (
  outcome: Extract<RegisterOutcome, { kind: Kind }>,
  now: Instant,
) => Answer;

/** What each outcome is on the wire. A new outcome does not compile until it has its line here. */
const ANSWERS: { readonly [Kind in RegisterOutcome['kind']]: AnswerOf<Kind> } = {
  registered: ({ bindings }, now) =>
    answer(200, 'OK', [
      // The COMMIT took a moment; what ran out in it is not listed with nothing left.
      ...bindings
        .filter(({ expiresAt }) => expiresAt > now)
        .map((binding) => ['Contact', printContact(binding, now)] as const),
      ['Date', httpDate(now)],
    ]),
  // No code is given for it in §10.3; 500 is what a dialog answers (§12.2.2), with a reason that says so (R1).
  out_of_order: () => answer(500, 'CSeq Not Higher Than Last Time'),
  interval_too_brief: ({ minExpiresSeconds }) =>
    answer(423, 'Interval Too Brief', [['Min-Expires', String(minExpiresSeconds)]]),
  // Not 403: phones take that for wrong credentials (R2).
  too_many_bindings: ({ retryAfterSeconds }) =>
    answer(503, 'Too Many Bindings', [['Retry-After', String(retryAfterSeconds)]]),
  blocked: () => answer(403, 'Forbidden'),
  account_closed: () => answer(403, 'Forbidden'),
};

/** The answer to an authenticated REGISTER. */
export function answerOutcome(outcome: RegisterOutcome, now: Instant): Answer {
  const render = ANSWERS[outcome.kind] as (outcome: RegisterOutcome, now: Instant) => Answer;
  return { ...render(outcome, now), verified: true };
}

/** A Contact of the 200: URI and parameters as the phone sent them, `expires` the seconds left (§10.3 step 8). */
function printContact(binding: Binding, now: Instant): string {
  const secondsLeft = Math.ceil((binding.expiresAt - now) / 1000);
  const name = binding.displayName === '' ? '' : `${binding.displayName} `;
  return `${name}<${binding.contact}>${binding.contactParams};expires=${secondsLeft}`;
}

let dateSecond = 0;
let dateText = '';

/** RFC 1123 date, as SIP wants it (§20.17); made once a second. */
function httpDate(now: Instant): string {
  const second = Math.floor(now / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = new Date(now).toUTCString();
  }
  return dateText;
}
