import type { ApiError, Outlook } from '../bindings/api';
import { toApiError } from '../errors';
import type { Workspace } from './workspace.svelte';

let tickets = 0;

/** What a first sync of a folder would take, told while the folder is looked at. The newest look counts. */
export class LookOut {
  found = $state.raw<Outlook | null>(null);
  error = $state.raw<ApiError | null>(null);
  #ticket = '';
  #asked = '';

  constructor(private readonly workspace: Workspace) {}

  /** Looks, unless that is what is looked at already. */
  async look(path: string, dataDirs: string[]): Promise<void> {
    const asked = JSON.stringify([path, dataDirs]);
    if (asked === this.#asked) return;
    this.stop();
    this.#asked = asked;
    tickets += 1;
    const ticket = `outlook-${tickets}`;
    this.#ticket = ticket;
    this.error = null;
    this.workspace.watchOutlook(ticket, (found) => (this.found = found));
    try {
      await this.workspace.platform.call('outlook_look', { ticket, path, dataDirs });
    } catch (cause) {
      const error = toApiError(cause);
      if (this.#ticket === ticket && error.code !== 'cancelled') {
        this.error = error;
        this.found = null;
        this.#asked = '';
      }
    } finally {
      this.workspace.forgetTicket(ticket);
      if (this.#ticket === ticket) this.#ticket = '';
    }
  }

  /** Ends a look that goes on; what it found so far is no answer any more. */
  stop(): void {
    if (this.#ticket === '') return;
    const id = this.#ticket;
    this.#ticket = '';
    this.#asked = '';
    this.workspace.forgetTicket(id);
    // It may have ended by itself meanwhile.
    this.workspace.platform.call('sync_cancel', { id }).catch(() => undefined);
  }
}
