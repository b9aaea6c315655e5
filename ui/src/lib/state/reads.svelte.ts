import type { ApiError } from '../bindings/api';
import type { Commands } from '../bindings/commands';
import { toApiError } from '../errors';
import type { Platform } from '../platform';
import { INVALIDATES, PROVIDES, type Change, type Question, type Topic } from './topics';

type Request<N extends keyof Commands> = Commands[N]['request'];
type Response<N extends keyof Commands> = Commands[N]['response'];

/** One question that is kept answered: what it was last asked, and the newest answer to it. */
export class Read<N extends Question> {
  value = $state.raw<Response<N> | null>(null);
  error = $state.raw<ApiError | null>(null);
  /** A first answer to the present question is on its way. */
  waiting = $state(false);
  #request: Request<N> | null = null;
  // Counts questions, so that a late answer to an old one is known as such.
  #asked = 0;

  constructor(
    private readonly platform: Platform,
    readonly name: N,
  ) {}

  /** Asks something else (the old answer goes), or nothing at all. */
  ask(request: Request<N> | null): Promise<void> {
    this.#request = request;
    this.value = null;
    this.error = null;
    return this.refresh();
  }

  /** Asks the same again; the present answer stays until the next one is here. */
  async refresh(): Promise<void> {
    const asked = ++this.#asked;
    const request = this.#request;
    this.waiting = request !== null && this.value === null;
    if (request === null) return;
    try {
      const value = await this.platform.call(this.name, request);
      if (asked !== this.#asked) return;
      this.value = value;
      this.error = null;
    } catch (cause) {
      if (asked !== this.#asked) return;
      this.error = toApiError(cause);
    }
    this.waiting = false;
  }

  provides(topic: Topic): boolean {
    return PROVIDES[this.name].includes(topic);
  }
}

/** All questions of one project that are kept answered, and the way to change what they tell. */
export class Reads {
  readonly #live = new Set<{ provides(topic: Topic): boolean; refresh(): unknown }>();

  constructor(private readonly platform: Platform) {}

  /** A question whose answer follows every change of what it is about. */
  read<N extends Question>(name: N): Read<N> {
    const read = new Read(this.platform, name);
    this.#live.add(read);
    return read;
  }

  /** Lets something else follow a topic, such as a list that keeps pages. */
  follow(topic: Topic, refresh: () => unknown): void {
    this.#live.add({ provides: (other) => other === topic, refresh });
  }

  /** Carries out a change, and asks anew what it may have touched. */
  async change<N extends Change>(name: N, request: Request<N>): Promise<Response<N>> {
    const response = await this.platform.call(name, request);
    this.invalidate(...INVALIDATES[name]);
    return response;
  }

  /** Something about these topics is no longer as it was. */
  invalidate(...topics: Topic[]): void {
    for (const read of this.#live) {
      if (topics.some((topic) => read.provides(topic))) void read.refresh();
    }
  }
}
