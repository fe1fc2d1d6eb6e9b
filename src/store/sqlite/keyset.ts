import type { Page, PageRequest } from '../../base/page.js';
import type { Db, Statement } from './database.js';

/** A condition of a WHERE clause with its values, in order. */
export interface Condition {
  readonly sql: string;
  readonly values: readonly (string | number | null)[];
}

/** Collects conditions; those that are undefined don't count. */
export class Conditions {
  private readonly all: Condition[] = [];

  add(sql: string, ...values: (string | number | undefined)[]): this {
    if (values.every((value) => value !== undefined)) this.all.push({ sql, values });
    return this;
  }

  /** `column IN (…)`; an empty list matches nothing, undefined does not count. */
  among(column: string, values: readonly string[] | undefined): this {
    if (values === undefined) return this;
    this.all.push({ sql: `${column} IN (${values.map(() => '?').join(', ') || 'NULL'})`, values });
    return this;
  }

  /** A prefix as a range, so that an index serves it; case counts. */
  prefix(column: string, prefix: string | undefined): this {
    if (prefix === undefined || prefix === '') return this;
    return this.add(`${column} >= ?`, prefix).add(`${column} < ?`, upperBound(prefix));
  }

  get list(): readonly Condition[] {
    return this.all;
  }
}

/** The first text behind all that begin with the prefix. */
export function upperBound(prefix: string): string {
  return `${prefix}\u{10FFFF}`;
}

export interface ListQuery<SortField extends string> {
  /** `SELECT … FROM …` up to WHERE. */
  readonly select: string;
  /** Values of the `?` in it, in order. */
  readonly selectValues?: readonly (string | number)[] | undefined;
  /** `SELECT count(*) FROM …` up to WHERE. */
  readonly count: string;
  readonly where: Conditions;
  /** The column behind each sort field, and the id that breaks ties. */
  readonly sortColumns: Readonly<Record<SortField, string>>;
  readonly idColumn: string;
}

/** How many prepared statements of lists are kept; beyond, they are prepared anew. */
const MAX_PREPARED = 200;

/** Runs keyset-paginated lists over prepared statements. */
export class Lister {
  private readonly prepared = new Map<string, Statement>();

  constructor(private readonly db: Db) {}

  /** One page; `map` makes an item of a row. Rows carry `__sort` and `__id` for the position. */
  page<Row, Item, SortField extends string>(
    query: ListQuery<SortField>,
    request: PageRequest<SortField>,
    map: (row: Row) => Item,
  ): Page<Item> {
    const column = query.sortColumns[request.sort];
    const direction = request.descending ? 'DESC' : 'ASC';
    const conditions = [...query.where.list];
    if (request.after !== undefined) {
      const comparison = request.descending ? '<' : '>';
      conditions.push({
        sql: `(${column}, ${query.idColumn}) ${comparison} (?, ?)`,
        values: [request.after.value, request.after.id],
      });
    }
    const sql = `${query.select.replace('SELECT ', `SELECT ${column} AS __sort, ${query.idColumn} AS __id, `)}${whereClause(conditions)}
      ORDER BY ${column} ${direction}, ${query.idColumn} ${direction} LIMIT ?`;
    const rows = this.statement(sql).all(
      ...(query.selectValues ?? []),
      ...conditions.flatMap(({ values }) => values),
      request.limit + 1,
    ) as (Row & { __sort: string | number | null; __id: string })[];
    const shown = rows.slice(0, request.limit);
    const last = shown.at(-1);
    return {
      items: shown.map(map),
      next:
        rows.length > request.limit && last !== undefined ? { value: last.__sort, id: last.__id } : undefined,
      total: request.includeTotal ? this.count(query) : undefined,
    };
  }

  count(query: { readonly count: string; readonly where: Conditions }): number {
    const conditions = query.where.list;
    return this.statement(`${query.count}${whereClause(conditions)}`)
      .pluck()
      .get(...conditions.flatMap(({ values }) => values)) as number;
  }

  private statement(sql: string): Statement {
    const known = this.prepared.get(sql);
    if (known !== undefined) return known;
    if (this.prepared.size >= MAX_PREPARED) this.prepared.clear();
    const statement = this.db.prepare(sql);
    this.prepared.set(sql, statement);
    return statement;
  }
}

function whereClause(conditions: readonly Condition[]): string {
  return conditions.length === 0 ? '' : ` WHERE ${conditions.map(({ sql }) => sql).join(' AND ')}`;
}
