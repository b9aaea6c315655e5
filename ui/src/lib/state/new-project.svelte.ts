import type { ApiError, FolderPreview } from '../bindings/api';
import { toApiError } from '../errors';
import { m } from '../messages';
import type { Platform } from '../platform';

/** The steps in which a folder becomes a project, in their order. */
export const steps = ['folder', 'place', 'data', 'summary'] as const;
export type Step = (typeof steps)[number];

/** What is typed and chosen while a repository is made from a folder. */
export class NewProject {
  step = $state<Step>('folder');
  path = $state('');
  address = $state('');
  name = $state('');
  message = $state(m.create.defaultMessage);
  preview = $state.raw<FolderPreview | null>(null);
  looking = $state(false);
  error = $state.raw<ApiError | null>(null);
  /** Everything in the folder, instead of the chosen folders. */
  everything = $state(true);
  dirs = $state.raw<ReadonlySet<string>>(new Set());

  #suggested = '';
  #naming = false;
  /** The folder that was looked at last, and the look. */
  #looked: { path: string; done: Promise<void> } | null = null;

  /** Folders to choose from: those that are there, and names that are configured for any depth. */
  readonly choices = $derived.by(() => {
    const there = this.preview?.topLevel.filter((entry) => entry.isDir) ?? [];
    const named = this.preview?.defaultDataDirsFound ?? [];
    const more = named.filter((name) => !there.some((entry) => entry.name === name));
    return [...there, ...more.map((name) => ({ name, isDir: true }))];
  });
  /** The folders as the contract wants them. */
  readonly dataDirs = $derived(this.everything ? ['*'] : [...this.dirs].sort());
  readonly number = $derived(steps.indexOf(this.step) + 1);

  constructor(private readonly platform: Platform) {}

  /** Looks at the folder, and proposes what to track and a name; once for each folder. */
  inspect(): Promise<void> {
    const path = this.path.trim();
    if (this.#looked?.path === path) return this.#looked.done;
    const look = { path, done: Promise.resolve() };
    this.#looked = look;
    look.done = this.#inspect(path, () => this.#looked === look);
    return look.done;
  }

  async #inspect(path: string, counts: () => boolean): Promise<void> {
    this.preview = null;
    this.error = null;
    if (path === '') return;
    this.looking = true;
    try {
      const preview = await this.platform.call('project_inspect_folder', { path });
      if (!counts()) return;
      this.preview = preview;
      this.dirs = new Set(preview.defaultDataDirsFound);
      this.everything = this.dirs.size === 0;
      // A name that was typed stays, or is being typed now.
      if (this.name === this.#suggested && !this.#naming) this.name = preview.suggestedName;
      this.#suggested = preview.suggestedName;
    } catch (cause) {
      if (!counts()) return;
      this.error = toApiError(cause);
      // The next try looks again.
      this.#looked = null;
    } finally {
      if (counts() || this.#looked === null) this.looking = false;
    }
  }

  /** Somebody is in the field of the name, or has left it. */
  naming(inside: boolean): void {
    this.#naming = inside;
    if (!inside && this.name.trim() === '') this.name = this.#suggested;
  }

  toggleDir(name: string): void {
    const dirs = new Set(this.dirs);
    if (!dirs.delete(name)) dirs.add(name);
    this.dirs = dirs;
  }

  next(): void {
    this.step = steps[this.number] ?? this.step;
  }

  back(): void {
    this.step = steps[this.number - 2] ?? this.step;
  }
}
