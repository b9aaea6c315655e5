import ArrowDown from '@lucide/svelte/icons/arrow-down';
import ArrowUp from '@lucide/svelte/icons/arrow-up';
import Ban from '@lucide/svelte/icons/ban';
import Check from '@lucide/svelte/icons/check';
import Equal from '@lucide/svelte/icons/equal';
import EyeOff from '@lucide/svelte/icons/eye-off';
import MoveRight from '@lucide/svelte/icons/move-right';
import Trash from '@lucide/svelte/icons/trash-2';
import TriangleAlert from '@lucide/svelte/icons/triangle-alert';
import type { Component } from 'svelte';

import type { ChangeRow, Group, Resolution } from '../../lib/bindings/api';
import { m } from '../../lib/messages';

interface Way {
  long: string;
  done: string;
  means: string;
}
type Icon = Component<{ size?: number; 'aria-hidden'?: boolean }>;

/** The mark of a group. */
export const groupIcon: Record<Group, Icon> = {
  conflicts: TriangleAlert,
  outgoing: ArrowUp,
  incoming: ArrowDown,
  blocked: Ban,
  ignored: EyeOff,
};

const actionIcon: Record<string, Icon> = {
  upload: ArrowUp,
  download: ArrowDown,
  delete_local: Trash,
  delete_remote: Trash,
  move_local: MoveRight,
  move_remote: MoveRight,
  cache: Equal,
};

/** The mark of what happens to a row. */
export function rowIcon(row: ChangeRow): Icon {
  if (row.group === 'conflicts') return row.resolution ? Check : TriangleAlert;
  return actionIcon[row.action] ?? groupIcon[row.group];
}

/** What happened to a row, in a word or two. */
export function rowWord(row: ChangeRow): string {
  if (row.resolution) return wayOut(row, row.resolution).done;
  if (row.untracked) return m.changes.toDecide;
  if (row.group === 'conflicts') return m.changes.toDecide;
  if (row.group === 'ignored') return m.group.ignored;
  const isNew = row.cachedSize === null;
  const action =
    (isNew && { upload: 'add_remote', download: 'add_local' }[row.action]) || row.action;
  return m.action[action] ?? row.action;
}

/** What a way out is called for a row: what is no longer tracked is no conflict. */
export function wayOut(row: ChangeRow, way: Resolution): Way {
  return (row.untracked && m.untracked.ways[way]) || m.resolution[way];
}

/** The ways out of any conflict, in the order of the window. */
export const RESOLUTIONS: Resolution[] = ['local', 'remote', 'both', 'cached'];
