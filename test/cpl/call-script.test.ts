import { describe, expect, it } from 'vitest';
import { MAX_CALL_SCRIPT_BYTES, readCallScript } from '../../src/cpl/call-script.js';

const HEAD = '<?xml version="1.0" encoding="UTF-8"?>';
const OPEN = `<cpl xmlns="urn:ietf:params:xml:ns:cpl" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xsi:schemaLocation="urn:ietf:params:xml:ns:cpl cpl.xsd">`;

/** `fine`, or reason and detail. */
function outcome(text: string | Buffer): string {
  const read = readCallScript(typeof text === 'string' ? Buffer.from(text, 'utf8') : text);
  if (read.kind === 'call_script') return read.text === text ? 'fine' : 'another text';
  return `${read.reason}, line ${read.line}: ${read.detail}`;
}

const cpl = (inner: string) => `${HEAD}\n${OPEN}${inner}</cpl>`;
const incoming = (inner: string) => cpl(`<incoming>${inner}</incoming>`);

describe('call scripts in the manner of RFC 3880', () => {
  it.each([
    ['nothing at all', cpl('')],
    ['redirect everything', incoming('<location url="sip:smith@phone.example.com"><redirect/></location>')],
    [
      'forward on busy and on no answer',
      cpl(`<subaction id="voicemail">
             <location url="sip:jones@voicemail.example.com"><redirect/></location>
           </subaction>
           <incoming>
             <location url="sip:jones@jonespc.example.com">
               <proxy timeout="8"><busy><sub ref="voicemail"/></busy><noanswer><sub ref="voicemail"/></noanswer></proxy>
             </location>
           </incoming>`),
    ],
    [
      'by who calls',
      incoming(`<address-switch field="origin" subfield="host">
                  <address subdomain-of="example.com"><location url="sip:jones@example.com"><proxy/></location></address>
                  <not-present><reject status="reject" reason="No anonymous calls"/></not-present>
                  <address is="example.org"/>
                  <otherwise><sub ref="v"/></otherwise>
                </address-switch>`).replace('<incoming>', '<subaction id="v"/><incoming>'),
    ],
    [
      'outgoing calls, by number and language',
      cpl(`<outgoing><address-switch field="original-destination" subfield="tel">
             <address subdomain-of="1900"><reject status="403"/></address></address-switch></outgoing>
           <incoming><language-switch><language matches="es"><log name="x" comment="y"><redirect permanent="yes"/></log>
             </language></language-switch></incoming>`),
    ],
    [
      'by time',
      incoming(`<time-switch tzid="America/New_York" tzurl="http://zones.example.com/tz/America/New_York">
                  <time dtstart="20000703T090000" duration="PT8H" freq="weekly" byday="MO,TU,WE,TH,FR">
                    <lookup source="registration"><success><proxy recurse="no" ordering="first-only"/></success>
                      <notfound/><failure/></lookup></time>
                  <time dtstart="20000101T000000Z" dtend="20000102T000000Z" freq="monthly" byday="-1FR" interval="2"
                    until="20301231" wkst="SU" bysetpos="-1"/>
                  <otherwise><mail url="mailto:jones@example.com?subject=lookup%20failed"/></otherwise>
                </time-switch>`),
    ],
    [
      'by priority and subject',
      incoming(`<priority-switch><priority greater="urgent"><remove-location location="sip:a@b">
                  <location url="tel:+15551234" priority="0.5" clear="yes"><proxy/></location></remove-location>
                </priority></priority-switch>`),
    ],
    ['with comments and ancillary', cpl('<ancillary/><!-- none --><incoming/>')],
    ['with a prefix', '<c:cpl xmlns:c="urn:ietf:params:xml:ns:cpl"><c:incoming/></c:cpl>'],
  ])('%s', (_, text) => {
    expect(outcome(text)).toBe('fine');
  });
});

