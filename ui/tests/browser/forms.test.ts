/** Forms under a real mouse. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { Stage, findChromium, twoFrames } from './stage';

const chromium = findChromium();

describe.skipIf(!chromium)('a form', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await Stage.open(chromium ?? '');
  }, 120_000);
  afterAll(() => stage?.close());

  it('does not move away beneath the press that ends the typing of a folder', async () => {
    const { page } = await stage.show('first', 'light', { width: 1280, height: 800 });
    await page.getByRole('button', { name: /Create a repository/ }).click();
    await page.getByRole('textbox', { name: 'Folder', exact: true }).fill('/home/ana/coast');
    await page.getByRole('textbox', { name: 'Project name' }).fill('Coast');
    await page.getByRole('textbox', { name: 'Folder', exact: true }).fill('/home/ana/coast 2');
    const next = page.getByRole('button', { name: 'Next' });
    const box = await next.boundingBox();
    if (!box) throw new Error('the button is not drawn');
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    await page.mouse.down();
    for (let frames = 0; frames < 10; frames += 1) await page.evaluate(twoFrames);
    await page.mouse.up();
    await page.getByText('Step 2 of 4').waitFor();
    expect(await page.getByRole('radio', { name: 'A server' }).isVisible()).toBe(true);
    await page.close();
  }, 60_000);
});
