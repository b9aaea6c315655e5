import type {
  ApiError,
  Event,
  Progress,
  ResultRow,
  ResultsPage,
  SyncReport,
} from '../bindings/api';
import { toApiError } from '../errors';
import { m } from '../messages';
import type { Platform } from '../platform';
import { Pages } from './pages.svelte';

type Course =
  | { kind: 'idle' }
  | { kind: 'running'; progress: Progress | null; cancelling: boolean }
  | { kind: 'finished'; report: SyncReport }
  | { kind: 'failed'; error: ApiError };

/** What was started last, so that it can be started again. */
type Attempt =
  { kind: 'sync'; exceptConflicts: boolean; allow: string[] } | { kind: 'undo'; snapshot: string };

/** The course of one project's syncs: nothing, running, or how the last one ended. */
export class Sync {
  course = $state.raw<Course>({ kind: 'idle' });
  message = $state('');
  /** What the last one did, row by row. */
  readonly results: Pages<ResultRow, ResultsPage>;
  #last: Attempt | null = null;
  /** The message that goes with what runs; what is typed meanwhile is for the next one. */
  #sent: string | null = null;

  constructor(
    private readonly platform: Platform,
    private readonly id: string,
  ) {
    this.results = new Pages(
      (offset, limit) => platform.call('sync_results', { id, offset, limit }),
      ({ rows, total }) => ({ rows, total }),
    );
  }

  get running(): boolean {
    return this.course.kind === 'running';
  }

  /** Starts a sync of what is ticked; its course arrives as events. */
  start(exceptConflicts = false, allow: string[] = []): Promise<void> {
    return this.#attempt({ kind: 'sync', exceptConflicts, allow });
  }

  /** Starts to undo the sync that published this snapshot. */
  undo(snapshot: string): Promise<void> {
    return this.#attempt({ kind: 'undo', snapshot });
  }

  /** Starts the last one again, passing over one more safety check if it is named. */
  async again(allow: string | null = null): Promise<void> {
    const last = this.#last;
    if (!last) return;
    if (last.kind === 'undo') await this.undo(last.snapshot);
    else await this.start(last.exceptConflicts, [...last.allow, ...(allow ? [allow] : [])]);
  }

  /** What did not happen, as a title. */
  failure({ code }: ApiError): string {
    if (code === 'undo-pending') return m.sync.undoPending;
    return this.#last?.kind === 'undo' ? m.sync.undoFailed : m.sync.failed;
  }

  /** Whether there is something to start again. What an undo left pending is synced, not undone. */
  get repeatable(): boolean {
    const pending = this.course.kind === 'failed' && this.course.error.code === 'undo-pending';
    return this.#last !== null && !pending;
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
        // What somebody else started is not to be started again from here.
        if (!this.running) [this.#last, this.#sent] = [null, null];
        this.course = {
          kind: 'running',
          progress: event,
          cancelling: this.course.kind === 'running' && this.course.cancelling,
        };
        break;
      case 'sync_finished':
        this.course = { kind: 'finished', report: event.report };
        if (this.message === this.#sent) this.message = '';
        this.#sent = null;
        break;
      case 'sync_failed':
        if (!this.running) this.#last = null;
        this.course = { kind: 'failed', error: event.error };
        break;
    }
  }

  async #attempt(attempt: Attempt): Promise<void> {
    if (this.running) return;
    this.#last = attempt;
    this.#sent = attempt.kind === 'sync' ? this.message : null;
    this.course = { kind: 'running', progress: null, cancelling: false };
    try {
      if (attempt.kind === 'undo')
        await this.platform.call('sync_undo', { id: this.id, snapshot: attempt.snapshot });
      else
        await this.platform.call('sync_start', {
          id: this.id,
          message: this.message.trim(),
          exceptConflicts: attempt.exceptConflicts,
          allow: attempt.allow,
        });
    } catch (cause) {
      this.course = { kind: 'failed', error: toApiError(cause) };
    }
  }
}
