import { randomBytes } from 'node:crypto';
import type { Clock, Instant } from '../../base/clock.js';
import type { Log } from '../../base/log.js';
import type { Tally } from '../../base/tally.js';
import { parseTo } from '../grammar/headers/from-to.js';
import { parseTopViaToRefuse, stampTopVia } from '../grammar/headers/via.js';
import { firstValue, type HeaderField, parseMessage } from '../grammar/message.js';
import { isParseError, type MessageBound, SipParseError } from '../grammar/sip-parse-error.js';
import { parseUri } from '../grammar/uri.js';
import type { ServerTransactions } from '../transaction/server-transactions.js';
import { transactionKey } from '../transaction/transaction-key.js';
import type { Flow, MessageReceiver, ResponseTarget } from '../transport/flow.js';
import { responseTarget, viaStamp } from '../transport/response-target.js';
import { type IncomingRequest, readRequest } from './incoming-request.js';
import { KNOWN_METHODS, refuseMethod } from './methods.js';
import { type Answer, answer, renderResponse, shortened } from './response.js';
import type { StrangerGate } from './stranger-gate.js';

/** Answers the requests of one method. A rejected promise is answered with 500. */
export type RequestHandler = (request: IncomingRequest) => Answer | Promise<Answer>;

/** What became of a message, for the counters. */
export type MessageFate =
  | 'answered'
  | 'replayed'
  | 'absorbed'
  | 'merged'
  | 'overloaded'
  | 'broken_answered'
  | 'broken_dropped'
  | 'response_dropped'
  | 'ack_dropped'
  /** Not looked at: strangers had taken their time. */
  | 'shed';

export interface UserAgentServerOptions {
  readonly handlers: Readonly<Record<string, RequestHandler>>;
  /** Answers the requests of every other method, known or not; without it they get 405 and 501. */
  readonly others?: RequestHandler | undefined;
  /** What the Server header field of every response says; undefined sends none. */
  readonly serverHeader?: string | undefined;
  readonly transactions: ServerTransactions;
  readonly clock: Clock;
  readonly log: Log;
  readonly fates: Tally<MessageFate>;
  /** Responses by method and status: `REGISTER 200`; methods that nobody knows count together, as `other`. */
  readonly responses: Tally<string>;
  /** Messages refused because they are larger than is taken, in whatever way. */
  readonly bounds?: Tally<MessageBound>;
  /** Holds back what strangers could turn against others; without it everything is answered. */
  readonly gate?: StrangerGate;
}

const RETRY_AFTER_OVERLOAD_SECONDS = 5;
/** Whether a To that can't be taken apart has a tag already. */
const HAS_TAG = /;[ \t]*tag[ \t]*=/i;

/**
 * The UAS core (RFC 3261 §8.2): takes messages from the transports, finds their transaction, checks what every
 * method needs checked, lets the method's handler answer, and sends that back where the request came from.
 */
export class UserAgentServer implements MessageReceiver {
  /** Makes To tags of this process unlike any other's (§19.3); the counter makes them unlike each other. */
  private readonly tagPrefix = randomBytes(6).toString('hex');
  private tagCount = 0;
  private readonly working = new Set<Promise<void>>();
  private readonly allow: string;
  private closing = false;

  constructor(private readonly options: UserAgentServerOptions) {
    this.allow = Object.keys(options.handlers).join(', ');
  }

  receive(bytes: Buffer, flow: Flow): void {
    if (this.closing) return;
    const { gate, clock, fates } = this.options;
    const now = clock.now();
    if (gate === undefined || flow.datagramOctets === undefined || gate.isProven(flow.remoteAddress, now)) {
      this.read(bytes, flow, now);
    } else if (gate.hasTime(now)) {
      this.read(bytes, flow, now);
      gate.spend(clock.now() - now);
    } else {
      fates.count('shed');
    }
  }

  receiveBroken(
    head: Buffer,
    status: number,
    reason: string,
    detail: string,
    flow: Flow,
    bound?: MessageBound,
  ): void {
    const message = parseMessage(head.toString('latin1'), { framing: 'datagram' });
    if (message.kind === 'response' || (message.kind === 'broken' && !message.isRequest)) {
      this.options.fates.count('response_dropped');
      return;
    }
    const error = new SipParseError(status, reason, detail, undefined, undefined, bound);
    this.answerBroken(message.method, message.headers, error, flow);
  }

  /** Takes no more messages; resolves when everything that was taken has been answered. */
  async close(): Promise<void> {
    this.closing = true;
    while (this.working.size > 0) await Promise.allSettled(this.working);
  }

