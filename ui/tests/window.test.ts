import { render, screen, waitFor, within } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { beforeEach, describe, expect, it, vi } from 'vitest';

import App from '../src/App.svelte';
import type { ChangeRow } from '../src/lib/bindings/api';
import { world } from './app';
import type { FakeChanges } from './engine';
import { FakePlatform, apiError } from './fake';
import {
  added,
  conflict,
  folder,
  hoursAgo,
  incoming,
  project,
  report,
  row,
  snapshot,
  untracked,
} from './fixtures';

const user = userEvent.setup({ pointerEventsCheck: 0 });

beforeEach(() => {
  // The test browser lays nothing out; the list needs a height to show rows.
  vi.spyOn(HTMLElement.prototype, 'clientHeight', 'get').mockReturnValue(600);
});

function open(rows: ChangeRow[] = [row('input/a.csv')], projects = [project()]) {
  const snapshots = [snapshot(42), snapshot(41, { message: 'Older one', here: true })];
  const { platform, changes } = world({ projects, changes: rows, snapshots });
  render(App, { platform });
  engine = changes;
  return platform;
}
let engine: FakeChanges;

const undo = (snapshot: string) => ({ snapshot, former: 's39', paths: 3, time: hoursAgo(20) });
const button = (name: string | RegExp) => screen.findByRole('button', { name });

describe('first start', () => {
  it('offers the ways to begin', async () => {
    open([], []);
    await button(/Open a folder/);
    await button(/Create a repository/);
    await button(/Get a copy/);
    await button(/Try it with sample data/);
  });

  it('makes the sample where it says, in two clicks', async () => {
    const platform = open([], []);
    platform.answers.sample_create = () => project({ sample: true });
    await user.click(await button(/Try it with sample data/));
    await screen.findByDisplayValue('/home/ana/DSG sample');
    platform.answers.projects_list = () => [project({ sample: true })];
    await user.click(await button('Make the sample'));
    await screen.findByRole('heading', { name: 'Coast survey' });
    expect(platform.requests('sample_create')).toMatchObject([{ path: '/home/ana/DSG sample' }]);
  });

  it('says what is missing instead of asking Rust', async () => {
    const platform = open([], []);
    await user.click(await button(/Get a copy/));
    await user.click(await button('Get a copy'));
    await screen.findByText('Say where the repository is.');
    await screen.findByText('Choose a folder.');
    expect(platform.requests('project_clone')).toEqual([]);
  });

  it('offers to create a repository from a folder that is no project', async () => {
    const platform = open([], []);
    platform.answers.project_open = () => {
      throw apiError('not-a-project', 'This is no project');
    };
    await user.click(await button(/Open a folder/));
    await user.click(await button('Browse…'));
    await user.click(await button('Open'));
    await user.click(await button('Create a repository from it…'));
    await screen.findByRole('heading', { name: 'Create a repository' });
    await waitFor(() =>
      expect(platform.requests('project_inspect_folder')).toEqual([{ path: '/home/ana/coast' }]),
    );
  });

  it('creates a repository from what was chosen', async () => {
    const platform = open([], []);
    platform.answers.project_create = () => project();
    await user.click(await button(/Create a repository/));
    await user.click(await button('Browse…'));
    await user.click(await button('Next'));
    await user.type(screen.getByLabelText('Repository address'), 'server:/data/coast');
    await user.click(await button('Next'));
    await screen.findByText('s1 will hold 120 files · 2.4 GB');
    await user.click(screen.getByRole('checkbox', { name: 'scratch' }));
    await screen.findByText('s1 will hold 128 files · 2.4 GB');
    await user.click(await button('Next'));
    platform.answers.projects_list = () => [project()];
    await user.click(await button('Create repository'));
    await screen.findByRole('heading', { name: 'Coast survey' });
    expect(platform.requests('project_create')).toMatchObject([
      {
        path: '/home/ana/coast',
        address: 'server:/data/coast',
        name: 'coast',
        dataDirs: ['input', 'scratch'],
        message: 'First snapshot',
      },
    ]);
    expect(screen.queryByRole('dialog')).toBeNull();
  });

  it('takes everything when none of the usual folders is there, and says so', async () => {
    const platform = open([], []);
    platform.answers.project_inspect_folder = () => folder({ defaultDataDirsFound: [] });
    await user.click(await button(/Create a repository/));
    await user.click(await button('Browse…'));
    await user.click(await button('Next'));
    await user.type(screen.getByLabelText('Repository address'), '/data/coast');
    await user.click(await button('Next'));
    await screen.findByText(/None of the usual data folders/);
    await screen.findByText('s1 will hold 129 files · 2.4 GB');
  });
});

