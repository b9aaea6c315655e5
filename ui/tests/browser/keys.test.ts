/** The window by keyboard alone, in a real browser engine: where the focus is, and what keys do. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { Stage, findChromium, twoFrames } from './stage';

const chromium = findChromium();
const SIZE = { width: 1280, height: 800 };

describe.skipIf(!chromium)('the keyboard', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await Stage.open(chromium ?? '');
  }, 120_000);
  afterAll(() => stage?.close());

  async function show(scene: string): Promise<Page> {
    return (await stage.show(scene, 'light', SIZE)).page;
  }
  /** What has the focus: by its label, else its words. */
  const focus = (page: Page) =>
    page.evaluate(() => {
      const { activeElement: one } = document;
      if (one === document.body) return 'nothing';
      return one?.getAttribute('aria-label') ?? one?.textContent?.replace(/\s+/g, ' ').trim();
    });
  const focused = (page: Page, name: string | RegExp) =>
    expect.poll(() => focus(page), { message: 'the focus' }).toMatch(name);
  /** The name of the row that the keyboard is on. */
  const row = (page: Page) =>
    page.evaluate(() => {
      const id = document.activeElement?.getAttribute('aria-activedescendant') ?? '';
      return document.getElementById(id)?.querySelector('.path')?.getAttribute('title');
    });
  const on = (page: Page, path: string) => expect.poll(() => row(page)).toBe(path);
  async function press(page: Page, ...keys: string[]) {
    for (const key of keys) {
      await page.keyboard.press(key);
      await page.evaluate(twoFrames);
    }
  }

  it('goes on from where the mouse clicked', async () => {
    const page = await show('changes');
    await page.getByText('dive-2019.log').first().click();
    await press(page, 'ArrowDown');
    await on(page, 'input/locked.db');
    await page.getByRole('checkbox', { name: /offsets.csv/ }).click();
    await press(page, 'ArrowDown');
    await on(page, 'input/calibration/old.csv');
    await press(page, 'PageDown', 'Home');
    await on(page, 'input/calibration/offsets.csv');
    await page.close();
  }, 60_000);

  it('stays at a conflict when it is decided, and when that is taken back', async () => {
    const page = await show('conflict');
    await page.getByRole('button', { name: 'Take theirs', exact: true }).focus();
    await press(page, 'Enter');
    await focused(page, 'Undo');
    await press(page, 'Enter');
    await focused(page, 'Keep mine');
    await page.close();
  }, 60_000);

  it('goes to the list when the bar of all conflicts goes', async () => {
    const page = await show('conflict');
    await page.getByRole('button', { name: 'All theirs' }).focus();
    await press(page, 'Enter');
    await focused(page, 'Changed files');
    await page.close();
  }, 60_000);

  it('is in the other view after its key, and in its list again after the way back', async () => {
    const page = await show('changes');
    await page.getByRole('grid').focus();
    await press(page, 'Control+2');
    await focused(page, /^s42/);
    await press(page, 'Control+1');
    await focused(page, 'Changed files');
    await page.close();
  }, 60_000);

  it('does not cancel a sync with an Enter that comes twice', async () => {
    const page = await show('changes');
    await page.getByRole('button', { name: /^Sync 125 files/ }).focus();
    await press(page, 'Enter', 'Enter');
    await page.getByRole('button', { name: 'Cancel', exact: true }).waitFor();
    await focused(page, 'Sync');
    await page.close();
  }, 60_000);

  it('goes on with Enter when a file is restored, and back to what began it', async () => {
    const page = await show('history');
    await page.getByRole('button', { name: 'All…' }).focus();
    await press(page, 'Enter');
    await focused(page, 'Restore');
    await press(page, 'Enter');
    await focused(page, 'Close');
    await press(page, 'Enter');
    await focused(page, 'All…');
    await page.close();
  }, 60_000);

  it('comes back to the list from a menu and from a dialog', async () => {
    const page = await show('conflict');
    await page.getByRole('grid').focus();
    await press(page, 'End', 'Home', 'ArrowDown');
    const line = await page.locator('[role=row].current').boundingBox();
    await press(page, 'Shift+F10');
    const menu = await page.getByRole('menu').boundingBox();
    expect(Math.abs((menu?.y ?? 0) - (line?.y ?? 0) - 24)).toBeLessThan(12);
    await press(page, 'Escape');
    await focused(page, 'Changed files');
    await press(page, 'F1');
    await focused(page, 'Keys');
    await press(page, 'Escape');
    await focused(page, 'Changed files');
    await page.close();
  }, 60_000);

  it('chooses rows from one to another with Shift, and leaves all of them out at once', async () => {
    const page = await show('changes');
    const chosen = () => page.locator('[role=row][aria-selected=true]').count();
    const ticks = () => page.locator('[role=row][aria-selected=true] input:checked').count();
    await page.getByRole('grid').focus();
    await press(page, 'Home', 'Shift+ArrowDown', 'Shift+ArrowDown', 'Shift+ArrowDown');
    expect(await chosen()).toBe(4);
    await press(page, 'Space');
    await expect.poll(ticks).toBe(0);
    await page.getByRole('button', { name: /^Sync 123 files/ }).waitFor();
    await press(page, 'Space');
    await expect.poll(ticks).toBe(2);
    await press(page, 'ArrowUp');
    expect(await chosen()).toBe(1);
    await page.getByRole('checkbox', { name: /series-000000/ }).click();
    await page.getByRole('checkbox', { name: /series-000003/ }).click({ modifiers: ['Shift'] });
    await page.getByRole('button', { name: /^Sync 121 files/ }).waitFor();
    expect(await chosen()).toBe(4);
    await page.close();
  }, 60_000);

  it('goes from pane to pane of the history with Enter, and back with Escape', async () => {
    const page = await show('history');
    await page.getByRole('button', { name: /^s42/ }).focus();
    await press(page, 'End');
    await focused(page, /^s19/);
    await press(page, 'Home', 'Enter');
    await focused(page, 'Files that differ');
    await press(page, 'ArrowDown', 'Enter');
    await focused(page, 'The chosen file');
    await press(page, 'Escape');
    await focused(page, 'Files that differ');
    await press(page, 'Escape');
    await focused(page, /^s42/);
    await page.close();
  }, 60_000);

  it('means letters where something is typed', async () => {
    const page = await show('conflict');
    for (const name of ['Filter by path', 'Message of the snapshot']) {
      await page.getByRole('textbox', { name }).focus();
      await press(page, ...'/< >'.split('').map((key) => (key === ' ' ? 'Space' : key)));
      expect(await page.getByRole('textbox', { name }).inputValue()).toBe('/< >');
      await page.getByRole('textbox', { name }).fill('');
    }
    await page.getByText('Theirs is taken').waitFor({ state: 'detached' });
    await page.getByText('3 conflicts to decide').waitFor();
    await page.close();
  }, 60_000);
});