  private read(bytes: Buffer, flow: Flow, now: Instant): void {
    const message = parseMessage(bytes.toString('latin1'), {
      framing: flow.transport === 'udp' ? 'datagram' : 'stream',
    });
    if (message.kind === 'request') {
      const request = readRequest(message, flow, now);
      if (isParseError(request)) this.answerBroken(message.method, message.headers, request, flow);
      else this.take(request);
      return;
    }
    if (message.kind === 'response' || !message.isRequest) {
      // We send no requests: nobody waits for it (RFC 3261 §18.1.2).
      this.options.fates.count('response_dropped');
      return;
    }
    this.answerBroken(message.method, message.headers, message.error, flow);
  }

  private take(request: IncomingRequest): void {
    const { transactions, fates } = this.options;
    const { method } = request.message;
    if (method === 'ACK') {
      // Ends the INVITE transaction of a refusal; there is nothing to say (§17.2.1).
      fates.count('ack_dropped');
      return;
    }
    const key = keyOf(request, method);
    const mergeKey =
      request.to.tag === undefined && request.from.tag !== undefined
        ? `${request.callId}\n${request.from.tag}\n${request.cseq.sequence}\n${method}`
        : undefined;
    // An INVITE's transaction outlives its answer over every transport, until timer H (§17.2.1).
    const reliable = request.flow.transport !== 'udp' && method !== 'INVITE';
    const arrival = transactions.arrive(key, mergeKey, request.receivedAt, reliable);
    switch (arrival.kind) {
      case 'absorbed':
        fates.count('absorbed');
        return;
      case 'replay':
        fates.count('replayed');
        this.deliver(arrival.response, request.flow, targetOf(request), false, request.receivedAt);
        return;
      case 'merged':
        fates.count('merged');
        this.respond(request, answer(482, 'Loop Detected'));
        return;
      case 'overloaded':
        fates.count('overloaded');
        this.respond(request, overloaded());
        return;
      case 'new':
        this.work(request, key, mergeKey, reliable);
    }
  }

  private work(request: IncomingRequest, key: string, mergeKey: string | undefined, reliable: boolean): void {
    const finish = (given: Answer): void => {
      const { transactions, clock, fates } = this.options;
      const bytes = this.respond(request, given);
      transactions.answer(key, mergeKey, bytes, { now: clock.now(), reliable, verified: given.verified });
      fates.count('answered');
    };
    const fail = (error: unknown): void => {
      this.options.log.error({ event: 'request.failed', method: request.message.method, err: error });
      finish(answer(500, 'Server Internal Error'));
    };
    try {
      const given = this.handle(request);
      if (!(given instanceof Promise)) {
        finish(given);
        return;
      }
      const work = given.then(finish).catch(fail);
      this.working.add(work);
      void work.finally(() => this.working.delete(work));
    } catch (error) {
      fail(error);
    }
  }

  /** Method, then Request-URI (RFC 3261 §8.2.1, §8.2.2.1), when that is a URI at all; the rest is the handler's. */
  private handle(request: IncomingRequest): Answer | Promise<Answer> {
    const { method, requestUri } = request.message;
    const uri = parseUri(requestUri);
    if (isParseError(uri)) return answer(uri.status, uri.reason);
    if (method === 'CANCEL') return this.answerCancel(request);
    const { handlers, others } = this.options;
    const handler = Object.hasOwn(handlers, method) ? handlers[method] : others;
    if (handler === undefined) return refuseMethod(method, this.allow);
    if (uri.scheme !== 'sip' && uri.scheme !== 'sips') return answer(416, 'Unsupported URI Scheme');
    return handler(request);
  }

  /**
   * 200 when there is a transaction that the CANCEL means, 481 when there is none (RFC 3261 §9.2). It changes nothing,
   * because every request is answered at once, so that there is nothing left to cancel.
   */
  private answerCancel(request: IncomingRequest): Answer {
    for (const method of KNOWN_METHODS) {
      if (method === 'CANCEL' || method === 'ACK') continue;
      const meant = this.options.transactions.find(keyOf(request, method), request.receivedAt);
      if (meant === undefined) continue;
      // The tag in To should be the one of the answer that was given.
      const toTag = meant.state === 'completed' ? toTagOf(meant.response) : undefined;
      return { ...answer(200, 'OK'), toTag };
    }
    return answer(481, 'Call/Transaction Does Not Exist');
  }

