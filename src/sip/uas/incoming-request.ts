import type { Instant } from '../../base/clock.js';
import { parseCallId } from '../grammar/headers/call-id.js';
import { type CSeq, parseCSeq } from '../grammar/headers/cseq.js';
import { type FromTo, parseFrom, parseTo } from '../grammar/headers/from-to.js';
import { parseTopVia, type Via } from '../grammar/headers/via.js';
import type { SipRequest } from '../grammar/message.js';
import { badRequest, isParseError, SipParseError } from '../grammar/sip-parse-error.js';
import type { Flow } from '../transport/flow.js';

/** A request with the header fields every request has (RFC 3261 §8.1.1), parsed and found in order. */
export interface IncomingRequest {
  readonly message: SipRequest;
  readonly via: Via;
  /** The first Via header field line as sent. */
  readonly viaText: string;
  readonly from: FromTo;
  readonly to: FromTo;
  readonly callId: string;
  readonly cseq: CSeq;
  readonly flow: Flow;
  readonly receivedAt: Instant;
}

/**
 * Reads the mandatory header fields. What is missing, double or malformed is a 400, another SIP version a 505; the
 * error of a request that can't be answered, because its Via does not say where to, names the header `via`.
 */
export function readRequest(
  message: SipRequest,
  flow: Flow,
  receivedAt: Instant,
): IncomingRequest | SipParseError {
  let viaText: string | undefined;
  let fromText: string | undefined;
  let toText: string | undefined;
  let callIdText: string | undefined;
  let cseqText: string | undefined;
  let repeated: string | undefined;
  for (const { name, value } of message.headers) {
    switch (name) {
      case 'via':
        viaText ??= value;
        break;
      case 'from':
        if (fromText !== undefined) repeated = name;
        fromText = value;
        break;
      case 'to':
        if (toText !== undefined) repeated = name;
        toText = value;
        break;
      case 'call-id':
        if (callIdText !== undefined) repeated = name;
        callIdText = value;
        break;
      case 'cseq':
        if (cseqText !== undefined) repeated = name;
        cseqText = value;
        break;
    }
  }
  if (viaText === undefined) return badRequest('Via is missing', 'via');
  const via = parseTopVia(viaText);
  if (isParseError(via)) return via;
  if (via.protocol !== 'SIP/2.0') {
    return new SipParseError(505, 'Version Not Supported', `Via of ${via.protocol}`, 'version');
  }
  if (repeated !== undefined) return badRequest(`${repeated} is there twice`, repeated);
  if (fromText === undefined) return badRequest('From is missing', 'from');
  if (toText === undefined) return badRequest('To is missing', 'to');
  if (callIdText === undefined) return badRequest('Call-ID is missing', 'call-id');
  if (cseqText === undefined) return badRequest('CSeq is missing', 'cseq');
  const from = parseFrom(fromText);
  if (isParseError(from)) return from;
  const to = parseTo(toText);
  if (isParseError(to)) return to;
  const callId = parseCallId(callIdText);
  if (isParseError(callId)) return callId;
  const cseq = parseCSeq(cseqText);
  if (isParseError(cseq)) return cseq;
  if (cseq.method !== message.method) return badRequest('CSeq names another method', 'cseq');
  return { message, via, viaText, from, to, callId, cseq, flow, receivedAt };
}
