import type { ApiError, Progress } from '../bindings/api';
import { toApiError } from '../errors';
import type { Platform } from '../platform';

/** A long operation within a project that is no sync: restoring, verifying. One at a time. */
export class Work {
  running = $state(false);
  cancelling = $state(false);
  progress = $state.raw<Progress | null>(null);
  error = $state.raw<ApiError | null>(null);

  constructor(
    private readonly platform: Platform,
    private readonly id: string,
  ) {}

  /** Carries it out; nothing if it failed, and `error` says why. */
  async run<Done>(start: () => Promise<Done>): Promise<Done | undefined> {
    if (this.running) return undefined;
    this.running = true;
    this.cancelling = false;
    this.progress = null;
    this.error = null;
    try {
      return await start();
    } catch (cause) {
      this.error = toApiError(cause);
      return undefined;
    } finally {
      this.running = false;
    }
  }

  async cancel(): Promise<void> {
    this.cancelling = true;
    try {
      await this.platform.call('sync_cancel', { id: this.id });
    } catch {
      // It goes on, and its end will be told.
      this.cancelling = false;
    }
  }
}
