import type { ApiError, FolderPreview } from '../bindings/api';
import { toApiError } from '../errors';
import { m } from '../messages';
import type { Platform } from '../platform';

/** What is typed and chosen while a repository is made from a folder. */
export class NewProject {
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

  #question = 0;
  #suggested = '';

  /** Folders to choose from. */
  readonly choices = $derived(this.preview?.topLevel.filter((entry) => entry.isDir) ?? []);
  /** What the first snapshot will hold. */
  readonly tracked = $derived.by(() => {
    const entries = (this.preview?.topLevel ?? []).filter(
      (entry) => this.everything || (entry.isDir && this.dirs.has(entry.name)),
    );
    return {
      files: entries.reduce((sum, entry) => sum + entry.files, 0),
      bytes: entries.reduce((sum, entry) => sum + entry.bytes, 0),
    };
  });
  /** The folders as the contract wants them. */
  readonly dataDirs = $derived(this.everything ? ['*'] : [...this.dirs].sort());

  constructor(private readonly platform: Platform) {}

  /** Looks at the folder, and proposes what to track and a name. */
  async inspect(): Promise<void> {
    const question = ++this.#question;
    const path = this.path.trim();
    this.preview = null;
    this.error = null;
    if (path === '') return;
    this.looking = true;
    try {
      const preview = await this.platform.call('project_inspect_folder', { path });
      if (question !== this.#question) return;
      this.preview = preview;
      this.dirs = new Set(preview.defaultDataDirsFound);
      this.everything = this.dirs.size === 0;
      // A name that was typed stays.
      if (this.name === this.#suggested) this.name = preview.suggestedName;
      this.#suggested = preview.suggestedName;
    } catch (cause) {
      if (question === this.#question) this.error = toApiError(cause);
    } finally {
      if (question === this.#question) this.looking = false;
    }
  }

  toggleDir(name: string): void {
    const dirs = new Set(this.dirs);
    if (!dirs.delete(name)) dirs.add(name);
    this.dirs = dirs;
  }
}
