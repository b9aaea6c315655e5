import type {
  ApiError,
  ChangeRow,
  ChangesPage,
  Group,
  Resolution,
  ResolveConflicts,
  Selection,
} from '../bindings/api';
import { toApiError } from '../errors';
import type { Platform } from '../platform';

/** Rows asked for at once. */
export const PAGE = 200;
/** The groups, in the order of the window. */
export const GROUPS: Group[] = ['conflicts', 'outgoing', 'incoming', 'blocked'];
const TYPING_MS = 120;

/**
 * The pending changes of one project: a window onto a list that lives in Rust. Rows come in pages
 * as they are scrolled to; what is shown stays until its successor is here.
 */
export class Changes {
  /** The newest answer: totals, matching, what the selection amounts to. */
  page = $state.raw<ChangesPage | null>(null);
  error = $state.raw<ApiError | null>(null);
  filter = $state('');
  groups = $state.raw<Group[]>(GROUPS);
  selection = $state.raw<Selection>({ kind: 'all_but', paths: [] });

  #pages = $state.raw<ReadonlyMap<number, ChangeRow[]>>(new Map());
  readonly #exceptions = $derived(new Set(this.selection.paths));
  #visible: [first: number, last: number] = [0, 0];
  // Counts questions, so that a late answer to an old one is known as such.
  #question = 0;
  // The question that the rows on show answer.
  #shown = -1;
  #asked = new Set<number>();
  #typing: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly platform: Platform,
    private readonly id: string,
  ) {}

  /** The row at an index, if it has come already. */
  row(index: number): ChangeRow | undefined {
    return this.#pages.get(Math.floor(index / PAGE))?.[index % PAGE];
  }

  /** Tells which rows are looked at, so that they come. */
  show(first: number, last: number): void {
    this.#visible = [first, last];
    if (this.page) this.#fetchVisible();
  }

  /** Asks anew; the present rows stay until the answer is here. */
  reload(): Promise<void> {
    this.#question += 1;
    this.#asked.clear();
    return this.#fetch(Math.floor(this.#visible[0] / PAGE));
  }

  setFilter(text: string): void {
    this.filter = text;
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => void this.reload(), TYPING_MS);
  }

  toggleGroup(group: Group): void {
    this.groups = GROUPS.filter((one) => this.groups.includes(one) !== (one === group));
    void this.reload();
  }

  /** Takes filter and group choice back. */
  showAll(): void {
    this.filter = '';
    this.groups = GROUPS;
    void this.reload();
  }

  includes(path: string): boolean {
    return this.#exceptions.has(path) === (this.selection.kind === 'only');
  }

  /** Whether everything, nothing, or some of it is included. */
  get included(): 'all' | 'some' | 'none' {
    if (this.selection.paths.length > 0) return 'some';
    return this.selection.kind === 'only' ? 'none' : 'all';
  }

  toggle(path: string): void {
    const exceptions = new Set(this.#exceptions);
    if (!exceptions.delete(path)) exceptions.add(path);
    this.#select({ kind: this.selection.kind, paths: [...exceptions] });
  }

  toggleAll(): void {
    this.#select({ kind: this.included === 'all' ? 'only' : 'all_but', paths: [] });
  }

  /** After a sync nothing is left out any more. */
  includeAll(): void {
    this.selection = { kind: 'all_but', paths: [] };
  }

  /** Says how one conflict ends, or takes that back. */
  resolve(path: string, resolution: Resolution | null): Promise<void> {
    return this.#decide({ paths: [path], matching: null, resolution });
  }

  /** Says how all undecided conflicts end that the filter leaves. */
  resolveShown(resolution: Resolution): Promise<void> {
    return this.#decide({ paths: [], matching: this.filter.trim(), resolution });
  }

  /** Puts away what the project had to tell. */
  async dismissNotices(): Promise<void> {
    try {
      await this.platform.call('notices_dismiss', { id: this.id });
      await this.reload();
    } catch (cause) {
      this.error = toApiError(cause);
    }
  }

  async #decide(decision: Omit<ResolveConflicts, 'id'>): Promise<void> {
    try {
      await this.platform.call('conflict_resolve', { id: this.id, ...decision });
      await this.reload();
    } catch (cause) {
      this.error = toApiError(cause);
    }
  }

  #select(selection: Selection): void {
    this.selection = selection;
    void this.reload();
  }

  #fetchVisible(): void {
    const [first, last] = this.#visible.map((index) => Math.floor(index / PAGE)) as [
      number,
      number,
    ];
    for (let page = first; page <= last; page += 1) {
      if (!this.#asked.has(page)) void this.#fetch(page);
    }
  }

  async #fetch(number: number): Promise<void> {
    const question = this.#question;
    this.#asked.add(number);
    try {
      const page = await this.platform.call('changes_list', {
        id: this.id,
        filter: this.filter,
        groups: this.groups,
        selection: this.selection,
        offset: number * PAGE,
        limit: PAGE,
      });
      if (question === this.#question) this.#accept(question, number, page);
    } catch (cause) {
      if (question === this.#question) {
        this.#asked.delete(number);
        this.error = toApiError(cause);
      }
    }
  }

  #accept(question: number, number: number, page: ChangesPage): void {
    // Pages fit together only if they answer one question about one revision.
    const fresh = this.#shown !== question || page.revision !== this.page?.revision;
    const pages = new Map(fresh ? [] : this.#pages);
    if (fresh) this.#asked = new Set([number]);
    this.#shown = question;
    pages.set(number, page.rows);
    this.#pages = pages;
    this.page = page;
    this.error = null;
    const beyond = page.rows.length === 0 && page.matching > 0 && number > 0;
    if (beyond) void this.#fetch(0);
    else this.#fetchVisible();
  }
}
