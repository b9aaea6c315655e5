import type { Adoption, AtWork, OfflineReason, PastSnapshot } from '../bindings/api';
import { ago, bytes, count, counted, duration } from '../format';
import { named } from '../names';

/** Texts about servers: signing in, looking around, being cut off, who else is at work. */
export const server = {
  server: {
    where: 'Where the repository is',
    here: 'This computer',
    there: 'A server',
    server: 'Server',
    hostHint:
      'Such as ana@data.example.org, with :port if needed, or a name of your ssh configuration.',
    needServer: 'Connect to a server, then choose a folder there.',
    connect: 'Connect',
    connecting: 'Connecting…',
    otherServer: 'Another server',
    up: 'Folder above',
    folders: 'Folders on the server',
    noFolders: 'No folders are in it.',
    more: 'More folders are in it: write the path behind the server’s name.',
    unreadable: 'cannot be read',
    earlier: 'of the earlier DSG',
    taken: 'is a repository already',
    newFolder: 'Folder for the new repository',
    newFolderHint: 'It is made in the folder that is shown.',
    willBe: (address: string) => `It will be ${named(address)}`,
    readOnly: 'You may not make a folder here: go to another one.',
    chooseRepository: 'Choose a repository in the list.',

    trustTitle: 'Is this the right server?',
    trustText: (about: string) =>
      `Nobody has confirmed it on this computer yet. Asked for ${named(about)}.`,
    trustHow:
      'Compare the fingerprint with the one that the server’s administrator gives. If they differ, somebody else answers in its place: cancel, and ask the administrator.',
    keyKind: 'Key',
    fingerprint: 'Fingerprint',
    copyFingerprint: 'Copy fingerprint',
    trust: 'Trust and connect',

    passphraseTitle: 'Your key has a passphrase',
    passwordTitle: 'A password is needed',
    promptTitle: 'The server asks',
    signInText: (about: string) => `To sign in for ${named(about)}.`,
    passphraseOf: (key: string) => `Passphrase of ${named(key)}`,
    passwordOf: (login: string) => `Password of ${named(login)}`,
    promptOf: (login: string) => `Answer for ${named(login)}`,
    secretHint: 'It is used for this sign-in and kept nowhere.',
    again: 'That was not right. Try again.',
    skip: 'Another way',
    skipTip: 'Without this one: whatever else the server accepts is tried next',
    signIn: 'Sign in',
  },

  adopt: {
    offer: 'See what it holds…',
    title: 'A repository of the earlier DSG',
    text: (address: string) =>
      `${address} can be taken over where it stands, with its history. No file is moved; everybody then goes on with a copy made by this DSG.`,
    holds: ({ name, snapshots, files, bytes: size }: Adoption) =>
      `${named(name)}: ${counted(snapshots, 'snapshot')}, ${counted(files, 'file')}, ${bytes(size)}`,
    history: 'Its snapshots, newest first',
    size: ({ files, bytes: size }: PastSnapshot) => `${counted(files, 'file')}, ${bytes(size)}`,
    before: (n: number) => `and ${counted(n, 'snapshot')} before`,
    leftOut: (n: number) =>
      `Left out of former lists: ${counted(n, 'name')} that cannot be tracked.`,
    proven: 'Every file is what the earlier DSG’s sums say.',
    deviating: (n: number) =>
      n === 1
        ? 'One thing is not as the earlier DSG left it'
        : `${count(n)} things are not as the earlier DSG left them`,
    more: (n: number) => `and ${count(n)} more`,
    asItStands: 'Take it over as it stands, as a change made on its host',
    looking: 'Reading every file',
    back: 'Back',
    again: 'Look again',
    submit: 'Take it over',
  },

  offline: {
    unreachable: {
      title: 'The repository is out of reach',
      brief: 'Repository not reachable',
      action: 'Try now',
    },
    sign_in: { title: 'You need to sign in', brief: 'Sign-in needed', action: 'Sign in…' },
    host_unknown: {
      title: 'Nobody has confirmed this server yet',
      brief: 'Server not confirmed',
      action: 'Confirm the server…',
    },
    host_changed: {
      title: 'This is not the server that was confirmed',
      brief: 'Server key changed',
      action: 'Check again',
    },
    no_repository: {
      title: 'There is no repository at the address',
      brief: 'No repository there',
      action: 'Look again',
    },
    agent: {
      title: 'The server cannot run what DSG needs',
      brief: 'Server not usable',
      action: 'Try now',
    },
    other: {
      title: 'The repository cannot be used now',
      brief: 'Repository not usable',
      action: 'Try now',
    },
  } satisfies Record<OfflineReason, { title: string; brief: string; action: string }>,
  offlineSince: (when: string) => (when === 'just now' ? 'Since just now.' : `Since ${when}.`),
  offlineRetry: (seconds: number) =>
    seconds <= 0
      ? 'Trying again…'
      : `Tried again by itself in ${seconds < 60 ? `${seconds} s` : duration(seconds)}.`,
  offlineTrying: 'Trying…',

  atWork: {
    brief: (all: AtWork[]) => all[0] && `${named(all[0].who)} ${all[0].doing}${others(all)}`,
    title: (all: AtWork[]) => all.map((one) => `${named(one.who)} ${one.doing}`).join('\n'),
    sentence: (all: AtWork[]) => {
      const first = all[0];
      if (!first) return '';
      const since = first.since ? `, begun ${ago(first.since)}` : '';
      return `${named(first.who)} ${first.doing}${since}${others(all)}.`;
    },
  },
};

function others(all: AtWork[]): string {
  return all.length > 1 ? `, and ${all.length - 1} more` : '';
}
