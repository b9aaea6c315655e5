/** A small stand-in for configuration files: flat keys and lists, enough for the window. */
import type {
  SettingChange,
  SettingMistake,
  SettingValue,
  SettingsField,
  SettingsFile,
  SettingsForm,
} from '../src/lib/bindings/api';
import type { FakePlatform } from './fake';
import { apiError } from './fake';

type Values = Map<string, string[] | string>;

const KEYS: [string, SettingsField['holds'], string, string[] | string | null][] = [
  ['name', { kind: 'text' }, "the project's name, for people", null],
  ['data_dirs', { kind: 'texts' }, 'names of folders that hold data, at any depth', ['input']],
  ['retention', { kind: 'text' }, "which snapshots' files dsg prune keeps", null],
  ['repository.type', { kind: 'choice', words: ['zfs', 'xfs'] }, 'what kind it is', null],
  ['repository.port', { kind: 'number', least: 1, most: 65_535 }, 'its port', null],
];
const OWN: typeof KEYS = [
  ['user_name', { kind: 'text' }, 'your name', null],
  ['user_id', { kind: 'text' }, 'your e-mail address: the author of your snapshots', null],
  ['default_host', { kind: 'text' }, 'the host of repositories', 'localhost'],
];

function read(text: string): Values | null {
  const values: Values = new Map();
  let key = '';
  for (const line of text.split('\n')) {
    if (line.includes('[') && !line.includes(']')) return null;
    const [, name, rest] = /^(\w[\w.]*): ?(.*)$/.exec(line) ?? [];
    if (name !== undefined) {
      key = name;
      values.set(key, rest === '' ? [] : (rest ?? ''));
    } else if (line.startsWith('- ')) {
      const list = values.get(key);
      values.set(key, [...(Array.isArray(list) ? list : []), line.slice(2)]);
    }
  }
  return values;
}

function written(values: Values): string {
  const lines = [...values].flatMap(([key, value]) =>
    Array.isArray(value) ? [`${key}:`, ...value.map((one) => `- ${one}`)] : [`${key}: ${value}`],
  );
  return lines.map((line) => `${line}\n`).join('');
}

function value(holds: SettingsField['holds'], said: string[] | string): SettingValue {
  if (Array.isArray(said)) return { kind: 'texts', texts: said };
  if (holds.kind === 'number' && /^\d+$/.test(said))
    return { kind: 'number', number: Number(said) };
  return { kind: 'text', text: said };
}

function wrong(key: string, said: string[] | string | undefined): [string, string] | null {
  if (key === 'name' && !said) return ['the project has no name', 'Add a line name: NAME'];
  if (key === 'retention' && said === 'some')
    return ['retention cannot be "some"', 'Write how many to keep, e.g. last=10,daily=7'];
  if (key === 'repository.port' && said && !/^\d+$/.test(String(said)))
    return ['port is no whole number from 1 to 65535', 'Write such a number, without quotes'];
  const path = Array.isArray(said) && said.find((one) => one.includes('/'));
  if (path) return [`"${path}" is a path; a folder's name is meant`, 'Correct it or take it out'];
  return null;
}

export function formOf(text: string, own = false): SettingsForm {
  const values = read(text);
  const lines = text.split('\n');
  const at = (key: string) => lines.findIndex((line) => line.startsWith(`${key}:`)) + 1;
  if (!values) {
    const line = lines.findIndex((one) => one.includes('[') && !one.includes(']')) + 1;
    const what = 'this is not YAML: a list is not closed';
    const mend = 'Look at this line and those beside it';
    const mistakes = [{ line, column: 1, length: lines[line - 1]?.length ?? 1, what, mend }];
    return { fields: [], mistakes, notes: [], readable: false, sound: false };
  }
  const fields = (own ? OWN : KEYS).map(([key, holds, says, usual]): SettingsField => {
    const said = values.get(key);
    const found = wrong(key, said);
    const line = at(key);
    const mistake: SettingMistake[] = found
      ? [{ line: line || 1, column: 1, length: key.length, what: found[0], mend: found[1] }]
      : [];
    const counts = said ?? usual;
    return {
      path: key.split('.'),
      holds,
      says,
      said: said === undefined ? null : value(holds, said),
      effective: counts === null ? null : value(holds, counts),
      origin: { kind: said === undefined ? 'default' : 'here' },
      line: line || null,
      mistakes: mistake,
    };
  });
  const sound = fields.every((field) => field.mistakes.length === 0);
  return { fields, mistakes: [], notes: [], readable: true, sound };
}

function changed(text: string, changes: SettingChange[]): string {
  if (changes.length === 0) return text;
  const values = read(text);
  if (!values) throw apiError('config', 'This cannot be changed here as the file is written.');
  for (const { path, value } of changes) {
    const key = path.join('.');
    if (value === null) values.delete(key);
    else if (value.kind === 'texts') values.set(key, value.texts);
    else values.set(key, typeof value === 'object' && 'text' in value ? value.text : stated(value));
  }
  return written(values);
}

function stated(value: SettingValue): string {
  return value.kind === 'number' ? String(value.number) : 'true';
}

/** The answers about configuration files; the project's says `text`. */
export function fakeSettings(
  text = 'name: Coast survey\ndata_dirs:\n- input\n- output\n',
): FakePlatform['answers'] {
  const files = { project: text, own: 'user_name: Ana\nuser_id: ana@example.org\n' };
  const open = ({ kind }: SettingsFile) => ({
    path: kind === 'own' ? '/home/ana/.config/dsg/dsg.yml' : '/home/ana/coast/.dsgconfig.yml',
    text: files[kind],
    form: formOf(files[kind], kind === 'own'),
  });
  return {
    settings_open: ({ file }) => open(file),
    settings_try: ({ file, text, changes }) => {
      const next = changed(text, changes);
      return { text: next, form: formOf(next, file.kind === 'own') };
    },
    settings_save: ({ file, seen, text }) => {
      if (seen !== files[file.kind])
        throw apiError('config', 'The file was changed by another program meanwhile.');
      files[file.kind] = text;
      return open(file);
    },
    profile_read: () => ({
      name: 'Ana',
      mail: 'ana@example.org',
      otherwise: 'ana@laptop',
      path: '/home/ana/.config/dsg/dsg.yml',
    }),
    profile_save: () => null,
  };
}
