import type { ChangeRow, ProjectSummary } from '../../src/lib/bindings/api';
import { FakePlatform, apiError } from '../fake';
import {
  changesPage,
  conflict,
  folder,
  project,
  report,
  resolve,
  row,
  snapshot,
} from '../fixtures';

interface Scene {
  platform: FakePlatform;
  then?: (platform: FakePlatform) => void | Promise<void>;
}

const hoursAgo = (hours: number) => new Date(Date.now() - hours * 3_600_000).toISOString();

const projects: ProjectSummary[] = [
  project({ status: { kind: 'conflicts', count: 3 } }),
  project({ id: 'p2', name: 'Soil samples 2026', status: { kind: 'in_sync' } }),
  project({ id: 'p3', name: 'Ice cores', status: { kind: 'pending', count: 12 } }),
  project({ id: 'p4', name: 'River gauges', status: { kind: 'syncing', percent: 41 } }),
  project({ id: 'p5', name: 'Archive', status: { kind: 'offline', message: 'No route to host' } }),
  project({
    id: 'p6',
    name: 'Tide tables with a rather long name',
    status: { kind: 'attention', error: apiError('disk-full', 'The disk is full') },
  }),
];

function manyRows(): ChangeRow[] {
  const rows: ChangeRow[] = [
    conflict('analysis/model/parameters.yml', { size: 4_210 }),
    conflict('input/stations/2026/harbour-north.csv', { size: 1_204_000, resolution: 'local' }),
    conflict('results/figures/overview.png', {
      state: 'LC.ne',
      sentence: 'Changed here, deleted in the repository.',
    }),
    row('input/stations/2026/buoy-old.csv', {
      action: 'delete_remote',
      state: 'CR.eq',
      sentence: 'Deleted here since the last sync.',
      size: 88_000,
    }),
    row('input/raw/sonar-14.tif', {
      action: 'move_remote',
      oldPath: 'input/sonar-14.tif',
      sentence: 'Moved here since the last sync; nothing is sent.',
      size: 740_000_000,
    }),
    row(
      'results/a-very-long-folder-name/with-another-one/inside/of-it/and-a-long-file-name.parquet',
      {
        state: 'L',
        sentence: 'New here.',
        size: 1_300_000_000,
      },
    ),
    row('input/calibration/offsets.csv', {
      group: 'incoming',
      action: 'download',
      state: 'LCR.L_eq_C',
      sentence: 'Changed in the repository since the last sync.',
      size: 64_200,
      remoteAuthor: 'Ben Okoro',
      remoteTime: hoursAgo(3),
    }),
    row('input/calibration/old.csv', {
      group: 'incoming',
      action: 'delete_local',
      state: 'LC.eq',
      sentence: 'Deleted in the repository since the last sync.',
      size: 2_100,
      remoteAuthor: 'Ben Okoro',
      remoteTime: hoursAgo(3),
    }),
    row('input/locked.db', {
      group: 'blocked',
      action: 'blocked',
      sentence: 'Cannot be read.',
      reason: 'Permission denied.',
      size: null,
    }),
  ];
  for (let number = 0; number < 100_000; number += 1) {
    rows.push(
      row(`input/stations/2026/series-${String(number).padStart(6, '0')}.csv`, {
        state: number % 3 ? 'LCR.C_eq_R' : 'L',
        sentence: number % 3 ? 'Changed here since the last sync.' : 'New here.',
        size: 12_000 + ((number * 7919) % 90_000),
      }),
    );
  }
  return rows;
}

const messages = [
  'Recalibrated the northern buoys',
  'Harbour series for October',
  'Removed duplicate soundings, see the note in input/README',
  '',
  'First look at the sonar tiles',
];

