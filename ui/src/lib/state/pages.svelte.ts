import type { ApiError } from '../bindings/api';
import { toApiError } from '../errors';

/** Rows asked for at once. */
export const PAGE = 100;
/** Pages that are kept at once: a long list never fills the memory. */
export const KEPT = 24;

/** What a question about a range of rows is answered with. */
export interface Answer<Row> {
  rows: Row[];
  /** Rows on all pages. */
  total: number;
  /** Pages of one revision fit together. */
  revision?: number;
}

/**
 * A window onto a long list that lives in Rust. Rows come in pages as they are scrolled to, and
 * pages that were left go again; what is shown stays until its successor is here.
 */
export class Pages<Row, Page> {
  /** The newest answer, with all that it tells besides rows. */
  page = $state.raw<Page | null>(null);
  total = $state.raw(0);
  error = $state.raw<ApiError | null>(null);

  #pages = $state.raw<ReadonlyMap<number, Row[]>>(new Map());
  // Shown where the present question has no answer yet.
  #former = $state.raw<ReadonlyMap<number, Row[]>>(new Map());
  #visible: [first: number, last: number] = [0, 0];
  // Counts questions, so that a late answer to an old one is known as such.
  #question = 0;
  // The question and the revision that the rows on show answer.
  #shown = -1;
  #revision: number | undefined;
  #asked = new Set<number>();

  constructor(
    private readonly ask: (offset: number, limit: number) => Promise<Page>,
    private readonly read: (page: Page) => Answer<Row>,
  ) {}

  get revision(): number | undefined {
    return this.#revision;
  }

  /** The row at an index, if it has come already. */
  row(index: number): Row | undefined {
    const page = Math.floor(index / PAGE);
    return (this.#pages.get(page) ?? this.#former.get(page))?.[index % PAGE];
  }

  /** The index of the first row at hand that fits. */
  find(fits: (row: Row) => boolean): number | null {
    for (const [page, rows] of this.#pages) {
      const index = rows.findIndex(fits);
      if (index >= 0) return page * PAGE + index;
    }
    return null;
  }

  /** Tells which rows are looked at, so that they come. */
  show(first: number, last: number): void {
    this.#visible = [first, last];
    if (this.page) this.#fetchVisible();
  }

  /** Asks anew; the present rows stay until the answer is here. */
  reload(): Promise<void> {
    this.#question += 1;
    this.#asked.clear();
    return this.#fetch(Math.floor(this.#visible[0] / PAGE));
  }

  /** Begins with another list: nothing of the present one stays. */
  restart(): Promise<void> {
    this.page = null;
    this.total = 0;
    this.error = null;
    this.#pages = new Map();
    this.#former = new Map();
    this.#visible = [0, 0];
    return this.reload();
  }

  #fetchVisible(): void {
    for (const page of this.#wanted()) if (!this.#asked.has(page)) void this.#fetch(page);
  }

  #wanted(): number[] {
    const [first, last] = this.#visible;
    const [from, to] = [Math.floor(first / PAGE), Math.floor(last / PAGE)];
    return Array.from({ length: to - from + 1 }, (_, index) => from + index);
  }

  async #fetch(number: number): Promise<void> {
    const question = this.#question;
    this.#asked.add(number);
    try {
      const page = await this.ask(number * PAGE, PAGE);
      if (question === this.#question) this.#accept(question, number, page);
    } catch (cause) {
      if (question !== this.#question) return;
      this.#asked.delete(number);
      this.error = toApiError(cause);
    }
  }

  #accept(question: number, number: number, page: Page): void {
    const { rows, total, revision } = this.read(page);
    // Pages fit together only if they answer one question about one revision.
    const fresh = this.#shown !== question || revision !== this.#revision;
    if (fresh) {
      this.#former = new Map([...this.#former, ...this.#pages]);
      this.#asked = new Set([number]);
    }
    const pages = new Map(fresh ? [] : this.#pages);
    this.#shown = question;
    this.#revision = revision;
    pages.set(number, rows);
    const wanted = this.#wanted();
    if (wanted.every((one) => pages.has(one) || one * PAGE >= total)) this.#former = new Map();
    for (const old of pages.keys()) {
      if (pages.size <= KEPT) break;
      if (wanted.includes(old)) continue;
      pages.delete(old);
      this.#asked.delete(old);
    }
    this.#pages = pages;
    this.page = page;
    this.total = total;
    this.error = null;
    const beyond = rows.length === 0 && total > 0 && number > 0;
    if (beyond) void this.#fetch(0);
    else this.#fetchVisible();
  }
}
