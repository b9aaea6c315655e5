import type {
  ApiError,
  ComparisonPage,
  ContentRef,
  DifferenceRow,
  PathVersion,
  SnapshotRow,
} from '../bindings/api';
import { toApiError } from '../errors';
import { day } from '../format';
import type { Platform } from '../platform';
import { Pages } from './pages.svelte';
import { Picked } from './picked.svelte';
import type { Read, Reads } from './reads.svelte';

/** Snapshots asked for at once. */
export const CHUNK = 100;
/** Paths proposed at once. */
const FOUND = 100;
const TYPING_MS = 120;

/** What is compared: an earlier snapshot (none: the one before) with a later one. */
export interface Span {
  /** None: the snapshot before `to`. */
  from: string | null;
  /** None: the folder as it is now. */
  to: string | null;
}

/** The snapshots of one repository, what differs between two, and the versions of a path. */
export class History {
  rows = $state.raw<SnapshotRow[]>([]);
  total = $state(0);
  loaded = $state(false);
  error = $state.raw<ApiError | null>(null);
  #question = 0;
  /** The newest snapshot, while it is shown because nobody chose another. */
  #followed: string | null = null;
  /** The snapshot that was chosen by itself: others are compared with it. */
  #chosen: string | null = null;

  /** What is compared now. */
  span = $state.raw<Span | null>(null);
  filter = $state('');
  readonly differences: Pages<DifferenceRow, ComparisonPage>;
  /** The row of the comparison that is looked at. */
  readonly picked: Picked<DifferenceRow, ComparisonPage>;
  /** Why something that was asked of a row did not happen. */
  failed = $state.raw<ApiError | null>(null);
  readonly preview: Read<'preview'>;
  #typing: ReturnType<typeof setTimeout> | undefined;

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
  readonly hasMore = $derived(this.rows.length < this.total);
  /** The later snapshot of the comparison. */
  readonly chosen = $derived(this.rows.find((row) => row.id === this.span?.to) ?? null);

  constructor(
    private readonly platform: Platform,
    private readonly id: string,
    reads: Reads,
  ) {
    this.differences = new Pages(
      (offset, limit) => {
        const span = this.span ?? { from: null, to: null };
        const filter = this.filter.trim();
        return platform.call('history_compare', { id, ...span, filter, offset, limit });
      },
      ({ rows, matching }) => ({ rows, total: matching }),
    );
    this.picked = new Picked(this.differences, (row) => row.path);
    this.preview = reads.read('preview');
    reads.follow('history', () => this.reload());
    // The folder as it is now is one side.
    reads.follow('changes', () => this.span?.to === null && this.picked.reload());
  }

