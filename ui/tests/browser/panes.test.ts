/** Borders between panes: moved by mouse and by keys, and where they were when the window opens again. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { Stage, findChromium, twoFrames } from './stage';

const chromium = findChromium();
const SIZE = { width: 1280, height: 800 };
const CHANGES = 'Width of the list of changes';
const PROJECTS = 'Width of the list of projects';

describe.skipIf(!chromium)('borders between panes', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await Stage.open(chromium ?? '');
  }, 120_000);
  afterAll(() => stage?.close());

  const place = async (page: Page, name: string) => {
    await page.evaluate(twoFrames);
    return Number(await page.getByRole('separator', { name }).getAttribute('aria-valuenow'));
  };

  async function drag(page: Page, name: string, by: number) {
    const box = await page.getByRole('separator', { name }).boundingBox();
    if (!box) throw new Error(`no border ${name}`);
    const [x, y] = [box.x + 4, box.y + 300];
    await page.mouse.move(x, y);
    await page.mouse.down();
    await page.mouse.move(x + by, y, { steps: 4 });
    await page.mouse.up();
  }

  it('are dragged, remembered, and put back by a double click', async () => {
    const { page, problems } = await stage.show('changes', 'light', SIZE);
    const first = await place(page, CHANGES);
    await drag(page, CHANGES, -120);
    expect(await place(page, CHANGES)).toBe(first - 120);
    await drag(page, PROJECTS, 60);
    const list = await page.getByRole('navigation', { name: 'Projects' }).boundingBox();
    expect(list?.width).toBe(290);
    const moved = await place(page, CHANGES);
    await page.close();

    const { page: again } = await stage.show('changes', 'light', SIZE);
    expect([await place(again, PROJECTS), await place(again, CHANGES)]).toEqual([290, moved]);
    for (const name of [PROJECTS, CHANGES]) await again.getByRole('separator', { name }).dblclick();
    expect([await place(again, PROJECTS), await place(again, CHANGES)]).toEqual([230, first]);
    expect(problems).toEqual([]);
    await again.close();
  }, 60_000);

  it('are moved by keys, and never over each other', async () => {
    const { page } = await stage.show('history', 'light', SIZE);
    const [one, two] = ['Width of the list of snapshots', 'Width of the list of files'];
    const [left, right] = [await place(page, one), await place(page, two)];
    await page.getByRole('separator', { name: one }).focus();
    await page.keyboard.press('ArrowRight');
    expect(await place(page, one)).toBe(left + 16);
    await page.keyboard.press('Shift+ArrowLeft');
    expect(await place(page, one)).toBe(left + 16 - 80);
    await page.keyboard.press('End');
    expect([await place(page, one), await place(page, two)]).toEqual([right - 190, right]);
    await page.keyboard.press('Home');
    expect(await place(page, one)).toBe(190);
    await page.setViewportSize({ width: 900, height: 600 });
    const narrow = [await place(page, one), await place(page, two)];
    expect(narrow[0]).toBe(190);
    expect(narrow[1]).toBeGreaterThanOrEqual(380);
    await page.setViewportSize(SIZE);
    await page.keyboard.press('Enter');
    expect([await place(page, one), await place(page, two)]).toEqual([left, right]);
    await page.close();
  }, 60_000);
});
