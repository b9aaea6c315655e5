import type { PlaceStep } from '../bindings/api';
import { Ticketed } from './ticketed.svelte';

/** Trying whether a repository can live at an address: each step as it is done. */
export class Examination extends Ticketed {
  steps = $state.raw<PlaceStep[]>([]);
  /** What the steps are about. */
  address = $state('');

  async run(address: string): Promise<void> {
    if (this.running) return;
    this.steps = [];
    this.address = address;
    await this.attempt((ticket) => {
      this.workspace.watchSteps(ticket, (step) => (this.steps = [...this.steps, step]));
      return this.workspace.platform.call('place_examine', { ticket, address });
    });
  }
}