describe('changes', () => {
  it('shows what happened, path and size of a change', async () => {
    open([added('input/a.csv', { size: 2_300_000 })]);
    const line = await screen.findByRole('row');
    for (const text of ['New here', 'input/', 'a.csv', '2.3 MB']) within(line).getByText(text);
  });

  it('says on the button what it will do, and does it with Ctrl+Enter', async () => {
    const platform = open([row('a'), row('b')]);
    const sync = await button('Sync 2 files · 2.0 kB → s43');
    expect(sync).toHaveProperty('disabled', false);
    await user.type(screen.getByLabelText('Message of the snapshot'), 'About buoys');
    await user.keyboard('{Control>}{Enter}{/Control}');
    expect(platform.requests('sync_start')).toMatchObject([
      { message: 'About buoys', exceptConflicts: false },
    ]);
  });

  it('leaves a row out with its box and with Space', async () => {
    open([row('a'), row('b')]);
    await user.click(await screen.findByRole('checkbox', { name: 'Include a in the sync' }));
    await button('Sync 1 file · 1.0 kB → s43');
    screen.getByRole('grid').focus();
    await user.keyboard('{ArrowDown} ');
    await button('Nothing is selected');
  });

  it('shows the versions of the chosen change, and why it is there', async () => {
    open([conflict('c.csv')]);
    const detail = await screen.findByRole('group', { name: 'The chosen change' });
    await within(detail).findByText(/Nothing moves before you decide/);
    for (const side of ['Here', 'Last synced', 'Repository'])
      within(detail).getByRole('heading', { name: side });
    await within(detail).findByText('0.83');
  });

  it('waits for decisions, offers everything else, and takes a decision back', async () => {
    const platform = open([conflict('c'), row('a')]);
    const sync = await button('Sync 1 file · 1.0 kB → s43');
    expect(sync).toHaveProperty('disabled', true);
    await screen.findByText('1 conflict waits for a decision.');
    await user.click(await button('Take theirs'));
    await screen.findByText('Theirs is taken.');
    expect(await button(/^Sync 2 files/)).toHaveProperty('disabled', false);
    await user.click(await button('Undo'));
    await user.click(await button('Sync everything else'));
    expect(platform.requests('sync_start')).toMatchObject([{ exceptConflicts: true }]);
  });

  it.each([
    ['>', 'local'],
    ['<', 'remote'],
  ])('decides a conflict with %s', async (key, resolution) => {
    const platform = open([conflict('c')]);
    (await screen.findByRole('grid')).focus();
    await user.keyboard(key);
    const what = { kind: 'row', path: 'c', seen: 'versions of c' };
    expect(platform.requests('conflict_resolve')).toEqual([{ id: 'p1', what, resolution }]);
  });

  it('decides all conflicts that the filter leaves', async () => {
    const platform = open([conflict('a/1'), conflict('a/2'), conflict('b/1')]);
    await screen.findByText('3 conflicts to decide');
    await user.click(await button('All theirs'));
    await button(/^Sync 3 files/);
    const what = { kind: 'matching', filter: '' };
    expect(platform.requests('conflict_resolve')).toEqual([
      { id: 'p1', what, resolution: 'remote' },
    ]);
  });

  it('offers only the ways out that make sense', async () => {
    open([conflict('c', { choices: ['local', 'remote', 'both'] })]);
    await button('Keep both');
    expect(screen.queryByRole('button', { name: 'Restore last synced' })).toBeNull();
  });

  it('opens and closes folders of the tree by mouse and by keyboard', async () => {
    open([row('in/a.csv'), row('in/b.csv'), row('c.csv')]);
    await user.click(await screen.findByRole('radio', { name: 'Folders' }));
    await user.click(await button('Close in'));
    const tree = await screen.findByRole('treegrid');
    await waitFor(() => expect(tree.getAttribute('aria-rowcount')).toBe('2'));
    tree.focus();
    await user.keyboard('{End}{ArrowRight}');
    await waitFor(() => expect(tree.getAttribute('aria-rowcount')).toBe('4'));
  });

  it('goes to the versions with Enter and back with Escape', async () => {
    open([row('a')]);
    const grid = await screen.findByRole('grid');
    grid.focus();
    await user.keyboard('{Enter}');
    expect(document.activeElement).toBe(screen.getByRole('group', { name: 'The chosen change' }));
    await user.keyboard('{Escape}');
    expect(document.activeElement).toBe(grid);
  });

  it('ignores by a rule only after saying what that leaves alone, and says what it means', async () => {
    const platform = open([row('input/a.csv'), row('b.csv'), row('a.csv.txt')]);
    const ask = async () => {
      await user.click(await button('More about b.csv'));
      await user.click(await screen.findByRole('menuitem', { name: 'Ignore all *.csv…' }));
      await screen.findByText('Of what is pending now, it leaves alone 2 changes:');
    };
    await user.click((await screen.findAllByRole('row'))[1]!);
    await ask();
    await user.keyboard('{Escape}');
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
    expect(platform.requests('changes_ignore')).toEqual([]);
    await ask();
    await user.click(await button('Ignore'));
    await screen.findByText('All *.csv are left alone from now on.');
    expect(platform.requests('changes_ignore')).toEqual([
      { id: 'p1', rule: { kind: 'suffix', suffix: '.csv' } },
    ]);
    await user.click(await button('Undo'));
    expect(platform.requests('changes_heed')).toEqual(platform.requests('changes_ignore'));
    await waitFor(() => expect(screen.queryByText(/left alone from now on/)).toBeNull());
  });

  it('says what stands in the way, and looks again', async () => {
    const trouble = apiError('empty-root', 'The disk is away', { hint: 'Is it connected?' });
    const platform = open([row('a')]);
    engine.more = { trouble, blocker: trouble.message, revision: 2 };
    platform.emit({ kind: 'changes_changed', id: 'p1', revision: 2 });
    await screen.findByText('Is it connected?');
    await user.click(await button('Try again'));
    expect(platform.requests('rescan')).toEqual([{ id: 'p1' }]);
  });

  it('takes in what was changed on the server, without conflicts that wait for other decisions', async () => {
    const trouble = apiError('drift', 'a was changed there', { allow: 'drift' });
    const platform = open([conflict('c')]);
    engine.more = { trouble, blocker: trouble.message, revision: 2 };
    platform.emit({ kind: 'changes_changed', id: 'p1', revision: 2 });
    await screen.findByText('Changed on the server');
    await user.click(await button('Take it in as a snapshot'));
    expect(platform.requests('sync_start')).toMatchObject([
      { allow: ['drift'], exceptConflicts: true },
    ]);
  });

  it('keeps a notice until it is put away', async () => {
    const platform = open([]);
    engine.more = { notices: ['A sync that was cut off is finished now.'], revision: 2 };
    platform.answers.notices_dismiss = () => ((engine.more = {}), null);
    platform.emit({ kind: 'changes_changed', id: 'p1', revision: 2 });
    await screen.findByText('A sync that was cut off is finished now.');
    await user.click(await button('Got it'));
    await waitFor(() => expect(screen.queryByText(/cut off/)).toBeNull());
  });

  it('draws only the rows in view of a long list', async () => {
    open(Array.from({ length: 5000 }, (_, i) => row(`f${i}`)));
    expect((await screen.findByRole('grid')).getAttribute('aria-rowcount')).toBe('5000');
    expect(screen.getAllByRole('row').length).toBeLessThan(40);
  });

  it('says that all is in sync when nothing is pending', async () => {
    open([]);
    await screen.findByText('Everything is in sync');
  });

  it('says why the list is empty, and shows everything again', async () => {
    open([row('a')]);
    await user.click(await button(/^Outgoing/));
    await screen.findByText(/groups that are switched off/);
    await user.click(await button('Show everything'));
    await screen.findByRole('row');
  });
});

