import type { Group, IgnoreRule, Phase, Resolution, SortKey } from '../bindings/api';
import { bytes, count, counted } from '../format';
import { named, said } from '../names';
import { history } from './history';
import { keys } from './keys';
import { server } from './server';
import { configuring } from './settings';

const GROUP_HINTS: Record<Group, string> = {
  conflicts: 'Changed on both sides: waits for your decision.',
  outgoing: 'Changed here: goes to the repository.',
  incoming: 'Changed in the repository: comes here.',
  blocked: 'Cannot be synced now; each row says why.',
  ignored: 'Left alone by a rule.',
};

/** Every text of the window, in one place. Sentences about data come from Rust. */
export const m = {
  ...history,
  ...server,
  ...configuring,
  keys,

  app: {
    name: 'DSG',
    loading: 'Loading…',
    pixels: (n: number) => `${count(n)} pixels`,
  },

  /** Borders between panes. */
  borders: {
    window: ['Width of the list of projects'],
    changes: ['Width of the list of changes'],
    snapshots: ['Width of the list of snapshots', 'Width of the list of files'],
    files: ['Width of the list of files', 'Width of the list of versions'],
    trash: ['Width of the trash'],
  },

  sidebar: {
    title: 'Projects',
    add: 'Add a project',
    empty: 'No projects yet',
    more: (name: string) => `More about ${named(name)}`,
    forget: 'Remove from list…',
    forgetTitle: (name: string) => `Remove “${named(name)}” from the list?`,
    forgetText:
      'Nothing is deleted: the folder and the repository stay as they are, and you can open the folder again.',
    forgetConfirm: 'Remove from list',
    reveal: 'Show the folder',
    removeSample: 'Remove the sample…',
    removeSampleTitle: 'Remove the sample?',
    removeSampleText:
      'The sample project, its repository and the folder that holds both are deleted from this computer. Nothing else is touched.',
    removeSampleOwn: 'Delete my files in it, too',
    removeSampleConfirm: 'Remove the sample',
    keys: 'Keys',
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
    sample: 'Try it with sample data',
    sampleText: 'A project with some history and a conflict; it can be removed again',
  },

  project: {
    tabs: 'Views of the project',
    changes: 'Changes',
    history: 'History',
    settings: 'Settings',
    rescan: 'Look again',
    rescanHint: 'Look at the folder and the repository again (Ctrl+R)',
  },

  statusBar: {
    label: 'Status',
    neverSynced: 'Never synced',
    lastSync: (snapshot: string, when: string) => `At ${snapshot}, synced ${when}`,
    at: (snapshot: string) => `At ${snapshot}`,
    watching: 'Watching for changes',
    rescanning: 'Looking now and then',
    notWatching: (reason: string) => `Not watching: ${reason}`,
  },

  group: {
    conflicts: 'Conflicts',
    outgoing: 'Outgoing',
    incoming: 'Incoming',
    blocked: 'Blocked',
    ignored: 'Ignored',
  } satisfies Record<Group, string>,

  action: {
    upload: 'Changed here',
    add_remote: 'New here',
    download: 'Changed there',
    add_local: 'New there',
    delete_local: 'Deleted there',
    delete_remote: 'Deleted here',
    move_local: 'Moved there',
    move_remote: 'Moved here',
    cache: 'Same on both',
    conflict: 'Conflict',
    blocked: 'Blocked',
  } as Record<string, string>,

  resolution: {
    local: {
      long: 'Keep mine',
      all: 'All mine',
      folder: 'Keep mine in all of it',
      done: 'Mine is kept',
      means: 'Your version goes to the repository.',
    },
    remote: {
      long: 'Take theirs',
      all: 'All theirs',
      folder: 'Take theirs in all of it',
      done: 'Theirs is taken',
      means: 'The version of the repository comes here; yours goes to the trash.',
    },
    cached: {
      long: 'Restore last synced',
      all: 'All as last synced',
      folder: 'Restore last synced in all of it',
      done: 'Last synced returns',
      means: 'Both sides return to the version of your last sync.',
    },
    both: {
      long: 'Keep both',
      all: 'Both of all',
      folder: 'Keep both in all of it',
      done: 'Both are kept',
      means: 'Theirs comes here; yours stays beside it under a free name, and is synced too.',
    },
  } satisfies Record<
    Resolution,
    { long: string; all: string; folder: string; done: string; means: string }
  >,

  /** What a rule leaves alone now, although the repository still has it. */
  untracked: {
    ask: 'No longer tracked here. Does it stay in the repository?',
    ways: {
      remote: {
        long: 'Keep there',
        done: 'Kept there',
        means: 'It stays in the repository, and your file stays here. They are no longer compared.',
      },
      local: {
        long: 'Remove there',
        done: 'Removed there',
        means:
          'The next sync deletes it in the repository, whose history keeps it. Your file stays.',
      },
    } as Partial<Record<Resolution, { long: string; done: string; means: string }>>,
  },

  changes: {
    groups: 'Groups of changes',
    groupTitle: (group: Group, n: number | null, size: number | null) =>
      [
        GROUP_HINTS[group],
        n !== null && `${counted(n, 'file')}${size ? `, ${bytes(size)}` : ''}.`,
        'Click to show or hide.',
      ]
        .filter(Boolean)
        .join(' '),
    filter: 'Filter by path',
    clearFilter: 'Clear filter',
    list: 'Changed files',
    detail: 'The chosen change',
    sortBy: 'Sort by',
    sort: { path: 'Path', size: 'Size', state: 'Kind', time: 'Time' } satisfies Record<
      SortKey,
      string
    >,
    ascending: 'Ascending',
    descending: 'Descending',
    layout: 'Layout',
    asList: 'List',
    asTree: 'Folders',
    open: (folder: string) => `Open ${named(folder)}`,
    close: (folder: string) => `Close ${named(folder)}`,
    inFolder: (n: number) => counted(n, 'change'),
    conflictsIn: (n: number) => counted(n, 'conflict'),
    folderHolds: (n: number, size: string) => `${counted(n, 'change')} in this folder · ${size}`,
    folderConflicts: (n: number) => `${counted(n, 'conflict')} in it to decide`,
    more: (path: string) => `More about ${named(path)}`,
    noneChosen: 'No change is chosen',
    noneChosenText: 'Choose one in the list to see its versions.',
    delta: (delta: string, size: number) => `${delta}; ${bytes(size)} now`,
    toDecide: 'To decide',
    decision: 'What becomes of it',
    decideThis: 'Changed on both sides. Which one is right?',
    notHere: 'It is not in the folder.',
    reverted: (path: string, report: { replaced: number; deleted: number; added: number }) =>
      `${named(path)} is as last synced again.${
        report.replaced + report.deleted > 0
          ? ' What was here is in the trash (History, Trash).'
          : ''
      }`,
    ignored: (ignored: { sentence: string; decisions: number }) =>
      ignored.decisions > 0
        ? `${said(ignored.sentence)} ${counted(ignored.decisions, 'file')} of it ${ignored.decisions === 1 ? 'is' : 'are'} in the repository: decide below whether they stay there.`
        : said(ignored.sentence),
    includeAll: 'Include everything in the sync',
    include: (path: string) => `Include ${named(path)} in the sync`,
    columns: { what: 'What', who: 'By', size: 'Size' },
    shown: (matching: number) => counted(matching, 'change'),
    undo: 'Undo',
    undoDecision: 'Undo',
    movedFrom: (old: string) => `from ${named(old)}`,
    inSync: 'Everything is in sync',
    inSyncText: 'Changes in the folder and in the repository appear here by themselves.',
    unchanged: 'No changes in the folder',
    unchangedText: 'What happened in the repository meanwhile is not known.',
    seeHistory: 'See the history',
    noneMatch: 'Nothing matches',
    noneMatchText: 'No change fits the filter and the chosen groups.',
    showAll: 'Show everything',
    hidden: 'All changes are in groups that are switched off',
    looking: 'Looking at the folder…',
    lookingAt: (files: number) => counted(files, 'file'),
    trouble: 'Nothing can be synced now',
    drift: 'Changed on the server',
    takeIn: 'Take it in as a snapshot',
    decideAll: (n: number) => `${counted(n, 'conflict')} to decide`,
    decideAllHint: (way: string) => `${way}: all undecided conflicts that are shown`,
    notices: 'What you should know',
    dismiss: 'Got it',
  },

  ignore: {
    title: (rule: IgnoreRule) =>
      rule.kind === 'suffix'
        ? `Ignore all files that end in ${named(rule.suffix)}?`
        : `Ignore ${named(rule.kind === 'path' ? rule.path : rule.name)}?`,
    text: 'A rule leaves it alone from now on: here at once, and for everybody who works with the repository after your next sync. Nothing is deleted. The rule stands in .dsgconfig.yml and can be taken out there again.',
    looking: 'Looking at what is pending…',
    affected: (n: number, complete: boolean) =>
      n === 0
        ? complete
          ? 'Nothing that is pending now is left alone by it.'
          : 'More is pending than was looked at: what it leaves alone shows when it is added.'
        : `Of what is pending now, it leaves alone ${complete ? '' : 'at least '}${counted(n, 'change')}:`,
    more: (n: number, complete: boolean) => `and ${complete ? '' : 'at least '}${count(n)} more`,
    submit: 'Ignore',
  },

  sync: {
    panel: 'Sync',
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
    remaining: (time: string) => `about ${time} left`,
    rate: (perSecond: number) => `${bytes(perSecond)}/s`,
    progress: 'Progress',
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
    undoFailed: 'That sync was not undone',
    undoPending: 'The undo waits to be synced',
    showResults: 'Show file by file…',
    results: 'What the last sync did',
    resultsText: (n: number) => `${counted(n, 'file')}; what was left out comes first.`,
    last: (snapshot: string, when: string, paths: number) =>
      `Your last sync: ${snapshot}, ${when}, ${counted(paths, 'file')}`,
    undo: (snapshot: string) => `Undo ${snapshot}`,
    undoText: (snapshot: string, former: string, paths: number, when: string) =>
      `A new snapshot returns ${counted(paths, 'file')} that ${snapshot} changed (${when}) to what ${former} had. What others changed since then stays, and so does ${snapshot} in the history.`,
    retry: 'Try again',
    allow: 'Sync anyway',
  },

  settings: {
    project: 'This project',
    name: 'Name',
    folder: 'Folder',
    watch: 'Changes are noticed',
    notWatching: 'No: look again by hand (Ctrl+R).',
    repository: 'Repository',
    address: 'Address',
    guarantee: 'Guarantee',
    filesystem: 'File system',
    dataset: 'Dataset (ZFS)',
    room: 'Room',
    roomText: (available: number, used: number | null, quota: number | null) =>
      [
        `${bytes(available)} free`,
        used === null ? null : `${bytes(used)} taken with its history`,
        quota === null ? null : `${bytes(quota)} at most`,
      ]
        .filter(Boolean)
        .join(' · '),
    newest: 'Newest snapshot',
    lastSync: 'Last sync of this folder',
  },

  place: {
    check: 'Try this place',
    checkHint: 'Makes a repository beside it, syncs twice, and removes it again.',
    trying: 'Trying…',
    stop: 'Stop',
    result: 'What was tried',
    good: 'A repository can live here.',
    copy: 'Copy the commands',
    steps: {
      configuration: 'Way to the server',
      network: 'Network',
      'host key': 'Server’s key',
      login: 'Login',
      agent: 'DSG on the server',
      place: 'Place',
      rights: 'Rights',
      trial: 'Trial',
      repository: 'Repository',
    },
  },

  error: {
    internal: 'DSG made a mistake of its own',
    details: 'Details',
    copy: 'Copy details',
    copied: 'Copied',
    notCopied: 'The clipboard is out of reach: select the text instead',
    questions: 'What a server asked could not be answered',
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
    step: (n: number, all: number, title: string) => `Step ${n} of ${all}: ${title}`,
    steps: {
      folder: 'The folder with your data',
      place: 'Where the repository goes',
      data: 'Which folders are data',
      summary: 'Before it is made',
    },
    next: 'Next',
    back: 'Back',
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
    soFar: (files: number, size: number) => `${counted(files, 'file')} · ${bytes(size)} so far…`,
    more: (n: number) => `and ${count(n)} more`,
    synced: 'What will be synced',
    leftAlone: (rule: string) => `Left alone: ${named(rule)}`,
    outside: 'Not in these folders',
    hidden: (n: number) =>
      `${counted(n, 'name')} beginning with a dot ${n === 1 ? 'is' : 'are'} never synced.`,
    troubles: (n: number) =>
      `${counted(n, 'name')} cannot be synced as ${n === 1 ? 'it is' : 'they are'}`,
    troublesText: 'They are left out until they are renamed or moved; all else is synced.',
    offer: (name: string) => `A name that can be synced: ${named(name)}`,
    repository: 'Repository',
    first: 'First snapshot',
    who: 'Who are you?',
    whoText: (otherwise: string, file: string) =>
      `Your colleagues see it in the history. Without an address it says ${otherwise}. It is written into ${file}.`,
    whoName: 'Your name',
    whoMail: 'Your e-mail address',
    noMail: 'Write an address as in ann@example.org, or nothing.',
    submit: 'Create repository',
  },

  sample: {
    title: 'Try it with sample data',
    text: 'A small survey project and its repository are made in this folder. The sidebar’s menu removes both again.',
    pick: 'Choose where the sample goes',
    folderHint: 'It is made anew; nothing that exists is touched.',
    submit: 'Make the sample',
  },

  clone: {
    title: 'Get a copy of a repository',
    text: 'A new folder on this computer gets the newest snapshot, and becomes a project.',
    pick: 'Choose where the copy goes',
    folderHint: 'An empty folder, or one that does not exist yet.',
    submit: 'Get a copy',
  },
};
