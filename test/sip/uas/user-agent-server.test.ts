import { describe, expect, it } from 'vitest';
import { createLog } from '../../../src/base/log.js';
import { Tally } from '../../../src/base/tally.js';
import { ServerTransactions } from '../../../src/sip/transaction/server-transactions.js';
import type { Flow, ResponseTarget } from '../../../src/sip/transport/flow.js';
import { type Answer, answer } from '../../../src/sip/uas/response.js';
import {
  type MessageFate,
  type RequestHandler,
  UserAgentServer,
} from '../../../src/sip/uas/user-agent-server.js';
import { readAnswer, type SipAnswer } from '../../support/sip-answer.js';
import { VirtualClock } from '../../support/virtual-clock.js';

/** A flow that keeps what it is given to send. */
class RecordingFlow implements Flow {
  readonly sent: { readonly octets: string; readonly target: ResponseTarget }[] = [];
  readonly id = null;
  readonly remoteAddress = '192.0.2.9';
  readonly remotePort = 40_000;
  constructor(readonly transport: 'udp' | 'tcp' = 'udp') {}
  respond(bytes: Buffer, target: ResponseTarget): void {
    this.sent.push({ octets: bytes.toString('latin1'), target });
  }
  get answers(): readonly SipAnswer[] {
    return this.sent.map(({ octets }) => readAnswer(octets));
  }
}

function scene(handler: RequestHandler = () => answer(200, 'OK'), maxInProgress = 10) {
  const fates = new Tally<MessageFate>();
  const responses = new Tally<string>();
  const clock = new VirtualClock();
  const calls: string[] = [];
  const uas = new UserAgentServer({
    handlers: {
      REGISTER: (request) => {
        calls.push(request.callId);
        return handler(request);
      },
      OPTIONS: () => answer(200, 'OK'),
    },
    transactions: new ServerTransactions({ maxVerifiedBytes: 1e6, maxUnverifiedBytes: 1e6, maxInProgress }),
    clock,
    log: createLog('silent'),
    fates,
    responses,
  });
  const flow = new RecordingFlow();
  const receive = (text: string, over: RecordingFlow = flow) =>
    uas.receive(Buffer.from(text, 'latin1'), over);
  return { uas, flow, receive, fates, responses, clock, calls };
}

/** A REGISTER; a line given replaces the one of that name, undefined leaves it out. */
function request(
  changes: Readonly<Record<string, string | readonly string[] | undefined>> = {},
  start = 'REGISTER sip:example.com SIP/2.0',
): string {
  const lines: Record<string, string | readonly string[] | undefined> = {
    Via: 'SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bK1',
    From: '<sip:alice@example.com>;tag=a',
    To: '<sip:alice@example.com>',
    'Call-ID': 'call-1',
    CSeq: `1 ${start.split(' ')[0]}`,
    ...changes,
  };
  const fields = Object.entries(lines).flatMap(([name, value]) =>
    value === undefined
      ? []
      : (typeof value === 'string' ? [value] : value).map((one) => `${name}: ${one}\r\n`),
  );
  return `${start}\r\n${fields.join('')}\r\n`;
}

