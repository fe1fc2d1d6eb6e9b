import type { Clock } from '../../base/clock.js';
import { printable } from './printable.js';
import { type Hop, printHop } from './user-agent.js';

/** Shows messages as they went over the wire. */
export interface Trace {
  sent(octets: string, to: Hop): void;
  received(octets: string, from: Hop): void;
}

/**
 * A trace for people: an arrow, the time and the other end, then the message, then an empty line. The digest answer
 * is shown as sent; the password is in no message.
 */
export function createTrace(clock: Clock, write: (text: string) => void): Trace {
  const show = (arrow: string, octets: string, hop: Hop) => {
    const time = new Date(clock.now()).toISOString().slice(11);
    const lines = octets.split(/\r?\n/).map(printable);
    // The empty lines at the end of a message would only push the next one down.
    while (lines.at(-1) === '') lines.pop();
    write(`${time} ${arrow} ${printHop(hop)}\n${lines.join('\n')}\n\n`);
  };
  return {
    sent: (octets, to) => show('→', octets, to),
    received: (octets, from) => show('←', octets, from),
  };
}
