/*
 * A reader of SIP responses that shares nothing with the one under test: it knows only what a response of a
 * registrar looks like on the wire, and takes nothing else. Texts are octet strings, one character an octet.
 */

/** A response as it was received. */
export interface SipAnswer {
  readonly status: number;
  readonly reason: string;
  /** Header field lines in order, as sent. */
  readonly lines: readonly string[];
  readonly body: string;
  /** The whole message. */
  readonly octets: string;
  /** The values of the header fields with that name, one a line, in order. */
  values(name: string): readonly string[];
  /** The value of a header field that is there exactly once. */
  value(name: string): string;
  /** The Contact values with `expires` taken out: `<sip:a@b>;q=0.5`. */
  contacts(): readonly string[];
}

const STATUS_LINE = /^SIP\/2\.0 ([1-6]\d\d) ([^\r\n]*)$/;
const FIELD = /^([A-Za-z-]+): (.*)$/;

/** Reads one whole response; throws when it is anything but that. */
export function readAnswer(octets: string): SipAnswer {
  const end = octets.indexOf('\r\n\r\n');
  if (end === -1) throw new Error(`no end of the header section in ${JSON.stringify(octets)}`);
  const [statusLine = '', ...lines] = octets.slice(0, end).split('\r\n');
  const start = STATUS_LINE.exec(statusLine);
  if (start === null) throw new Error(`no status line: ${JSON.stringify(statusLine)}`);
  for (const line of lines) {
    if (!FIELD.test(line)) throw new Error(`no header field: ${JSON.stringify(line)}`);
  }
  const values = (name: string): readonly string[] =>
    lines
      .filter((line) => line.slice(0, line.indexOf(':')).toLowerCase() === name.toLowerCase())
      .map((line) => line.slice(line.indexOf(':') + 2));
  const value = (name: string): string => {
    const found = values(name);
    if (found.length !== 1) throw new Error(`${found.length} times ${name} in ${JSON.stringify(octets)}`);
    return found[0] ?? '';
  };
  const body = octets.slice(end + 4);
  if (value('Content-Length') !== String(body.length)) {
    throw new Error(`Content-Length ${value('Content-Length')} with a body of ${body.length}`);
  }
  return {
    status: Number(start[1]),
    reason: start[2] ?? '',
    lines,
    body,
    octets,
    values,
    value,
    contacts: () => values('Contact').map((contact) => contact.replace(/;expires=\d+/, '')),
  };
}

/** How many octets the first message of a stream has; undefined while it is not whole. */
export function lengthOfFirstAnswer(octets: string): number | undefined {
  const end = octets.indexOf('\r\n\r\n');
  if (end === -1) return undefined;
  const length = /\r\nContent-Length: (\d+)/i.exec(octets.slice(0, end + 2));
  const total = end + 4 + Number(length?.[1] ?? 0);
  return octets.length >= total ? total : undefined;
}

/** The seconds left that a 200 gives for a contact URI. */
export function expiresOf(answer: SipAnswer, contactUri: string): number {
  const line = answer.values('Contact').find((contact) => contact.includes(`<${contactUri}>`));
  const seconds = /;expires=(\d+)/.exec(line ?? '')?.[1];
  if (seconds === undefined) throw new Error(`no ${contactUri} with expires in ${answer.octets}`);
  return Number(seconds);
}
