/**
 * What answers are about. Each question declares what it provides, each change what it may touch:
 * then whatever is shown of it is asked for anew. What a change brings about in Rust is told by
 * events; here stands only what no event tells.
 */
import type { Commands } from '../bindings/commands';

export type Topic = 'projects' | 'changes' | 'history' | 'trash' | 'results';

/** Questions whose answers are kept. */
export const PROVIDES = {
  change_detail: ['changes'],
  preview: [],
  history_find: ['history'],
  history_versions: ['history', 'changes'],
  sample_place: [],
} satisfies Partial<Record<keyof Commands, Topic[]>> as Record<
  'change_detail' | 'preview' | 'history_find' | 'history_versions' | 'sample_place',
  Topic[]
>;
export type Question = keyof typeof PROVIDES;

/** Changes, and what they may touch. */
export const INVALIDATES = {
  changes_expand: ['changes'],
  changes_select: ['changes'],
  changes_revert: ['changes', 'trash'],
  changes_ignore: ['changes'],
  changes_heed: ['changes'],
  conflict_resolve: ['changes'],
  notices_dismiss: ['changes'],
  history_restore: ['changes', 'trash', 'history'],
  trash_restore: ['changes', 'trash'],
  trash_empty: ['trash'],
} satisfies Partial<Record<keyof Commands, Topic[]>>;
export type Change = keyof typeof INVALIDATES;
