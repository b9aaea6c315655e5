import { describe, expect, it, vi } from 'vitest';

import type { ChangeRow } from '../src/lib/bindings/api';
import { Project } from '../src/lib/state/project.svelte';
import { FileSettings } from '../src/lib/state/settings.svelte';
import { world } from './app';
import { apiError } from './fake';
import { added, conflict, incoming, row } from './fixtures';

const settled = () => new Promise((done) => setTimeout(done));

async function changesOf(rows: ChangeRow[]) {
  const { platform, changes: engine } = world({ changes: rows });
  const project = new Project(platform, 'p1', new FileSettings(platform, { kind: 'own' }));
  await project.changes.reload();
  return { platform, engine, project, changes: project.changes };
}

describe('how rows are looked at', () => {
  it('asks for a key at once, and for keys that come before the answer together', async () => {
    const { platform, changes } = await changesOf([row('a'), row('abc')]);
    changes.setFilter('a');
    changes.setFilter('ab');
    changes.setFilter('abc ');
    await settled();
    const filters = platform.requests('changes_list').map(({ view }) => view.filter);
    expect(filters).toEqual(['', 'a', 'abc']);
    expect(changes.page?.matching).toBe(1);
    changes.setFilter('');
    await settled();
    expect(changes.page?.matching).toBe(2);
  });

  it('leaves out a group that is switched off, and looks for ignored ones only when asked', async () => {
    const { platform, changes } = await changesOf([row('x'), incoming('y')]);
    expect(platform.requests('changes_list')[0]?.view.groups).not.toContain('ignored');
    changes.toggleGroup('incoming');
    await settled();
    expect(changes.page?.matching).toBe(1);
    changes.toggleGroup('ignored');
    await settled();
    expect(platform.requests('changes_list').at(-1)?.view.groups).toContain('ignored');
    changes.showAll();
    await settled();
    expect(changes.page?.matching).toBe(2);
  });

  it('asks for order and layout, and begins at the top', async () => {
    const { platform, changes } = await changesOf([row('a', { size: 1 }), row('b', { size: 9 })]);
    changes.choose(1);
    changes.sortBy('size', true);
    await settled();
    expect(changes.rows.row(0)?.path).toBe('b');
    expect(changes.active).toBe(0);
    changes.layOut('tree');
    await settled();
    expect(platform.requests('changes_list').at(-1)?.view).toMatchObject({
      sort: 'size',
      descending: true,
      layout: 'tree',
    });
  });

  it('keeps the chosen row chosen, wherever it moves to', async () => {
    const { changes, engine, project } = await changesOf([row('b'), row('c')]);
    changes.choose(1);
    engine.rows = [row('a'), ...engine.rows];
    engine.revision += 1;
    project.handle({ kind: 'changes_changed', id: 'p1', revision: engine.revision });
    await settled();
    expect(changes.active).toBe(2);
    expect(changes.change?.path).toBe('c');
  });

  it('finds the chosen row again far away, and keeps it while somebody scrolls', async () => {
    const { platform, changes, engine } = await changesOf(
      Array.from({ length: 50 }, (_, index) => row(`m${index}`)),
    );
    platform.answers.changes_locate = ({ path }) =>
      [...engine.rows]
        .map((one) => one.path)
        .sort()
        .indexOf(path);
    changes.choose(3);
    const { path } = changes.change!;
    engine.rows = [...Array.from({ length: 5000 }, (_, index) => row(`a${index}`)), ...engine.rows];
    engine.revision += 1;
    await changes.reload();
    expect(changes.active).toBe(5003);
    expect(changes.change?.path).toBe(path);
    changes.rows.show(0, 20);
    expect(changes.change?.path).toBe(path);
  });

  it('stays in the list when its end went away', async () => {
    const { changes, engine } = await changesOf([row('a'), row('b')]);
    changes.choose(1);
    engine.rows = [row('a')];
    await changes.reload();
    expect(changes.active).toBe(0);
  });
});

