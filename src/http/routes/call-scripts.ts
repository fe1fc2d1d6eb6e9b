import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Insistence } from '../../accounts/call-scripts.js';
import { isRefusal, Refusal } from '../../base/refusal.js';
import { CALL_SCRIPT_TYPE, type CallScriptFault, readCallScript } from '../../cpl/call-script.js';
import { namesTag } from '../etag.js';
import { exampleCallScript } from '../examples.js';
import { type Call, type Operation, operation } from '../operation.js';
import { Problem, problemOf } from '../problem.js';
import { findUser } from '../reach.js';
import { noContent, type Reply } from '../reply.js';
import { userParams } from '../schemas/user.js';

const examples = { redirect: { summary: 'Redirect every call', value: exampleCallScript } };

const getCallScript = operation({
  operationId: 'getCallScript',
  method: 'get',
  path: '/v1/users/{id}/cpl',
  tag: 'Users',
  summary: 'Show the call script of a user',
  description:
    'The document of RFC 3880 that the phone of the user sent with a REGISTER, or that was put here: octet for octet. This server stores it for whoever carries out calls.',
  access: 'users:read',
  params: userParams,
  successes: [
    {
      status: 200,
      description: 'The script. The ETag tells its content.',
      mediaType: CALL_SCRIPT_TYPE,
      headers: ['ETag'],
      examples,
    },
  ],
  problems: ['user_not_found', 'call_script_not_found'],
  async handle(call) {
    const user = await findUser(call);
    if (user instanceof Problem) return user;
    const script = await call.deps.accounts.callScripts.get(user.id);
    if (script === undefined) return new Problem('call_script_not_found');
    const { text } = script;
    return {
      status: 200,
      headers: { etag: tagOf(text) },
      content: { kind: 'text', mediaType: CALL_SCRIPT_TYPE, text },
    };
  },
});

const putCallScript = operation({
  operationId: 'putCallScript',
  method: 'put',
  path: '/v1/users/{id}/cpl',
  tag: 'Users',
  summary: 'Set the call script of a user',
  description:
    'In place of the one there was. It is held to XML and to the schema of RFC 3880 as one in a REGISTER is: no document type, no extensions, at most 64 KB. A REGISTER that brings another replaces it in turn. Nobody is told on the SIP side.',
  access: 'users:write',
  ifMatch: 'loose',
  params: userParams,
  body: { schema: z.string(), mediaType: CALL_SCRIPT_TYPE, examples },
  successes: [
    {
      status: 201,
      description: 'The user has a script now.',
      headers: ['Location', 'ETag'],
      links: {
        GetCallScript: { operationId: 'getCallScript', parameters: { id: '$request.path.id' } },
        DeleteCallScript: { operationId: 'deleteCallScript', parameters: { id: '$request.path.id' } },
      },
    },
    { status: 204, description: 'The script is replaced.', headers: ['ETag'] },
  ],
  problems: [
    'user_not_found',
    'malformed_call_script',
    'call_script_invalid',
    'revision_mismatch',
    'if_match_required',
  ],
  async handle(call) {
    const user = await findUser(call);
    if (user instanceof Problem) return user;
    const script = readCallScript(Buffer.from(call.body, 'latin1'));
    if (script.kind === 'call_script_fault') return problemOfFault(script);
    const change = await call.deps.accounts.callScripts.put(user.id, script.text, insistence(call));
    if (isRefusal(change)) return problemOf(change);
    const etag = tagOf(script.text);
    const reply = noContent();
    if (change !== 'created') return { ...reply, headers: { etag } };
    const location = `/v1/users/${user.id}/cpl`;
    return { ...reply, status: 201, headers: { etag, location } } satisfies Reply;
  },
});

const deleteCallScript = operation({
  operationId: 'deleteCallScript',
  method: 'delete',
  path: '/v1/users/{id}/cpl',
  tag: 'Users',
  summary: 'Delete the call script of a user',
  description: 'A later REGISTER may bring one again. Nobody is told on the SIP side.',
  access: 'users:write',
  ifMatch: 'loose',
  params: userParams,
  successes: [{ status: 204, description: 'The user has no script.' }],
  problems: ['user_not_found', 'call_script_not_found', 'revision_mismatch', 'if_match_required'],
  async handle(call) {
    const user = await findUser(call);
    if (user instanceof Problem) return user;
    const change = await call.deps.accounts.callScripts.delete(user.id, insistence(call));
    return isRefusal(change) ? problemOf(change) : noContent();
  },
});

/** A tag of the content: a script that comes back after another is the same script, whoever brought it. */
function tagOf(text: string): string {
  return `"${createHash('sha256').update(text).digest('base64url').slice(0, 16)}"`;
}

/** What If-Match says of the script that is there within the transaction. The first one needs no If-Match. */
function insistence({
  ifMatch,
  deps,
}: Pick<Call<unknown, unknown, unknown>, 'ifMatch' | 'deps'>): Insistence {
  return (current) => {
    if (ifMatch === undefined) {
      if (current === undefined || !deps.settings.requireIfMatch) return undefined;
      return new Refusal('if_match_required', 'Send If-Match with the ETag of the script as it was read.');
    }
    if (current !== undefined && namesTag(ifMatch, tagOf(current), false)) return undefined;
    return new Refusal('revision_mismatch', 'The user has another call script by now, or none.');
  };
}

function problemOfFault({ reason, line, detail }: CallScriptFault): Problem {
  const said = `Line ${line}: ${detail}.`;
  switch (reason) {
    case 'too_large':
      return new Problem('body_too_large', `A call script may not have ${detail}.`);
    case 'malformed':
      return new Problem('malformed_call_script', said);
    case 'invalid':
      return new Problem('call_script_invalid', said);
  }
}

export const callScriptOperations: readonly Operation[] = [getCallScript, putCallScript, deleteCallScript];
