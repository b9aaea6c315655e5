import type { DifferenceKind, RestoreReport } from '../bindings/api';
import { count, counted } from '../format';
import { named } from '../names';
import type { Pair } from '../state/detail.svelte';

/** Texts about versions, snapshots, the trash and the way back. */
export const history = {
  versions: {
    local: 'Here',
    cached: 'Last synced',
    remote: 'Repository',
    none: 'Not there',
    link: 'Link',
    executable: 'executable',
    added: 'new',
    changed: 'changed',
    deleted: 'deleted',
    unchanged: 'unchanged',
    compare: 'Compare',
    modified: (when: string) => `Last modified ${when}`,
    madeBy: (author: string, snapshot: string, when: string) =>
      `${named(author)}, in ${snapshot}, ${when}`,
    pair: {
      'cached-local': 'Last synced with here',
      'cached-remote': 'Last synced with repository',
      'local-remote': 'Here with repository',
      local: 'Here',
      cached: 'Last synced',
      remote: 'Repository',
    } satisfies Record<Pair, string>,
  },

  preview: {
    title: 'Preview',
    waiting: 'Reading…',
    same: 'The content is the same.',
    text: 'Text',
    table: 'Table',
    row: 'Row',
    rowChanged: 'changed',
    onlyIn: (side: string) => `only in ${side}`,
    linesAdded: (n: number) => `+ ${counted(n, 'line')}`,
    linesRemoved: (n: number) => `− ${counted(n, 'line')}`,
    linesSkipped: (n: number) => `${counted(n, 'equal line')}`,
    rowsAdded: (n: number) => `+ ${counted(n, 'row')}`,
    rowsRemoved: (n: number) => `− ${counted(n, 'row')}`,
    rowsChanged: (n: number) => `~ ${counted(n, 'row')}`,
    rowsSkipped: (n: number) => `${counted(n, 'equal row')}`,
    image: (side: string) => `Image: ${side}`,
    pixels: (width: number, height: number) => `${count(width)} × ${count(height)} px`,
  },

  history: {
    ways: 'What was',
    snapshots: 'Snapshots',
    files: 'Files',
    trash: 'Trash',
    list: 'Snapshots',
    here: 'You are here',
    hereHint: 'Your folder was last brought to this snapshot',
    added: (n: number) => `${count(n)} added`,
    changed: (n: number) => `${count(n)} changed`,
    deleted: (n: number) => `${count(n)} deleted`,
    moved: (n: number) => `${count(n)} moved`,
    kind: {
      added: 'Added',
      changed: 'Changed',
      deleted: 'Deleted',
      moved: 'Moved',
    } satisfies Record<DifferenceKind, string>,
    noMessage: 'No message',
    notKept: 'files no longer kept',
    bytes: (files: number) => `All ${counted(files, 'file')} of the snapshot`,
    more: 'Show older snapshots',
    empty: 'No snapshots yet',
    emptyText: 'The first sync makes the first snapshot.',
    chart: (n: number, size: string) => `Size and changes of ${n} snapshots, up to ${size}`,
    chartChanges: 'Changes',
    chartSize: (size: string) => `Size, up to ${size}`,
    bar: (id: string, changes: number, size: string) =>
      `${id}: ${counted(changes, 'change')}, ${size}`,
    differences: 'Files that differ',
    compare: 'since',
    until: 'until',
    before: 'the one before',
    folderNow: 'your folder now',
    same: 'No difference',
    sameText: 'Both sides hold the same files.',
    file: 'The chosen file',
  },

  files: {
    find: 'Find a file',
    found: 'Files found',
    versions: 'Versions of the file',
    none: 'No version yet',
    noVersionText:
      'No snapshot holds this file. The next sync that takes it makes its first version.',
    noneText: 'No snapshot has a file whose path contains this.',
    choose: 'Choose a file',
    chooseText: 'Its versions are shown here, also if it was deleted.',
    deleted: 'Deleted',
    deletedIn: (snapshot: string) => `deleted in ${snapshot}`,
    here: 'In your folder',
    version: (snapshot: string, size: string) => `Version of ${snapshot} · ${size}`,
  },

  trash: {
    title: 'Trash',
    holds: (files: number, size: string) => `${counted(files, 'file')} · ${size}`,
    none: 'The trash is empty',
    noneText: 'What a sync or a restore replaces or deletes in your folder is kept here.',
    inTrash: 'In the trash',
    restore: 'Put back',
    restoreBeside: 'Put back beside the present one',
    restored: (path: string) => `It is in your folder again: ${named(path)}`,
    empty: 'Empty…',
    emptyTitle: 'Empty the trash?',
    emptyText: (files: number, size: string) =>
      `${counted(files, 'file')}, ${size}, are deleted for good. Snapshots keep what was synced; what was only here is gone.`,
    emptyConfirm: 'Delete for good',
  },

  restore: {
    allShort: 'All…',
    all: (snapshot: string) => `Restore all of ${snapshot}…`,
    from: (snapshot: string) => `Restore from ${snapshot}…`,
    folder: (folder: string, snapshot: string) =>
      `Restore all of ${named(folder + '/')} from ${snapshot}…`,
    open: (snapshot: string) => `Open as of ${snapshot}`,
    everything: (snapshot: string) => `all of ${snapshot}`,
    title: (what: string) => `Restore ${named(what)}`,
    text: (snapshot: string) => `As it was in ${snapshot}.`,
    where: 'Where to',
    to: { project: 'Into the project', folder: 'Into another folder' },
    toText: {
      project: 'As pending changes: nobody else sees them before you sync.',
      folder: 'The project stays as it is.',
    },
    pick: 'Choose where the files go',
    looking: 'Looking at what would happen…',
    forecast: (report: RestoreReport) => `Would happen: ${outcome(report)}`,
    submit: 'Restore',
    done: (report: RestoreReport) => `Restored: ${outcome(report)}`,
    doneProject: ({ added, replaced, deleted }: RestoreReport) =>
      [
        added + replaced + deleted === 1 ? 'It is a pending change now.' : null,
        added + replaced + deleted > 1 ? 'They are pending changes now.' : null,
        replaced + deleted > 0 ? 'What was here before is in the trash.' : null,
      ]
        .filter((sentence) => sentence !== null)
        .join(' '),
    doneFolder: (folder: string) => `The files are in ${named(folder)}.`,
    skipped: (n: number) => `${counted(n, 'file')} could not be restored`,
    showChanges: 'Show the changes',
  },

  verify: {
    button: 'Verify',
    hint: 'Prove that the history is whole, and get a receipt to cite',
    title: 'Verify the history',
    text: 'Every snapshot proves itself and the one before it. The receipt can be cited.',
    deep: 'Also rebuild and prove every snapshot’s list of files (takes longer)',
    submit: 'Verify',
    proved: 'The history is whole',
    folder: 'This folder',
    folderPending: 'has pending changes',
    snapshots: 'Snapshots',
    upTo: (n: number, head: string, deep: boolean) =>
      `${counted(n, 'snapshot')}, up to ${head}${deep ? ', with all lists of files' : ''}`,
    chain: 'Chain (SHA-256)',
    manifest: 'List of files (SHA-256)',
    repository: 'Repository',
    copy: 'Copy receipt',
  },

  menu: {
    open: 'Open',
    reveal: 'Show in the file manager',
    copyPath: 'Copy path',
    versions: 'Show its history',
    revert: 'Restore last synced version',
    ignoreFile: 'Ignore this file…',
    ignoreFolder: (folder: string) => `Ignore the folder ${named(folder + '/')}…`,
    ignoreSuffix: (suffix: string) => `Ignore all ${named('*' + suffix)}…`,
  },
};

function outcome({ added, replaced, deleted, unchanged }: RestoreReport): string {
  const parts = [
    added > 0 && `${counted(added, 'file')} added`,
    replaced > 0 && `${count(replaced)} replaced`,
    deleted > 0 && `${count(deleted)} moved to the trash`,
    unchanged > 0 && `${count(unchanged)} as they are`,
  ].filter((part) => part !== false);
  return parts.length > 0 ? `${parts.join(', ')}.` : 'nothing.';
}