describe('what the next sync takes', () => {
  it('is kept by Rust, which sums it up', async () => {
    const { platform, changes } = await changesOf([row('a'), row('b')]);
    expect(changes.page?.selected).toMatchObject({ count: 2, of: 2 });
    changes.toggle(changes.rows.row(0)!);
    await settled();
    expect(changes.page?.selected.count).toBe(1);
    expect(changes.page?.ticked).toBe('some');
    expect(platform.requests('changes_select')).toMatchObject([
      { what: { kind: 'paths', paths: ['a'] }, ticked: false },
    ]);
  });

  it('takes a folder of the tree as a whole', async () => {
    const { changes } = await changesOf([row('in/a'), row('in/b'), row('out/c')]);
    changes.layOut('tree');
    await settled();
    changes.toggle(changes.rows.row(0)!);
    await settled();
    expect(changes.rows.row(0)).toMatchObject({ kind: 'folder', path: 'in', ticked: 'none' });
    expect(changes.page?.selected.count).toBe(1);
    await changes.expand('in', false);
    await settled();
    expect(changes.rows.total).toBe(3);
  });

  it('ticks nothing that cannot be', async () => {
    const { platform, changes } = await changesOf([conflict('c')]);
    changes.toggle(changes.rows.row(0)!);
    expect(platform.requests('changes_select')).toEqual([]);
  });
});

describe('decisions and deeds', () => {
  it('tells Rust how a conflict ends, and asks what that changed', async () => {
    const { platform, changes } = await changesOf([conflict('a')]);
    await changes.resolve(changes.rows.row(0)!, 'both');
    await settled();
    const what = { kind: 'row', path: 'a', seen: 'versions of a' };
    expect(platform.requests('conflict_resolve')).toEqual([{ id: 'p1', what, resolution: 'both' }]);
    expect(changes.change?.resolution).toBe('both');
  });

  it('decides what the filter leaves', async () => {
    const { platform, changes } = await changesOf([conflict('a'), conflict('b')]);
    changes.setFilter('a');
    await changes.resolveShown('remote');
    expect(platform.requests('conflict_resolve')).toMatchObject([
      { what: { kind: 'matching', filter: 'a' } },
    ]);
  });

  it('says what a restore and a rule brought about', async () => {
    const { changes } = await changesOf([row('a')]);
    await changes.revert('a');
    expect(changes.told).toContain('in the trash');
    await changes.ignore({ kind: 'suffix', suffix: '.csv' });
    expect(changes.told).toBe('All *.csv are left alone from now on.');
  });

  it('says why something did not happen, and keeps the rows', async () => {
    const { platform, changes } = await changesOf([row('a')]);
    platform.answers.changes_revert = () => {
      throw apiError('offline', 'The repository does not answer.');
    };
    await changes.revert('a');
    expect(changes.error?.code).toBe('offline');
    expect(changes.told).toBeNull();
    expect(changes.change?.path).toBe('a');
  });
});

describe('the change that is looked at', () => {
  const look = async (change: ChangeRow) => {
    const { platform, project } = await changesOf([change]);
    project.detail.look(change.path);
    await vi.waitFor(() => expect(project.detail.detail.value).not.toBeNull());
    project.detail.show();
    await settled();
    return { platform, detail: project.detail };
  };

  it('compares both sides of a conflict first, and anything else on demand', async () => {
    const { platform, detail } = await look(conflict('a.csv'));
    expect(detail.pairs).toEqual(['local-remote', 'cached-local', 'cached-remote']);
    expect(platform.requests('preview')).toMatchObject([
      { left: { at: { kind: 'local' } }, right: { at: { kind: 'remote' } } },
    ]);
    detail.compare('cached-remote');
    detail.show();
    expect(platform.requests('preview').at(-1)).toMatchObject({
      left: { at: { kind: 'cached' } },
      right: { at: { kind: 'remote' } },
    });
  });

  it.each([
    [row('a.csv'), 'cached-local'],
    [incoming('a.csv'), 'cached-remote'],
    [added('a.csv'), 'local'],
  ])('shows what fits best', async (change, pair) => {
    expect((await look(change)).detail.pair).toBe(pair);
  });

  it('finds the former version of what moved where it was', async () => {
    const { platform } = await look(
      row('new/a.csv', { action: 'move_remote', oldPath: 'old/a.csv' }),
    );
    expect(platform.requests('preview')).toMatchObject([
      { left: { path: 'old/a.csv' }, right: { path: 'new/a.csv' } },
    ]);
  });

  it('asks only for the row where the keyboard stops', async () => {
    const { platform, project } = await changesOf([row('a'), row('b'), row('c')]);
    for (const path of ['a', 'b', 'c']) project.detail.look(path);
    await vi.waitFor(() => expect(project.detail.detail.value?.row.path).toBe('c'));
    expect(platform.requests('change_detail').map(({ path }) => path)).toEqual(['c']);
  });
});
