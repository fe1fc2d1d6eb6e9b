import { describe, expect, it } from 'vitest';
import type { Binding } from '../../src/location/binding.js';
import { redirectTo } from '../../src/redirect/redirect-response.js';
import { parseUri, type SipUri } from '../../src/sip/grammar/uri.js';
import { type Answer, shortened } from '../../src/sip/uas/response.js';
import { binding } from '../location/commands.js';

function redirect(requestUri: string, ...contacts: readonly Binding[]): Answer {
  return redirectTo(parseUri(requestUri) as SipUri, contacts, 'example.com');
}

/** `302 contact contact`, or the status with its Warning. */
function told({ status, headers }: Answer): string {
  return [status, ...headers.map(([, value]) => value)].join(' ');
}

describe('a redirection', () => {
  it.each<[string, string, readonly Binding[], string]>([
    [
      'lists URI and q alone, in the order given',
      'sip:alice@example.com',
      [
        binding('sip:a@192.0.2.1', { contactParams: ';q=0.7;+sip.instance="<x>"', qThousandths: 700 }),
        binding('sip:a@192.0.2.2', { displayName: '"Desk" ', qThousandths: 125 }),
      ],
      '302 <sip:a@192.0.2.1>;q=0.7 <sip:a@192.0.2.2>;q=0.125',
    ],
    ['shows an absent q as 1', 'sip:alice@example.com', [binding('tel:+1')], '302 <tel:+1>;q=1'],
    [
      'leaves out what was asked for',
      'sip:alice@example.com;x=1',
      [binding('sip:alice@EXAMPLE.com'), binding('sip:a@192.0.2.1')],
      '302 <sip:a@192.0.2.1>;q=1',
    ],
    ['is none when that was all', 'sip:alice@example.com', [binding('sip:alice@example.com')], '480'],
    [
      'leads sips to sips',
      'sips:alice@example.com',
      [binding('sip:a@192.0.2.1'), binding('tel:+1'), binding('sips:a@192.0.2.2')],
      '302 <sips:a@192.0.2.2>;q=1',
    ],
    [
      'leads sips nowhere else',
      'sips:alice@example.com',
      [binding('sip:a@192.0.2.1')],
      '480 380 example.com "SIPS Not Allowed"',
    ],
    ['may lead sip to sips', 'sip:alice@example.com', [binding('sips:a@h')], '302 <sips:a@h>;q=1'],
  ])('%s', (_, requestUri, contacts, expected) => {
    expect(told(redirect(requestUri, ...contacts))).toBe(expected);
  });

  it('loses the worse half where it is too long, and the last of all', () => {
    const hosts = ['a', 'b', 'c', 'd', 'e'].map((host) => binding(`sip:x@${host}`));
    const steps: string[] = [];
    let next: Answer | undefined = redirect('sip:alice@example.com', ...hosts);
    for (; next !== undefined; next = shortened(next)) steps.push(told(next));
    expect(steps.slice(1)).toEqual(['302 <sip:x@a>;q=1 <sip:x@b>;q=1', '302 <sip:x@a>;q=1', '480']);
  });
});
