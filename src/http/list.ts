import type { Page, PagePosition, PageRequest } from '../base/page.js';
import type { Call } from './operation.js';
import { Problem } from './problem.js';
import { json, type Reply } from './reply.js';

/** The part of a list's query that every list has. */
interface PageQuery<Sort extends string> {
  readonly limit: number;
  readonly cursor?: string | undefined;
  readonly sort: Sort | `-${Sort}`;
  readonly include_total: boolean;
}

type ListCall<Sort extends string> = Pick<
  Call<unknown, PageQuery<Sort>, unknown>,
  'query' | 'path' | 'search' | 'cursors' | 'principal'
>;

/** The page a list request asks for, or the problem with its cursor. */
export function pageRequest<Sort extends string>(call: ListCall<Sort>): PageRequest<Sort> | Problem {
  const { limit, cursor, sort, include_total: includeTotal } = call.query;
  const descending = sort.startsWith('-');
  const request = {
    limit,
    sort: (descending ? sort.slice(1) : sort) as Sort,
    descending,
    includeTotal,
  };
  if (cursor === undefined) return request;
  const opened = call.cursors.open(cursor, listContext(call));
  if (opened.kind === 'position') return { ...request, after: opened.position };
  const code = opened.kind === 'invalid' ? 'cursor_invalid' : 'cursor_mismatch';
  return new Problem(code, undefined, [{ parameter: 'cursor', code, detail: 'Start without a cursor.' }]);
}

/** The answer to a list request. `data` shows the items of the page, each as its body. */
export function listReply<Sort extends string>(
  call: ListCall<Sort>,
  page: Page<unknown>,
  data: readonly object[],
  fields?: readonly string[],
): Reply {
  const next = page.next === undefined ? null : call.cursors.seal(page.next, listContext(call));
  const body = {
    data: fields === undefined ? data : data.map((item) => only(item, fields)),
    page: {
      next_cursor: next,
      limit: call.query.limit,
      ...(page.total === undefined ? {} : { total: page.total }),
    },
  };
  if (next === null) return json(200, body);
  const search = new URLSearchParams(call.search);
  search.set('cursor', next);
  return json(200, body, { link: `<${call.path}?${search}>; rel="next"` });
}

/**
 * One page of those that `isVisible` lets through, for lists that are short and whose store does not know who
 * is asking. A page may come short when it would take more than MAX_ROUNDS reads to fill it; `next` goes on.
 */
export async function visiblePage<Item, Sort extends string>(
  request: PageRequest<Sort>,
  read: (request: PageRequest<Sort>) => Promise<Page<Item>>,
  isVisible: (item: Item) => boolean,
): Promise<Page<Item>> {
  const items: Item[] = [];
  let after = request.after;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const limit = request.limit - items.length;
    const page = await read({ ...request, limit, after, includeTotal: false });
    items.push(...page.items.filter(isVisible));
    after = page.next;
    if (after === undefined || items.length === request.limit) break;
  }
  return { items, next: after };
}

const MAX_ROUNDS = 50;

/** One page of a list that is short enough to be read whole; `sortValue` is what it is sorted by. */
export function pageOfArray<Item extends { readonly id: string }>(
  all: readonly Item[],
  request: PageRequest<string>,
  sortValue: (item: Item) => number,
): Page<Item> {
  const direction = request.descending ? -1 : 1;
  const compare = (a: PagePosition, b: PagePosition): number =>
    direction * (Number(a.value) - Number(b.value) || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  const position = (item: Item): PagePosition => ({ value: sortValue(item), id: item.id });
  const { after } = request;
  const remaining = [...all]
    .sort((a, b) => compare(position(a), position(b)))
    .filter((item) => after === undefined || compare(position(item), after) > 0);
  const items = remaining.slice(0, request.limit);
  const last = items.at(-1);
  return {
    items,
    ...(last !== undefined && remaining.length > items.length ? { next: position(last) } : {}),
    ...(request.includeTotal ? { total: all.length } : {}),
  };
}

/** All that must stay the same from page to page: the list, its filter and order, and whose eyes see it. */
function listContext(call: ListCall<string>): string {
  const search = new URLSearchParams(call.search);
  for (const name of ['cursor', 'limit', 'fields', 'include', 'include_total']) search.delete(name);
  search.set('sort', call.query.sort);
  search.sort();
  return JSON.stringify([call.path, search.toString(), call.principal.domains]);
}

function only(item: object, fields: readonly string[]): object {
  return Object.fromEntries(Object.entries(item).filter(([name]) => fields.includes(name)));
}
