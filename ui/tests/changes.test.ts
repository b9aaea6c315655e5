import { describe, expect, it, vi } from 'vitest';

import type { ChangeRow, ListChanges } from '../src/lib/bindings/api';
import { Changes, PAGE } from '../src/lib/state/changes.svelte';
import { FakePlatform, apiError } from './fake';
import { changesPage, conflict, row } from './fixtures';

const settled = () => new Promise((done) => setTimeout(done));
const many = (n: number) => Array.from({ length: n }, (_, i) => row(`f${i}`));

function changesOf(rows: ChangeRow[], revision = () => 1) {
  const platform = new FakePlatform({
    changes_list: (request) => changesPage(rows, request, { revision: revision() }),
    conflict_resolve: () => null,
  });
  return { platform, changes: new Changes(platform, 'p1') };
}

describe('paging', () => {
  it('fetches only the pages that are looked at', async () => {
    const { platform, changes } = changesOf(many(10 * PAGE));
    await changes.reload();
    changes.show(5 * PAGE - 3, 5 * PAGE + 3);
    await settled();
    expect(platform.requests('changes_list').map(({ offset }) => offset / PAGE)).toEqual([0, 4, 5]);
    expect(changes.row(5 * PAGE + 2)?.path).toBe(`f${5 * PAGE + 2}`);
    expect(changes.row(7 * PAGE)).toBeUndefined();
  });

  it('asks for a page once, however often it comes into view', async () => {
    const { platform, changes } = changesOf(many(2 * PAGE));
    await changes.reload();
    changes.show(0, 10);
    changes.show(1, 11);
    await settled();
    expect(platform.requests('changes_list')).toHaveLength(1);
  });

  it('drops the pages of an older revision', async () => {
    let revision = 1;
    const { changes } = changesOf(many(3 * PAGE), () => revision);
    await changes.reload();
    revision = 2;
    changes.show(PAGE, PAGE + 5);
    await settled();
    expect(changes.page?.revision).toBe(2);
    expect(changes.row(0)).toBeUndefined();
    expect(changes.row(PAGE)?.path).toBe(`f${PAGE}`);
  });

  it('ignores a late answer to an older question', async () => {
    const waiting: { request: ListChanges; answer: (rows: ChangeRow[]) => void }[] = [];
    const platform = new FakePlatform({
      changes_list: (request) =>
        new Promise((done) =>
          waiting.push({ request, answer: (rows) => done(changesPage(rows, request)) }),
        ),
    });
    const changes = new Changes(platform, 'p1');
    const first = changes.reload();
    const second = changes.reload();
    waiting[1]?.answer([row('new')]);
    await second;
    waiting[0]?.answer([row('old')]);
    await first;
    expect(changes.row(0)?.path).toBe('new');
  });

  it('goes back to the start when the list became shorter than where it stood', async () => {
    const rows = many(3 * PAGE);
    const { changes } = changesOf(rows);
    await changes.reload();
    changes.show(2 * PAGE, 2 * PAGE + 5);
    await settled();
    rows.length = 4;
    await changes.reload();
    await settled();
    expect(changes.page?.matching).toBe(4);
    expect(changes.row(0)?.path).toBe('f0');
  });

  it('keeps the rows and says so when an answer fails', async () => {
    const { platform, changes } = changesOf(many(3));
    await changes.reload();
    platform.answers.changes_list = () => {
      throw apiError('offline', 'No route to host');
    };
    await changes.reload();
    expect(changes.error?.code).toBe('offline');
    expect(changes.row(0)?.path).toBe('f0');
  });
});

describe('filter and groups', () => {
  it('asks once typing pauses, with the text', async () => {
    vi.useFakeTimers();
    const { platform, changes } = changesOf(many(3));
    changes.setFilter('a');
    changes.setFilter('ab');
    await vi.advanceTimersByTimeAsync(500);
    vi.useRealTimers();
    expect(platform.requests('changes_list').map(({ filter }) => filter)).toEqual(['ab']);
  });

  it('leaves out a group that is switched off', async () => {
    const { platform, changes } = changesOf([row('x', { group: 'blocked' })]);
    await changes.reload();
    expect(changes.page?.matching).toBe(1);
    changes.toggleGroup('blocked');
    await settled();
    expect(changes.page?.matching).toBe(0);
    expect(platform.requests('changes_list').at(-1)?.groups).not.toContain('blocked');
  });
});

describe('selection', () => {
  it('takes everything until something is left out, and Rust sums it up', async () => {
    const { changes } = changesOf(many(3));
    await changes.reload();
    expect(changes.page?.selected.count).toBe(3);
    changes.toggle('f1');
    await settled();
    expect(changes.selection).toEqual({ kind: 'all_but', paths: ['f1'] });
    expect(changes.includes('f1')).toBe(false);
    expect(changes.included).toBe('some');
    expect(changes.page?.selected.count).toBe(2);
    changes.toggle('f1');
    expect(changes.included).toBe('all');
  });

  it('starts from nothing after everything was left out', async () => {
    const { changes } = changesOf(many(3));
    await changes.reload();
    changes.toggleAll();
    expect(changes.included).toBe('none');
    changes.toggle('f2');
    expect(changes.selection).toEqual({ kind: 'only', paths: ['f2'] });
    expect(changes.includes('f2')).toBe(true);
    expect(changes.includes('f0')).toBe(false);
  });
});

it('tells Rust how a conflict ends, and asks what that changed', async () => {
  const { platform, changes } = changesOf([conflict('a')]);
  await changes.resolve('a', 'both');
  expect(platform.requests('conflict_resolve')).toEqual([
    { id: 'p1', paths: ['a'], matching: null, resolution: 'both' },
  ]);
  expect(platform.requests('changes_list')).toHaveLength(1);
});
