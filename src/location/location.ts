import type { AddressOfRecord } from './address-of-record.js';
import type { Binding } from './binding.js';

/** Where a user is now: what a proxy would be told. Contacts by falling q, then newest first. */
export interface Location {
  readonly aor: AddressOfRecord;
  readonly contacts: readonly Binding[];
}
