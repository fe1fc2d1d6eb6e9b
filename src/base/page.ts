/** Where a list continues: the sort value and the id of the last row shown (keyset pagination). */
export interface PagePosition {
  readonly value: string | number | null;
  readonly id: string;
}

/** One page asked for. `limit` is a row count; `after` is absent for the first page. */
export interface PageRequest<SortField extends string> {
  readonly limit: number;
  readonly sort: SortField;
  readonly descending: boolean;
  readonly after?: PagePosition | undefined;
  readonly includeTotal: boolean;
}

/** One page given. `next` is absent on the last page; `total` is there only when it was asked for. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next?: PagePosition | undefined;
  readonly total?: number | undefined;
}
