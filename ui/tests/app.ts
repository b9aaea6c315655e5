/** The whole window's answers, for a test or a scene to change what it is about. */
import type {
  ChangeRow,
  DifferenceRow,
  ProjectSummary,
  SnapshotRow,
} from '../src/lib/bindings/api';
import { FakeChanges } from './engine';
import { FakePlatform } from './fake';
import {
  difference,
  folder,
  hoursAgo,
  outlook,
  pathVersion,
  project,
  serverFolders,
  snapshot,
  trashed,
  word,
} from './fixtures';
import { previewOf } from './previews';
import { fakeSettings } from './settings-file';

export interface World {
  projects: ProjectSummary[];
  changes: ChangeRow[];
  snapshots: SnapshotRow[];
  differences: DifferenceRow[];
}

/** A platform with a whole small world behind it. */
export function world(more: Partial<World> = {}): { platform: FakePlatform; changes: FakeChanges } {
  const all: World = {
    projects: [project()],
    changes: [],
    snapshots: [snapshot(42, { here: true }), snapshot(41), snapshot(40)],
    differences: [
      difference('input/a.csv'),
      difference('input/new.csv', { kind: 'added', sizeBefore: null }),
      difference('input/old.csv', { kind: 'deleted', sizeAfter: null }),
      difference('output/b.csv', { kind: 'moved', oldPath: 'output/a.csv' }),
    ],
    ...more,
  };
  const changes = new FakeChanges(all.changes);
  changes.head = all.snapshots[0]?.id ?? 's42';
  changes.here = all.snapshots.find((one) => one.here)?.id ?? changes.head;
  // The project that is looked at stands as its rows do, unless something else is going on.
  const projects = () => {
    const [first, ...others] = all.projects;
    if (!first) return [];
    const told = ['in_sync', 'pending', 'conflicts'].includes(first.status.kind);
    const status = told ? changes.status : first.status;
    return [{ ...first, status, word: word(status) }, ...others];
  };
  const trash = [
    trashed('input/stations/harbour.csv'),
    trashed('output/summary.csv', {
      why: 'Deleted by the sync of s41.',
      taken: false,
      time: hoursAgo(30),
    }),
  ];
  const platform = new FakePlatform({
    projects_list: projects,
    project_inspect_folder: () => folder(),
    project_forget: () => null,
    sample_place: () => ({ path: '/home/ana/DSG sample' }),
    changes_list: (request) => changes.list(request),
    changes_select: (request) => changes.select(request),
    changes_expand: ({ path, open }) => changes.expand(path, open),
    conflict_resolve: (request) => changes.resolve(request),
    change_detail: ({ path }) => changes.detail(path),
    changes_ignore: () => ({
      sentence: 'All *.csv are left alone from now on.',
      decisions: 0,
      isNew: true,
    }),
    changes_heed: () => null,
    changes_revert: () => ({
      added: 0,
      replaced: 1,
      deleted: 0,
      unchanged: 0,
      bytes: 10,
      skipped: [],
      folder: '/home/ana/coast-survey',
    }),
    preview: (request) => previewOf(request),
    history_list: ({ before, limit }) => ({
      rows: all.snapshots.filter((one) => before === null || one.number < before).slice(0, limit),
      total: all.snapshots.length,
    }),
    history_compare: ({ filter, offset, limit }) => {
      const rows = all.differences.filter((one) => one.path.includes(filter));
      const count = (kind: string) => all.differences.filter((one) => one.kind === kind).length;
      return {
        rows: rows.slice(offset, offset + limit),
        matching: rows.length,
        added: count('added'),
        changed: count('changed'),
        deleted: count('deleted'),
        moved: count('moved'),
        bytes: 64_000,
      };
    },
    history_find: ({ text }) =>
      [
        { path: 'input/stations/buoy-north.csv', deleted: null },
        { path: 'input/stations/harbour.csv', deleted: null },
        { path: 'output/summary.csv', deleted: 's41' },
      ].filter((one) => one.path.includes(text)),
    history_versions: () => [
      pathVersion(41, { until: 's42', here: true }),
      pathVersion(38, { until: 's40' }),
      pathVersion(36, { until: 's37', version: null }),
      pathVersion(35),
    ],
    history_restore: ({ paths }) => ({
      added: 1,
      replaced: paths.length === 1 ? 0 : 2,
      deleted: 0,
      unchanged: paths.length === 1 ? 0 : 309,
      bytes: 12_000,
      skipped: [],
      folder: '/home/ana/coast-survey',
    }),
    history_verify: ({ deep }) => ({
      repository: '0193a7c2-5b1e-7d3f-9c4a-2f6b8e1d0a57',
      snapshots: 42,
      head: 's42',
      chain: 'c3ab8ff13720e8ad9047dd39466b3c8974e592c2fa383d4a3960714caef0c4f2',
      manifest: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
      deep,
      folder: changes.rows.length === 0 ? 's42' : null,
      text: 'Repository 0193a7c2-5b1e-7d3f-9c4a-2f6b8e1d0a57',
    }),
    trash_list: ({ filter, offset, limit }) => {
      const rows = trash.filter((one) => one.path.includes(filter));
      return {
        rows: rows.slice(offset, offset + limit),
        matching: rows.length,
        files: trash.length,
        bytes: 4096,
      };
    },
    trash_restore: () => ({ path: 'input/stations/harbour (2).csv' }),
    trash_empty: () => ({ files: trash.length, bytes: 4096 }),
    sync_start: () => null,
    sync_undo: () => null,
    sync_cancel: () => null,
    sync_results: () => ({
      total: 3,
      rows: [
        ['input/live.db', 'It changed while it was read; it stays pending.', false],
        ['input/a.csv', 'Uploaded.', true],
        ['input/b.csv', 'Uploaded.', true],
      ].map(([path, sentence, done]) => ({
        path: String(path),
        oldPath: null,
        action: 'upload',
        size: 1000,
        done: done === true,
        sentence: String(sentence),
      })),
    }),
    notices_dismiss: () => null,
    rescan: () => null,
    project_connect: () => null,
    questions_list: () => [],
    question_answer: () => null,
    server_hosts: () => ['ana@data.example.org', 'tank'],
    server_folders: ({ path }) => serverFolders(path ?? '/home/ana'),
    place_examine: () => null,
    pick_folder: () => '/home/ana/coast',
    ...fakeSettings(),
    outlook_look: ({ ticket, dataDirs }) => {
      platform.emit({ kind: 'outlook_told', id: ticket, outlook: outlook(dataDirs) });
      return null;
    },
    path_open: () => null,
    path_reveal: () => null,
    version_open: () => null,
  });
  return { platform, changes };
}
