import type {
  Adoption,
  ApiError,
  AtWork,
  ChangeRow,
  DifferenceRow,
  FolderPreview,
  Offline,
  OfflineReason,
  Outlook,
  PastSnapshot,
  PathVersion,
  ProjectStatus,
  ProjectSummary,
  ServerFolders,
  ServerRepository,
  SnapshotRow,
  SyncReport,
  TrashRow,
  Version,
} from '../src/lib/bindings/api';
import { apiError } from './fake';

export const hoursAgo = (hours: number) =>
  new Date(Date.now() - hours * 3_600_000).toISOString().replace(/\.\d+Z/, 'Z');

const OFFLINE: Record<OfflineReason, string> = {
  unreachable: 'Offline',
  sign_in: 'Sign-in needed',
  host_unknown: 'Server not confirmed',
  host_changed: 'Server key changed',
  no_repository: 'No repository there',
  agent: 'Server not usable',
  other: 'Offline',
};

/** A repository that is out of reach. */
export function offline(
  reason: OfflineReason = 'unreachable',
  message = 'data.example.org could not be reached at port 22: it did not answer within 15 s.',
  more: Partial<ApiError> = {},
): Offline {
  const error = apiError(reason, message, {
    hint: 'Is the host up, is its ssh server at this port, and the network too? A VPN may be needed.',
    ...more,
  });
  // A little more than the half minute that is shown, however long the drawing takes.
  return { reason, error, since: hoursAgo(0.4), retry: hoursAgo(-0.02) };
}

/** The word of a status, as Rust has it. */
export function word(status: ProjectStatus): string {
  switch (status.kind) {
    case 'in_sync':
      return 'In sync';
    case 'pending':
      return `${status.count.toLocaleString('en')} pending`;
    case 'conflicts':
      return status.count === 1 ? '1 conflict' : `${status.count.toLocaleString('en')} conflicts`;
    case 'blocked':
      return `${status.count.toLocaleString('en')} blocked`;
    case 'syncing':
      return status.percent === null ? 'Syncing' : `Syncing ${Math.floor(status.percent)} %`;
    case 'scanning':
      return 'Scanning';
    case 'offline':
      return OFFLINE[status.offline.reason];
    case 'attention':
      return 'Needs attention';
  }
}

/** What stands where a copy is wanted. */
export const legacyRepository = apiError(
  'legacy-repository',
  '/srv/data/coast-survey is a repository of the earlier DSG.',
  { hint: 'To see its history and what would be done: dsg adopt /srv/data/coast-survey --dry-run' },
);

/** What a repository of the earlier DSG holds, all of it as it was left. */
export function adoption(more: Partial<Adoption> = {}): Adoption {
  const past = (number: number, author: string, message: string, days: number): PastSnapshot => ({
    id: `s${number}`,
    author,
    message,
    time: hoursAgo(24 * days),
    files: 180 + number,
    bytes: 9_400_000 + number * 51_000,
    doubt: null,
  });
  return {
    name: 'Coast survey',
    snapshots: 12,
    history: [
      past(12, 'ben@example.org', 'Second field trip; station list corrected', 41),
      past(11, 'ana@example.org', 'Monthly means', 63),
      {
        ...past(10, 'ana@example.org', 'Second year of tide tables', 90),
        doubt: more.deviating ? 'Its list is lost: what it held is not known.' : null,
      },
      past(9, 'ben@example.org', 'Photos in a folder with a clear name', 121),
    ],
    files: 192,
    bytes: 10_012_000,
    deviating: 0,
    deviations: [],
    leftOut: 0,
    adopted: null,
    ...more,
  };
}

/** A project that is in sync, unless told otherwise. */
export function project(more: Partial<ProjectSummary> = {}): ProjectSummary {
  return {
    word: word(more.status ?? { kind: 'in_sync' }),
    id: 'p1',
    name: 'Coast survey',
    root: '/home/ana/coast-survey',
    repository: '/srv/shared/coast-survey',
    guarantee: 'Folder · shared by a group · atomic',
    place: null,
    status: { kind: 'in_sync' },
    watch: { kind: 'watching' },
    atWork: [],
    sample: false,
    ...more,
  };
}