function app(rows: ChangeRow[], list: ProjectSummary[]): FakePlatform {
  return new FakePlatform({
    projects_list: () => list,
    changes_list: (request) => changesPage(rows, request),
    history_list: () =>
      Array.from({ length: 24 }, (_, index) =>
        snapshot(42 - index, {
          message: messages[index % messages.length],
          author: index % 3 ? 'Ana Lima' : 'Ben Okoro',
          time: hoursAgo(index * index + 0.4),
          added: (index * 37) % 211,
          changed: (index * 13) % 17,
          deleted: index % 4 ? 0 : index + 2,
          bytes: 48_200_000_000 - index * 912_000_000,
          here: index === 1,
        }),
      ),
    conflict_resolve: (request) => resolve(rows, request),
    project_inspect_folder: () => folder({ path: '/home/ana/coast' }),
    project_open: () => {
      throw apiError('not-a-project', '/home/ana/coast is not a DSG project', {
        hint: 'Create a repository from it, or choose the folder of a project.',
        detail: 'no .dsg/ in /home/ana/coast or above it',
      });
    },
    pick_folder: () => '/home/ana/coast',
    sync_start: () => null,
    sync_cancel: () => null,
    rescan: () => null,
    project_forget: () => null,
  });
}

function press(text: string): void {
  const buttons = [...document.querySelectorAll<HTMLElement>('button')];
  buttons.find((button) => button.textContent?.trim().startsWith(text))?.click();
}

const wait = (ms: number) => new Promise((done) => setTimeout(done, ms));

/** The states of the window that are worth a look. */
export const scenes: Record<string, () => Scene> = {
  first: () => ({ platform: app([], []) }),
  changes: () => ({ platform: app(manyRows(), projects) }),
  quiet: () => ({ platform: app([], projects.slice(1)) }),
  ready: () => ({
    platform: app(
      manyRows()
        .filter((one) => one.group !== 'conflicts')
        .slice(0, 130),
      projects.slice(2),
    ),
  }),
  syncing: () => ({
    platform: app(manyRows(), projects.slice(3)),
    then: (platform) =>
      platform.emit({
        kind: 'progress',
        id: 'p4',
        phase: 'staging',
        filesDone: 812,
        filesTotal: 1_980,
        bytesDone: 940_000_000,
        bytesTotal: 2_300_000_000,
        path: 'input/stations/2026/series-000812.csv',
        bytesPerSecond: 84_000_000,
        cancellable: true,
      }),
  }),
  finished: () => ({
    platform: app([], projects.slice(1)),
    then: (platform) =>
      platform.emit({
        kind: 'sync_finished',
        id: 'p2',
        report: report({
          uploaded: 128,
          downloaded: 4,
          moved: 1,
          bytesSent: 2_300_000_000,
          bytesReceived: 64_000,
          seconds: 27.4,
          skipped: [{ path: 'input/live.db', reason: 'it changed while it was read' }],
        }),
      }),
  }),
  halted: () => ({
    platform: app(manyRows(), projects.slice(2)),
    then: (platform) =>
      platform.emit({
        kind: 'sync_failed',
        id: 'p3',
        error: apiError('mass-delete', 'This sync would delete 812 of 1,200 files', {
          hint: 'If that is meant, sync anyway; the history keeps them.',
          detail: 'safety check mass-delete: 812 > 1200 / 2',
          allow: 'mass-delete',
        }),
      }),
  }),
  history: () => ({ platform: app(manyRows(), projects), then: () => historyTab() }),
  open: () => ({
    platform: app([], []),
    then: async () => {
      press('Open a folder');
      await wait(100);
      press('Browse');
      await wait(100);
      press('Open');
      document.querySelector<HTMLButtonElement>('[type=submit]')?.click();
    },
  }),
  create: () => ({
    platform: app([], []),
    then: async () => {
      press('Create a repository');
      await wait(100);
      press('Browse');
      await wait(100);
      document.querySelector<HTMLButtonElement>('[type=submit]')?.click();
    },
  }),
};

function historyTab(): void {
  window.dispatchEvent(new KeyboardEvent('keydown', { key: '2', ctrlKey: true }));
}