describe('what every request must have', () => {
  it.each<[string, string, number | 'silence']>([
    ['all of it', request(), 200],
    ['29: no From', request({ From: undefined }), 400],
    ['29: no To', request({ To: undefined }), 400],
    ['29: no Call-ID', request({ 'Call-ID': undefined }), 400],
    ['29: no CSeq', request({ CSeq: undefined }), 400],
    ['29: no Via, so nobody to answer', request({ Via: undefined }), 'silence'],
    ['29: a Via that is none', request({ Via: 'from the phone' }), 'silence'],
    ['29: two From', request({ From: ['<sip:a@b>;tag=1', '<sip:a@b>;tag=2'] }), 400],
    ['29: two To', request({ To: ['<sip:a@b>', '<sip:a@b>'] }), 400],
    ['29: two Call-ID', request({ 'Call-ID': ['a', 'b'] }), 400],
    ['29: two CSeq', request({ CSeq: ['1 REGISTER', '1 REGISTER'] }), 400],
    ['29: CSeq of 2^31', request({ CSeq: '2147483648 REGISTER' }), 400],
    ['29: CSeq of 2^31 - 1', request({ CSeq: '2147483647 REGISTER' }), 200],
    ['29: a From that is none', request({ From: '<<' }), 400],
    ['29: a To that is none', request({ To: '' }), 400],
    ['27: CSeq of another method', request({ CSeq: '1 OPTIONS' }), 400],
    ['27: a known method that is not carried out', request({}, 'SUBSCRIBE sip:example.com SIP/2.0'), 405],
    ['27: an unknown method', request({}, 'DANCE sip:example.com SIP/2.0'), 501],
    ['27: methods are told by case', request({}, 'register sip:example.com SIP/2.0'), 501],
    ['27: a name that every object has', request({}, 'constructor sip:example.com SIP/2.0'), 501],
    ['25: a scheme that is not ours', request({}, 'REGISTER tel:+1234 SIP/2.0'), 416],
    ['25: userinfo in the Request-URI', request({}, 'REGISTER sip:alice@example.com SIP/2.0'), 200],
    ['a Request-URI that is none', request({}, 'REGISTER sip: SIP/2.0'), 400],
    ['28: another version', request({}, 'REGISTER sip:example.com SIP/7.0'), 505],
    ['28: another version in Via', request({ Via: 'SIP/3.0/UDP h;branch=z9hG4bK1' }), 505],
    ['29: a stray ACK', request({}, 'ACK sip:example.com SIP/2.0'), 'silence'],
    ['29: a broken ACK', request({ To: undefined }, 'ACK sip:example.com SIP/2.0'), 'silence'],
    ['29: a response', request({}, 'SIP/2.0 200 OK'), 'silence'],
    ['29: a broken response', request({}, 'SIP/2.0 2000 OK'), 'silence'],
    ['noise', 'GET / HTTP/1.1\r\n\r\n', 'silence'],
  ])('%s', (_, text, expected) => {
    const { receive, flow } = scene();
    receive(text);
    expect(flow.answers.map(({ status }) => status)).toEqual(expected === 'silence' ? [] : [expected]);
  });

  it('27: 405 and 501 say what is carried out', () => {
    const { receive, flow } = scene();
    receive(request({}, 'SUBSCRIBE sip:example.com SIP/2.0'));
    receive(request({}, 'DANCE sip:example.com SIP/2.0'));
    expect(flow.answers.map((given) => given.value('Allow'))).toEqual([
      'REGISTER, OPTIONS',
      'REGISTER, OPTIONS',
    ]);
  });

  it('a handler is not asked about what is refused before it', () => {
    const { receive, calls } = scene();
    receive(request({ To: undefined }));
    receive(request({}, 'REGISTER tel:+1234 SIP/2.0'));
    expect(calls).toEqual([]);
  });
});

