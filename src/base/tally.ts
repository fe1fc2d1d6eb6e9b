/** Counts by name: cheap enough for every packet, read by the metrics when somebody looks. */
export class Tally<Name extends string> {
  private readonly counts = new Map<Name, number>();

  count(name: Name): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }

  of(name: Name): number {
    return this.counts.get(name) ?? 0;
  }

  entries(): IterableIterator<[Name, number]> {
    return this.counts.entries();
  }
}
