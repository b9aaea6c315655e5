import type {
  ApiError,
  SettingMistake,
  SettingValue,
  Settings,
  SettingsDraft,
  SettingsField,
  SettingsFile,
  SettingsForm,
} from '../bindings/api';
import { toApiError } from '../errors';
import type { Platform } from '../platform';

/** A configuration file that is changed in a form or as text; nothing is written before it is saved. */
export class FileSettings {
  path = $state('');
  /** What is written there; nothing: there is no file. */
  seen = $state.raw<string | null>(null);
  /** What shall be. */
  text = $state('');
  form = $state.raw<SettingsForm | null>(null);
  saving = $state(false);
  /** It was written since the last change. */
  saved = $state(false);
  /** Why something did not happen. */
  error = $state.raw<ApiError | null>(null);
  readonly changed = $derived(this.text !== (this.seen ?? ''));
  /** All that is wrong, in the order of the file. */
  readonly mistakes = $derived.by<SettingMistake[]>(() => {
    if (!this.form) return [];
    const all = [...this.form.mistakes, ...this.form.fields.flatMap((field) => field.mistakes)];
    return all.sort((a, b) => a.line - b.line || a.column - b.column);
  });

  #turn: Promise<void> = Promise.resolve();

  constructor(
    private readonly platform: Platform,
    readonly file: SettingsFile,
  ) {}

  /** Reads the file, unless something waits to be saved. */
  async open(): Promise<void> {
    if (this.changed && this.form !== null) return;
    await this.#inTurn(async () => {
      if (this.changed && this.form !== null) return;
      const before = this.text;
      const found = await this.platform.call('settings_open', { file: this.file });
      // What was typed meanwhile counts.
      if (this.form === null || this.text === before) this.#take(found);
    });
  }

  /** Lets go what was not saved. */
  discard(): Promise<void> {
    this.saved = false;
    return this.#inTurn(async () => {
      this.#take(await this.platform.call('settings_open', { file: this.file }));
    });
  }

  /** Makes a key say something else; nothing: it is not said any more. */
  change(field: SettingsField, value: SettingValue | null): Promise<void> {
    this.saved = false;
    return this.#inTurn(async () => {
      for (;;) {
        const before = this.text;
        const draft = await this.#try([{ path: field.path, value }]);
        // What was typed into the text meanwhile counts.
        if (this.text !== before) continue;
        this.text = draft.text;
        this.form = draft.form;
        return;
      }
    });
  }

  /** Takes another text. */
  write(text: string): Promise<void> {
    this.text = text;
    this.saved = false;
    return this.#inTurn(async () => {
      const draft = await this.#try([]);
      // What was typed since is looked at in its own turn.
      if (draft.text === this.text) this.form = draft.form;
    });
  }

  async save(): Promise<boolean> {
    if (this.saving) return false;
    this.saving = true;
    this.saved = false;
    await this.#inTurn(async () => {
      const { file, seen, text } = this;
      this.#take(await this.platform.call('settings_save', { file, seen, text }));
      this.saved = true;
    });
    this.saving = false;
    return this.saved;
  }

  /** One after the other: each change builds on the text of the one before. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    this.#turn = this.#turn.then(async () => {
      try {
        this.error = null;
        await work();
      } catch (cause) {
        this.error = toApiError(cause);
      }
    });
    return this.#turn;
  }

  #try(changes: { path: string[]; value: SettingValue | null }[]): Promise<SettingsDraft> {
    return this.platform.call('settings_try', { file: this.file, text: this.text, changes });
  }

  #take({ path, text, form }: Settings): void {
    this.path = path;
    this.seen = text;
    this.text = text ?? '';
    this.form = form;
  }
}

/** What a field shows to be typed in. */
export function typed(value: SettingValue | null): string {
  if (value === null) return '';
  if (value.kind === 'text') return value.text;
  if (value.kind === 'texts') return value.texts.join('\n');
  return value.kind === 'number' ? String(value.number) : String(value.on);
}

/** What is meant by what was typed; an empty field says nothing. */
export function meant(field: SettingsField, text: string): SettingValue | null {
  if (field.holds.kind === 'texts') {
    const texts = text.split('\n').map((line) => line.trim());
    return { kind: 'texts', texts: texts.filter((line) => line !== '') };
  }
  const word = text.trim();
  if (word === '') return null;
  if (field.holds.kind === 'number' && /^\d{1,5}$/.test(word) && Number(word) <= 65_535) {
    return { kind: 'number', number: Number(word) };
  }
  if (field.holds.kind === 'flag') return { kind: 'flag', on: word === 'true' };
  // What is no such number is told as the mistake that it is.
  return { kind: 'text', text: word };
}
