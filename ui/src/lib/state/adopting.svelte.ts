import type { Adoption, Progress } from '../bindings/api';
import { Ticketed } from './ticketed.svelte';

/** Taking over a repository of the earlier DSG: first what is there, then the deed. */
export class Adopting extends Ticketed {
  /** What stands there. */
  found = $state.raw<Adoption | null>(null);
  /** What is not as it was left may be taken over as it is. */
  agreed = $state(false);
  progress = $state.raw<Progress | null>(null);
  told = $state('');

  /** What is found may be taken over. */
  readonly ready = $derived(this.found !== null && (this.found.deviating === 0 || this.agreed));

  /** Looks at all of it; nothing is written. */
  async look(address: string): Promise<void> {
    this.found = null;
    this.agreed = false;
    this.found = await this.#ask(address, true, false);
  }

  /** Takes it over, also what is not as it was left; whether that was done. */
  async adopt(address: string): Promise<boolean> {
    return this.ready && (await this.#ask(address, false, this.agreed)) !== null;
  }

  #ask(address: string, dryRun: boolean, asItStands: boolean): Promise<Adoption | null> {
    this.progress = null;
    this.told = '';
    return this.attempt((ticket) => {
      this.workspace.watchTold(ticket, (text) => (this.told = text));
      this.workspace.watchTicket(ticket, (progress) => (this.progress = progress));
      const request = { ticket, address, dryRun, asItStands };
      return this.workspace.platform.call('place_adopt', request);
    });
  }
}
