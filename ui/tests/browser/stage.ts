/**
 * The built window on made-up data in a headless Chromium, under the content security policy of
 * the real one. Chromium is the system's own (`DSG_CHROMIUM`, else what is usually installed).
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, type BrowserContext, type Page, chromium } from 'playwright-core';
import { type PreviewServer, build, preview } from 'vite';

const CONFIG = join(import.meta.dirname, '../../vite.preview.config.ts');
const TAURI = join(import.meta.dirname, '../../../tauri.conf.json');

export type Theme = 'light' | 'dark';
/** Where a Chromium is; nothing if there is none. */
export function findChromium(): string | undefined {
  const usual = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
  return [process.env.DSG_CHROMIUM, ...usual].find((path) => path && existsSync(path));
}

function policy(): string {
  const conf = JSON.parse(readFileSync(TAURI, 'utf8')) as {
    app: { security: { csp: Record<string, string> } };
  };
  const csp = { ...conf.app.security.csp, 'connect-src': "'self'" };
  // A header may say what a page may not.
  return Object.entries(csp)
    .map(([name, value]) => `${name} ${value}`)
    .join('; ');
}

export interface Size {
  width: number;
  height: number;
}

export class Stage {
  private readonly contexts = new Map<Theme, BrowserContext>();

  private constructor(
    private readonly folder: string,
    private readonly server: PreviewServer,
    private readonly browser: Browser,
    private readonly address: string,
  ) {}

  static async open(executablePath: string): Promise<Stage> {
    const folder = mkdtempSync(join(tmpdir(), 'dsg-scenes-'));
    const outDir = join(folder, 'dist');
    const quiet = { configFile: CONFIG, logLevel: 'error' as const };
    await build({ ...quiet, build: { outDir, emptyOutDir: true, assetsInlineLimit: 0 } });
    const server = await preview({
      ...quiet,
      build: { outDir },
      preview: { port: 0, headers: { 'Content-Security-Policy': policy() } },
    });
    const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
    const address = server.resolvedUrls?.local[0];
    if (!address) throw new Error('the server has no address');
    return new Stage(folder, server, browser, address);
  }

  /** Shows a scene; errors of the page are collected in `problems`. */
  async show(scene: string, theme: Theme, size: Size): Promise<Shown> {
    const context = await this.#context(theme);
    const page = await context.newPage();
    await page.setViewportSize(size);
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text());
    });
    await page.goto(`${this.address}?scene=${scene}`);
    await page.waitForFunction(() => 'scene' in document.documentElement.dataset, null, {
      timeout: 20_000,
    });
    const told = await page.evaluate(() => document.documentElement.dataset.scene);
    if (told !== 'ready') problems.push(`${scene}: ${told}`);
    await page.evaluate(twoFrames);
    return { page, problems };
  }

  async #context(theme: Theme): Promise<BrowserContext> {
    const present = this.contexts.get(theme);
    if (present) return present;
    const context = await this.browser.newContext({
      colorScheme: theme,
      reducedMotion: 'reduce',
      locale: 'en-GB',
    });
    this.contexts.set(theme, context);
    return context;
  }

  async close(): Promise<void> {
    await this.browser.close();
    await this.server.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export interface Shown {
  page: Page;
  problems: string[];
}

/** Waits until what changed has been drawn. Runs in the page. */
export function twoFrames(): Promise<void> {
  return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())));
}
