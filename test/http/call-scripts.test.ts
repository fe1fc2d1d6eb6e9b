import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Harness } from './support/harness.js';

const script = (inner: string) =>
  `<cpl xmlns="urn:ietf:params:xml:ns:cpl"><incoming>${inner}</incoming></cpl>\n`;
const REDIRECT = script('<location url="sip:alice@example.net"><redirect/></location>');
const REJECT = script('<reject status="busy" reason="Später"/>');
const URL = '/v1/users/alice@example.com/cpl';

let api: Harness;
let userId: string;
beforeEach(async () => {
  api = await Harness.open();
  await api.domain();
  userId = await api.user('alice');
});
afterEach(() => api.close());

function put(rawBody: string | Buffer, headers: Record<string, string> = {}, url = URL) {
  return api.call('put', url, { type: 'application/cpl+xml', rawBody, headers });
}

describe('the call script of a user', () => {
  test('is there as it was put, octet for octet, under an ETag of its content', async () => {
    const made = await put(REJECT);
    expect([made.status, made.text, made.headers.location]).toEqual([201, '', `/v1/users/${userId}/cpl`]);

    const shown = await api.get(made.headers.location!);
    expect(shown.status).toBe(200);
    expect(shown.headers['content-type']).toContain('application/cpl+xml');
    expect(shown.text).toBe(REJECT);
    expect(shown.headers.etag).toBe(made.headers.etag);
    const known = await api.get(URL, { headers: { 'If-None-Match': made.headers.etag! } });
    expect([known.status, known.text]).toEqual([304, '']);
  });

  test('is replaced by another, and the ETag changes and changes back', async () => {
    const first = await put(REDIRECT);
    const second = await put(REJECT);
    const third = await put(REDIRECT);
    expect([second.status, third.status]).toEqual([204, 204]);
    expect(second.headers.etag).not.toBe(first.headers.etag);
    expect(third.headers.etag).toBe(first.headers.etag);
  });

  test('is gone when it was deleted, and goes with its user', async () => {
    await put(REDIRECT);
    expect((await api.delete(URL)).status).toBe(204);
    expect((await api.get(URL)).body.code).toBe('call_script_not_found');
    expect((await api.delete(URL)).body.code).toBe('call_script_not_found');
    await put(REDIRECT);
    expect((await api.delete('/v1/users/alice@example.com')).status).toBe(204);
    expect((await api.get(URL)).body.code).toBe('user_not_found');
    await api.user('alice');
    expect((await api.get(URL)).body.code).toBe('call_script_not_found');
  });

  test('If-Match names the script that is meant', async () => {
    const first = await put(REDIRECT);
    const etag = first.headers.etag!;
    expect((await put(REJECT, { 'If-Match': '"other"' })).body.code).toBe('revision_mismatch');
    expect((await put(REJECT, { 'If-Match': etag })).status).toBe(204);
    const stale = await api.delete(URL, { headers: { 'If-Match': etag } });
    expect([stale.status, stale.body.code]).toEqual([412, 'revision_mismatch']);
    expect((await api.delete(URL, { headers: { 'If-Match': '*' } })).status).toBe(204);
    expect((await put(REDIRECT, { 'If-Match': '*' })).status).toBe(412);
  });

  test('where If-Match is insisted on, the first script needs none', async () => {
    const strict = await Harness.open({ requireIfMatch: true });
    await strict.domain();
    await strict.user('alice');
    const send = (headers = {}) =>
      strict.call('put', URL, { type: 'application/cpl+xml', rawBody: REDIRECT, headers });
    const first = await send();
    expect(first.status).toBe(201);
    expect((await send()).body.code).toBe('if_match_required');
    expect((await send({ 'If-Match': first.headers.etag! })).status).toBe(204);
    expect((await strict.delete(URL)).status).toBe(428);
    strict.close();
  });

  test.each<[string, string | Buffer, number, string, string]>([
    ['no XML', 'busy', 400, 'malformed_call_script', 'Line 1: text outside of the element.'],
    ['nothing', '', 400, 'malformed_call_script', 'Line 1: no element.'],
    ['a document type', `<!DOCTYPE cpl>${REDIRECT}`, 400, 'malformed_call_script', 'document type'],
    ['another charset', Buffer.from(REJECT, 'latin1'), 400, 'malformed_call_script', 'not UTF-8'],
    ['another document', '<html/>', 422, 'call_script_invalid', 'no cpl element'],
    [
      'a location without url',
      script('\n<location/>'),
      422,
      'call_script_invalid',
      'Line 2: location needs url.',
    ],
    ['65,537 octets', REDIRECT.padEnd(65_537), 413, 'body_too_large', ''],
  ])('%s is refused, and what was there stays', async (_, body, status, code, detail) => {
    await put(REDIRECT);
    const refused = await put(body);
    expect([refused.status, refused.body.code]).toEqual([status, code]);
    expect(refused.body.detail).toContain(detail);
    expect((await api.get(URL)).text).toBe(REDIRECT);
  });

  test('65,536 octets are taken, more are not, also where bodies may be longer', async () => {
    const roomy = await Harness.open({ maxBodyBytes: 1_000_000 });
    await roomy.domain();
    await roomy.user('alice');
    const send = (length: number) =>
      roomy.call('put', URL, { type: 'application/cpl+xml', rawBody: REDIRECT.padEnd(length) });
    expect((await send(65_536)).status).toBe(201);
    expect((await send(65_537)).body.detail).toBe('A call script may not have more than 65536 octets.');
    roomy.close();
  });

  test('another media type is refused with what is taken', async () => {
    const refused = await api.call('put', URL, { type: 'application/xml', rawBody: REDIRECT });
    expect([refused.status, refused.headers.accept]).toEqual([415, 'application/cpl+xml']);
    expect((await api.post(URL, {})).headers.allow).toBe('GET, HEAD, PUT, DELETE');
  });

  test('needs the scopes of users, and the domain', async () => {
    await put(REDIRECT);
    const viewer = await api.key({ scopes: ['users:read'] });
    const stranger = await api.key({ role: 'admin', domains: ['example.net'] });
    expect((await api.get(URL, { key: viewer })).status).toBe(200);
    expect((await api.delete(URL, { key: viewer })).body.code).toBe('insufficient_scope');
    expect((await api.get(URL, { key: stranger })).body.code).toBe('user_not_found');
  });

  test('of a user who is not there is none', async () => {
    expect((await put(REDIRECT, {}, '/v1/users/bob@example.com/cpl')).body.code).toBe('user_not_found');
  });
});
