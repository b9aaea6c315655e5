import type { Pages } from './pages.svelte';

/** The row of a long list that is chosen: it stays the same one, wherever a later answer puts it. */
export class Picked<Row, Page> {
  active = $state(0);
  #key: string | null = null;
  // Whoever scrolls far away has not chosen something else.
  #known = $state.raw<Row | null>(null);

  constructor(
    private readonly rows: Pages<Row, Page>,
    private readonly key: (row: Row) => string,
    /** Where a row stands that is not at hand; nothing if it is not shown any more. */
    private readonly locate: (key: string) => Promise<number | null> = async () => null,
  ) {}

  get row(): Row | null {
    return this.rows.row(this.active) ?? this.#known;
  }

  choose(index: number): void {
    this.active = index;
    this.#known = null;
    this.#remember();
  }

  /** Another list: begins at its top. */
  begin(): void {
    this.active = 0;
    this.#key = null;
    this.#known = null;
  }

  /** Asks anew; when the chosen row is gone, the one in its place is chosen. */
  async reload(): Promise<void> {
    await this.rows.reload();
    const key = this.#key;
    const here = this.rows.row(this.active);
    if (key !== null && (here === undefined || this.key(here) !== key)) {
      const moved = this.rows.find((one) => this.key(one) === key) ?? (await this.#find(key));
      // Somebody may have chosen another one meanwhile.
      if (key !== this.#key) return;
      if (moved === null) this.#known = null;
      else this.active = moved;
    }
    this.active = Math.max(0, Math.min(this.active, this.rows.total - 1));
    this.#remember();
  }

  async #find(key: string): Promise<number | null> {
    try {
      return await this.locate(key);
    } catch {
      // It stays where it was.
      return null;
    }
  }

  #remember(): void {
    this.#known = this.rows.row(this.active) ?? this.#known;
    this.#key = this.#known === null ? null : this.key(this.#known);
  }
}
