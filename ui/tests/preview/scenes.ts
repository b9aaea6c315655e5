/** The states of the window that are worth a look, each reached as a person would reach it. */
import type {
  ChangeRow,
  ChangesRow,
  ChangesView,
  ProjectSummary,
} from '../../src/lib/bindings/api';
import { type Step, steps } from '../../src/lib/state/new-project.svelte';
import { world } from '../app';
import { change } from '../engine';
import { apiError } from '../fake';
import {
  added,
  blocked,
  conflict,
  difference,
  hoursAgo,
  ignored,
  incoming,
  offline,
  project,
  report,
  row,
  snapshot,
  untracked,
} from '../fixtures';
import { fakeSettings } from '../settings-file';
import {
  type Scene,
  all,
  choose,
  fillIn,
  found,
  key,
  menuOf,
  press,
  scrolledTo,
  wait,
} from './acts';
import { serverScenes } from './server-scenes';

const projects: ProjectSummary[] = [
  project(),
  project({ id: 'p2', name: 'Soil samples 2026', status: { kind: 'in_sync' } }),
  project({ id: 'p3', name: 'Ice cores', status: { kind: 'pending', count: 12 } }),
  project({ id: 'p4', name: 'River gauges', status: { kind: 'syncing', percent: 41 } }),
  project({ id: 'p5', name: 'Archive', status: { kind: 'offline', offline: offline() } }),
  project({
    id: 'p6',
    name: 'Tide tables with a rather long name',
    status: { kind: 'attention', error: apiError('disk-full', 'The disk is full') },
  }),
];

const conflicts: ChangeRow[] = [
  conflict('analysis/model/parameters.yml', { size: 4_210 }),
  conflict('input/stations/2026/harbour-north.csv', {
    size: 1_204_000,
    resolution: 'local',
    ticked: true,
    tickable: true,
  }),
  conflict('results/figures/overview.png', {
    state: 'LC.ne',
    sentence: 'Changed here, deleted in the repository.',
    choices: ['local', 'remote', 'cached'],
    remoteSize: null,
  }),
  conflict('results/figures/tides.png', { size: 88_120 }),
];

const work: ChangeRow[] = [
  row('input/stations/2026/buoy-old.csv', {
    action: 'delete_remote',
    state: 'CR.eq',
    sentence: 'Deleted here since your last sync.',
    size: 88_000,
    delta: -88_000,
    localSize: null,
  }),
  row('input/raw/sonar-14.tif', {
    action: 'move_remote',
    oldPath: 'input/sonar-14.tif',
    sentence: 'Moved here since your last sync.',
    size: 740_000_000,
    delta: null,
  }),
  added(
    'results/a-very-long-folder-name/with-another-one/inside/of-it/and-a-long-file-name.parquet',
    {
      size: 1_300_000_000,
    },
  ),
  incoming('input/calibration/offsets.csv', { size: 64_200, delta: 1_300 }),
  incoming('input/calibration/old.csv', {
    action: 'delete_local',
    state: 'LC.eq',
    sentence: 'Deleted in the repository since your last sync.',
    size: 2_100,
    delta: -2_100,
    remoteSize: null,
  }),
  blocked('input/locked.db'),
  untracked('input/dive-2019.log'),
  ignored('input/scratch/run.tmp', { size: 12_000 }),
  ignored('cache', { size: null, reason: 'The rule cache/ leaves it alone.' }),
];

const series = (number: number): ChangeRow =>
  (number % 3 ? row : added)(`input/stations/2026/series-${String(number).padStart(6, '0')}.csv`, {
    size: 12_000 + ((number * 7919) % 90_000),
    delta: number % 3 ? ((number * 31) % 4_000) - 2_000 : null,
  });
const some = (n: number) => Array.from({ length: n }, (_, number) => series(number));

/** Names that would break out, turn around or hide, if they were let. */
const strange: ChangeRow[] = [
  added('names/<img src=x onerror=alert(1)>.csv'),
  added('names/two\nlines\tand a tab.csv'),
  added('names/invoice\u202efdp.exe'),
  added('names/zero\u200bwidth\u2066isolate.csv'),
  added(`names/${'very-long-name-'.repeat(16)}end.csv`),
  added('names/بيانات/قياسات-2026.csv'),
  added('names/נתונים/תחנה צפונית.txt'),
  added('names/データ/観測点.csv'),
  added('names/👩‍🔬 notes 🇬🇱.md'),
  added('names/ leading and trailing .txt'),
];

