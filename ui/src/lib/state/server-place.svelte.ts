import type { ApiError, ServerFolder, ServerFolders } from '../bindings/api';
import { toApiError } from '../errors';
import type { Workspace } from './workspace.svelte';

let tickets = 0;

/** A place on a server, found by looking around there. */
export class ServerPlace {
  host = $state('');
  /** Servers that were used or are configured. */
  known = $state.raw<string[]>([]);
  /** The folder that is looked at; none before the first connection. */
  around = $state.raw<ServerFolders | null>(null);
  chosen = $state.raw<ServerFolder | null>(null);
  /** The name of a folder that is to be made. */
  name = $state('');
  looking = $state(false);
  /** What is under way. */
  told = $state('');
  error = $state.raw<ApiError | null>(null);
  #ticket = '';

  constructor(private readonly workspace: Workspace) {}

  /** Where a new repository would be. */
  readonly newAddress = $derived(
    this.around && this.name.trim() !== '' ? this.around.prefix + this.name.trim() : '',
  );
  readonly oldAddress = $derived(this.chosen?.repository?.address ?? '');

  async offer(): Promise<void> {
    try {
      this.known = await this.workspace.platform.call('server_hosts', null);
    } catch {
      // Without an offer it is typed.
      this.known = [];
    }
  }

  /** Connects, and looks at the home there or at the folder that was typed with the server. */
  connect(): Promise<void> {
    this.around = null;
    return this.open(null);
  }

  /** Goes to another folder. */
  async open(path: string | null): Promise<void> {
    if (this.looking || this.host.trim() === '') return;
    tickets += 1;
    this.#ticket = `server-${tickets}`;
    this.looking = true;
    this.error = null;
    this.told = '';
    this.chosen = null;
    this.workspace.watchTold(this.#ticket, (text) => (this.told = text));
    try {
      const host = this.around?.host ?? this.host.trim();
      const request = { ticket: this.#ticket, host, path };
      this.around = await this.workspace.platform.call('server_folders', request);
    } catch (cause) {
      const error = toApiError(cause);
      // Whoever cancels knows it.
      if (error.code !== 'cancelled') this.error = error;
    } finally {
      this.workspace.forgetTicket(this.#ticket);
      this.looking = false;
    }
  }

  /** Back to the choice of a server. */
  leave(): void {
    this.around = null;
    this.chosen = null;
    this.error = null;
  }

  async cancel(): Promise<void> {
    try {
      await this.workspace.platform.call('sync_cancel', { id: this.#ticket });
    } catch (cause) {
      this.error = toApiError(cause);
    }
  }
}
