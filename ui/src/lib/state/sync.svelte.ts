import type { ApiError, Event, Progress, Selection, SyncReport } from '../bindings/api';
import { toApiError } from '../errors';
import type { Platform } from '../platform';

/** What the next sync takes, besides the message. */
export interface Choice {
  selection: Selection;
  exceptConflicts: boolean;
}

type Course =
  | { kind: 'idle' }
  | { kind: 'running'; progress: Progress | null; cancelling: boolean }
  | { kind: 'finished'; report: SyncReport }
  | { kind: 'failed'; error: ApiError };

const LOOKING = ['scanning', 'comparing'];

/** The course of one project's syncs: nothing, running, or how the last one ended. */
export class Sync {
  course = $state.raw<Course>({ kind: 'idle' });
  message = $state('');
  #last: { choice: Choice; allow: string[] } | null = null;

  constructor(
    private readonly platform: Platform,
    private readonly id: string,
  ) {}

  get running(): boolean {
    return this.course.kind === 'running';
  }

  /** Starts a sync; its course arrives as events. */
  async start(choice: Choice, allow: string[] = []): Promise<void> {
    if (this.running) return;
    this.#last = { choice, allow };
    this.course = { kind: 'running', progress: null, cancelling: false };
    try {
      await this.platform.call('sync_start', {
        id: this.id,
        message: this.message.trim(),
        ...choice,
        allow,
      });
    } catch (cause) {
      this.course = { kind: 'failed', error: toApiError(cause) };
    }
  }

  /** Starts the last one again, passing over one more safety check if it is named. */
  async again(allow: string | null = null): Promise<void> {
    if (!this.#last) return;
    await this.start(this.#last.choice, [...this.#last.allow, ...(allow ? [allow] : [])]);
  }

  /** Whether there is something to start again. */
  get repeatable(): boolean {
    return this.#last !== null;
  }

  async cancel(): Promise<void> {
    if (this.course.kind !== 'running') return;
    this.course = { ...this.course, cancelling: true };
    try {
      await this.platform.call('sync_cancel', { id: this.id });
    } catch {
      // It goes on, and its end will be told.
      if (this.course.kind === 'running') this.course = { ...this.course, cancelling: false };
    }
  }

  /** Puts away how the last one ended. */
  dismiss(): void {
    if (!this.running) this.course = { kind: 'idle' };
  }

  /** Takes in an event about this project. */
  handle(event: Event): void {
    switch (event.kind) {
      case 'progress':
        // A look at the folder alone is no sync; what goes further is, whoever started it.
        if (this.course.kind === 'running') this.course = { ...this.course, progress: event };
        else if (!LOOKING.includes(event.phase))
          this.course = { kind: 'running', progress: event, cancelling: false };
        break;
      case 'sync_finished':
        this.course = { kind: 'finished', report: event.report };
        this.message = '';
        break;
      case 'sync_failed':
        this.course = { kind: 'failed', error: event.error };
        break;
    }
  }
}
