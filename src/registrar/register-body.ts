import { CALL_SCRIPT_TYPE, readCallScript } from '../cpl/call-script.js';
import { parseContentDisposition } from '../sip/grammar/headers/content-disposition.js';
import { parseContentType } from '../sip/grammar/headers/content-type.js';
import { allValues, firstValue } from '../sip/grammar/message.js';
import { paramValue } from '../sip/grammar/params.js';
import { isParseError } from '../sip/grammar/sip-parse-error.js';
import type { IncomingRequest } from '../sip/uas/incoming-request.js';
import { type Answer, answer } from '../sip/uas/response.js';

/** What the body of a REGISTER is for us: nothing, a call script, or why the request is refused. */
export type RegisterBody =
  | { readonly kind: 'none' }
  | { readonly kind: 'call_script'; readonly text: string }
  | {
      readonly kind: 'refused';
      readonly reason: 'unsupported_body' | 'call_script_invalid';
      readonly answer: Answer;
      /** What is wrong, for the operator. */
      readonly fault: string;
    };

const NONE: RegisterBody = { kind: 'none' };
/** What a body may be for. Without Content-Disposition it is `render` (RFC 3261 §20.11). */
const DISPOSITIONS: readonly string[] = ['render', 'script'];
const CHARSETS: readonly string[] = ['utf-8', 'us-ascii'];

/**
 * Reads the body (RFC 3261 §8.2.3). One that is not understood, for its disposition, its encoding or its type, is a 415
 * that says what is, unless it may be ignored (`handling=optional`); the header fields that describe a body do not
 * matter when there is none. A call script that is none is a 400, with line and reason in a Warning.
 */
export function readBody({ message }: IncomingRequest): RegisterBody {
  const { headers, body } = message;
  if (body === '') return NONE;
  const disposition = parseContentDisposition(firstValue(headers, 'content-disposition') ?? 'render');
  const isOptional = !isParseError(disposition) && disposition.handling === 'optional';
  const encodings = allValues(headers, 'content-encoding').flatMap((line) => line.split(','));
  if (encodings.some((name) => name.trim().toLowerCase() !== 'identity')) {
    return isOptional ? NONE : unsupported('Accept-Encoding', 'identity');
  }
  const isForUs = !isParseError(disposition) && DISPOSITIONS.includes(disposition.disposition);
  if (!isForUs || !isCallScript(firstValue(headers, 'content-type'))) {
    return isOptional ? NONE : unsupported('Accept', CALL_SCRIPT_TYPE);
  }
  const script = readCallScript(Buffer.from(body, 'latin1'));
  if (script.kind === 'call_script') return script;
  const fault = `line ${script.line}: ${script.detail}`;
  const refusal =
    script.reason === 'too_large'
      ? answer(413, 'Request Entity Too Large')
      : answer(400, 'Bad Call Script', [['Warning', `399 registrar "${fault}"`]]);
  return { kind: 'refused', reason: 'call_script_invalid', answer: refusal, fault };
}

function isCallScript(contentType: string | undefined): boolean {
  const type = contentType === undefined ? undefined : parseContentType(contentType);
  if (type === undefined || isParseError(type) || type.mediaType !== CALL_SCRIPT_TYPE) return false;
  return CHARSETS.includes((paramValue(type.params, 'charset') ?? 'utf-8').toLowerCase());
}

function unsupported(header: 'Accept' | 'Accept-Encoding', understood: string): RegisterBody {
  const refusal = answer(415, 'Unsupported Media Type', [[header, understood]]);
  return {
    kind: 'refused',
    reason: 'unsupported_body',
    answer: refusal,
    fault: `only ${understood} is taken`,
  };
}
