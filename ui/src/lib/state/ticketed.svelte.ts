import type { ApiError } from '../bindings/api';
import { toApiError } from '../errors';
import type { Workspace } from './workspace.svelte';

let tickets = 0;

/** Something that belongs to no project yet: runs once at a time, and can be cancelled. */
export abstract class Ticketed {
  running = $state(false);
  /** It was asked to stop, and has not stopped yet. */
  cancelling = $state(false);
  /** Why it ended before its end. */
  error = $state.raw<ApiError | null>(null);
  #ticket = '';

  constructor(protected readonly workspace: Workspace) {}

  /** Does it under a ticket, by which it is heard of; nothing if it did not come to its end. */
  protected async attempt<T>(work: (ticket: string) => Promise<T>): Promise<T | null> {
    tickets += 1;
    const ticket = `ticket-${tickets}`;
    this.#ticket = ticket;
    this.running = true;
    this.cancelling = false;
    this.error = null;
    try {
      return await work(ticket);
    } catch (cause) {
      const error = toApiError(cause);
      // Whoever cancels knows it.
      if (error.code !== 'cancelled') this.error = error;
      return null;
    } finally {
      this.workspace.forgetTicket(ticket);
      this.running = false;
    }
  }

  async cancel(): Promise<void> {
    this.cancelling = true;
    try {
      await this.workspace.platform.call('sync_cancel', { id: this.#ticket });
    } catch {
      // It goes on, and its end will be told.
      this.cancelling = false;
    }
  }
}
