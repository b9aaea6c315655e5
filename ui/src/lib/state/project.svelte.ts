import type { Event, Progress } from '../bindings/api';
import { toApiError } from '../errors';
import type { Platform } from '../platform';
import { Changes } from './changes.svelte';
import { History } from './history.svelte';
import { Sync } from './sync.svelte';

export type Tab = 'changes' | 'history';

/** All that the window keeps of one open project. */
export class Project {
  tab = $state<Tab>('changes');
  /** How far the first look at the folder is. */
  looking = $state.raw<Progress | null>(null);
  readonly changes: Changes;
  readonly history: History;
  readonly sync: Sync;

  constructor(
    private readonly platform: Platform,
    readonly id: string,
  ) {
    this.changes = new Changes(platform, id);
    this.history = new History(platform, id);
    this.sync = new Sync(platform, id);
  }

  /** Asks for everything. */
  load(): void {
    void this.changes.reload();
    void this.history.reload();
  }

  /** Looks at the folder and the repository again. */
  async rescan(): Promise<void> {
    try {
      await this.platform.call('rescan', { id: this.id });
    } catch (cause) {
      this.changes.error = toApiError(cause);
    }
  }

  /** Takes in an event about this project. */
  handle(event: Event): void {
    switch (event.kind) {
      case 'changes_changed':
        if (event.revision !== this.changes.page?.revision) void this.changes.reload();
        break;
      case 'history_changed':
        void this.history.reload();
        break;
      case 'sync_finished':
        this.changes.includeAll();
        void this.changes.reload();
        this.sync.handle(event);
        break;
      case 'progress':
        this.looking = event;
        this.sync.handle(event);
        break;
      default:
        this.sync.handle(event);
    }
  }
}
