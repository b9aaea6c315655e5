import type { ApiError, SnapshotRow } from '../bindings/api';
import { toApiError } from '../errors';
import { day } from '../format';
import type { Platform } from '../platform';

/** Snapshots asked for at once. */
export const CHUNK = 100;

/** The snapshots of one repository, newest first, older ones on demand. */
export class History {
  rows = $state.raw<SnapshotRow[]>([]);
  loaded = $state(false);
  hasMore = $state(false);
  error = $state.raw<ApiError | null>(null);
  #question = 0;

  /** The rows under the headings of their days. */
  readonly days = $derived.by(() => {
    const days: { title: string; rows: SnapshotRow[] }[] = [];
    for (const row of this.rows) {
      const title = day(row.time);
      const last = days.at(-1);
      if (last?.title === title) last.rows.push(row);
      else days.push({ title, rows: [row] });
    }
    return days;
  });

  constructor(
    private readonly platform: Platform,
    private readonly id: string,
  ) {}

  /** Asks for the newest again. */
  reload(): Promise<void> {
    return this.#fetch(null, []);
  }

  /** Asks for older ones. */
  more(): Promise<void> {
    return this.#fetch(this.rows.at(-1)?.number ?? null, this.rows);
  }

  async #fetch(before: number | null, kept: SnapshotRow[]): Promise<void> {
    const question = ++this.#question;
    try {
      const rows = await this.platform.call('history_list', { id: this.id, before, limit: CHUNK });
      if (question !== this.#question) return;
      this.rows = [...kept, ...rows];
      this.hasMore = rows.length === CHUNK;
      this.loaded = true;
      this.error = null;
    } catch (cause) {
      if (question === this.#question) this.error = toApiError(cause);
    }
  }
}
