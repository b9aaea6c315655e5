import type { ApiError, PlaceStep } from '../bindings/api';
import { toApiError } from '../errors';
import type { Workspace } from './workspace.svelte';

let tickets = 0;

/** Trying whether a repository can live at an address: each step as it is done. */
export class Examination {
  running = $state(false);
  steps = $state.raw<PlaceStep[]>([]);
  /** Why it ended before its end. */
  error = $state.raw<ApiError | null>(null);
  /** What the steps are about. */
  address = $state('');
  #ticket = '';

  constructor(private readonly workspace: Workspace) {}

  async run(address: string): Promise<void> {
    if (this.running) return;
    tickets += 1;
    this.#ticket = `examination-${tickets}`;
    this.running = true;
    this.steps = [];
    this.error = null;
    this.address = address;
    this.workspace.watchSteps(this.#ticket, (step) => (this.steps = [...this.steps, step]));
    try {
      await this.workspace.platform.call('place_examine', { ticket: this.#ticket, address });
    } catch (cause) {
      const error = toApiError(cause);
      // Whoever cancels knows it.
      if (error.code !== 'cancelled') this.error = error;
    } finally {
      this.workspace.forgetTicket(this.#ticket);
      this.running = false;
    }
  }

  async cancel(): Promise<void> {
    try {
      await this.workspace.platform.call('sync_cancel', { id: this.#ticket });
    } catch (cause) {
      this.error = toApiError(cause);
    }
  }
}