describe('responses', () => {
  const rich = request({
    Via: [
      'SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK1;rport',
      'SIP/2.0/TCP proxy.example;branch=z9hG4bK0, SIP/2.0/TLS deep',
    ],
    From: '"A, B" <sip:alice@example.com>;tag=a;x=y',
    'Record-Route': '<sip:proxy.example;lr>',
    'X-Other': 'x',
  });

  it('36: carry all Via in order, From, Call-ID and CSeq as sent; 38: the first Via is stamped', () => {
    const { receive, flow } = scene();
    receive(rich);
    const [given] = flow.answers;
    expect(given?.values('Via')).toEqual([
      'SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK1;rport=40000;received=192.0.2.9',
      'SIP/2.0/TCP proxy.example;branch=z9hG4bK0, SIP/2.0/TLS deep',
    ]);
    expect(given?.value('From')).toBe('"A, B" <sip:alice@example.com>;tag=a;x=y');
    expect([given?.value('Call-ID'), given?.value('CSeq')]).toEqual(['call-1', '1 REGISTER']);
  });

  it.each([
    ['an answered request', rich],
    ['a refused one', rich.replace('CSeq: 1 REGISTER', 'CSeq: x')],
  ])('37: never return Record-Route (%s)', (_, text) => {
    const { receive, flow } = scene();
    receive(text);
    expect(flow.answers.map((given) => given.values('Record-Route'))).toEqual([[]]);
  });

  it('39: go where the Via says', () => {
    const { receive, flow } = scene();
    receive(rich);
    receive(request({ 'Call-ID': 'call-2' }));
    expect(flow.sent.map(({ target }) => target)).toEqual([
      { address: '192.0.2.9', port: 40_000 },
      { address: '192.0.2.9', port: 5070 },
    ]);
  });

  it('36: To gets a tag, each request another; an existing tag is left as it is', () => {
    const { receive, flow } = scene();
    receive(request());
    receive(request({ Via: 'SIP/2.0/UDP h;branch=z9hG4bK2', CSeq: '2 REGISTER' }));
    receive(request({ Via: 'SIP/2.0/UDP h;branch=z9hG4bK3', To: '<sip:alice@example.com>;tag=mine' }));
    const tags = flow.answers.map((given) => given.value('To').replace('<sip:alice@example.com>;tag=', ''));
    expect(tags[0]).toMatch(/^[0-9a-z]{13,}$/);
    expect(tags[1]).not.toBe(tags[0]);
    expect(tags[2]).toBe('mine');
  });

  it('36: a To with a tag keeps it in the answer to a broken request as well, however it is written', () => {
    const { receive, flow } = scene();
    receive(request({ CSeq: undefined, To: '<sip:alice@example.com> ; TAG = mine' }));
    expect(flow.answers[0]?.value('To')).toBe('<sip:alice@example.com> ; TAG = mine');
  });

  it('are the octets the handler gave, body and all', () => {
    const { receive, flow } = scene(() => ({
      ...answer(200, 'OK', [
        ['X-One', '1'],
        ['X-One', '2'],
      ]),
      body: { type: 'text/plain', text: 'h\u00e9' },
    }));
    receive(request());
    expect(flow.answers[0]?.values('X-One')).toEqual(['1', '2']);
    expect([flow.answers[0]?.value('Content-Type'), flow.answers[0]?.body]).toEqual([
      'text/plain',
      'h\u00e9',
    ]);
  });
});

describe('transactions', () => {
  it('32, 36: a retransmission gets the very same octets, and the handler is asked once', () => {
    const { receive, flow, calls, fates } = scene();
    receive(request());
    receive(request());
    expect(flow.sent[1]).toEqual(flow.sent[0]);
    expect([calls.length, fates.of('answered'), fates.of('replayed')]).toEqual([1, 1, 1]);
  });

  it('32: after timer J it is a new request', () => {
    const { receive, calls, clock } = scene();
    receive(request());
    clock.advanceSeconds(32);
    receive(request());
    expect(calls).toHaveLength(2);
  });

  it('32: over a stream every copy is a new request once the first is answered', () => {
    const { receive, calls } = scene();
    const tcp = new RecordingFlow('tcp');
    const text = request({ 'Content-Length': '0' });
    receive(text, tcp);
    receive(text, tcp);
    expect([calls.length, tcp.answers.length]).toEqual([2, 2]);
  });

  function pending() {
    const waiting: ((given: Answer) => void)[] = [];
    const made = scene(() => new Promise<Answer>((resolve) => waiting.push(resolve)), 2);
    return { ...made, waiting };
  }

  it('32: a retransmission while the request is worked on is absorbed', async () => {
    const { receive, flow, fates, waiting, uas } = pending();
    receive(request());
    receive(request());
    waiting[0]?.(answer(200, 'OK'));
    await uas.close();
    expect([flow.answers.length, fates.of('absorbed')]).toEqual([1, 1]);
  });

  it('34: the same request by another way, while the first is worked on, is a loop', () => {
    const { receive, flow, fates } = pending();
    receive(request());
    receive(request({ Via: 'SIP/2.0/UDP other;branch=z9hG4bK2' }));
    expect(flow.answers.map(({ status }) => status)).toEqual([482]);
    expect(fates.of('merged')).toBe(1);
  });

  it('34: with a tag in To it is none', () => {
    const { receive, flow } = pending();
    const To = '<sip:alice@example.com>;tag=t';
    receive(request({ To }));
    receive(request({ To, Via: 'SIP/2.0/UDP other;branch=z9hG4bK2' }));
    expect(flow.answers).toEqual([]);
  });

  it('56: too much at a time is answered 503 with Retry-After', () => {
    const { receive, flow } = pending();
    for (let i = 0; i < 3; i++) receive(request({ 'Call-ID': `call-${i}` }));
    expect(flow.answers.map((given) => [given.status, Number(given.value('Retry-After')) > 0])).toEqual([
      [503, true],
    ]);
  });

  it('close waits for the answers, and takes nothing more', async () => {
    const { receive, flow, uas, waiting } = pending();
    receive(request());
    const closed = uas.close();
    receive(request({ 'Call-ID': 'late' }));
    waiting[0]?.(answer(200, 'OK'));
    await closed;
    expect(flow.answers.map((given) => given.value('Call-ID'))).toEqual(['call-1']);
  });
});

