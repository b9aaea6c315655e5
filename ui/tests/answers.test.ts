/** Answers that come late, errors that belong elsewhere, progress of something else. */
import { render, screen, waitFor } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { beforeEach, describe, expect, it, vi } from 'vitest';

import App from '../src/App.svelte';
import type { Progress, ProjectSummary } from '../src/lib/bindings/api';
import { CHUNK } from '../src/lib/state/history.svelte';
import { Workspace } from '../src/lib/state/workspace.svelte';
import { world } from './app';
import { apiError } from './fake';
import { pathVersion, project, report, row, snapshot, trashed } from './fixtures';

const user = userEvent.setup({ pointerEventsCheck: 0 });
const settled = () => new Promise((done) => setTimeout(done));
const button = (name: string | RegExp) => screen.findByRole('button', { name });

beforeEach(() => {
  vi.spyOn(HTMLElement.prototype, 'clientHeight', 'get').mockReturnValue(600);
});

async function started() {
  const { platform, changes } = world({ changes: [row('a')] });
  const space = new Workspace(platform);
  await space.start();
  await settled();
  return { platform, changes, space, project: space.project! };
}

/** Answers that are given when the test says so, in any order. */
function held<Value>() {
  const waiting: ((value: Value) => void)[] = [];
  return { waiting, ask: () => new Promise<Value>((done) => waiting.push(done)) };
}

function progress(task: Progress['task'], path: string): Progress & { kind: 'progress' } {
  return {
    kind: 'progress',
    id: 'p1',
    task,
    phase: 'staging',
    filesDone: 1,
    filesTotal: 2,
    bytesDone: 10,
    bytesTotal: 20,
    path,
    bytesPerSecond: null,
    cancellable: true,
  };
}

describe('a late answer', () => {
  it('about the projects does not bring back what they were', async () => {
    const { platform, space } = await started();
    const { waiting, ask } = held<ProjectSummary[]>();
    platform.answers.projects_list = ask;
    platform.emit({ kind: 'projects_changed' });
    platform.emit({ kind: 'projects_changed' });
    waiting[1]?.([project({ name: 'New name' })]);
    waiting[0]?.([project({ name: 'Old name' })]);
    await settled();
    expect(space.summary?.name).toBe('New name');
  });

  it('does not ask again what was answered already', async () => {
    const { platform, space } = await started();
    const what = { kind: 'password', login: 'ana@host', again: false } as const;
    const open = [{ id: 7, about: 'Coast survey', what }];
    platform.answers.questions_list = () => open;
    platform.emit({ kind: 'questions_changed' });
    await settled();
    const { waiting, ask } = held<typeof open>();
    platform.answers.questions_list = ask;
    platform.emit({ kind: 'questions_changed' });
    await space.questions.answer(7, { kind: 'cancel' });
    waiting[0]?.(open);
    await settled();
    expect(space.questions.first).toBeNull();
  });
});

describe('an error', () => {
  it('of a list that was read before leaves the project on show, and is said beside it', async () => {
    const { platform } = world({ changes: [row('a')] });
    render(App, { platform });
    await screen.findByRole('row');
    const { projects_list } = platform.answers;
    platform.answers.projects_list = () => {
      throw apiError('io', 'The list cannot be read.');
    };
    platform.emit({ kind: 'projects_changed' });
    await screen.findByText('The list cannot be read.');
    screen.getByRole('row');
    platform.answers.projects_list = projects_list!;
    await user.click(await button('Try again'));
    await waitFor(() => expect(screen.queryByText('The list cannot be read.')).toBeNull());
  });

  it('of a restore is not shown as one of a check', async () => {
    const { platform } = world({ changes: [row('a')] });
    render(App, { platform });
    await screen.findByRole('row');
    await user.keyboard('{Control>}2{/Control}');
    const { history_restore } = platform.answers;
    platform.answers.history_restore = (request) => {
      if (!request.dryRun) throw apiError('disk-full', 'The disk is full.');
      return history_restore!(request);
    };
    await user.click(await button('All…'));
    await user.click(await button('Restore'));
    await screen.findByText('The disk is full.');
    await user.keyboard('{Escape}');
    await user.click(await button('Verify'));
    await screen.findByRole('heading', { name: 'Verify the history' });
    expect(screen.queryByText('The disk is full.')).toBeNull();
  });

  it('of one version is not shown at another one', async () => {
    const { platform, project } = await started();
    platform.answers.version_open = () => {
      throw apiError('offline', 'No answer.');
    };
    project.versions.choose('a');
    await settled();
    await project.versions.open();
    expect(project.versions.failed?.code).toBe('offline');
    project.versions.pick(1);
    expect(project.versions.failed).toBeNull();
  });

  it('of an answer to a server is said where nothing else is asked', async () => {
    const { platform } = world({ changes: [row('a')] });
    const what = { kind: 'password', login: 'ana@host', again: false } as const;
    platform.answers.questions_list = () => [{ id: 1, about: 'Coast survey', what }];
    platform.answers.question_answer = () => {
      throw apiError('no-question', 'Nobody waits for this answer any more.');
    };
    render(App, { platform });
    await user.type(await screen.findByLabelText(/Password of/), 'secret');
    await user.click(await button('Sign in'));
    await screen.findByText('Nobody waits for this answer any more.');
    await user.click((await screen.findAllByRole('button', { name: 'Close' })).at(-1)!);
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
  });

  it('is told from the clipboard, too', async () => {
    const { platform } = world({ changes: [row('a')] });
    platform.copyText = () => Promise.reject(new Error('not allowed'));
    render(App, { platform });
    await button(/^Sync 1 file/);
    platform.emit({ kind: 'sync_failed', id: 'p1', error: apiError('io', 'No') });
    await user.click(await button('Copy details'));
    await button(/The clipboard is out of reach/);
  });
});

