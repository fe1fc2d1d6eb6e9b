import type { Clock } from '../base/clock.js';
import { Refusal } from '../base/refusal.js';
import type { AccountRefusal, AccountStore } from './account-store.js';
import type { CallScriptChange, StoredCallScript } from './call-script.js';

/** Refuses a change when the script there is now, if any, is not the one that was meant. */
export type Insistence = (current: string | undefined) => AccountRefusal | undefined;

/** The call scripts of users, as operators see and set them. Every change is on disk when its promise resolves. */
export class CallScripts {
  constructor(
    private readonly store: AccountStore,
    private readonly clock: Clock,
  ) {}

  get(userId: string): Promise<StoredCallScript | undefined> {
    return this.store.getCallScript(userId);
  }

  /** Stores a script that has been checked. */
  put(userId: string, text: string, insist: Insistence): Promise<CallScriptChange | AccountRefusal> {
    return this.store.updateCallScript(userId, this.clock.now(), (current) => insist(current) ?? text);
  }

  delete(userId: string, insist: Insistence): Promise<CallScriptChange | AccountRefusal> {
    return this.store.updateCallScript(userId, this.clock.now(), (current) => {
      if (current === undefined) return new Refusal('call_script_not_found', 'The user has no call script.');
      return insist(current);
    });
  }
}