describe('what is no call script', () => {
  it.each([
    ['<cpl/>', 'the document is no cpl element'],
    ['<incoming xmlns="urn:ietf:params:xml:ns:cpl"/>', 'the document is no cpl element'],
    ['<!DOCTYPE cpl SYSTEM "cpl.dtd"><cpl xmlns="urn:ietf:params:xml:ns:cpl"/>', 'document type'],
    [cpl('<incoming>'), 'end tag'],
    [cpl('hello'), 'text within cpl'],
    [cpl('<incoming/><incoming/>'), 'a second incoming'],
    [cpl('<incoming/><subaction id="x"/>'), 'subaction stands too late'],
    [cpl('<subaction id="x"/><ancillary/>'), 'ancillary stands too late'],
    [cpl('<redirect/>'), 'redirect cannot stand in cpl'],
    [cpl('<ancillary><log/></ancillary>'), 'log cannot stand in ancillary'],
    [incoming('<redirect/><redirect/>'), 'a second redirect in incoming'],
    [incoming('<redirect/><reject status="busy"/>'), 'a second reject in incoming'],
    [incoming('<busy/>'), 'busy cannot stand in incoming'],
    [incoming('<fax/>'), 'fax cannot stand in incoming'],
    [incoming('<redirect xmlns=""/>'), 'redirect is no element of CPL'],
    [incoming('<x:fax xmlns:x="urn:x"/>'), 'fax cannot stand in incoming'],
    [incoming('<redirect xmlns:x="urn:x"/>'), 'an extension that is not known: urn:x'],
    [incoming('<redirect xml:lang="en"/>'), 'redirect has no attribute lang'],
    [incoming('<redirect to="sip:a@b"/>'), 'redirect has no attribute to'],
    [incoming('<redirect permanent="maybe"/>'), 'permanent of redirect cannot be maybe'],
    [incoming('<location><redirect/></location>'), 'location needs url'],
    [incoming('<location url=""/>'), 'url of location cannot be'],
    [incoming('<location url="sip:a@b" priority="1.5"/>'), 'priority of location cannot be 1.5'],
    [incoming('<reject/>'), 'reject needs status'],
    [incoming('<reject status="302"/>'), 'status of reject cannot be 302'],
    [incoming('<proxy timeout="0"/>'), 'timeout of proxy cannot be 0'],
    [incoming('<proxy><busy/><busy/></proxy>'), 'a second busy'],
    [incoming('<lookup><success/></lookup>'), 'lookup needs source'],
    [incoming('<address-switch/>'), 'address-switch needs field'],
    [incoming('<address-switch field="origin"><address/></address-switch>'), 'needs one of is, contains'],
    [
      incoming('<address-switch field="origin"><address is="a" contains="b"/></address-switch>'),
      'needs one of is, contains',
    ],
    [
      incoming('<address-switch field="origin"><otherwise/><address is="a"/></address-switch>'),
      'address stands too late',
    ],
    [
      incoming('<address-switch field="origin"><not-present/><not-present/></address-switch>'),
      'a second not-present',
    ],
    [
      incoming('<string-switch field="subject"><address is="a"/></string-switch>'),
      'cannot stand in string-switch',
    ],
    [incoming('<time-switch><time dtend="20000101T000000"/></time-switch>'), 'time needs dtstart'],
    [
      incoming('<time-switch><time dtstart="20000101T000000"/></time-switch>'),
      'needs one of dtend, duration',
    ],
    [
      incoming('<time-switch><time dtstart="20000101T000000" duration="8 hours"/></time-switch>'),
      'duration of time cannot be 8 hours',
    ],
    [
      incoming(
        '<time-switch><time dtstart="20000101T000000" duration="P1D" count="2" until="20010101"/></time-switch>',
      ),
      'cannot have both until and count',
    ],
    [incoming('<sub ref="x"/>'), 'sub of a subaction that does not stand before it'],
    [cpl('<subaction id="x"><sub ref="x"/></subaction>'), 'sub of a subaction that does not stand before it'],
    [cpl('<subaction id="x"><sub ref="y"/></subaction><subaction id="y"/>'), 'does not stand before it'],
    [cpl('<subaction id="x"/><subaction id="x"/>'), 'two subactions of the id x'],
    [incoming('<reject status="a&quot;&#13;&#10;ü"/>'), 'cannot be a????'],
  ])('%s', (text, detail) => {
    expect(outcome(text)).toContain(detail);
  });

  it('says in which line', () => {
    expect(outcome(`${HEAD}\n${OPEN}\n<incoming>\n<fax/></incoming></cpl>`)).toBe(
      'invalid, line 5: fax cannot stand in incoming',
    );
    expect(outcome('<a>\n\n&x;</a>')).toContain('malformed, line 3:');
  });

  it('what is not UTF-8, or too long to be looked at', () => {
    expect(outcome(Buffer.from('<cpl a="\xe9"/>', 'latin1'))).toBe('malformed, line 1: not UTF-8');
    expect(outcome(' '.repeat(MAX_CALL_SCRIPT_BYTES + 1))).toContain('too_large');
    expect(outcome(cpl('').padEnd(MAX_CALL_SCRIPT_BYTES))).toBe('fine');
  });

  it('what nests without end is refused where the bound is', () => {
    const deep = (depth: number) => incoming('<log>'.repeat(depth) + '</log>'.repeat(depth));
    expect(outcome(deep(60))).toBe('fine');
    expect(outcome(deep(5_000))).toContain('deeper');
  });
});