describe('a sync', () => {
  it('that somebody else ends leaves the message that is being typed', async () => {
    const { platform, project } = await started();
    project.sync.message = 'About buoys';
    platform.emit(progress('sync', 'theirs'));
    platform.emit({ kind: 'sync_finished', id: 'p1', report: report() });
    expect(project.sync.message).toBe('About buoys');
  });

  it('that somebody else began and that failed is not taken for what was begun here', async () => {
    const { platform, project } = await started();
    await project.sync.undo('s40');
    platform.emit({ kind: 'sync_finished', id: 'p1', report: report() });
    platform.emit(progress('sync', 'theirs'));
    const error = apiError('offline', 'No answer');
    platform.emit({ kind: 'sync_failed', id: 'p1', error });
    expect(project.sync.failure(error)).toBe('The sync did not happen');
    expect(project.sync.repeatable).toBe(false);
  });
});

describe('progress', () => {
  it('of what ended is not the progress of what begins', async () => {
    const { platform, project } = await started();
    platform.emit(progress('job', 'nobody waits for it'));
    expect(project.work.progress).toBeNull();
    await project.work.run(async () => platform.emit(progress('job', 'mine')));
    expect(project.work.progress).toBeNull();
    platform.emit(progress('look', 'seen'));
    expect(project.looking?.path).toBe('seen');
    platform.emit({ kind: 'changes_changed', id: 'p1', revision: 9 });
    expect(project.looking).toBeNull();
  });

  it('of a longer way back is shown, and it can be stopped', async () => {
    const { platform } = world({ changes: [row('input/a.csv')] });
    platform.answers.changes_revert = () => new Promise(() => undefined);
    render(App, { platform });
    await user.click(await button('More about input/a.csv'));
    await user.click(await screen.findByRole('menuitem', { name: 'Restore last synced version' }));
    platform.emit(progress('job', 'input/a.csv'));
    await screen.findByText('1 of 2 files');
    screen.getByLabelText('Message of the snapshot');
    await user.click(await button('Cancel'));
    expect(platform.requests('sync_cancel')).toEqual([{ id: 'p1' }]);
  });
});

describe('what is chosen', () => {
  it('in the trash is the same thing after something else went', async () => {
    const { platform, project } = await started();
    let rows = ['a', 'b', 'c'].map((name) => trashed(name));
    platform.answers.trash_list = () => ({ rows, matching: rows.length, files: 3, bytes: 1 });
    project.trash.start();
    await settled();
    project.trash.picked.choose(1);
    await project.trash.restore(rows[0]!);
    rows = rows.slice(1);
    await project.trash.picked.reload();
    expect([project.trash.picked.active, project.trash.picked.row?.path]).toEqual([0, 'b']);
    rows = rows.slice(1);
    await project.trash.picked.reload();
    expect(project.trash.picked.row?.path).toBe('c');
  });

  it('of the versions of a file stays chosen when a newer one comes', async () => {
    const { platform, project } = await started();
    project.versions.choose('a');
    await settled();
    project.versions.pick(1);
    const former = await platform.call('history_versions', { id: 'p1', path: 'a' });
    platform.answers.history_versions = () => [pathVersion(50), ...former];
    platform.emit({ kind: 'history_changed', id: 'p1' });
    await settled();
    expect(project.versions.active).toBe(2);
    expect(project.versions.version).toEqual(former[1]);
  });

  it('of older snapshots stays in the list when a colleague publishes', async () => {
    const { platform, project } = await started();
    let newest = 250;
    platform.answers.history_list = ({ before, limit }) => {
      const first = before === null ? newest : before - 1;
      const length = Math.min(limit, first);
      return { rows: Array.from({ length }, (_, i) => snapshot(first - i)), total: newest };
    };
    await project.history.reload();
    await project.history.more();
    project.history.choose('s60', false);
    newest = 251;
    await project.history.reload();
    expect(project.history.rows.length).toBeGreaterThanOrEqual(2 * CHUNK);
    expect(project.history.chosen?.id).toBe('s60');
    expect(project.history.rows[0]?.id).toBe('s251');
  });
});