describe('a handler at fault', () => {
  it.each<[string, RequestHandler]>([
    [
      'throws',
      () => {
        throw new Error('x');
      },
    ],
    ['rejects', () => Promise.reject(new Error('x'))],
  ])('that %s is answered with 500, once, and the next request is served', async (_, failing) => {
    const { receive, flow, uas } = scene((incoming) =>
      incoming.callId === 'bad' ? failing(incoming) : answer(200, 'OK'),
    );
    receive(request({ 'Call-ID': 'bad' }));
    await new Promise((resolve) => setImmediate(resolve));
    receive(request({ 'Call-ID': 'bad' }));
    receive(request({ 'Call-ID': 'good' }));
    await uas.close();
    expect(flow.answers.map(({ status }) => status)).toEqual([500, 500, 200]);
    expect(flow.sent[1]).toEqual(flow.sent[0]);
  });
});

describe('a broken stream', () => {
  it('is answered when what came of it says where to', () => {
    const { uas, responses } = scene();
    const tcp = new RecordingFlow('tcp');
    const head = Buffer.from(request().slice(0, -2));
    uas.receiveBroken(head, 400, 'Bad Request', 'no Content-Length', tcp);
    expect(tcp.answers.map(({ status, reason }) => `${status} ${reason}`)).toEqual(['400 Bad Request']);
    expect(responses.of('REGISTER 400')).toBe(1);
  });

  it.each([
    ['nothing', ''],
    ['a response', 'SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP h\r\n'],
    ['no Via', 'REGISTER sip:example.com SIP/2.0\r\nX: y\r\n'],
    ['an ACK', 'ACK sip:example.com SIP/2.0\r\nVia: SIP/2.0/TCP h\r\n'],
  ])('is not answered when it is %s', (_, head) => {
    const { uas } = scene();
    const tcp = new RecordingFlow('tcp');
    uas.receiveBroken(Buffer.from(head), 400, 'Bad Request', 'x', tcp);
    expect(tcp.sent).toEqual([]);
  });
});

it('methods that strangers make up share one counter', () => {
  const { receive, responses } = scene();
  for (let i = 0; i < 100; i++) {
    receive(request({ 'Call-ID': `a${i}` }, `M${i} sip:example.com SIP/2.0`));
    receive(request({ 'Call-ID': `b${i}`, To: undefined }, `M${i} sip:example.com SIP/2.0`));
  }
  receive(request());
  expect([...responses.entries()]).toEqual([
    ['other 501', 100],
    ['other 400', 100],
    ['REGISTER 200', 1],
  ]);
});