describe('a sync', () => {
  const running = {
    kind: 'progress',
    id: 'p1',
    task: 'sync',
    phase: 'staging',
    filesDone: 5,
    filesTotal: 10,
    bytesDone: 500,
    bytesTotal: 2000,
    path: 'input/a.csv',
    bytesPerSecond: 1000,
    cancellable: true,
  } as const;

  it('shows how far it is, and can be cancelled until it publishes', async () => {
    const platform = open();
    await button(/^Sync 1 file/);
    platform.emit(running);
    await screen.findByText('5 of 10 files');
    await screen.findByText('1.0 kB/s');
    expect(screen.getByRole('progressbar').getAttribute('aria-valuenow')).toBe('25');
    platform.emit({ ...running, phase: 'settling', cancellable: false });
    await screen.findByText('Finishing…');
    expect(await button('Cancel')).toHaveProperty('disabled', true);
    platform.emit(running);
    await user.click(await button('Cancel'));
    expect(platform.requests('sync_cancel')).toEqual([{ id: 'p1' }]);
    await button('Cancelling…');
  });

  it('tells what it did, and what it left out', async () => {
    const platform = open();
    await button(/^Sync 1 file/);
    platform.emit({
      kind: 'sync_finished',
      id: 'p1',
      report: report({ skipped: [{ path: 'live.db', reason: 'it changed while it was read' }] }),
    });
    await screen.findByText('Published s43 in 1.5 s');
    await screen.findByText('3 uploaded · 3.0 kB sent');
    await screen.findByText('1 file left out');
    await user.click(await button('Show file by file…'));
    await screen.findByText('It changed while it was read; it stays pending.');
    await user.keyboard('{Escape}');
    await user.click(await button('Close'));
    await waitFor(() => expect(screen.queryByText('Published s43 in 1.5 s')).toBeNull());
  });

  it('shows a failure with its hint, and copies its details', async () => {
    const platform = open();
    await button(/^Sync 1 file/);
    const error = apiError('offline', 'No answer', { hint: 'Is it on?', detail: 'EHOSTUNREACH' });
    platform.emit({ kind: 'sync_failed', id: 'p1', error });
    await screen.findByText('Is it on?');
    await user.click(await button('Copy details'));
    await button('Copied');
    expect(platform.copied).toContain('EHOSTUNREACH');
  });

  it('offers to undo what it published', async () => {
    const platform = open();
    await button(/^Sync 1 file/);
    engine.more = { undo: undo('s43'), revision: 2 };
    platform.emit({ kind: 'sync_finished', id: 'p1', report: report() });
    await user.click(await button('Undo s43'));
    expect(platform.requests('sync_undo')).toEqual([{ id: 'p1', snapshot: 's43' }]);
  });

  it('says of an undo that failed that the sync stands', async () => {
    const platform = open([incoming('input/b.csv')]);
    engine.more = { undo: undo('s40') };
    platform.answers.sync_undo = () => {
      throw apiError('usage', 'input/b.csv was changed since s40.');
    };
    await user.click(await button('Undo s40'));
    await screen.findByText('That sync was not undone');
  });

  it('offers to undo the last sync of this folder, whatever others did since', async () => {
    const platform = open([incoming('input/b.csv')]);
    engine.more = { undo: undo('s40') };
    await user.click(await button('Undo s40'));
    expect(platform.requests('sync_undo')).toEqual([{ id: 'p1', snapshot: 's40' }]);
  });

  it('offers to pass over a safety check by name', async () => {
    const platform = open();
    await user.click(await button(/^Sync 1 file/));
    const error = apiError('mass-delete', 'Much would be deleted', { allow: 'mass-delete' });
    platform.emit({ kind: 'sync_failed', id: 'p1', error });
    await user.click(await button('Sync anyway'));
    expect(platform.requests('sync_start').at(-1)?.allow).toEqual(['mass-delete']);
  });
});