/** A local change, unless told otherwise. */
export function row(path: string, more: Partial<ChangeRow> = {}): ChangeRow {
  const size = more.size === undefined ? 1000 : more.size;
  return {
    path,
    oldPath: null,
    depth: 0,
    state: 'LCR.C_eq_R',
    action: 'upload',
    group: 'outgoing',
    size,
    delta: 120,
    localSize: size,
    cachedSize: size === null ? null : size - 120,
    remoteSize: size === null ? null : size - 120,
    time: hoursAgo(1),
    sentence: 'Changed here since your last sync.',
    reason: null,
    choices: [],
    seen: null,
    untracked: false,
    resolution: null,
    ticked: true,
    tickable: true,
    remoteAuthor: null,
    remoteTime: null,
    remoteSnapshot: null,
    ...more,
  };
}

/** What is new here. */
export function added(path: string, more: Partial<ChangeRow> = {}): ChangeRow {
  return row(path, {
    state: 'L',
    sentence: 'New here.',
    delta: null,
    cachedSize: null,
    remoteSize: null,
    ...more,
  });
}

/** What a colleague changed. */
export function incoming(path: string, more: Partial<ChangeRow> = {}): ChangeRow {
  return row(path, {
    group: 'incoming',
    action: 'download',
    state: 'LCR.L_eq_C',
    sentence: 'Changed in the repository since your last sync.',
    remoteAuthor: 'ben@example.org',
    remoteTime: hoursAgo(3),
    remoteSnapshot: 's42',
    ...otherSides(more),
    ...more,
  });
}

/** Sizes of a change that is not only here: the repository's version is the one that differs. */
function otherSides({ size = 1000 }: Partial<ChangeRow>): Partial<ChangeRow> {
  const cached = size === null ? null : size - 120;
  return { localSize: cached, cachedSize: cached, remoteSize: size };
}

/** Both sides changed. */
export function conflict(path: string, more: Partial<ChangeRow> = {}): ChangeRow {
  const { size = 1000 } = more;
  return row(path, {
    remoteSize: size === null ? null : size + 64,
    state: 'LCR.all_ne',
    action: 'conflict',
    group: 'conflicts',
    sentence: 'Changed here and in the repository, in different ways.',
    choices: ['local', 'remote', 'cached', 'both'],
    seen: `versions of ${path}`,
    ticked: false,
    tickable: false,
    remoteAuthor: 'ben@example.org',
    remoteTime: hoursAgo(2),
    remoteSnapshot: 's42',
    ...more,
  });
}

/** What cannot be synced now. */
export function blocked(path: string, more: Partial<ChangeRow> = {}): ChangeRow {
  return row(path, {
    group: 'blocked',
    action: 'blocked',
    sentence: '',
    reason: 'It cannot be read: permission denied.',
    size: null,
    delta: null,
    localSize: null,
    ticked: false,
    tickable: false,
    ...more,
  });
}

/** What a rule leaves alone now, although the repository has it. */
export function untracked(path: string, more: Partial<ChangeRow> = {}): ChangeRow {
  return blocked(path, {
    state: 'CR.eq',
    sentence: 'No longer tracked here.',
    reason: null,
    size: 48_000,
    cachedSize: 48_000,
    remoteSize: 48_000,
    choices: ['local', 'remote'],
    seen: `versions of ${path}`,
    untracked: true,
    ...more,
  });
}

/** What a rule leaves alone. */
export function ignored(path: string, more: Partial<ChangeRow> = {}): ChangeRow {
  return row(path, {
    group: 'ignored',
    action: 'none',
    sentence: '',
    reason: 'The rule *.tmp leaves it alone.',
    delta: null,
    cachedSize: null,
    remoteSize: null,
    ticked: false,
    tickable: false,
    ...more,
  });
}

/** A version of a file. */
export function version(size: number, more: Partial<Version> = {}): Version {
  return {
    kind: 'file',
    size,
    time: hoursAgo(5),
    executable: false,
    target: null,
    sha256: size.toString(16).padStart(64, '0'),
    made: null,
    ...more,
  };
}

/** A snapshot of some hours ago. */
export function snapshot(number: number, more: Partial<SnapshotRow> = {}): SnapshotRow {
  return {
    id: `s${number}`,
    number,
    author: 'ana@example.org',
    message: `Message of s${number}`,
    time: hoursAgo(100 - number),
    added: 2,
    changed: 1,
    deleted: 0,
    moved: 0,
    files: 312,
    bytes: 5_000_000,
    here: false,
    kept: true,
    ...more,
  };
}

