import type { ApiError, Progress } from '../bindings/api';
import { toApiError } from '../errors';
import type { Platform } from '../platform';

const PATIENCE_MS = 400;

/**
 * A long operation within a project that is no sync: restoring, verifying, putting back. One at a
 * time: whoever begins another one hears from Rust that something is going on.
 */
export class Work {
  running = $state(false);
  cancelling = $state(false);
  /** It lasts so long that it should be said. */
  lasting = $state(false);
  /** How far it is; nothing of it stays when it has ended. */
  progress = $state.raw<Progress | null>(null);
  /** Why the last one of the dialog that is open did not happen. */
  error = $state.raw<ApiError | null>(null);

  constructor(
    private readonly platform: Platform,
    private readonly id: string,
  ) {}

  /** Nothing of what another dialog did. */
  begin(): void {
    this.error = null;
  }

  /** Carries it out; nothing if it failed, and `error` says why. */
  async run<Done>(start: () => Promise<Done>): Promise<Done | undefined> {
    if (this.running) return undefined;
    this.error = null;
    try {
      return await this.during(start);
    } catch (cause) {
      this.error = toApiError(cause);
      return undefined;
    }
  }

  /** Shows how far it is while it lasts; whoever asked for it says why it failed. */
  async during<Done>(start: () => Promise<Done>): Promise<Done> {
    if (this.running) return start();
    this.running = true;
    this.cancelling = false;
    this.progress = null;
    const patience = setTimeout(() => (this.lasting = true), PATIENCE_MS);
    try {
      return await start();
    } finally {
      clearTimeout(patience);
      this.running = false;
      this.lasting = false;
      this.progress = null;
    }
  }

  hear(progress: Progress): void {
    if (this.running) this.progress = progress;
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
