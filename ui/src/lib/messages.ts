import type { Group, Phase, ProjectStatus, Resolution } from './bindings/api';
import { bytes, count, counted } from './format';

/** Every text of the window, in one place. Sentences about data come from Rust. */
export const m = {
  app: { name: 'DSG', loading: 'Loading…' },

  sidebar: {
    title: 'Projects',
    add: 'Add a project',
    empty: 'No projects yet',
    more: (name: string) => `More about ${name}`,
    forget: 'Remove from list…',
    forgetTitle: (name: string) => `Remove “${name}” from the list?`,
    forgetText:
      'Nothing is deleted: the folder and the repository stay as they are, and you can open the folder again.',
    forgetConfirm: 'Remove from list',
  },

  status(status: ProjectStatus): string {
    switch (status.kind) {
      case 'in_sync':
        return 'In sync';
      case 'pending':
        return `${count(status.count)} pending`;
      case 'conflicts':
        return counted(status.count, 'conflict');
      case 'syncing':
        return status.percent === null ? 'Syncing' : `Syncing ${Math.floor(status.percent)} %`;
      case 'scanning':
        return 'Scanning';
      case 'offline':
        return 'Offline';
      case 'attention':
        return 'Needs attention';
    }
  },

  welcome: {
    title: 'Keep your data under version',
    text: 'DSG watches an ordinary folder, shows what changed here and in the shared repository, and syncs both in one step: all of it, or nothing.',
    open: 'Open a folder…',
    openText: 'A project that is on this computer already',
    create: 'Create a repository…',
    createText: 'From a folder with data: it becomes a project',
    clone: 'Get a copy…',
    cloneText: 'Of a repository that a colleague works with',
  },

  project: {
    tabs: 'Views of the project',
    changes: 'Changes',
    history: 'History',
    rescan: 'Look again',
    rescanHint: 'Look at the folder and the repository again (Ctrl+R)',
  },

  statusBar: {
    neverSynced: 'Never synced',
    lastSync: (snapshot: string, when: string) => `At ${snapshot}, synced ${when}`,
    at: (snapshot: string) => `At ${snapshot}`,
    watching: 'Watching for changes',
    rescanning: 'Looking now and then',
    notWatching: (reason: string) => `Not watching: ${reason}`,
    unreachable: 'Repository not reachable',
  },

  group: {
    conflicts: 'Conflicts',
    outgoing: 'Outgoing',
    incoming: 'Incoming',
    blocked: 'Blocked',
  } satisfies Record<Group, string>,

  action: {
    upload: 'Upload',
    download: 'Download',
    delete_local: 'Delete here',
    delete_remote: 'Delete there',
    move_local: 'Move here',
    move_remote: 'Move there',
    cache: 'Take note',
    conflict: 'Conflict',
    blocked: 'Blocked',
    decided: 'Decided',
  } as Record<string, string>,

  resolution: {
    local: { short: 'Mine', long: 'Keep mine', all: 'All mine', done: 'Mine is kept' },
    remote: { short: 'Theirs', long: 'Take theirs', all: 'All theirs', done: 'Theirs is taken' },
    cached: {
      short: 'Last synced',
      long: 'Restore last synced',
      all: 'All as last synced',
      done: 'Last synced is restored',
    },
    both: { short: 'Both', long: 'Keep both', all: 'Both of all', done: 'Both are kept' },
  } satisfies Record<Resolution, { short: string; long: string; all: string; done: string }>,

  changes: {
    groups: 'Groups of changes',
    groupTitle: (group: string, n: number, size: number) =>
      `${group}: ${counted(n, 'file')}, ${bytes(size)}`,
    filter: 'Filter by path',
    clearFilter: 'Clear filter',
    list: 'Changed files',
    includeAll: 'Include everything in the sync',
    include: (path: string) => `Include ${path} in the sync`,
    columns: { action: 'Action', path: 'Path', what: 'What happened', who: 'By', size: 'Size' },
    shown: (matching: number) => `${counted(matching, 'file')} shown`,
    decide: (path: string) => `How the conflict in ${path} ends`,
    undoDecision: 'Undo',
    undecided: 'Decide:',
    movedFrom: (old: string) => `from ${old}`,
    inSync: 'Everything is in sync',
    inSyncText: 'Changes in the folder and in the repository appear here by themselves.',
    noneMatch: 'Nothing matches',
    noneMatchText: 'No change fits the filter and the chosen groups.',
    showAll: 'Show everything',
    hidden: 'All changes are in groups that are switched off',
    looking: 'Looking at the folder…',
    lookingAt: (files: number) => counted(files, 'file'),
    trouble: 'Nothing can be synced now',
    conflict: {
      'LCR.all_ne': 'Changed on both sides',
      'CR.ne': 'Deleted here, changed there',
      'LC.ne': 'Changed here, deleted there',
      'LR.ne': 'Added on both sides',
      clash: 'File against folder',
    } as Record<string, string>,
    conflictBy: (who: string, when: string) => `In the repository by ${who}, ${when}.`,
    decideAll: (n: number) => `${counted(n, 'conflict')} to decide`,
    decideAllHint: (way: string) => `${way}: all undecided conflicts that are shown`,
    notices: 'What you should know',
    dismiss: 'Got it',
  },

  sync: {
    message: 'Message of the snapshot',
    messagePlaceholder: 'What is this sync about?',
    button: (n: number, size: number, snapshot: string | null) =>
      [
        `Sync ${counted(n, 'file')}`,
        size > 0 && ` · ${bytes(size)}`,
        snapshot !== null && ` → ${snapshot}`,
      ]
        .filter((part) => part !== false)
        .join(''),
    nothing: 'Nothing to sync',
    nothingSelected: 'Nothing is selected',
    others: 'Sync everything else',
    othersHint: 'Conflicts stay as they are, on both sides',
    phase: {
      scanning: 'Looking at the folder',
      comparing: 'Comparing both sides',
      staging: 'Copying',
      publishing: 'Publishing',
      settling: 'Finishing…',
      finishing: 'Finishing…',
    } satisfies Record<Phase, string>,
    starting: 'Starting',
    cancel: 'Cancel',
    cancelling: 'Cancelling…',
    tooLate: 'Published: can no longer be cancelled',
    files: (done: number, total: number | null) =>
      total === null ? counted(done, 'file') : `${count(done)} of ${counted(total, 'file')}`,
    bytes: (done: number, total: number | null) =>
      total === null ? bytes(done) : `${bytes(done)} of ${bytes(total)}`,
    rate: (perSecond: number) => `${bytes(perSecond)}/s`,
    progress: 'Progress of the sync',
    published: (snapshot: string, time: string) => `Published ${snapshot} in ${time}`,
    nothingPublished: (time: string) => `Synced in ${time}; nothing new to publish`,
    uploaded: 'uploaded',
    downloaded: 'downloaded',
    deletedLocal: 'deleted here',
    deletedRemote: 'deleted there',
    moved: 'moved',
    sent: (size: number) => `${bytes(size)} sent`,
    received: (size: number) => `${bytes(size)} received`,
    skipped: (n: number) => `${counted(n, 'file')} left out`,
    stillConflicts: (n: number) => `${counted(n, 'conflict')} left as they are`,
    close: 'Close',
    cancelled: 'Cancelled: nothing has changed on any side',
    failed: 'The sync did not happen',
    retry: 'Try again',
    allow: 'Sync anyway',
  },

  history: {
    list: 'Snapshots',
    here: 'You are here',
    added: (n: number) => `${count(n)} added`,
    changed: (n: number) => `${count(n)} changed`,
    deleted: (n: number) => `${count(n)} deleted`,
    noMessage: 'No message',
    more: 'Show older snapshots',
    empty: 'No snapshots yet',
    emptyText: 'The first sync makes the first snapshot.',
  },

  error: {
    internal: 'DSG made a mistake of its own',
    details: 'Details',
    copy: 'Copy details',
    copied: 'Copied',
    code: 'Code',
    retry: 'Try again',
  },

  form: {
    cancel: 'Cancel',
    close: 'Close',
    browse: 'Browse…',
    folder: 'Folder',
    needFolder: 'Choose a folder.',
    needAbsolute: 'Write the whole path, starting with /.',
    address: 'Repository address',
    needAddress: 'Say where the repository is.',
    addressNew: 'A folder that does not exist yet, outside the project, such as /data/repository.',
    addressOld: 'The folder of a repository, such as /data/repository.',
    working: 'Working…',
  },

  open: {
    title: 'Open a folder',
    text: 'Choose a folder that is a DSG project already.',
    pick: 'Open a project',
    submit: 'Open',
    createInstead: 'Create a repository from it…',
  },

  create: {
    title: 'Create a repository',
    text: 'The folder becomes a project, and what it holds becomes snapshot s1 of a new repository.',
    pick: 'Choose the folder with your data',
    name: 'Project name',
    needName: 'Give the project a name.',
    message: 'Message of the first snapshot',
    defaultMessage: 'First snapshot',
    tracked: 'What is tracked',
    everything: 'Everything in the folder',
    chosen: 'Only these folders',
    needDirs: 'Choose at least one folder.',
    noDefaults: 'None of the usual data folders is here, so everything is tracked.',
    noDirs: 'There are no folders in it.',
    sum: (files: number, size: number) => `${counted(files, 'file')} · ${bytes(size)}`,
    willTrack: (files: number, size: number) =>
      `s1 will hold ${counted(files, 'file')} · ${bytes(size)}`,
    isProject: 'This folder is a project already. Open it instead.',
    openInstead: 'Open it…',
    isRepository: 'This folder is, or lies in, a repository. Choose another one.',
    looking: 'Looking at the folder…',
    submit: 'Create repository',
  },

  clone: {
    title: 'Get a copy of a repository',
    text: 'A new folder on this computer gets the newest snapshot, and becomes a project.',
    pick: 'Choose where the copy goes',
    folderHint: 'An empty folder, or one that does not exist yet.',
    submit: 'Get a copy',
  },
};
