import { z } from 'zod';

export const MAX_PAGE_SIZE = 200;
export const DEFAULT_PAGE_SIZE = 50;

const page = z
  .object({
    next_cursor: z.string().nullable().meta({
      description: 'Send it as cursor for the next page; null on the last one.',
      example: null,
    }),
    limit: z.int().min(1).max(MAX_PAGE_SIZE).meta({ example: DEFAULT_PAGE_SIZE }),
    total: z.int().min(0).optional().meta({
      description: 'How many there are in all; only with include_total=true, and only where it is known.',
    }),
  })
  .meta({ id: 'Page', description: 'Where a list continues.' });

export type PageBody = z.infer<typeof page>;

/** A list of resources with its page. `name` becomes the schema's name in the contract. */
export function listOf<Item extends z.ZodType>(item: Item, name: string, description: string) {
  return z.object({ data: z.array(item), page }).meta({ id: name, description });
}

/** A field of a list's order, rising, or led by `-` for falling. */
export function ordersOf<const Field extends string>(fields: readonly Field[]): (Field | `-${Field}`)[] {
  return fields.flatMap((field): (Field | `-${Field}`)[] => [field, `-${field}`]);
}

/** The query parameters every list takes. `order` is one of `ordersOf`, with its default. */
export function pageQuery<Order extends z.ZodType<string>>(order: Order) {
  return {
    limit: z
      .int()
      .min(1)
      .max(MAX_PAGE_SIZE)
      .default(DEFAULT_PAGE_SIZE)
      .meta({ description: 'How many entries a page has at most.', example: DEFAULT_PAGE_SIZE }),
    cursor: z
      .string()
      .min(1)
      .max(2048)
      .optional()
      .meta({ description: 'The next_cursor of the page before. Bound to filter and order.' }),
    sort: order.meta({ description: 'The order; a leading - means falling.' }) as Order,
    include_total: z
      .boolean()
      .default(false)
      .meta({ description: 'Whether page.total counts all entries; it costs a count.' }),
  };
}

/** `fields=a,b`: only these properties of each entry are sent. */
export function fieldsQuery<Shape extends z.ZodRawShape>(resource: z.ZodObject<Shape>) {
  const names = Object.keys(resource.shape) as [string, ...string[]];
  return z.array(z.enum(names)).min(1).optional().meta({
    description:
      'Only these properties of each entry, separated by commas; the others are left out, required or not.',
  });
}
