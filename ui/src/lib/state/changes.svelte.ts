import type {
  ApiError,
  ChangeRow,
  ChangesPage,
  ChangesRow,
  ChangesView,
  FolderRow,
  Group,
  IgnoreRule,
  Layout,
  Resolution,
  ResolveWhat,
  SelectWhat,
  SortKey,
} from '../bindings/api';
import type { Commands } from '../bindings/commands';
import { toApiError } from '../errors';
import { m } from '../messages';
import type { Platform } from '../platform';
import { Pages } from './pages.svelte';
import { Picked } from './picked.svelte';
import type { Reads } from './reads.svelte';
import type { Change } from './topics';
import type { Work } from './work.svelte';

/** The groups, in the order of the window. */
export const GROUPS: Group[] = ['conflicts', 'outgoing', 'incoming', 'blocked', 'ignored'];
/** Ignored files are looked for only when they are asked for. */
const AT_FIRST: Group[] = ['conflicts', 'outgoing', 'incoming', 'blocked'];

/** Rows that are looked at to say what a rule would leave alone. */
const MOST_AFFECTED = 1000;

/** What a rule would leave alone of what is pending. */
export interface Affected {
  paths: string[];
  count: number;
  /** There are no more than these. */
  complete: boolean;
}

function fits(rule: IgnoreRule, path: string): boolean {
  switch (rule.kind) {
    case 'path':
      return path === rule.path || path.startsWith(`${rule.path}/`);
    case 'name':
      return path.split('/').includes(rule.name);
    case 'suffix':
      return path.endsWith(rule.suffix);
  }
}

/** Rows of a range that are named one by one; a longer one is told by its place. */
const MOST_NAMED = 500;

/** The pending changes of one project: how they are looked at, and what is done with them. */
export class Changes {
  filter = $state('');
  groups = $state.raw<Group[]>(AT_FIRST);
  sort = $state<SortKey>('path');
  descending = $state(false);
  layout = $state<Layout>('list');
  /** The other end of a range of rows that Shift chose. */
  anchor = $state<number | null>(null);
  /** What a change brought about, until it is put away. */
  told = $state<string | null>(null);
  /** The rule that was added just now: it can be taken back. */
  added = $state.raw<IgnoreRule | null>(null);
  /** The rule that somebody is asked about. */
  ignoring = $state.raw<IgnoreRule | null>(null);
  /** Why the last change did not happen. */
  failed = $state.raw<ApiError | null>(null);

  readonly rows: Pages<ChangesRow, ChangesPage>;
  /** The row that the keyboard is on, and whose versions are shown. */
  readonly picked: Picked<ChangesRow, ChangesPage>;
  // A key asks at once; keys that come before its answer are asked about together, after it.
  #narrowing = false;
  #typed = false;

  constructor(
    private readonly platform: Platform,
    private readonly id: string,
    private readonly reads: Reads,
    private readonly work: Work,
  ) {
    this.rows = new Pages(
      (offset, limit) =>
        platform.call('changes_list', { id: this.id, view: this.view, offset, limit }),
      ({ rows, total, revision }) => ({ rows, total, revision }),
    );
    const locate = async (path: string) =>
      // In a tree, looking for it would open folders that somebody closed.
      this.layout === 'list'
        ? platform.call('changes_locate', { id, view: this.view, path })
        : null;
    this.picked = new Picked(this.rows, (row) => row.path, locate);
    reads.follow('changes', () => this.reload());
  }

  /** How the rows are looked at, as the contract wants it. */
  get view(): ChangesView {
    const { filter, groups, sort, descending, layout } = this;
    return { filter: filter.trim(), groups, sort, descending, layout };
  }

  get active(): number {
    return this.picked.active;
  }

  get page(): ChangesPage | null {
    return this.rows.page;
  }

  get error(): ApiError | null {
    return this.rows.error ?? this.failed;
  }

  /** The change whose versions are shown. */
  get change(): ChangeRow | null {
    const { row } = this.picked;
    return row?.kind === 'change' ? row : null;
  }

  /** Asks anew; the row that was chosen stays chosen, wherever it stands now. */
  async reload(): Promise<void> {
    const { total } = this.rows;
    const at = this.active;
    await this.picked.reload();
    // Other rows may lie in the range now.
    if (this.active !== at || this.rows.total !== total) this.anchor = null;
  }

  choose(index: number): void {
    this.anchor = null;
    this.picked.choose(index);
  }

  /** Chooses all rows from the one that was chosen to this one. */
  extend(index: number): void {
    const anchor = this.anchor ?? this.active;
    this.choose(index);
    this.anchor = anchor;
  }

  setFilter(text: string): void {
    this.filter = text;
    void this.#narrow();
  }

  toggleGroup(group: Group): void {
    this.groups = GROUPS.filter((one) => this.groups.includes(one) !== (one === group));
    void this.#again();
  }

  /** Takes filter and group choice back. */
  showAll(): void {
    this.filter = '';
    this.groups = AT_FIRST;
    void this.#again();
  }

  sortBy(sort: SortKey, descending: boolean): void {
    this.sort = sort;
    this.descending = descending;
    void this.#again();
  }

