/** An answer on its way out: JSON, other text, or nothing but a status. */
export interface Reply {
  readonly status: number;
  /** Header fields beside those every answer has; names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly content:
    | { readonly kind: 'json'; readonly body: unknown }
    | { readonly kind: 'text'; readonly mediaType: string; readonly text: string }
    | { readonly kind: 'none' };
}

/** 200 with a JSON body; `etag` when the body shows one resource. */
export function ok(body: unknown, etag?: string): Reply {
  return json(200, body, etag === undefined ? {} : { etag });
}

/** 201 with the new resource's place. `secret` keeps an answer that shows something once out of caches. */
export function created(
  body: unknown,
  at: { readonly location: string; readonly etag?: string; readonly secret?: boolean },
): Reply {
  return json(201, body, {
    location: at.location,
    ...(at.etag === undefined ? {} : { etag: at.etag }),
    ...(at.secret === true ? { 'cache-control': 'no-store' } : {}),
  });
}

export function noContent(): Reply {
  return { status: 204, headers: {}, content: { kind: 'none' } };
}

export function json(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Reply {
  return { status, headers, content: { kind: 'json', body } };
}

export function text(mediaType: string, content: string): Reply {
  return { status: 200, headers: {}, content: { kind: 'text', mediaType, text: content } };
}
