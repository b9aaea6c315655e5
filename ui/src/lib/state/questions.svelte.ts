import type { ApiError, Given, Question } from '../bindings/api';
import { toApiError } from '../errors';
import type { Platform } from '../platform';

/** What a server's login asks the person who began something. Answers are not kept. */
export class Questions {
  open = $state.raw<Question[]>([]);
  error = $state.raw<ApiError | null>(null);
  /** The one that is shown. */
  readonly first = $derived(this.open[0] ?? null);

  // Counts questions, so that a late answer to an old one is known as such.
  #asked = 0;
  readonly #answered = new Set<number>();

  constructor(private readonly platform: Platform) {}

  async reload(): Promise<void> {
    const asked = ++this.#asked;
    try {
      const open = await this.platform.call('questions_list', null);
      if (asked !== this.#asked) return;
      this.open = open.filter(({ id }) => !this.#answered.has(id));
    } catch (cause) {
      if (asked === this.#asked) this.error = toApiError(cause);
    }
  }

  async answer(id: number, answer: Given): Promise<void> {
    // Whatever comes of it: this one is not shown again.
    this.#answered.add(id);
    this.open = this.open.filter((question) => question.id !== id);
    this.error = null;
    try {
      await this.platform.call('question_answer', { id, answer });
    } catch (cause) {
      this.error = toApiError(cause);
    }
  }
}