  layOut(layout: Layout): void {
    this.layout = layout;
    void this.#again();
  }

  /** Opens or closes a folder of the tree; without a path, all folders. */
  expand(path: string | null, open: boolean): Promise<unknown> {
    return this.#do('changes_expand', { id: this.id, path, open });
  }

  /** Ticks rows or takes the ticks away. */
  select(what: SelectWhat, ticked: boolean): Promise<unknown> {
    return this.#do('changes_select', { id: this.id, view: this.view, what, ticked });
  }

  /** Ticks a change, all of a folder or all chosen rows, or takes the ticks away. */
  toggle(row: ChangesRow): void {
    const anchor = this.anchor ?? this.active;
    const offset = Math.min(anchor, this.active);
    const count = Math.abs(anchor - this.active) + 1;
    const among = Array.from({ length: Math.min(count, MOST_NAMED + 1) }, (_, index) =>
      this.rows.row(offset + index),
    );
    // The row decides for all; one that cannot be ticked leaves it to the others.
    const decides = row.tickable ? row : among.find((one) => one?.tickable);
    if (!decides) return;
    const ticked = decides.kind === 'folder' ? decides.ticked === 'all' : decides.ticked;
    const paths = among.flatMap((one) => (one ? [one.path] : []));
    const what: SelectWhat =
      count === 1
        ? { kind: 'paths', paths: [row.path] }
        : paths.length === count
          ? { kind: 'paths', paths }
          : { kind: 'rows', offset, count };
    void this.select(what, !ticked);
  }

  /** Says how the conflict of a row ends, or those below a folder, or takes that back. */
  resolve(row: ChangeRow | FolderRow, resolution: Resolution | null): Promise<unknown> {
    const { path } = row;
    if (!('seen' in row)) return this.#decide({ kind: 'folder', path }, resolution);
    return this.#decide({ kind: 'row', path, seen: row.seen ?? '' }, resolution);
  }

  /** Says how all undecided conflicts end that the filter leaves. */
  resolveShown(resolution: Resolution): Promise<unknown> {
    return this.#decide({ kind: 'matching', filter: this.filter.trim() }, resolution);
  }

  /** Brings a path back to the version of the last sync. */
  async revert(path: string): Promise<void> {
    const request = { id: this.id, paths: [path] };
    const report = await this.work.during(() => this.#do('changes_revert', request));
    if (report) this.told = m.changes.reverted(path, report);
  }

  /** The pending changes that a rule would leave alone. */
  async affectedBy(rule: IgnoreRule): Promise<Affected> {
    const text = rule.kind === 'path' ? rule.path : rule.kind === 'name' ? rule.name : rule.suffix;
    const view: ChangesView = {
      filter: text,
      groups: AT_FIRST,
      sort: 'path',
      descending: false,
      layout: 'list',
    };
    const request = { id: this.id, view, offset: 0, limit: MOST_AFFECTED };
    const { rows, matching } = await this.platform.call('changes_list', request);
    const paths = rows.map(({ path }) => path).filter((path) => fits(rule, path));
    return { paths, count: paths.length, complete: matching <= rows.length };
  }

  async ignore(rule: IgnoreRule): Promise<void> {
    const request = { id: this.id, rule };
    const ignored = await this.work.during(() => this.#do('changes_ignore', request));
    if (!ignored) return;
    this.told = m.changes.ignored(ignored);
    if (ignored.isNew) this.added = rule;
  }

  /** Takes back the rule that was added just now. */
  async heed(): Promise<void> {
    const { added: rule, told } = this;
    if (!rule) return;
    await this.work.during(() => this.#do('changes_heed', { id: this.id, rule }));
    // The rule stands: it can be tried again.
    if (this.failed) [this.added, this.told] = [rule, told];
  }

  /** Shows the project's folder in the file manager. */
  async reveal(): Promise<void> {
    this.failed = null;
    try {
      await this.platform.call('path_reveal', { id: this.id, path: '' });
    } catch (cause) {
      this.failed = toApiError(cause);
    }
  }

  /** Puts away what the project had to tell. */
  dismissNotices(): Promise<unknown> {
    return this.#do('notices_dismiss', { id: this.id });
  }

  #decide(what: ResolveWhat, resolution: Resolution | null): Promise<unknown> {
    return this.#do('conflict_resolve', { id: this.id, what, resolution });
  }

  async #narrow(): Promise<void> {
    this.#typed = true;
    if (this.#narrowing) return;
    this.#narrowing = true;
    while (this.#typed) {
      this.#typed = false;
      await this.#again();
    }
    this.#narrowing = false;
  }

  /** Another list: begins at its top. */
  #again(): Promise<void> {
    this.anchor = null;
    this.picked.begin();
    return this.reload();
  }

  async #do<N extends Change>(
    name: N,
    request: Commands[N]['request'],
  ): Promise<Commands[N]['response'] | undefined> {
    this.failed = null;
    // Looking around takes nothing back.
    if (name !== 'changes_select' && name !== 'changes_expand') {
      this.told = null;
      this.added = null;
    }
    try {
      return await this.reads.change(name, request);
    } catch (cause) {
      this.failed = toApiError(cause);
      return undefined;
    }
  }
}