  /** Asks for the newest again, and for as many as are shown. */
  async reload(): Promise<void> {
    await this.#fetch(null, [], this.rows.length);
    const newest = this.rows[0];
    if (!newest || (this.span !== null && this.#followed === null)) return;
    if (this.#followed === newest.id) return;
    this.compare({ from: null, to: newest.id });
    this.#followed = newest.id;
  }

  /** Asks for older ones. */
  more(): Promise<void> {
    return this.#fetch(this.rows.at(-1)?.number ?? null, this.rows);
  }

  /** Chooses a snapshot; `beside` another one, both are compared, the later one as the later. */
  choose(id: string, beside: boolean): void {
    const first = beside ? this.#chosen : null;
    if (first === null || first === id) {
      this.#chosen = id;
      this.compare({ from: null, to: id });
      return;
    }
    const number = (one: string) => this.rows.find((row) => row.id === one)?.number ?? 0;
    const [from, to] = number(id) < number(first) ? [id, first] : [first, id];
    this.compare({ from, to });
    this.#chosen = first;
  }

  /** Compares two snapshots, one with the one before, or one with the folder. */
  compare(span: Span): void {
    this.span = span;
    this.#followed = null;
    this.#chosen = span.to ?? span.from;
    this.filter = '';
    clearTimeout(this.#typing);
    this.failed = null;
    this.picked.begin();
    void this.preview.ask(null);
    void this.differences.restart();
  }

  setFilter(text: string): void {
    this.filter = text;
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => {
      this.picked.begin();
      void this.picked.reload();
    }, TYPING_MS);
  }

  /** The earlier side, by name; none for the very first snapshot. */
  get earlier(): string | null {
    if (!this.span) return null;
    if (this.span.from !== null) return this.span.from;
    const later = this.chosen;
    return later && later.number > 1 ? `s${later.number - 1}` : null;
  }

  /** Shows what differs in one path. */
  show(row: DifferenceRow): void {
    const { span, earlier } = this;
    if (!span) return;
    const at = (path: string, snapshot: string | null): ContentRef => ({
      path,
      at: snapshot === null ? { kind: 'local' } : { kind: 'snapshot', snapshot },
    });
    const left =
      row.kind !== 'added' && earlier !== null ? at(row.oldPath ?? row.path, earlier) : null;
    const right = row.kind === 'deleted' ? null : at(row.path, span.to);
    void this.preview.ask({ id: this.id, left, right });
  }

  async #fetch(before: number | null, kept: SnapshotRow[], atLeast = 0): Promise<void> {
    const question = ++this.#question;
    const ask = (before: number | null) =>
      this.platform.call('history_list', { id: this.id, before, limit: CHUNK });
    try {
      let page = await ask(before);
      let rows = [...kept, ...page.rows];
      while (rows.length < atLeast && page.rows.length > 0 && question === this.#question) {
        page = await ask(rows.at(-1)?.number ?? null);
        rows = [...rows, ...page.rows];
      }
      if (question !== this.#question) return;
      this.rows = rows;
      this.total = page.total;
      this.loaded = true;
      this.error = null;
    } catch (cause) {
      if (question === this.#question) this.error = toApiError(cause);
    }
  }
}

/** One path through all snapshots, deleted ones included. */
export class Versions {
  text = $state('');
  path = $state<string | null>(null);
  /** Where the keyboard is among the paths that were found. */
  at = $state(0);
  /** The version that is looked at; nothing for the newest one. */
  #chosen = $state<string | null>(null);
  /** Why a version could not be opened. */
  failed = $state.raw<ApiError | null>(null);
  readonly found: Read<'history_find'>;
  readonly versions: Read<'history_versions'>;
  readonly preview: Read<'preview'>;
  #typing: ReturnType<typeof setTimeout> | undefined;

  /** Its place; newer ones that come to be leave it chosen. */
  readonly active = $derived.by(() => {
    const all = this.versions.value ?? [];
    return Math.max(
      0,
      all.findIndex(({ made }) => made.snapshot === this.#chosen),
    );
  });
  readonly version = $derived.by(
    (): PathVersion | null => this.versions.value?.[this.active] ?? null,
  );

  constructor(
    private readonly platform: Platform,
    private readonly id: string,
    reads: Reads,
  ) {
    this.found = reads.read('history_find');
    this.versions = reads.read('history_versions');
    this.preview = reads.read('preview');
  }

  find(text: string): void {
    this.text = text;
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => void this.#find(), TYPING_MS);
  }

  /** Proposes paths before anything is typed. */
  start(): void {
    if (this.found.value === null && !this.found.waiting) void this.#find();
  }

  choose(path: string): void {
    this.path = path;
    this.#chosen = null;
    this.failed = null;
    void this.preview.ask(null);
    void this.versions.ask({ id: this.id, path });
  }

  /** Goes to another version. */
  pick(index: number): void {
    this.failed = null;
    this.#chosen = this.versions.value?.[index]?.made.snapshot ?? null;
  }

  /** Opens a copy of the version that is looked at. */
  async open(): Promise<void> {
    const { version, path, id } = this;
    if (!version || path === null) return;
    this.failed = null;
    const { snapshot } = version.made;
    try {
      await this.platform.call('version_open', { id, snapshot, path });
    } catch (cause) {
      if (this.version?.made.snapshot === snapshot && this.path === path)
        this.failed = toApiError(cause);
    }
  }

  /** Shows the version beside the one that it replaced, or by itself. */
  show(): void {
    const index = this.active;
    const versions = this.versions.value ?? [];
    const ref = (version: PathVersion | undefined): ContentRef | null =>
      version?.version && this.path !== null
        ? { path: this.path, at: { kind: 'snapshot', snapshot: version.made.snapshot } }
        : null;
    const request = { id: this.id, left: ref(versions[index + 1]), right: ref(versions[index]) };
    void this.preview.ask(request.left || request.right ? request : null);
  }

  async #find(): Promise<void> {
    await this.found.ask({ id: this.id, text: this.text.trim(), limit: FOUND });
    const paths = this.found.value ?? [];
    this.at = Math.max(
      0,
      paths.findIndex(({ path }) => path === this.path),
    );
  }
}
