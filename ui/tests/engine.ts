/** A small stand-in for the Rust side: pending changes in memory, answered by the contract. */
import type {
  ChangeDetail,
  ChangeRow,
  ChangesPage,
  ChangesRow,
  ChangesView,
  FolderRow,
  Group,
  ListChanges,
  ProjectStatus,
  ResolveConflicts,
  SelectChanges,
  Tick,
  Version,
} from '../src/lib/bindings/api';
import { apiError } from './fake';
import { hoursAgo, version } from './fixtures';

const GROUPS: Group[] = ['conflicts', 'outgoing', 'incoming', 'blocked', 'ignored'];

export class FakeChanges {
  revision = 1;
  /** Whatever a test wants to be different. */
  more: Partial<ChangesPage> = {};
  /** What is going on, if not what the rows tell. */
  course: ProjectStatus | null = null;
  /** The snapshot that the folder was last brought to, and the newest one. */
  here = 's42';
  head = 's42';
  readonly #closed = new Set<string>();

  constructor(public rows: ChangeRow[]) {}

  /** How the project stands, as Rust finds it: by what is pending and decided. */
  get status(): ProjectStatus {
    if (this.course) return this.course;
    const totals = this.more.totals;
    const open = this.rows.filter((row) => row.group === 'conflicts' && !row.resolution).length;
    if (open > 0) return { kind: 'conflicts', count: open };
    const waits = ({ group }: { group: Group }) => group !== 'blocked' && group !== 'ignored';
    const count = totals
      ? totals.filter(waits).reduce((all, one) => all + (one.count ?? 0), 0)
      : this.rows.filter(waits).length;
    return count > 0 ? { kind: 'pending', count } : { kind: 'in_sync' };
  }

  list({ view, offset, limit }: ListChanges): ChangesPage {
    const matching = this.#matching(view);
    const laid = view.layout === 'tree' ? this.#tree(matching) : matching.map(change);
    const taken = this.rows.filter((row) => row.ticked && row.tickable);
    const open = (rows: ChangeRow[]) =>
      rows.filter((row) => row.group === 'conflicts' && !row.resolution).length;
    const undecided = open(this.rows);
    const conflicts = `${undecided} ${undecided === 1 ? 'conflict waits' : 'conflicts wait'} for a decision.`;
    return {
      revision: this.revision,
      head: this.head,
      lastSync: { snapshot: this.here, time: hoursAgo(0.4) },
      offline: null,
      trouble: null,
      notices: [],
      totals: GROUPS.map((group) => {
        const some = this.rows.filter((row) => row.group === group);
        const unknown = group === 'ignored' && !view.groups.includes('ignored');
        return { group, count: unknown ? null : some.length, bytes: unknown ? null : sum(some) };
      }),
      selected: {
        count: taken.length,
        bytes: sum(taken.filter(({ action }) => action === 'upload' || action === 'download')),
        snapshot: taken.some((row) => row.group !== 'incoming') ? next(this.head) : null,
        of: this.rows.filter((row) => row.tickable).length,
      },
      rows: laid.slice(offset, offset + limit),
      total: laid.length,
      matching: matching.length,
      ticked: tickOf(matching),
      undecidedMatching: open(matching),
      blocker: undecided > 0 ? conflicts : null,
      undo: null,
      ...this.more,
    };
  }