  /**
   * Answers a request that breaks the grammar, without a transaction, when its Via says where to; drops it when
   * not, and when it is an ACK (RFC 3261 §18.3, §17.1.1.3).
   */
  private answerBroken(
    method: string | undefined,
    headers: readonly HeaderField[],
    error: SipParseError,
    flow: Flow,
  ): void {
    const { fates, log, bounds, clock } = this.options;
    if (error.bound !== undefined) bounds?.count(error.bound);
    const viaText = firstValue(headers, 'via');
    const via = viaText === undefined ? undefined : parseTopViaToRefuse(viaText);
    const answerable = via !== undefined && !isParseError(via) && method !== 'ACK';
    log.debug({
      event: 'message.broken',
      reason: error.detail,
      header: error.header,
      source_ip: flow.remoteAddress,
      source_port: flow.remotePort,
      transport: flow.transport,
      answered: answerable,
    });
    if (!answerable || viaText === undefined) {
      fates.count('broken_dropped');
      return;
    }
    fates.count('broken_answered');
    const { received, rport } = viaStamp(via, flow.remoteAddress, flow.remotePort);
    const bytes = renderResponse(
      headers,
      stampTopVia(viaText, received, rport),
      HAS_TAG.test(firstValue(headers, 'to') ?? '') ? undefined : this.newTag(),
      answer(error.status, error.reason),
      this.options.serverHeader,
    );
    const target = responseTarget(via, flow.transport === 'udp', flow.remoteAddress, flow.remotePort);
    if (this.deliver(bytes, flow, target, false, clock.now())) this.countResponse(method, error.status);
  }

  /** Renders and sends; returns what was sent, or would have been. */
  private respond(request: IncomingRequest, given: Answer): Buffer {
    const { flow, message, receivedAt } = request;
    const target = targetOf(request);
    const bytes = this.render(request, given, target);
    if (this.deliver(bytes, flow, target, given.verified, receivedAt)) {
      this.countResponse(message.method, given.status);
    }
    return bytes;
  }

  /** The octets of the answer; made shorter where it would be too large for an address that has shown nothing. */
  private render(request: IncomingRequest, given: Answer, target: ResponseTarget): Buffer {
    const { via, viaText, flow, to, message, receivedAt } = request;
    const { received, rport } = viaStamp(via, flow.remoteAddress, flow.remotePort);
    const topVia = stampTopVia(viaText, received, rport);
    const toTag = to.tag === undefined ? (given.toTag ?? this.newTag()) : undefined;
    const { serverHeader } = this.options;
    let bytes = renderResponse(message.headers, topVia, toTag, given, serverHeader);
    let shorter = given.verified ? undefined : shortened(given);
    while (shorter !== undefined && this.isTooLarge(bytes, flow, target, receivedAt)) {
      bytes = renderResponse(message.headers, topVia, toTag, shorter, serverHeader);
      shorter = shortened(shorter);
    }
    return bytes;
  }

  private isTooLarge(bytes: Buffer, flow: Flow, target: ResponseTarget, now: Instant): boolean {
    const { gate } = this.options;
    if (gate === undefined || flow.datagramOctets === undefined) return false;
    return gate.isTooLarge(bytes.length, flow.datagramOctets) && !gate.isProven(target.address, now);
  }

  /**
   * Sends, unless it would go to an address that has shown nothing and has got enough; false then. A retransmission
   * counts as unverified whoever it is from: what it asks for again may have been sent to another address.
   */
  private deliver(
    bytes: Buffer,
    flow: Flow,
    target: ResponseTarget,
    verified: boolean,
    now: Instant,
  ): boolean {
    const { gate } = this.options;
    if (gate !== undefined && flow.datagramOctets !== undefined) {
      if (verified) gate.prove(flow.remoteAddress, now);
      else if (
        !gate.isProven(target.address, now) &&
        !gate.admitsAnswer(target.address, bytes.length, flow.datagramOctets, now)
      ) {
        return false;
      }
    }
    flow.respond(bytes, target, verified);
    return true;
  }

  /** A method is any word a stranger makes up: only those known get a counter of their own. */
  private countResponse(method: string | undefined, status: number): void {
    const name = method !== undefined && KNOWN_METHODS.has(method) ? method : 'other';
    this.options.responses.count(`${name} ${status}`);
  }

  private newTag(): string {
    this.tagCount++;
    return `${this.tagPrefix}${this.tagCount.toString(36)}`;
  }
}

function keyOf(request: IncomingRequest, method: string): string {
  return transactionKey({
    method,
    requestUri: request.message.requestUri,
    via: request.via,
    viaText: request.viaText,
    fromTag: request.from.tag,
    callId: request.callId,
    cseq: request.cseq.sequence,
  });
}

function toTagOf(response: Buffer): string | undefined {
  const { headers } = parseMessage(response.toString('latin1'), { framing: 'datagram' });
  const to = parseTo(firstValue(headers, 'to') ?? '');
  return isParseError(to) ? undefined : to.tag;
}

function targetOf({ via, flow }: IncomingRequest): ResponseTarget {
  return responseTarget(via, flow.transport === 'udp', flow.remoteAddress, flow.remotePort);
}

function overloaded(): Answer {
  return answer(503, 'Service Unavailable', [['Retry-After', String(RETRY_AFTER_OVERLOAD_SECONDS)]]);
}
