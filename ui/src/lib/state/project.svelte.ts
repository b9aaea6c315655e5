import type { ApiError, Event, Progress } from '../bindings/api';
import { toApiError } from '../errors';
import type { Platform } from '../platform';
import { Changes } from './changes.svelte';
import { Detail } from './detail.svelte';
import { History, Versions } from './history.svelte';
import { Reads } from './reads.svelte';
import { FileSettings } from './settings.svelte';
import { Sync } from './sync.svelte';
import { Trash } from './trash.svelte';
import { Work } from './work.svelte';

export type Tab = 'changes' | 'history' | 'settings';
/** The ways to look at what was. */
export type HistoryWay = 'snapshots' | 'files' | 'trash';

/** All that the window keeps of one open project. */
export class Project {
  tab = $state<Tab>('changes');
  way = $state<HistoryWay>('snapshots');
  /** Why the last thing that was asked of the whole project did not happen. */
  failed = $state.raw<ApiError | null>(null);
  /** Somebody tries to reach the repository, and may be asked. */
  connecting = $state(false);
  /** How far the first look at the folder is. */
  looking = $state.raw<Progress | null>(null);
  readonly reads: Reads;
  readonly changes: Changes;
  readonly detail: Detail;
  readonly history: History;
  readonly versions: Versions;
  readonly trash: Trash;
  readonly sync: Sync;
  /** Restoring, verifying, or another change of the folder. */
  readonly work: Work;
  /** The configuration: the project's, and the person's. */
  readonly settings: { project: FileSettings; own: FileSettings };

  constructor(
    readonly platform: Platform,
    readonly id: string,
    own: FileSettings,
  ) {
    this.reads = new Reads(platform);
    this.work = new Work(platform, id);
    this.changes = new Changes(platform, id, this.reads, this.work);
    this.detail = new Detail(id, this.reads);
    this.history = new History(platform, id, this.reads);
    this.versions = new Versions(platform, id, this.reads);
    this.trash = new Trash(platform, id, this.reads, this.work);
    this.sync = new Sync(platform, id);
    this.settings = {
      project: new FileSettings(platform, { kind: 'project', id }),
      own,
    };
  }

  /** Asks for everything. */
  load(): void {
    void this.changes.reload();
    void this.history.reload();
  }

  /** Looks at the folder and the repository again. */
  async rescan(): Promise<void> {
    this.failed = null;
    try {
      await this.platform.call('rescan', { id: this.id });
    } catch (cause) {
      this.failed = toApiError(cause);
    }
  }

  /** Reaches for the repository, and asks whatever has to be asked for that. */
  async connect(): Promise<void> {
    if (this.connecting) return;
    this.connecting = true;
    this.failed = null;
    try {
      await this.platform.call('project_connect', { id: this.id });
    } catch (cause) {
      this.failed = toApiError(cause);
    } finally {
      this.connecting = false;
    }
  }

  /** Goes to where the versions of a path are. */
  showVersions(path: string): void {
    this.tab = 'history';
    this.way = 'files';
    this.versions.find(path);
    this.versions.choose(path);
  }

  /** Takes in an event about this project. */
  handle(event: Event): void {
    switch (event.kind) {
      case 'changes_changed':
        this.looking = null;
        if (event.revision !== this.changes.rows.revision) this.reads.invalidate('changes');
        break;
      case 'history_changed':
        this.reads.invalidate('history');
        break;
      case 'sync_finished':
        this.reads.invalidate('changes', 'trash');
        this.sync.handle(event);
        break;
      case 'progress':
        if (event.task === 'look') this.looking = event;
        else if (event.task === 'sync') this.sync.handle(event);
        else this.work.hear(event);
        break;
      default:
        this.sync.handle(event);
    }
  }
}
