import type { Binding } from './binding.js';

/** Order of preference: higher q first (absent counts as 1, RFC 3261 §20.10), then the newest. */
export function byPreference(a: Binding, b: Binding): number {
  return (b.qThousandths ?? 1000) - (a.qThousandths ?? 1000) || b.registeredAt - a.registeredAt;
}
