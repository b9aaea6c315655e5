import type { ApiError, EmptiedTrash, TrashPage, TrashRow } from '../bindings/api';
import { toApiError } from '../errors';
import { m } from '../messages';
import type { Platform } from '../platform';
import { Pages } from './pages.svelte';
import { Picked } from './picked.svelte';
import type { Read, Reads } from './reads.svelte';
import type { Work } from './work.svelte';

const TYPING_MS = 120;

/** What syncs and restores took out of the folder. */
export class Trash {
  filter = $state('');
  /** Where the last one came back to. */
  told = $state<string | null>(null);
  failed = $state.raw<ApiError | null>(null);
  readonly rows: Pages<TrashRow, TrashPage>;
  readonly picked: Picked<TrashRow, TrashPage>;
  readonly preview: Read<'preview'>;
  #typing: ReturnType<typeof setTimeout> | undefined;
  #started = false;

  constructor(
    private readonly platform: Platform,
    private readonly id: string,
    private readonly reads: Reads,
    private readonly work: Work,
  ) {
    this.rows = new Pages(
      (offset, limit) =>
        platform.call('trash_list', { id, filter: this.filter.trim(), offset, limit }),
      ({ rows, matching }) => ({ rows, total: matching }),
    );
    this.preview = reads.read('preview');
    this.picked = new Picked(this.rows, (row) => row.item);
    reads.follow('trash', () => this.#started && this.picked.reload());
  }

  /** Looks into the trash, once it is looked at. */
  start(): void {
    this.#started = true;
    this.told = null;
    this.failed = null;
    void this.picked.reload();
  }

  setFilter(text: string): void {
    this.filter = text;
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => {
      this.picked.begin();
      void this.picked.reload();
    }, TYPING_MS);
  }

  /** Shows one beside what stands at its place now. */
  show(row: TrashRow): void {
    void this.preview.ask({
      id: this.id,
      left: { path: row.item, at: { kind: 'trash' } },
      right: row.taken ? { path: row.path, at: { kind: 'local' } } : null,
    });
  }

  async restore(row: TrashRow): Promise<void> {
    this.failed = null;
    this.told = null;
    try {
      const request = { id: this.id, item: row.item };
      const { path } = await this.work.during(() => this.reads.change('trash_restore', request));
      this.told = m.trash.restored(path);
    } catch (cause) {
      this.failed = toApiError(cause);
    }
  }

  /** What would go, or goes, for good. */
  async empty(olderThanDays: number, dryRun: boolean): Promise<EmptiedTrash | null> {
    this.failed = null;
    const request = { id: this.id, olderThanDays, dryRun };
    try {
      return dryRun
        ? await this.platform.call('trash_empty', request)
        : await this.reads.change('trash_empty', request);
    } catch (cause) {
      this.failed = toApiError(cause);
      return null;
    }
  }
}