const snapshots = Array.from({ length: 24 }, (_, index) =>
  snapshot(42 - index, {
    message: [
      'Recalibrated the northern buoys',
      'Harbour series for October',
      'Removed duplicate soundings, see the note in input/README',
      '',
      'First look at the sonar tiles',
    ][index % 5],
    author: index % 3 ? 'ana@example.org' : 'ben@example.org',
    time: hoursAgo(index * index + 0.4),
    added: (index * 37) % 211,
    changed: (index * 13) % 17,
    deleted: index % 4 ? 0 : index + 2,
    moved: index % 5 === 1 ? 3 : 0,
    bytes: 48_200_000_000 - index * 912_000_000 + ((index * 7919) % 7) * 300_000_000,
    here: index === 1,
    kept: index < 20,
  }),
);
const differences = [
  difference('analysis/model/parameters.yml', { sizeBefore: 4_100, sizeAfter: 4_210 }),
  difference('input/calibration/offsets.csv', { sizeBefore: 62_900, sizeAfter: 64_200 }),
  difference('input/calibration/old.csv', { kind: 'deleted', sizeBefore: 2_100, sizeAfter: null }),
  difference('input/raw/sonar-14.tif', { kind: 'moved', oldPath: 'input/sonar-14.tif' }),
  difference('results/figures/overview.png', { sizeBefore: 81_000, sizeAfter: 88_000 }),
  ...Array.from({ length: 40 }, (_, number) =>
    difference(`input/stations/2026/series-${String(number).padStart(4, '0')}.csv`, {
      kind: 'added',
      sizeBefore: null,
      sizeAfter: 12_000 + number * 77,
    }),
  ),
];

const gone = {
  action: 'delete_remote',
  state: 'CR.eq',
  sentence: 'Deleted here since your last sync.',
  localSize: null,
};

const pending = (rows = [...conflicts, ...work, ...some(120)]) =>
  world({ projects, changes: rows, snapshots, differences });
const ready = () => pending([...work, ...some(120)]);
/** With nothing pending: the folder is at the newest snapshot. */
const calm = (newest = 42) => {
  const rows = snapshots.map((row) => ({ ...row, here: row.number === newest }));
  if (newest > 42) rows.unshift(snapshot(newest, { added: 128, deleted: 1, moved: 1, here: true }));
  return world({ projects, snapshots: rows, differences });
};
const history = (then?: Scene['then']): Scene => ({
  platform: pending().platform,
  then: async (platform) => {
    key('2', true);
    await found(() => all('button.snapshot')[0]);
    await then?.(platform);
  },
});

const progress = {
  kind: 'progress',
  id: 'p1',
  task: 'sync',
  phase: 'staging',
  filesDone: 51,
  filesTotal: 125,
  bytesDone: 940_000_000,
  bytesTotal: 2_300_000_000,
  path: 'input/stations/2026/series-000051.csv',
  bytesPerSecond: 84_000_000,
  cancellable: true,
} as const;

const EVERYTHING: ChangesView = {
  filter: '',
  groups: ['conflicts', 'outgoing', 'incoming', 'blocked'],
  sort: 'path',
  descending: false,
  layout: 'list',
};

/** A list that exists only where it is looked at. */
function endless(count: number): Scene {
  const { platform, changes } = world({ projects });
  platform.answers.changes_list = ({ view, offset, limit }) => {
    const rows: ChangesRow[] = [];
    for (let at = offset; at < Math.min(offset + limit, count); at += 1)
      rows.push(change(series(at)));
    const page = changes.list({ id: 'p1', view, offset, limit });
    const selected = { count, bytes: count * 57_000, snapshot: 's43', of: count };
    return { ...page, rows, total: count, matching: count, ticked: 'all', selected };
  };
  const { totals } = changes.list({ id: 'p1', view: EVERYTHING, offset: 0, limit: 0 });
  const total = { ...totals[1]!, count, bytes: count * 57_000 };
  changes.more = { totals: totals.map((one, index) => (index === 1 ? total : one)) };
  platform.answers.change_detail = ({ path }) => {
    changes.rows = [row(path)];
    return changes.detail(path);
  };
  return { platform };
}

/** A repository that is being made, up to a step; nobody has said yet who works here. */
const creating = (step: Step) => (): Scene => {
  const { platform } = world({ projects: [] });
  platform.answers.profile_read = () => ({
    name: null,
    mail: null,
    otherwise: 'ana@laptop',
    path: '/home/ana/.config/dsg/dsg.yml',
  });
  return {
    platform,
    then: async () => {
      await press('Create a repository');
      await press('Browse');
      for (const one of steps.slice(0, steps.indexOf(step))) {
        if (one === 'place') await fillIn('address', '/srv/shared/coast');
        await press('Next');
      }
    },
  };
};

