import type { Progress, ProjectSummary } from '../bindings/api';
import { Ticketed } from './ticketed.svelte';

/** Opening, creating or copying a project: tells how far it is. */
export class Operation extends Ticketed {
  progress = $state.raw<Progress | null>(null);
  /** What it is at, before there is progress. */
  told = $state('');

  /** Runs it; the new project is chosen when it is there. */
  async run(start: (ticket: string) => Promise<ProjectSummary>): Promise<boolean> {
    if (this.running) return false;
    this.progress = null;
    this.told = '';
    const project = await this.attempt(async (ticket) => {
      this.workspace.watchTold(ticket, (text) => (this.told = text));
      this.workspace.watchTicket(ticket, (progress) => (this.progress = progress));
      const project = await start(ticket);
      await this.workspace.reload();
      return project;
    });
    if (project) this.workspace.choose(project.id);
    return project !== null;
  }
}
