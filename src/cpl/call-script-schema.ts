/* The schema of RFC 3880 (its appendix C) as a table: what each element may have. */

/** What may stand within an element, in the order of the list. */
export interface Slot {
  /** Names of elements, or `node`: any one of NODES. */
  readonly of: readonly string[] | 'node';
  /** Whether each of them may come more than once. */
  readonly isRepeated?: boolean;
  /** Whether it may also stand after what follows in the list, up to the last. */
  readonly isMixed?: boolean;
}

export interface ElementRule {
  readonly required?: readonly string[];
  readonly optional?: readonly string[];
  /** Attributes of which exactly one must be there. */
  readonly oneOf?: readonly string[];
  /** Attributes that exclude each other. */
  readonly notBoth?: readonly string[];
  /** What the values of attributes look like, where the schema says it. */
  readonly values?: Readonly<Record<string, RegExp>>;
  readonly content: readonly Slot[];
}

/** What may come next at any place of a script: switches, location modifiers, actions, and calls (§3.2). */
export const NODES: ReadonlySet<string> = new Set([
  'address-switch',
  'string-switch',
  'language-switch',
  'time-switch',
  'priority-switch',
  'location',
  'lookup',
  'remove-location',
  'sub',
  'proxy',
  'redirect',
  'reject',
  'mail',
  'log',
]);

const EMPTY: readonly Slot[] = [];
const NODE: readonly Slot[] = [{ of: 'node' }];
const OUTPUT: ElementRule = { content: NODE };

const FILLED = /./s;
const YES_OR_NO = /^(?:yes|no)$/;
const COUNT = /^0*[1-9][0-9]{0,8}$/;
/** DATE-TIME, DURATION and the parts of RECUR of RFC 2445. */
const DATE_TIME = /^[0-9]{8}T[0-9]{6}Z?$/;
const UNTIL = /^[0-9]{8}(?:T[0-9]{6}Z?)?$/;
const DURATION =
  /^\+?P(?:[0-9]+W|[0-9]+D(?:T(?=[0-9])(?:[0-9]+H)?(?:[0-9]+M)?(?:[0-9]+S)?)?|T(?=[0-9])(?:[0-9]+H)?(?:[0-9]+M)?(?:[0-9]+S)?)$/;
const NUMBERS = /^[+-]?[0-9]+(?:,[+-]?[0-9]+)*$/;
const DAY = '(?:[Mm][Oo]|[Tt][Uu]|[Ww][Ee]|[Tt][Hh]|[Ff][Rr]|[Ss][Aa]|[Ss][Uu])';
const DAYS = new RegExp(`^(?:[+-]?[0-9]{1,2})?${DAY}(?:,(?:[+-]?[0-9]{1,2})?${DAY})*$`);

/** A switch: its outputs, `not-present` once among them, and `otherwise` at the end (§4). */
function switchOver(output: string): readonly Slot[] {
  return [
    { of: ['not-present'], isMixed: true },
    { of: [output], isRepeated: true, isMixed: true },
    { of: ['otherwise'] },
  ];
}

export const ELEMENTS: Readonly<Record<string, ElementRule>> = {
  cpl: {
    content: [
      { of: ['ancillary'] },
      { of: ['subaction'], isRepeated: true },
      { of: ['outgoing', 'incoming'] },
    ],
  },
  ancillary: { content: EMPTY },
  subaction: { required: ['id'], values: { id: FILLED }, content: NODE },
  outgoing: { content: NODE },
  incoming: { content: NODE },

  // §4 switches
  'address-switch': {
    required: ['field'],
    optional: ['subfield'],
    values: { field: FILLED, subfield: FILLED },
    content: switchOver('address'),
  },
  address: { oneOf: ['is', 'contains', 'subdomain-of'], content: NODE },
  'string-switch': { required: ['field'], values: { field: FILLED }, content: switchOver('string') },
  string: { oneOf: ['is', 'contains'], content: NODE },
  'language-switch': { content: switchOver('language') },
  language: { required: ['matches'], values: { matches: FILLED }, content: NODE },
  'time-switch': { optional: ['tzid', 'tzurl'], content: switchOver('time') },
  time: {
    required: ['dtstart'],
    oneOf: ['dtend', 'duration'],
    notBoth: ['until', 'count'],
    optional: [
      'freq',
      'interval',
      'until',
      'count',
      'bysecond',
      'byminute',
      'byhour',
      'byday',
      'bymonthday',
      'byyearday',
      'byweekno',
      'bymonth',
      'wkst',
      'bysetpos',
    ],
    values: {
      dtstart: DATE_TIME,
      dtend: DATE_TIME,
      duration: DURATION,
      freq: /^(?:secondly|minutely|hourly|daily|weekly|monthly|yearly)$/i,
      interval: COUNT,
      until: UNTIL,
      count: COUNT,
      bysecond: NUMBERS,
      byminute: NUMBERS,
      byhour: NUMBERS,
      byday: DAYS,
      bymonthday: NUMBERS,
      byyearday: NUMBERS,
      byweekno: NUMBERS,
      bymonth: NUMBERS,
      wkst: new RegExp(`^${DAY}$`),
      bysetpos: NUMBERS,
    },
    content: NODE,
  },
  'priority-switch': { content: switchOver('priority') },
  priority: {
    oneOf: ['less', 'greater', 'equal'],
    values: {
      less: /^(?:emergency|urgent|normal|non-urgent)$/i,
      greater: /^(?:emergency|urgent|normal|non-urgent)$/i,
    },
    content: NODE,
  },
  'not-present': OUTPUT,
  otherwise: OUTPUT,

  // §5 location modifiers
  location: {
    required: ['url'],
    optional: ['priority', 'clear'],
    values: { url: FILLED, priority: /^(?:0?\.[0-9]+|0|1|1\.0+)$/, clear: YES_OR_NO },
    content: NODE,
  },
  lookup: {
    required: ['source'],
    optional: ['timeout', 'clear'],
    values: { source: FILLED, timeout: COUNT, clear: YES_OR_NO },
    content: [{ of: ['success', 'notfound', 'failure'], isMixed: true }],
  },
  success: OUTPUT,
  notfound: OUTPUT,
  failure: OUTPUT,
  'remove-location': { optional: ['location'], content: NODE },

  // §6 signalling actions
  proxy: {
    optional: ['timeout', 'recurse', 'ordering'],
    values: { timeout: COUNT, recurse: YES_OR_NO, ordering: /^(?:parallel|sequential|first-only)$/ },
    content: [{ of: ['busy', 'noanswer', 'redirection', 'failure', 'default'], isMixed: true }],
  },
  busy: OUTPUT,
  noanswer: OUTPUT,
  redirection: OUTPUT,
  default: OUTPUT,
  redirect: { optional: ['permanent'], values: { permanent: YES_OR_NO }, content: EMPTY },
  reject: {
    required: ['status'],
    optional: ['reason'],
    values: { status: /^(?:busy|notfound|reject|error|[456][0-9]{2})$/ },
    content: EMPTY,
  },

  // §7 other actions, §8 subactions
  mail: { required: ['url'], values: { url: FILLED }, content: NODE },
  log: { optional: ['name', 'comment'], content: NODE },
  sub: { required: ['ref'], values: { ref: FILLED }, content: EMPTY },
};
