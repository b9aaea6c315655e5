import ArchiveRestore from '@lucide/svelte/icons/archive-restore';
import Copy from '@lucide/svelte/icons/copy';
import ExternalLink from '@lucide/svelte/icons/external-link';
import FileClock from '@lucide/svelte/icons/file-clock';
import Folder from '@lucide/svelte/icons/folder';

import type { DifferenceRow } from '../../lib/bindings/api';
import type { Actions } from '../../lib/components/Menu.svelte';
import { toApiError } from '../../lib/errors';
import { m } from '../../lib/messages';
import { splitPath } from '../../lib/names';
import type { History } from '../../lib/state/history.svelte';
import type { Project } from '../../lib/state/project.svelte';
import type { Restoring } from './RestoreDialog.svelte';

/** What bringing a row back means: the side that has it and is a snapshot, the later one first. */
export function restorable(history: History, row: DifferenceRow): Restoring | null {
  const { span, earlier } = history;
  if (!span) return null;
  const snapshot = row.kind === 'deleted' || span.to === null ? earlier : span.to;
  if (snapshot === null) return null;
  if (row.kind === 'added' && snapshot === earlier) return null;
  const path = snapshot === earlier ? (row.oldPath ?? row.path) : row.path;
  return { snapshot, paths: [path], what: path };
}

/** What can be done with a row of a comparison. */
export function actionsFor(
  project: Project,
  row: DifferenceRow,
  restore: (what: Restoring) => void,
): Actions {
  const { platform, id, history } = project;
  const attempt = (call: () => Promise<unknown>) => () => {
    history.failed = null;
    void call().catch((cause: unknown) => (history.failed = toApiError(cause)));
  };
  const actions: Actions = [];
  const back = restorable(history, row);
  if (back) {
    const { snapshot } = back;
    const path = back.paths[0] ?? row.path;
    const open = attempt(() => platform.call('version_open', { id, snapshot, path }));
    actions.push({ label: m.restore.open(snapshot), icon: ExternalLink, run: open });
    actions.push({
      label: m.restore.from(snapshot),
      icon: ArchiveRestore,
      run: () => restore(back),
    });
    const folder = splitPath(path)[0].slice(0, -1);
    if (folder) {
      const run = () => restore({ snapshot, paths: [folder], what: `${folder}/` });
      actions.push({ label: m.restore.folder(folder, snapshot), icon: Folder, run });
    }
    actions.push(null);
  }
  const versions = () => project.showVersions(row.path);
  actions.push({ label: m.menu.versions, icon: FileClock, run: versions });
  const copy = attempt(() => platform.copyText(row.path));
  actions.push({ label: m.menu.copyPath, icon: Copy, run: copy });
  return actions;
}
