import type { ApiError, Event } from '../src/lib/bindings/api';
import type { Commands } from '../src/lib/bindings/commands';
import type { Platform } from '../src/lib/platform';

type Name = keyof Commands;
type Answer<N extends Name> = (
  request: Commands[N]['request'],
) => Commands[N]['response'] | Promise<Commands[N]['response']>;
type Answers = { [N in Name]?: Answer<N> };

/** A platform that answers what a test says, keeps every call, and tells events on demand. */
export class FakePlatform implements Platform {
  readonly calls: { name: Name; request: unknown }[] = [];
  copied = '';
  #handlers = new Set<(event: Event) => void>();

  constructor(readonly answers: Answers = {}) {}

  async call<N extends Name>(name: N, request: Commands[N]['request']) {
    this.calls.push({ name, request: structuredClone(request) });
    const answer = this.answers[name] as Answer<N> | undefined;
    if (!answer) throw new Error(`the test has no answer to ${name}`);
    return answer(request);
  }

  async listen(handler: (event: Event) => void) {
    this.#handlers.add(handler);
    return () => void this.#handlers.delete(handler);
  }

  async copyText(text: string) {
    this.copied = text;
  }

  /** Tells an event to everyone who listens. */
  emit(event: Event): void {
    for (const handler of this.#handlers) handler(event);
  }

  /** The requests of all calls of one command. */
  requests<N extends Name>(name: N): Commands[N]['request'][] {
    return this.calls
      .filter((call) => call.name === name)
      .map((call) => call.request as Commands[N]['request']);
  }
}

/** An error as Rust would answer it. */
export function apiError(code: string, message: string, more: Partial<ApiError> = {}): ApiError {
  return { code, message, hint: null, detail: null, allow: null, ...more };
}
