import type {
  ChangeRow,
  ChangesPage,
  FolderPreview,
  Group,
  ListChanges,
  ProjectSummary,
  ResolveConflicts,
  SnapshotRow,
  SyncReport,
} from '../src/lib/bindings/api';

/** A project that is in sync, unless told otherwise. */
export function project(more: Partial<ProjectSummary> = {}): ProjectSummary {
  return {
    id: 'p1',
    name: 'Coast survey',
    root: '/home/ana/coast-survey',
    repository: 'ssh://data.example.org/tank/coast-survey',
    guarantee: 'ZFS · atomic',
    status: { kind: 'in_sync' },
    watch: { kind: 'watching' },
    ...more,
  };
}

/** A local change, unless told otherwise. */
export function row(path: string, more: Partial<ChangeRow> = {}): ChangeRow {
  return {
    path,
    oldPath: null,
    state: 'LCR.C_eq_R',
    action: 'upload',
    group: 'outgoing',
    size: 1000,
    sentence: 'Changed here since the last sync.',
    reason: null,
    resolution: null,
    remoteAuthor: null,
    remoteTime: null,
    ...more,
  };
}

/** Both sides changed. */
export function conflict(path: string, more: Partial<ChangeRow> = {}): ChangeRow {
  return row(path, {
    state: 'LCR.all_ne',
    action: 'conflict',
    group: 'conflicts',
    sentence: 'Changed here and in the repository, in different ways.',
    remoteAuthor: 'Ben',
    remoteTime: new Date(Date.now() - 7_200_000).toISOString(),
    ...more,
  });
}

const GROUPS: Group[] = ['conflicts', 'outgoing', 'incoming', 'blocked'];

/** What Rust would answer about these rows: a small stand-in for the engine's list. */
export function changesPage(
  rows: ChangeRow[],
  request: ListChanges,
  more: Partial<ChangesPage> = {},
): ChangesPage {
  const { selection } = request;
  const named = new Set(selection.paths);
  const taken = rows.filter(
    (one) =>
      (['outgoing', 'incoming'].includes(one.group) || one.resolution !== null) &&
      named.has(one.path) === (selection.kind === 'only'),
  );
  const open = rows.filter((one) => one.group === 'conflicts' && !one.resolution).length;
  const matching = rows.filter(
    (one) => request.groups.includes(one.group) && one.path.includes(request.filter),
  );
  const sum = (some: ChangeRow[]) => some.reduce((all, one) => all + (one.size ?? 0), 0);
  return {
    revision: 1,
    head: 's42',
    lastSync: { snapshot: 's42', time: new Date(Date.now() - 1_500_000).toISOString() },
    reachable: true,
    trouble: null,
    notices: [],
    totals: GROUPS.map((group) => {
      const some = rows.filter((one) => one.group === group);
      return { group, count: some.length, bytes: sum(some) };
    }),
    selected: {
      count: taken.length,
      bytes: sum(taken),
      snapshot: taken.some((one) => one.group !== 'incoming') ? 's43' : null,
    },
    rows: matching.slice(request.offset, request.offset + request.limit),
    matching: matching.length,
    undecidedMatching: matching.filter((one) => one.group === 'conflicts' && !one.resolution)
      .length,
    blocker:
      open > 0
        ? `${open} ${open === 1 ? 'conflict waits' : 'conflicts wait'} for a decision`
        : null,
    ...more,
  };
}

/** Carries a decision into the rows, as new rows: answers are never the same objects twice. */
export function resolve(
  rows: ChangeRow[],
  { paths, matching, resolution }: ResolveConflicts,
): null {
  rows.forEach((one, index) => {
    const meant =
      matching !== null &&
      one.group === 'conflicts' &&
      !one.resolution &&
      one.path.includes(matching);
    if (meant || paths.includes(one.path)) rows[index] = { ...one, resolution };
  });
  return null;
}

/** A snapshot of some hours ago. */
export function snapshot(number: number, more: Partial<SnapshotRow> = {}): SnapshotRow {
  return {
    id: `s${number}`,
    number,
    author: 'Ana Lima',
    message: `Message of s${number}`,
    time: new Date(Date.now() - (100 - number) * 3_600_000).toISOString(),
    added: 2,
    changed: 1,
    deleted: 0,
    bytes: 5_000_000,
    here: false,
    ...more,
  };
}

/** A sync that published s43. */
export function report(more: Partial<SyncReport> = {}): SyncReport {
  return {
    snapshot: 's43',
    uploaded: 3,
    downloaded: 0,
    deletedLocal: 0,
    deletedRemote: 0,
    moved: 0,
    bytesSent: 3000,
    bytesReceived: 0,
    seconds: 1.5,
    conflicts: [],
    skipped: [],
    ...more,
  };
}

/** A folder that holds one of the usual data folders, and another one. */
export function folder(more: Partial<FolderPreview> = {}): FolderPreview {
  return {
    path: '/home/ana/coast',
    suggestedName: 'coast',
    isProject: false,
    hasRepository: false,
    defaultDataDirsFound: ['input'],
    topLevel: [
      { name: 'input', isDir: true, files: 120, bytes: 2_400_000_000 },
      { name: 'scratch', isDir: true, files: 8, bytes: 1_000_000 },
      { name: 'notes.txt', isDir: false, files: 1, bytes: 500 },
    ],
    ...more,
  };
}
