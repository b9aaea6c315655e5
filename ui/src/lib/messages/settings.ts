import type { SettingOrigin } from '../bindings/api';
import { visible } from '../names';

/** Texts about configuration. */
export const configuring = {
  configuring: {
    title: 'Configuration',
    which: 'Which configuration',
    project: 'This project',
    own: 'Yours',
    projectText:
      'Shared with everybody who works with the repository: the next sync takes it there.',
    ownText: 'Yours on this computer, for all projects.',
    form: 'Keys',
    text: 'As text',
    noFile: 'The file does not exist yet.',
    unreadable: 'The text cannot be read as YAML: mend it beside this, then the keys appear.',
    save: 'Save',
    saving: 'Saving…',
    saved: 'Saved.',
    discard: 'Discard changes',
    copy: 'Copy my text',
    unchanged: 'Nothing is written before you save.',
    unsaved: 'Not saved yet.',
    unsound: 'It can be saved when nothing is wrong in it.',
    mistakes: 'What is wrong',
    notes: 'Without effect',
    at: (line: number) => `Line ${line}`,
    ended: (sentence: string) => (/[?.]$/.test(sentence) ? sentence : `${sentence}.`),
    says: (sentence: string) => `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}.`,
    unset: 'Use the default',
    notSaid: (effective: string) => (effective === '' ? 'Not said' : `Not said: ${effective}`),
    onePerLine: 'One in a line.',
    counts: (effective: string) => `What counts: ${visible(effective)}`,
    origin: (origin: SettingOrigin): string => {
      if (origin.kind === 'here') return 'said here';
      if (origin.kind === 'file') return `said in ${visible(origin.path)}`;
      return origin.kind === 'variable' ? `said by ${origin.name}` : 'default';
    },
    names: {
      name: 'Project name',
      data_dirs: 'Data folders',
      paths: 'Ignored paths',
      names: 'Ignored names',
      suffixes: 'Ignored endings',
      retention: 'Kept by a prune',
      type: 'Kind of repository',
      host: 'Host',
      user: 'Login there',
      port: 'Port',
      pool: 'ZFS pool',
      mountpoint: 'Folder of repositories',
      path: 'Folder of repositories',
      transport: 'Way to the repository',
      user_name: 'Your name',
      user_id: 'Your e-mail address',
      default_host: 'Default host',
      default_project_path: 'Default folder there',
      ssh: 'Who speaks ssh',
      agent_path: 'Agent on the host',
    } as Partial<Record<string, string>>,
  },
};
