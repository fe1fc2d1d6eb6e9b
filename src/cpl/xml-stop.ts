/** Ends the reading from wherever it is; caught by parseXml and seen by nobody else. */
export class XmlStop extends Error {
  readonly code = 'xml_stop';
  constructor(
    readonly offset: number,
    readonly detail: string,
  ) {
    super(detail);
  }
}
