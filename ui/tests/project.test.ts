import { expect, it } from 'vitest';

import type { Progress } from '../src/lib/bindings/api';
import { CHUNK } from '../src/lib/state/history.svelte';
import { Operation } from '../src/lib/state/operation.svelte';
import { Workspace } from '../src/lib/state/workspace.svelte';
import { world } from './app';
import { apiError } from './fake';
import { project, report, row, snapshot } from './fixtures';

const settled = () => new Promise((done) => setTimeout(done));

function progress(id: string, more: Partial<Progress> = {}): Progress & { kind: 'progress' } {
  return {
    kind: 'progress',
    id,
    task: 'sync',
    phase: 'staging',
    filesDone: 1,
    filesTotal: 2,
    bytesDone: 10,
    bytesTotal: 20,
    path: 'a',
    bytesPerSecond: null,
    cancellable: true,
    ...more,
  };
}

async function workspace(projects = [project(), project({ id: 'p2', name: 'Second' })]) {
  const { platform } = world({ projects, changes: [row('a')] });
  const space = new Workspace(platform);
  await space.start();
  await settled();
  return { platform, space, projects };
}

it('chooses the first project and loads it', async () => {
  const { platform, space } = await workspace();
  expect(space.project?.id).toBe('p1');
  expect(space.summary?.name).toBe('Coast survey');
  expect(platform.requests('changes_list')).toHaveLength(1);
  expect(platform.requests('history_list')).toHaveLength(1);
});

it('shows the first start once the last project is gone', async () => {
  const { space, projects } = await workspace([project()]);
  projects.length = 0;
  await space.forget('p1');
  expect(space.project).toBeNull();
  expect(space.summary).toBeUndefined();
});

it('keeps what a project was at when another one is looked at', async () => {
  const { space } = await workspace();
  if (space.project) space.project.tab = 'history';
  space.choose('p2');
  expect(space.project?.tab).toBe('changes');
  space.choose('p1');
  expect(space.project?.tab).toBe('history');
});

it('asks again when a project changed, and only that project', async () => {
  const { platform } = await workspace();
  const before = platform.requests('changes_list').length;
  platform.emit({ kind: 'changes_changed', id: 'p2', revision: 9 });
  platform.emit({ kind: 'changes_changed', id: 'p1', revision: 1 });
  expect(platform.requests('changes_list')).toHaveLength(before);
  platform.emit({ kind: 'changes_changed', id: 'p1', revision: 2 });
  expect(platform.requests('changes_list')).toHaveLength(before + 1);
  platform.emit({ kind: 'history_changed', id: 'p1' });
  expect(platform.requests('history_list')).toHaveLength(2);
  await settled();
  platform.emit({ kind: 'projects_changed' });
  expect(platform.requests('projects_list')).toHaveLength(2);
});

it('follows a sync from start to end, and forgets the message', async () => {
  const { platform, space } = await workspace();
  const { sync, changes } = space.project!;
  sync.message = '  about buoys ';
  const asked = platform.requests('changes_list').length;
  await sync.start(true);
  expect(platform.requests('sync_start')).toEqual([
    {
      id: 'p1',
      message: 'about buoys',
      exceptConflicts: true,
      allow: [],
    },
  ]);
  platform.emit(progress('p1', { path: 'here' }));
  expect(sync.course).toMatchObject({ kind: 'running', progress: { path: 'here' } });
  platform.emit({ kind: 'sync_finished', id: 'p1', report: report() });
  expect(sync.course).toMatchObject({ kind: 'finished', report: { snapshot: 's43' } });
  expect(sync.message).toBe('');
  await settled();
  expect(platform.requests('changes_list').length).toBeGreaterThan(asked);
  expect(changes.page?.selected.count).toBe(1);
});

it('does not start a second sync while one runs', async () => {
  const { platform, space } = await workspace();
  await space.project?.sync.start();
  await space.project?.sync.start();
  expect(platform.requests('sync_start')).toHaveLength(1);
});

it('names the safety check that is passed over, and keeps the message', async () => {
  const { platform, space } = await workspace();
  const { sync } = space.project!;
  sync.message = 'tidy up';
  await sync.start();
  platform.emit({
    kind: 'sync_failed',
    id: 'p1',
    error: apiError('mass-delete', 'Much would be deleted'),
  });
  await sync.again('mass-delete');
  expect(platform.requests('sync_start').at(-1)).toMatchObject({
    allow: ['mass-delete'],
    message: 'tidy up',
  });
});

