import type { ApiError, Progress, ProjectSummary } from '../bindings/api';
import { toApiError } from '../errors';
import type { Workspace } from './workspace.svelte';

let tickets = 0;

/** Opening, creating or copying a project: runs once at a time, and tells how far it is. */
export class Operation {
  running = $state(false);
  progress = $state.raw<Progress | null>(null);
  error = $state.raw<ApiError | null>(null);
  /** What it is at, before there is progress. */
  told = $state('');
  #ticket = '';

  constructor(private readonly workspace: Workspace) {}

  /** Runs it; the new project is chosen when it is there. */
  async run(start: (ticket: string) => Promise<ProjectSummary>): Promise<boolean> {
    if (this.running) return false;
    tickets += 1;
    this.#ticket = `ticket-${tickets}`;
    this.running = true;
    this.progress = null;
    this.error = null;
    this.told = '';
    this.workspace.watchTold(this.#ticket, (text) => (this.told = text));
    this.workspace.watchTicket(this.#ticket, (progress) => (this.progress = progress));
    try {
      const project = await start(this.#ticket);
      await this.workspace.reload();
      this.workspace.choose(project.id);
      return true;
    } catch (cause) {
      const error = toApiError(cause);
      // Whoever cancels knows it.
      if (error.code !== 'cancelled') this.error = error;
      return false;
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
