import type { ChangeDetail, ContentAt, ContentRef } from '../bindings/api';
import { type Read, type Reads } from './reads.svelte';

/** Two versions that can be compared, or one that can be shown. */
export type Pair =
  'cached-local' | 'cached-remote' | 'local-remote' | 'local' | 'cached' | 'remote';

const WAIT_MS = 60;

/** The change that is looked at: its versions, and what is in two of them. */
export class Detail {
  readonly detail: Read<'change_detail'>;
  readonly preview: Read<'preview'>;
  /** What was chosen to be compared; none for what fits best. */
  #pair = $state<Pair | null>(null);
  #path: string | null = null;
  #waiting: ReturnType<typeof setTimeout> | undefined;

  /** What can be compared, best first. */
  readonly pairs = $derived.by((): Pair[] => (this.detail.value ? pairsOf(this.detail.value) : []));
  readonly pair = $derived(
    this.#pair && this.pairs.includes(this.#pair) ? this.#pair : (this.pairs[0] ?? null),
  );

  constructor(
    private readonly id: string,
    reads: Reads,
  ) {
    this.detail = reads.read('change_detail');
    this.preview = reads.read('preview');
  }

  /** Looks at a path, after a moment: keys may pass over it. Or at none. */
  look(path: string | null): void {
    if (path === this.#path) return;
    this.#path = path;
    this.#pair = null;
    clearTimeout(this.#waiting);
    const ask = () => {
      void this.detail.ask(path === null ? null : { id: this.id, path });
      void this.preview.ask(null);
    };
    if (path === null) ask();
    else this.#waiting = setTimeout(ask, WAIT_MS);
  }

  compare(pair: Pair): void {
    this.#pair = pair;
  }

  /** Asks for what is in the versions that are compared. */
  show(): void {
    const { pair } = this;
    const detail = this.detail.value;
    if (detail === null || pair === null) return;
    const sides = pair.split('-').map((at) => content(detail, at as ContentAt['kind']));
    const [left, right] = sides.length === 2 ? sides : [null, sides[0] ?? null];
    void this.preview.ask({ id: this.id, left: left ?? null, right: right ?? null });
  }
}

function content(detail: ChangeDetail, at: ContentAt['kind']): ContentRef {
  // Before a move, the former versions stood elsewhere.
  const moved = detail.row.oldPath;
  const here = detail.row.action === 'move_local' ? 'remote' : 'local';
  const path = moved !== null && at !== here ? moved : detail.row.path;
  return { path, at: { kind: at } as ContentAt };
}

function pairsOf({ row, local, cached, remote }: ChangeDetail): Pair[] {
  const pairs: Pair[] = [];
  const conflict = row.group === 'conflicts';
  if (conflict && local && remote) pairs.push('local-remote');
  const first = row.group === 'incoming' ? 'cached-remote' : 'cached-local';
  const second = row.group === 'incoming' ? 'cached-local' : 'cached-remote';
  for (const pair of [first, second] as const) {
    if (cached && (pair === 'cached-local' ? local : remote)) pairs.push(pair);
  }
  if (!conflict && local && remote) pairs.push('local-remote');
  if (pairs.length === 0) {
    if (local) pairs.push('local');
    else if (remote) pairs.push('remote');
    else if (cached) pairs.push('cached');
  }
  return pairs;
}