it('takes up a sync that somebody else started, but not a mere look at the folder', async () => {
  const { platform, space } = await workspace();
  platform.emit(progress('p1', { task: 'look', phase: 'scanning' }));
  expect(space.project?.sync.running).toBe(false);
  platform.emit(progress('p1', { task: 'job', phase: 'settling' }));
  expect(space.project?.sync.running, 'what brings a file back is no sync').toBe(false);
  platform.emit(progress('p1', { phase: 'staging' }));
  expect(space.project?.sync.running).toBe(true);
});

it('goes on when a sync can no longer be cancelled', async () => {
  const { platform, space } = await workspace();
  const { sync } = space.project!;
  platform.answers.sync_cancel = () => {
    throw apiError('too-late', 'Already published');
  };
  await sync.start();
  await sync.cancel();
  expect(sync.course).toMatchObject({ kind: 'running', cancelling: false });
});

it('shows the newest snapshot until somebody chooses another', async () => {
  const { platform, space } = await workspace();
  const history = space.project!.history;
  let newest = 8;
  platform.answers.history_list = () => ({
    rows: Array.from({ length: newest }, (_, i) => snapshot(newest - i)),
    total: newest,
  });
  const shown = async (number: number) => {
    newest = number;
    await history.reload();
    return history.chosen?.id;
  };
  expect(await shown(8)).toBe('s8');
  expect(await shown(9)).toBe('s9');
  history.choose('s9', false);
  expect(await shown(10)).toBe('s9');
});

it('adds older snapshots under their days, and knows when there are no more', async () => {
  const { platform, space } = await workspace();
  const history = space.project!.history;
  platform.answers.history_list = ({ before }) =>
    before === null
      ? { rows: Array.from({ length: CHUNK }, (_, i) => snapshot(300 - i)), total: CHUNK + 1 }
      : { rows: [snapshot(1)], total: CHUNK + 1 };
  await history.reload();
  expect(history.hasMore).toBe(true);
  await history.more();
  expect(platform.requests('history_list').at(-1)?.before).toBe(301 - CHUNK);
  expect(history.rows).toHaveLength(CHUNK + 1);
  expect(history.hasMore).toBe(false);
  expect(history.days.flatMap(({ rows }) => rows)).toEqual(history.rows);
  expect(new Set(history.days.map(({ title }) => title)).size).toBe(history.days.length);
});

it('gives an operation the progress of its own ticket, and chooses the new project', async () => {
  const { platform, space } = await workspace();
  const operation = new Operation(space);
  let ticket = '';
  const done = operation.run(async (given) => {
    ticket = given;
    platform.emit(progress(given, { path: 'mine' }));
    platform.emit(progress('another', { path: 'not mine' }));
    return project({ id: 'p2' });
  });
  expect(operation.running).toBe(true);
  expect(await done).toBe(true);
  expect(operation.progress?.path).toBe('mine');
  expect(space.project?.id).toBe('p2');
  await operation.cancel();
  expect(platform.requests('sync_cancel')).toEqual([{ id: ticket }]);
});

it('keeps the error of an operation and stays ready', async () => {
  const { space } = await workspace();
  const operation = new Operation(space);
  expect(await operation.run(() => Promise.reject(apiError('no', 'No')))).toBe(false);
  expect(operation.error?.code).toBe('no');
  expect(operation.running).toBe(false);
});

it('gives its progress to a restore while one runs, not to a sync', async () => {
  const { platform, space } = await workspace();
  const { work, sync } = space.project!;
  const back = progress('p1', { task: 'job', path: 'back' });
  const done = work.run(async () => platform.emit(back));
  expect(work.progress?.path).toBe('back');
  expect(sync.running).toBe(false);
  await done;
  platform.emit(progress('p1'));
  expect(sync.running).toBe(true);
});

it('compares with the one before, with another one, or with the folder', async () => {
  const { platform, space } = await workspace();
  const { history } = space.project!;
  await settled();
  expect(platform.requests('history_compare').at(-1)).toMatchObject({ from: null, to: 's42' });
  expect(history.earlier).toBe('s41');
  history.compare({ from: 's40', to: null });
  await settled();
  history.show(history.differences.row(0)!);
  expect(platform.requests('preview').at(-1)).toMatchObject({
    left: { at: { kind: 'snapshot', snapshot: 's40' } },
    right: { at: { kind: 'local' } },
  });
});

it('asks again for what a restore may have touched', async () => {
  const { platform, space } = await workspace();
  const { reads, trash } = space.project!;
  trash.start();
  await settled();
  const count = () =>
    (['changes_list', 'trash_list', 'history_list'] as const).map(
      (name) => platform.requests(name).length,
    );
  const before = count();
  await reads.change('history_restore', {
    id: 'p1',
    snapshot: 's40',
    paths: [],
    to: { kind: 'project' },
    dryRun: false,
  });
  expect(count()).toEqual(before.map((n) => n + 1));
});