  select({ view, what, ticked }: SelectChanges): null {
    const rows = this.#matching(view);
    if (what.kind === 'rows')
      rows.splice(0, rows.length, ...rows.slice(what.offset, what.offset + what.count));
    const meant = rows.filter((row) => {
      if (what.kind !== 'paths') return true;
      return what.paths.some((path) => row.path === path || row.path.startsWith(`${path}/`));
    });
    this.#replace(
      meant.filter((row) => row.tickable),
      { ticked },
    );
    return null;
  }

  expand(path: string | null, open: boolean): null {
    const folders = path === null ? this.rows.flatMap((row) => parents(row.path)) : [path];
    for (const folder of folders) {
      if (open) this.#closed.delete(folder);
      else this.#closed.add(folder);
    }
    this.revision += 1;
    return null;
  }

  resolve({ what, resolution }: ResolveConflicts): null {
    const fits = (row: ChangeRow) => {
      if (what.kind === 'folder') return row.path.startsWith(`${what.path}/`);
      if (what.kind === 'matching') return !row.resolution && row.path.includes(what.filter);
      return row.path === what.path && row.seen === what.seen;
    };
    const meant = this.rows.filter((row) => row.seen !== null && fits(row));
    if (what.kind === 'row' && meant.length === 0) {
      throw apiError(
        'outdated',
        `${what.path} was changed since it was shown. Nothing is decided.`,
      );
    }
    const tickable = resolution !== null;
    const untracked = meant.filter((row) => row.untracked);
    this.#replace(
      meant.filter((row) => !row.untracked),
      { resolution, tickable, ticked: tickable },
    );
    this.#replace(untracked, {
      resolution,
      tickable,
      ticked: tickable,
      group: tickable ? 'conflicts' : 'blocked',
      action: !tickable ? 'blocked' : resolution === 'local' ? 'delete_remote' : 'cache',
    });
    return null;
  }

  detail(path: string): ChangeDetail {
    const row = this.rows.find((row) => row.path === path);
    if (!row) throw apiError('not-pending', `${path} is not pending any more.`);
    const side = (size: number | null, snapshot: string | null): Version | null =>
      size === null
        ? null
        : version(size, {
            made: snapshot && {
              snapshot,
              author: row.remoteAuthor ?? 'ana@example.org',
              time: row.remoteTime ?? hoursAgo(30),
              message: 'Recalibrated the northern buoys',
            },
          } as Partial<Version>);
    const rest =
      row.group === 'conflicts'
        ? 'Nothing moves before you decide.'
        : row.untracked
          ? 'Decide whether it is kept there or removed there; what is in your folder stays.'
          : row.group === 'blocked'
            ? 'It stays as it is on both sides until the reason is gone.'
            : row.group === 'ignored'
              ? 'It takes no part in any sync; change the rule to track it.'
              : 'The next sync takes care of it.';
    return {
      row,
      explanation: [row.sentence, row.reason, rest].filter(Boolean).join(' '),
      local: row.group === 'ignored' ? null : side(row.localSize, null),
      unseen: unseen(row),
      cached: side(row.cachedSize, 's41'),
      remote: side(row.remoteSize, row.remoteSnapshot ?? 's41'),
    };
  }

  // Answers are never the same objects twice.
  #replace(rows: ChangeRow[], more: Partial<ChangeRow>): void {
    const meant = new Set(rows);
    this.rows = this.rows.map((row) => (meant.has(row) ? { ...row, ...more } : row));
    this.revision += 1;
  }

  #matching({ filter, groups, sort, descending }: ChangesView): ChangeRow[] {
    const text = filter.toLowerCase();
    const key = (row: ChangeRow): string | number =>
      sort === 'size'
        ? (row.size ?? -1)
        : sort === 'time'
          ? (row.time ?? '')
          : sort === 'state'
            ? row.action
            : row.path;
    const order = (a: ChangeRow, b: ChangeRow) => {
      const [one, other] = [key(a), key(b)];
      const way = one < other ? -1 : one > other ? 1 : 0;
      return (descending ? -way : way) || (a.path < b.path ? -1 : 1);
    };
    const first = (row: ChangeRow) => (row.group === 'conflicts' ? 0 : 1);
    return this.rows
      .filter((row) => groups.includes(row.group) && row.path.toLowerCase().includes(text))
      .sort((a, b) => first(a) - first(b) || order(a, b));
  }

  #tree(rows: ChangeRow[]): ChangesRow[] {
    const laid: ChangesRow[] = [];
    const walk = (folder: string, depth: number) => {
      const inside = rows.filter((row) => folder === '' || row.path.startsWith(`${folder}/`));
      const rest = (path: string) => (folder === '' ? path : path.slice(folder.length + 1));
      const names = [...new Set(inside.map((row) => rest(row.path).split('/')[0] ?? ''))].sort();
      for (const name of names) {
        const path = folder === '' ? name : `${folder}/${name}`;
        const leaf = inside.find((row) => row.path === path);
        if (leaf) laid.push({ kind: 'change', ...leaf, depth });
        const below = inside.filter((row) => row.path.startsWith(`${path}/`));
        if (below.length === 0) continue;
        laid.push({ kind: 'folder', ...this.#folder(path, name, depth, below) });
        if (!this.#closed.has(path)) walk(path, depth + 1);
      }
    };
    walk('', 0);
    return laid;
  }

  #folder(path: string, name: string, depth: number, below: ChangeRow[]): FolderRow {
    return {
      path,
      name,
      depth,
      open: !this.#closed.has(path),
      ticked: tickOf(below),
      tickable: below.some((row) => row.tickable),
      count: below.length,
      bytes: sum(below),
      conflicts: below.filter((row) => row.group === 'conflicts' && !row.resolution).length,
    };
  }
}

export const change = (row: ChangeRow): ChangesRow => ({ kind: 'change', ...row });

/** Why it is not known what is in the folder. */
function unseen(row: ChangeRow): string | null {
  if (row.untracked || row.group === 'ignored') return 'Not tracked';
  return row.group === 'blocked' ? 'Not known now' : null;
}

/** `s42` → `s43` */
function next(snapshot: string): string {
  return `s${Number(snapshot.slice(1)) + 1}`;
}

function parents(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

function sum(rows: ChangeRow[]): number {
  return rows.reduce((all, row) => all + (row.size ?? 0), 0);
}

function tickOf(rows: ChangeRow[]): Tick {
  const tickable = rows.filter((row) => row.tickable);
  const ticked = tickable.filter((row) => row.ticked).length;
  return ticked === 0 ? 'none' : ticked === tickable.length ? 'all' : 'some';
}
