import ArrowDown from '@lucide/svelte/icons/arrow-down';
import ArrowUp from '@lucide/svelte/icons/arrow-up';
import Ban from '@lucide/svelte/icons/ban';
import Equal from '@lucide/svelte/icons/equal';
import GitCompareArrows from '@lucide/svelte/icons/git-compare-arrows';
import MoveRight from '@lucide/svelte/icons/move-right';
import Trash from '@lucide/svelte/icons/trash-2';
import TriangleAlert from '@lucide/svelte/icons/triangle-alert';
import type { Component } from 'svelte';

import type { ChangeRow, Group, Resolution } from '../../lib/bindings/api';

type Icon = Component<{ size?: number; 'aria-hidden'?: boolean }>;

/** The mark of a group. */
export const groupIcon: Record<Group, Icon> = {
  conflicts: TriangleAlert,
  outgoing: ArrowUp,
  incoming: ArrowDown,
  blocked: Ban,
};

const actionIcon: Record<string, Icon> = {
  upload: ArrowUp,
  download: ArrowDown,
  delete_local: Trash,
  delete_remote: Trash,
  move_local: MoveRight,
  move_remote: MoveRight,
  cache: Equal,
  conflict: GitCompareArrows,
};

/** The mark of what happens to a row. */
export function rowIcon(row: ChangeRow): Icon {
  if (row.group === 'conflicts') return GitCompareArrows;
  return actionIcon[row.action] ?? groupIcon[row.group];
}

/** Whether a row can be taken into a sync, or left out of it. */
export function isSelectable(row: ChangeRow): boolean {
  if (row.group === 'conflicts') return row.resolution !== null;
  return row.group === 'outgoing' || row.group === 'incoming';
}

/** The ways out of a conflict, as far as it has them: what was never synced cannot come back. */
export function waysOut(row: ChangeRow): Resolution[] {
  return RESOLUTIONS.filter((way) => way !== 'cached' || row.state !== 'LR.ne');
}

/** The ways out of any conflict, in the order of the window. */
export const RESOLUTIONS: Resolution[] = ['local', 'remote', 'cached', 'both'];
