import type { Event } from '../bindings/api';
import type { Commands } from '../bindings/commands';

/**
 * Everything that the window needs from whatever runs it. The only way out of the web side:
 * `tauri.ts` is the real one, the tests bring their own.
 */
export interface Platform {
  /** Calls a command of the contract; rejects with an `ApiError`. */
  call<Name extends keyof Commands>(
    name: Name,
    request: Commands[Name]['request'],
  ): Promise<Commands[Name]['response']>;
  /** Hears all events from now on, until the returned function is called. */
  listen(handler: (event: Event) => void): Promise<() => void>;
  /** Puts text on the clipboard. */
  copyText(text: string): Promise<void>;
}