/** A path that differs between two snapshots. */
export function difference(path: string, more: Partial<DifferenceRow> = {}): DifferenceRow {
  return { path, oldPath: null, kind: 'changed', sizeBefore: 900, sizeAfter: 1000, ...more };
}

/** A version of a path, as the history tells it. */
export function pathVersion(number: number, more: Partial<PathVersion> = {}): PathVersion {
  return {
    made: {
      snapshot: `s${number}`,
      author: 'ben@example.org',
      time: hoursAgo(100 - number),
      message: `Message of s${number}`,
    },
    version: version(1000 + number),
    until: `s${number}`,
    here: false,
    kept: true,
    ...more,
  };
}

/** Something that a sync took out of the folder. */
export function trashed(path: string, more: Partial<TrashRow> = {}): TrashRow {
  return {
    item: `t-${path}`,
    path,
    size: 2048,
    time: hoursAgo(4),
    why: 'Replaced by the version of s42.',
    taken: true,
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
    results: 3,
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
      { name: 'input', isDir: true },
      { name: 'scratch', isDir: true },
      { name: 'notes.txt', isDir: false },
    ],
    ...more,
  };
}

/** What a first sync of that folder would take. */
export function outlook(dataDirs: string[], more: Partial<Outlook> = {}): Outlook {
  const all = dataDirs.includes('*');
  const takes = (name: string) => all || dataDirs.includes(name);
  const share = (files: number, bytes: number, examples: string[]) => ({ files, bytes, examples });
  const files = (takes('input') ? 120 : 0) + (takes('scratch') ? 8 : 0) + (all ? 1 : 0);
  const bytes =
    (takes('input') ? 2_400_000_000 : 0) + (takes('scratch') ? 1_000_000 : 0) + (all ? 500 : 0);
  return {
    synced: share(files, bytes, ['input/stations/buoy.csv', 'input/stations/harbour.csv']),
    ignored: [
      {
        rule: 'ignored by ignore.suffixes: .tmp',
        share: share(3, 4096, ['input/a.tmp', 'input/b.tmp', 'input/c.tmp']),
      },
    ],
    outside: share(129 - files, 2_401_000_500 - bytes, all ? [] : ['notes.txt']),
    hidden: 2,
    troubles: [
      {
        path: 'input/wind: gusts.csv',
        sentence:
          "Its name cannot be synced: the name contains ':' (U+003A), which is not allowed.",
        offer: 'input/wind_ gusts.csv',
      },
    ],
    troubled: 1,
    folders: [
      { name: 'input', files: 120, bytes: 2_400_000_000 },
      { name: 'scratch', files: 8, bytes: 1_000_000 },
    ],
    complete: true,
    ...more,
  };
}

/** Somebody else at work in the repository. */
export const atWork = (more: Partial<AtWork> = {}): AtWork => ({
  who: 'ben@example.org',
  doing: 'is uploading s43, 40 %',
  since: hoursAgo(0.1),
  percent: 40,
  publishing: false,
  ...more,
});

const there = (path: string, more: Partial<ServerRepository> = {}): ServerRepository => ({
  address: `ssh://ana@data.example.org${path}`,
  name: 'Coast survey',
  head: 's42',
  author: 'ben@example.org',
  time: hoursAgo(20),
  files: 12_400,
  bytes: 48_200_000_000,
  guarantee: 'Folder · shared by a group · atomic',
  trouble: null,
  ...more,
});

/** A folder of a server: a home, and one with repositories. */
export function serverFolders(path: string): ServerFolders {
  const at = (name: string, repository: ServerRepository | null = null) => ({
    name,
    path: `${path}/${name}`,
    repository,
  });
  const broken = apiError(
    'repository-damaged',
    'The repository’s file repository.json is damaged.',
  );
  const folders = path.endsWith('data')
    ? [
        at('archive'),
        at('coast-survey', there(`${path}/coast-survey`)),
        at('ice-cores', there(`${path}/ice-cores`, { head: 's7', time: hoursAgo(900) })),
        at('incoming'),
        at('old', there(`${path}/old`, { head: null, trouble: broken })),
      ]
    : [at('data'), at('bin'), at('projects')];
  return {
    host: 'ana@data.example.org',
    path,
    parent: path.split('/').slice(0, -1).join('/') || '/',
    prefix: `ssh://ana@data.example.org${path}/`,
    writable: true,
    complete: true,
    folders,
  };
}