export const scenes: Record<string, () => Scene> = {
  first: () => ({ platform: world({ projects: [] }).platform }),
  sample: () => ({
    platform: world({ projects: [] }).platform,
    then: () => press('Try it with sample data'),
  }),
  create: creating('folder'),
  'create-place': creating('place'),
  'create-data': creating('data'),
  'create-summary': creating('summary'),
  'create-problems': () => ({
    platform: world({ projects: [] }).platform,
    then: async () => {
      await press('Create a repository');
      (await found(() => all('[type=submit]')[0])).click();
    },
  }),
  open: () => {
    const { platform } = world({ projects: [] });
    platform.answers.project_open = () => {
      throw apiError('not-a-project', '/home/ana/coast is not a DSG project.', {
        hint: 'Create a repository from it, or choose the folder of a project.',
        detail: 'no .dsg/ in /home/ana/coast or above it',
      });
    };
    return {
      platform,
      then: async () => {
        await press('Open a folder');
        await press('Browse');
        (await found(() => all('[type=submit]')[0])).click();
      },
    };
  },
  changes: () => ({ platform: ready().platform, then: () => choose('offsets.csv') }),
  tree: () => ({ platform: pending().platform, then: () => press('Folders') }),
  folder: () => ({
    platform: pending().platform,
    then: async () => {
      await press('Folders');
      await choose('model');
    },
  }),
  conflict: () => ({ platform: pending().platform, then: () => choose('parameters.yml') }),
  decided: () => ({ platform: pending().platform, then: () => choose('harbour-north') }),
  images: () => ({ platform: pending().platform, then: () => choose('tides.png') }),
  blocked: () => ({ platform: ready().platform, then: () => choose('locked.db') }),
  untracked: () => ({ platform: ready().platform, then: () => choose('dive-2019.log') }),
  undo: () => {
    const { platform, changes } = calm();
    changes.more = { undo: { snapshot: 's41', former: 's40', paths: 37, time: hoursAgo(26) } };
    return { platform };
  },
  unshown: () => {
    const { platform } = pending();
    platform.answers.path_reveal = () => {
      throw apiError('not-found', '/home/ana/coast-survey is not there.', {
        hint: 'Connect the disk that it is on.',
      });
    };
    return {
      platform,
      then: async () => {
        await press('More about Ice cores');
        const shows = (one: HTMLElement) => one.textContent?.trim() === 'Show the folder';
        const entry = await found(() => all('[role=menuitem]').find(shows));
        entry.click();
        await wait(50);
      },
    };
  },
  ignored: () => ({
    platform: ready().platform,
    then: async () => {
      await press('Ignored');
      await choose('run.tmp');
    },
  }),
  menu: () => ({ platform: pending().platform, then: () => menuOf('parameters.yml') }),
  ignore: () => ({
    platform: pending().platform,
    then: async () => {
      await menuOf('parameters.yml');
      const ends = (one: HTMLElement) => one.textContent?.trim().startsWith('Ignore the folder');
      (await found(() => all('[role=menuitem]').find(ends))).click();
      await wait(100);
    },
  }),
  names: () => ({
    platform: world({ projects, changes: strange, snapshots }).platform,
    then: () => choose('fdp.exe'),
  }),
  nothing: () => ({
    platform: ready().platform,
    then: async () => {
      await press('Outgoing');
      await press('Incoming');
      await press('Blocked');
    },
  }),
  million: () => endless(1_000_000),
  looking: () => {
    const { platform } = world({ projects: [project({ status: { kind: 'scanning' } })] });
    platform.answers.changes_list = () => new Promise(() => undefined);
    return {
      platform,
      then: () => platform.emit({ ...progress, task: 'look', phase: 'scanning' }),
    };
  },
  quiet: () => ({ platform: calm().platform }),
  notice: () => {
    const { platform, changes } = ready();
    changes.more = { notices: ['A sync that was cut off was finished: s42 is published.'] };
    return { platform };
  },
  syncing: () => {
    const { platform, changes } = ready();
    return {
      platform,
      then: async () => {
        await press('Sync 125 files');
        const { selected } = changes.list({ id: 'p1', view: EVERYTHING, offset: 0, limit: 0 });
        const bytesDone = selected.bytes * 0.41;
        changes.course = { kind: 'syncing', percent: 41 };
        platform.emit({ ...progress, bytesDone, bytesTotal: selected.bytes });
        platform.emit({ kind: 'projects_changed' });
      },
    };
  },
  finished: () => {
    const { platform, changes } = calm(43);
    const undo = { snapshot: 's43', former: 's42', paths: 130, time: hoursAgo(0.01) };
    changes.more = { undo, lastSync: { snapshot: 's43', time: hoursAgo(0.01) } };
    const left = [
      'input/live.db',
      'It changed while it was read; it stays pending.',
      false,
    ] as const;
    platform.answers.sync_results = ({ offset, limit }) => ({
      total: 134,
      rows: Array.from({ length: Math.min(limit, 134 - offset) }, (_, index) => {
        const { path, size } = series(offset + index);
        const [at, sentence, done] = offset + index ? ([path, 'Uploaded.', true] as const) : left;
        return { path: at, oldPath: null, action: 'upload', size, done, sentence };
      }),
    });
    return {
      platform,
      then: () =>
        platform.emit({
          kind: 'sync_finished',
          id: 'p1',
          report: report({
            uploaded: 128,
            downloaded: 4,
            moved: 1,
            bytesSent: 2_300_000_000,
            bytesReceived: 64_000,
            seconds: 27.4,
            results: 134,
            skipped: [{ path: 'input/live.db', reason: 'It changed while it was read.' }],
          }),
        }),
    };
  },
  results: () => {
    const scene = scenes.finished!();
    return {
      ...scene,
      then: async (platform) => {
        await scene.then?.(platform);
        await press('Show file by file');
      },
    };
  },
  cancelled: () => ({
    platform: ready().platform,
    then: (platform) =>
      platform.emit({ kind: 'sync_failed', id: 'p1', error: apiError('cancelled', 'Cancelled.') }),
  }),
  halted: () => ({
    platform: pending(some(98).map((row) => ({ ...row, ...gone }))).platform,
    then: async (platform) => {
      await press('Sync 98 files');
      platform.emit({
        kind: 'sync_failed',
        id: 'p1',
        error: apiError('mass-delete', 'This sync would delete 98 of 120 files.', {
          hint: 'If that is meant, sync anyway; the history keeps them.',
          detail: 'safety check mass-delete: 98 > 120 / 2',
          allow: 'mass-delete',
        }),
      });
    },
  }),
  offline: () => {
    const { platform, changes } = pending([...work, ...some(12)]);
    const cut = offline(
      'unreachable',
      'The folder that should hold /srv/shared/coast is not there.',
      {
        hint: 'Check the address, and that the disk or share is mounted.',
        detail: 'No such file or directory (os error 2)',
      },
    );
    changes.course = { kind: 'offline', offline: cut };
    changes.more = { offline: cut, blocker: cut.error.message };
    return { platform };
  },
  ...serverScenes,
  history: () => history(() => choose('parameters.yml')),
  table: () => history(() => choose('offsets.csv')),
  compare: () =>
    history(async () => {
      const line = await found(() => all('button.snapshot')[4]);
      line.dispatchEvent(new MouseEvent('click', { ctrlKey: true, bubbles: true }));
      await choose('overview.png');
    }),
  restore: () =>
    history(async () => {
      await choose('old.csv');
      await press('Restore from s41');
    }),
  restored: () =>
    history(async () => {
      await choose('old.csv');
      await press('Restore from s41');
      await press('Restore');
      (await found(() => all('[type=submit]')[0])).click();
    }),
  versions: () =>
    history(async () => {
      await press('Files');
      await choose('harbour.csv');
    }),
  trash: () => history(() => press('Trash')),
  empty: () =>
    history(async () => {
      await press('Trash');
      await press('Empty');
    }),
  verify: () =>
    history(async () => {
      await press('Verify');
      (await found(() => all('[type=submit]')[0])).click();
    }),
  'no-history': () => {
    const { platform } = world({ snapshots: [] });
    return { platform, then: () => key('2', true) };
  },
  settings: () => ({ platform: pending().platform, then: () => key('3', true) }),
  'settings-problems': () => ({
    platform: pending().platform,
    then: async () => {
      key('3', true);
      await fillIn('key-data_dirs', 'input\nraw/2024');
      await fillIn('key-retention', 'some');
      await scrolledTo('.keys');
    },
  }),
  'settings-broken': () => {
    const { platform } = pending();
    Object.assign(platform.answers, fakeSettings('name: [Coast survey\ndata_dirs: [input]\n'));
    return {
      platform,
      then: async () => {
        key('3', true);
        await scrolledTo('.keys');
      },
    };
  },
  keys: () => ({ platform: pending().platform, then: () => key('F1') }),
  'no-list': () => {
    const { platform } = world();
    platform.answers.projects_list = () => {
      throw apiError('damaged', 'The list of projects in /home/ana/.local/share/dsg is damaged.', {
        hint: 'Open each project’s folder again; nothing in the projects is touched.',
        detail: 'projects.json: expected value at line 1 column 1',
      });
    };
    return { platform };
  },
};
