/** docs/screens.md: all screens, as the pictures show them. */

/** What each screen shows, in the order of the page. */
export const titles: Record<string, string> = {
  first: 'The first start',
  sample: 'Making the sample',
  create: 'Creating a repository: the folder',
  'create-place': 'Creating a repository: where it goes',
  'create-data': 'Creating a repository: what the first snapshot would hold',
  'create-summary': 'Creating a repository: before it is made',
  'create-problems': 'Creating a repository: what is missing',
  open: 'Opening a folder that is no project',
  looking: 'The first look at a folder',
  changes: 'Changes: a table with changed cells',
  tree: 'Changes as folders',
  folder: 'A folder of the tree',
  conflict: 'A conflict, with both versions',
  decided: 'A conflict that is decided',
  images: 'Images side by side',
  blocked: 'What cannot be synced now',
  untracked: 'What is no longer tracked',
  ignored: 'What a rule leaves alone',
  menu: 'What can be done with a row',
  ignore: 'What a rule would leave alone',
  names: 'Names that would hide or turn around',
  nothing: 'Nothing matches',
  million: 'A million changes',
  quiet: 'Everything is in sync',
  undo: 'In sync, with a sync that can be undone',
  unshown: 'A folder that cannot be shown',
  notice: 'Something to know',
  syncing: 'While it syncs',
  finished: 'After a sync',
  results: 'A sync, file by file',
  cancelled: 'A sync that was cancelled',
  halted: 'A sync that was halted',
  offline: 'A repository that does not answer',
  'server-connect': 'A server that does not answer',
  'server-copy': 'Getting a copy from a server',
  'server-create': 'Creating a repository on a server',
  adopt: 'Taking over a repository of the earlier DSG',
  'adopt-changed': 'The same, when something there is not as it was left',
  trust: 'A server that nobody has confirmed yet',
  passphrase: 'The passphrase of a key',
  password: 'A password',
  prompt: 'What a server asks by itself',
  unreachable: 'Cut off: the server does not answer',
  'sign-in': 'Cut off: a sign-in is needed',
  'host-unknown': 'Cut off: the server is not confirmed',
  'host-changed': 'Cut off: the server’s key has changed',
  'at-work': 'Somebody else at work in the repository',
  history: 'History: text that differs',
  table: 'History: a table that differs',
  compare: 'Two snapshots compared',
  restore: 'Restoring a deleted file',
  restored: 'A file that was restored',
  versions: 'The versions of a file',
  trash: 'The trash',
  empty: 'Emptying the trash',
  verify: 'A receipt of the history',
  'no-history': 'No snapshots yet',
  settings: 'Settings',
  'settings-problems': 'Settings: what is wrong, key by key',
  'settings-broken': 'Settings: a file that only its text can mend',
  'server-drift': 'Something was changed on the server, not by DSG',
  'place-refused': 'A place on ZFS that is tried, and what an administrator has to type',
  keys: 'Keys',
  'no-list': 'The list of projects is damaged',
};

/** The page of all screens. */
export function gallery(): string {
  const screens = Object.entries(titles).map(
    ([scene, title]) => `## ${title}

<picture>
  <source media="(prefers-color-scheme: dark)" srcset="pictures/${scene}-dark-1280.webp">
  <img alt="${title}" src="pictures/${scene}-light-1280.webp">
</picture>

The same at 900 × 600: [light](pictures/${scene}-light-900.webp), [dark](pictures/${scene}-dark-900.webp).
`,
  );
  return `# All screens of the window

The window's pages on made-up data, in Chromium. \`make screenshots\` draws them anew and writes this
page; the tests look at each of them for what sticks out, what cannot be read, and what keyboards and
screen readers could not use. [How the window is used](window.md).

${screens.join('\n')}`;
}
