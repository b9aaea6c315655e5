import { describe, expect, it } from 'vitest';

import { KEPT, PAGE, Pages } from '../src/lib/state/pages.svelte';
import { apiError } from './fake';

const settled = () => new Promise((done) => setTimeout(done));

interface Page {
  rows: string[];
  total: number;
  revision: number;
}

/** A list of so many rows, and what was asked of it. */
function list(total: number) {
  const asked: number[] = [];
  const source = { total, revision: 1 };
  const ask = async (offset: number, limit: number): Promise<Page> => {
    asked.push(offset / PAGE);
    const { total, revision } = source;
    const count = Math.max(0, Math.min(limit, total - offset));
    const rows = Array.from({ length: count }, (_, at) => `r${revision}-${offset + at}`);
    return { rows, total, revision };
  };
  return { asked, source, pages: new Pages<string, Page>(ask, (page) => page) };
}

describe('a long list', () => {
  it('fetches only the pages that are looked at', async () => {
    const { asked, pages } = list(10 * PAGE);
    await pages.reload();
    pages.show(5 * PAGE - 3, 5 * PAGE + 3);
    await settled();
    expect(asked).toEqual([0, 4, 5]);
    expect(pages.row(5 * PAGE + 2)).toBe(`r1-${5 * PAGE + 2}`);
    expect(pages.row(7 * PAGE)).toBeUndefined();
  });

  it('asks for a page once, however often it comes into view', async () => {
    const { asked, pages } = list(2 * PAGE);
    await pages.reload();
    pages.show(0, 10);
    pages.show(1, 11);
    await settled();
    expect(asked).toEqual([0]);
  });

  it('keeps few pages of a million rows, and brings back those that went', async () => {
    const { asked, pages } = list(1_000_000);
    await pages.reload();
    for (let page = 0; page < 3 * KEPT; page += 1) {
      pages.show(page * PAGE, page * PAGE + 20);
      await settled();
    }
    const kept = Array.from({ length: 3 * KEPT }, (_, page) => page).filter(
      (page) => pages.row(page * PAGE) !== undefined,
    );
    expect(kept.length).toBeLessThanOrEqual(KEPT);
    expect(pages.row(0)).toBeUndefined();
    pages.show(0, 20);
    await settled();
    expect(pages.row(0)).toBe('r1-0');
    expect(asked.filter((page) => page === 0)).toHaveLength(2);
  });

  it('never mixes rows of two revisions once the visible ones are there', async () => {
    const { source, pages } = list(3 * PAGE);
    await pages.reload();
    pages.show(PAGE - 2, PAGE + 2);
    await settled();
    source.revision = 2;
    await pages.reload();
    await settled();
    expect(pages.revision).toBe(2);
    expect([pages.row(PAGE - 1), pages.row(PAGE)]).toEqual([`r2-${PAGE - 1}`, `r2-${PAGE}`]);
  });

  it('ignores a late answer to an older question', async () => {
    const waiting: ((rows: string[]) => void)[] = [];
    const pages = new Pages<string, Page>(
      () =>
        new Promise((done) =>
          waiting.push((rows) => done({ rows, total: rows.length, revision: 1 })),
        ),
      (page) => page,
    );
    const first = pages.reload();
    const second = pages.reload();
    waiting[1]?.(['new']);
    await second;
    waiting[0]?.(['old']);
    await first;
    expect(pages.row(0)).toBe('new');
  });

  it('goes back to the start when the list became shorter than where it stood', async () => {
    const { source, pages } = list(3 * PAGE);
    await pages.reload();
    pages.show(2 * PAGE, 2 * PAGE + 5);
    await settled();
    source.total = 4;
    await pages.reload();
    await settled();
    expect(pages.total).toBe(4);
    expect(pages.row(0)).toBe('r1-0');
  });

  it('keeps the rows and says so when an answer fails', async () => {
    let fails = false;
    const pages = new Pages<string, Page>(
      async () => {
        if (fails) throw apiError('offline', 'No route to host');
        return { rows: ['a'], total: 1, revision: 1 };
      },
      (page) => page,
    );
    await pages.reload();
    fails = true;
    await pages.reload();
    expect(pages.error?.code).toBe('offline');
    expect(pages.row(0)).toBe('a');
  });

  it('shows nothing of the former list once it begins with another one', async () => {
    const { pages } = list(3);
    await pages.reload();
    const restarted = pages.restart();
    expect([pages.row(0), pages.total]).toEqual([undefined, 0]);
    await restarted;
    expect(pages.total).toBe(3);
  });
});
