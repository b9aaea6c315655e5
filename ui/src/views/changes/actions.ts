import Copy from '@lucide/svelte/icons/copy';
import ExternalLink from '@lucide/svelte/icons/external-link';
import EyeOff from '@lucide/svelte/icons/eye-off';
import FolderOpen from '@lucide/svelte/icons/folder-open';
import HistoryIcon from '@lucide/svelte/icons/history';
import RotateCcw from '@lucide/svelte/icons/rotate-ccw';
import Undo from '@lucide/svelte/icons/undo-2';

import type { ChangesRow, IgnoreRule } from '../../lib/bindings/api';
import type { Actions } from '../../lib/components/Menu.svelte';
import { toApiError } from '../../lib/errors';
import { m } from '../../lib/messages';
import { splitPath } from '../../lib/names';
import type { Project } from '../../lib/state/project.svelte';
import { RESOLUTIONS, wayOut } from './rows';

/** What can be done with a row, besides ticking it. */
export function actionsFor(project: Project, row: ChangesRow): Actions {
  const { platform, id, changes } = project;
  const ref = { id, path: row.path };
  const attempt = (call: () => Promise<unknown>) => () => {
    changes.failed = null;
    void call().catch((cause: unknown) => (changes.failed = toApiError(cause)));
  };
  const change = row.kind === 'change' ? row : null;
  const here = change === null || change.localSize !== null;
  const actions: Actions = [];
  if (change) {
    for (const way of RESOLUTIONS) {
      if (!change.choices.includes(way) || change.resolution === way) continue;
      const keys = way === 'local' ? '>' : way === 'remote' ? '<' : undefined;
      const run = () => void changes.resolve(row, way);
      actions.push({ label: wayOut(change, way).long, keys, run });
    }
    if (change.resolution) {
      const run = () => void changes.resolve(row, null);
      actions.push({ label: m.changes.undoDecision, icon: Undo, keys: '/', run });
    }
    if (actions.length > 0) actions.push(null);
    const unable = here ? null : m.changes.notHere;
    const open = attempt(() => platform.call('path_open', ref));
    actions.push({ label: m.menu.open, icon: ExternalLink, unable, run: open });
  } else if (row.kind === 'folder' && row.conflicts > 0) {
    for (const way of RESOLUTIONS) {
      const run = () => void changes.resolve(row, way);
      actions.push({ label: m.resolution[way].folder, run });
    }
    actions.push(null);
  }
  const reveal = attempt(() => platform.call('path_reveal', ref));
  actions.push({
    label: m.menu.reveal,
    icon: FolderOpen,
    unable: here ? null : m.changes.notHere,
    run: reveal,
  });
  const copy = attempt(() => platform.copyText(row.path));
  actions.push({ label: m.menu.copyPath, icon: Copy, run: copy });
  if (change && change.group !== 'ignored') {
    const run = () => project.showVersions(row.path);
    actions.push({ label: m.menu.versions, icon: HistoryIcon, run });
  }
  const revertable = change ? change.cachedSize !== null : true;
  if (revertable && change?.group !== 'ignored' && change?.group !== 'blocked') {
    const run = () => void changes.revert(row.path);
    actions.push(null, { label: m.menu.revert, icon: RotateCcw, run });
  }
  if (change?.group !== 'ignored') {
    actions.push(null);
    for (const { label, rule } of rules(row)) {
      actions.push({ label, icon: EyeOff, run: () => (changes.ignoring = rule) });
    }
  }
  return actions;
}

/** The rules that would leave a row alone, from the narrowest to the widest. */
function rules(row: ChangesRow): { label: string; rule: IgnoreRule }[] {
  const path = row.path;
  const [folder, name] = splitPath(path);
  if (row.kind === 'folder') {
    return [{ label: m.menu.ignoreFolder(path), rule: { kind: 'path', path } }];
  }
  const found: { label: string; rule: IgnoreRule }[] = [
    { label: m.menu.ignoreFile, rule: { kind: 'path', path } },
  ];
  if (folder) {
    const path = folder.slice(0, -1);
    found.push({ label: m.menu.ignoreFolder(path), rule: { kind: 'path', path } });
  }
  const dot = name.lastIndexOf('.');
  if (dot > 0 && dot < name.length - 1) {
    const suffix = name.slice(dot);
    found.push({ label: m.menu.ignoreSuffix(suffix), rule: { kind: 'suffix', suffix } });
  }
  return found;
}