describe('what is no longer tracked', () => {
  it('says what becomes of it, and is taken back before the sync', async () => {
    const platform = open([untracked('input/old.log')]);
    await user.click(await screen.findByRole('row'));
    await user.click(await button('Keep there'));
    await screen.findByText('Kept there.');
    await button(/^Sync 1 file/);
    await user.click(await button('Undo'));
    await button('Remove there');
    const choices = platform.requests('conflict_resolve').map(({ resolution }) => resolution);
    expect(choices).toEqual(['remote', null]);
    expect(screen.queryByText(/theirs/i)).toBeNull();
  });
});

describe('the frame', () => {
  it('names status in words, repository, guarantee and watch state', async () => {
    const watch = { kind: 'off', reason: 'too many folders' } as const;
    open([], [project({ status: { kind: 'syncing', percent: 41.9 }, watch })]);
    await screen.findByText('Syncing 41 %');
    await screen.findByText('/srv/shared/coast-survey');
    await screen.findByText('Folder · shared by a group · atomic');
    await screen.findByText('At s41, synced 24 minutes ago');
    await screen.findByText('Not watching: too many folders');
  });

  it('goes to the history and back by keyboard', async () => {
    open();
    await screen.findByRole('row');
    await user.keyboard('{Control>}2{/Control}');
    expect(screen.getByRole('tab', { name: 'History' }).getAttribute('aria-selected')).toBe('true');
    await screen.findByText('Older one');
    await screen.findByText('You are here');
    await user.keyboard('{Control>}1{/Control}');
    expect(screen.getByRole('tab', { name: 'Changes' }).getAttribute('aria-selected')).toBe('true');
  });

  it('compares two snapshots by keyboard, and one again', async () => {
    const platform = open();
    await screen.findByRole('row');
    await user.keyboard('{Control>}2{/Control}');
    const [newest, older] = [await button(/^s42/), await button(/^s41/)];
    newest.focus();
    const asked = () => {
      const { from, to } = platform.requests('history_compare').at(-1) ?? {};
      return [from, to];
    };
    await user.keyboard('{Shift>}{ArrowDown}{/Shift}');
    await waitFor(() => expect(asked()).toEqual(['s41', 's42']));
    expect(document.activeElement).toBe(older);
    await user.keyboard('{Shift>}{ArrowUp}{/Shift}');
    await waitFor(() => expect(asked()).toEqual([null, 's42']));
    await user.keyboard('{ArrowDown}');
    await waitFor(() => expect(asked()).toEqual([null, 's41']));
    await user.keyboard('{Shift>}{ArrowUp}{/Shift}');
    await waitFor(() => expect(asked()).toEqual(['s41', 's42']));
  });

  it('finds a file of any time, and restores a version of it', async () => {
    const platform = open();
    await screen.findByRole('row');
    await user.keyboard('{Control>}2{/Control}');
    await user.click(await screen.findByRole('radio', { name: 'Files' }));
    await user.click(await screen.findByText('summary.csv'));
    await user.click(await screen.findByText('s38–s40'));
    await user.click(await button('Restore from s38…'));
    await screen.findByText(/Would happen: 1 file added\.$/);
    await user.click(await button('Restore'));
    await screen.findByText(/Restored: 1 file added/);
    expect(platform.requests('history_restore').map(({ dryRun }) => dryRun)).toEqual([true, false]);
    await user.click(await button('Show the changes'));
    expect(screen.getByRole('tab', { name: 'Changes' }).getAttribute('aria-selected')).toBe('true');
  });

  it('puts back what is in the trash, and empties it only after asking', async () => {
    const platform = open();
    await screen.findByRole('row');
    await user.keyboard('{Control>}2{/Control}');
    await user.click(await screen.findByRole('radio', { name: 'Trash' }));
    await user.click(await button('Put back beside the present one'));
    await screen.findByText('It is in your folder again: input/stations/harbour (2).csv');
    await user.click(await button('Empty…'));
    expect(platform.requests('trash_empty')).toMatchObject([{ dryRun: true }]);
    await user.click(await button('Delete for good'));
    expect(platform.requests('trash_empty').at(-1)).toMatchObject({ dryRun: false });
  });

  it('shows its keys with F1', async () => {
    open();
    await screen.findByRole('row');
    await user.keyboard('{F1}');
    await screen.findByText('Keep mine: it goes to the repository');
    await user.keyboard('{Escape}');
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
  });

  it('removes the sample, and files of one’s own only when told to', async () => {
    const platform = open([], [project({ sample: true })]);
    let own = true;
    platform.answers.sample_remove = ({ withOwnFiles }) => {
      if (own && !withOwnFiles) throw apiError('own-files', '1 file in it is yours.');
      return null;
    };
    await user.click(await button('More about Coast survey'));
    await user.click(await screen.findByRole('menuitem', { name: 'Remove the sample…' }));
    await user.click(await button('Remove the sample'));
    await screen.findByText('1 file in it is yours.');
    expect(await button('Remove the sample')).toHaveProperty('disabled', true);
    await user.click(await screen.findByRole('checkbox', { name: 'Delete my files in it, too' }));
    platform.answers.projects_list = () => [];
    own = false;
    await user.click(await button('Remove the sample'));
    await screen.findByText('Keep your data under version');
  });

  it('looks again with Ctrl+R and goes to the filter with Ctrl+F', async () => {
    const platform = open();
    await screen.findByRole('row');
    await user.keyboard('{Control>}r{/Control}');
    expect(platform.requests('rescan')).toEqual([{ id: 'p1' }]);
    await user.keyboard('{Control>}f{/Control}');
    expect(document.activeElement).toBe(screen.getByLabelText('Filter by path'));
  });

  it('says where it was asked why a folder cannot be shown, and why nothing can be looked at', async () => {
    const platform = open([], [project(), project({ id: 'p2', name: 'Ice cores' })]);
    platform.answers.path_reveal = () => {
      throw apiError('not-found', 'The folder is gone.');
    };
    await user.click(await button('More about Ice cores'));
    await user.click(await screen.findByRole('menuitem', { name: 'Show the folder' }));
    const said = await screen.findByText('The folder is gone.');
    const list = screen.getByRole('navigation', { name: 'Projects' });
    const items = within(list).getAllByRole('listitem');
    expect(items.findIndex((item) => item.contains(said))).toBe(2);
    await user.click(within(list).getByRole('button', { name: 'Close' }));
    expect(screen.queryByText('The folder is gone.')).toBeNull();

    platform.answers.rescan = () => {
      throw apiError('busy', 'Something else is going on.');
    };
    await user.keyboard('{Control>}2{/Control}{Control>}r{/Control}');
    await screen.findByText('Something else is going on.');
  });

  it('takes a project off the list only after asking', async () => {
    const platform = open();
    platform.answers.project_forget = () => null;
    await user.click(await button('More about Coast survey'));
    await user.click(await screen.findByRole('menuitem', { name: 'Remove from list…' }));
    expect(platform.requests('project_forget')).toEqual([]);
    platform.answers.projects_list = () => [];
    await user.click(await button('Remove from list'));
    expect(platform.requests('project_forget')).toEqual([{ id: 'p1' }]);
    await screen.findByText('Keep your data under version');
  });

  it('says it when the projects cannot be read, and tries again', async () => {
    const platform = new FakePlatform({
      projects_list: () => {
        throw apiError('damaged', 'The list is damaged');
      },
    });
    render(App, { platform });
    await screen.findByText('The list is damaged');
    platform.answers.projects_list = () => [];
    await user.click(await button('Try again'));
    await screen.findByText('Keep your data under version');
  });
});
