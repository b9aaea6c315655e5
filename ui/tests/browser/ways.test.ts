/** What a person set for the whole system, followed while the window is open. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { Stage, findChromium, twoFrames } from './stage';

const chromium = findChromium();
const SIZE = { width: 1280, height: 800 };

describe.skipIf(!chromium)('the system’s ways', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await Stage.open(chromium ?? '');
  }, 120_000);
  afterAll(() => stage?.close());

  it('a theme that changes is followed at once, and nothing else changes', async () => {
    const { page, problems } = await stage.show('conflict', 'light', SIZE);
    const colours = () =>
      page.evaluate(() =>
        ['body', '.go', '[role=row].active', 'nav'].map((one) => {
          const element = document.querySelector(one);
          const style = element && getComputedStyle(element);
          return `${style?.backgroundColor} ${style?.color}`;
        }),
      );
    await page.getByRole('textbox', { name: 'Message of the snapshot' }).fill('About buoys');
    const light = await colours();
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.evaluate(twoFrames);
    const dark = await colours();
    dark.forEach((colour, index) => expect(colour).not.toBe(light[index]));
    const message = page.getByRole('textbox', { name: 'Message of the snapshot' });
    expect(await message.inputValue()).toBe('About buoys');
    await page.emulateMedia({ colorScheme: 'light' });
    await page.evaluate(twoFrames);
    expect(await colours()).toEqual(light);
    expect(problems).toEqual([]);
    await page.close();
  }, 60_000);

  it('moves nothing for whoever wants no motion, and says what goes on all the same', async () => {
    const { page } = await stage.show('looking', 'light', SIZE);
    const moving = () =>
      page.evaluate(
        () => document.getAnimations().filter((one) => one.playState === 'running').length,
      );
    expect(await moving()).toBe(0);
    await page.getByText('Looking at the folder…').waitFor();
    await page.emulateMedia({ reducedMotion: 'no-preference' });
    await page.evaluate(twoFrames);
    expect(await moving()).toBeGreaterThan(0);
    await page.emulateMedia({ reducedMotion: 'reduce' });
    await page.evaluate(twoFrames);
    expect(await moving()).toBe(0);
    await page.close();
  }, 60_000);
});
