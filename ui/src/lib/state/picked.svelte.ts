import type { Pages } from './pages.svelte';

/** The row of a long list that is chosen: it stays the same one, wherever a later answer puts it. */
export class Picked<Row, Page> {
  active = $state(0);
  #key: string | null = null;

  constructor(
    private readonly rows: Pages<Row, Page>,
    private readonly key: (row: Row) => string,
  ) {}

  get row(): Row | null {
    return this.rows.row(this.active) ?? null;
  }

  choose(index: number): void {
    this.active = index;
    this.#remember();
  }

  /** Another list: begins at its top. */
  begin(): void {
    this.active = 0;
    this.#key = null;
  }

  /** Asks anew; when the chosen row is gone, the one in its place is chosen. */
  async reload(): Promise<void> {
    await this.rows.reload();
    const { row } = this;
    if (this.#key !== null && (row === null || this.key(row) !== this.#key)) {
      const moved = this.rows.find((one) => this.key(one) === this.#key);
      if (moved !== null) this.active = moved;
    }
    this.active = Math.max(0, Math.min(this.active, this.rows.total - 1));
    this.#remember();
  }

  #remember(): void {
    const { row } = this;
    this.#key = row === null ? null : this.key(row);
  }
}
