/**
 * Every screen and state in a real browser engine, light and dark: no error of the page, nothing
 * that the content security policy refuses, no violation of accessibility rules, nothing that
 * sticks out of the window. With DSG_WRITE_PICTURES, pictures of all go to docs/pictures
 * (as PNG: `make screenshots` makes them small).
 */
import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { scenes } from '../preview/scenes';
import { gallery, titles } from './gallery';
import { Stage, type Theme, findChromium, twoFrames } from './stage';

const PICTURES = join(import.meta.dirname, '../../../docs/pictures');
const SIZES = [
  { width: 1280, height: 800 },
  { width: 900, height: 600 },
];
const chromium = findChromium();
if (!chromium) console.warn('SKIPPED: there is no Chromium here; install it, or set DSG_CHROMIUM');

describe.skipIf(!chromium)('every screen', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await Stage.open(chromium ?? '');
  }, 120_000);
  afterAll(() => stage?.close());

  it('has a title', () => {
    expect(Object.keys(titles).sort()).toEqual(Object.keys(scenes).sort());
    if (process.env.DSG_WRITE_PICTURES) writeFileSync(join(PICTURES, '../screens.md'), gallery());
  });

  const only = process.env.DSG_SCENES?.split(',');
  const names = Object.keys(scenes).filter((name) => !only || only.includes(name));
  for (const theme of ['light', 'dark'] as Theme[]) {
    it.each(names)(`%s, ${theme}`, (scene) => check(scene, theme), 60_000);
  }

  async function check(scene: string, theme: Theme): Promise<void> {
    const { page, problems } = await stage.show(scene, theme, SIZES[0]!);
    for (const size of SIZES) {
      await page.setViewportSize(size);
      await page.evaluate(twoFrames);
      if (process.env.DSG_WRITE_PICTURES) await picture(page, `${scene}-${theme}-${size.width}`);
      expect(await page.evaluate(sticksOut)).toEqual([]);
      expect(await audit(page), `at ${size.width}`).toEqual([]);
    }
    expect(problems).toEqual([]);
    await page.close();
  }
});

async function picture(page: Page, name: string): Promise<void> {
  mkdirSync(PICTURES, { recursive: true });
  await page.screenshot({ path: join(PICTURES, `${name}.png`) });
}

/** What axe finds wrong with a page. */
async function audit(page: Page): Promise<string[]> {
  // Through the driver, which no content security policy forbids.
  await page.evaluate(axe.source);
  return page.evaluate(violations);
}

/** What is wider than the window, or lies outside of it. Runs in the page. */
function sticksOut(): string[] {
  const { innerWidth, innerHeight } = window;
  const { scrollWidth, scrollHeight } = document.documentElement;
  const found: string[] = [];
  if (scrollWidth > innerWidth || scrollHeight > innerHeight)
    found.push(`the page is ${scrollWidth} × ${scrollHeight}`);
  for (const element of document.querySelectorAll(
    'button, input, textarea, h1, h2, [aria-label=Status] > span',
  )) {
    if (element.closest('[role=row], .snapshot, .list, .modal, .tip')) continue;
    const { right, left, width } = element.getBoundingClientRect();
    if (width > 1 && (right > innerWidth + 1 || left < -1))
      found.push(
        `${element.tagName} ${element.textContent?.trim().slice(0, 40)} at ${left}–${right}`,
      );
  }
  return found;
}

/** What axe finds. Runs in the page. */
async function violations(): Promise<string[]> {
  const { axe } = window as unknown as { axe: typeof import('axe-core') };
  // An open menu lies outside of all landmarks, as menus do.
  const menu = document.querySelector('[role=menu], [role=listbox]') !== null;
  const { violations } = await axe.run(document, {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    rules: { region: { enabled: !menu } },
  });
  return violations.flatMap((one) =>
    one.nodes.map((node) => `${one.id}: ${node.target.join(' ')}: ${node.failureSummary ?? ''}`),
  );
}
