/** Scenes about servers: signing in, looking around, being cut off, others at work. */
import type {
  Adoption,
  OfflineReason,
  Place,
  PlaceStep,
  Question,
  QuestionKind,
} from '../../src/lib/bindings/api';
import { world } from '../app';
import { apiError } from '../fake';
import { adoption, atWork, incoming, legacyRepository, offline, project, row } from '../fixtures';
import { type Scene, all, found, press } from './acts';

const FINGERPRINT = 'SHA256:T1GkgI4LD/ZQk4pzD3CRsVrkrUUxh8R3YBvZJgqkLJE';
const rows = [row('input/stations/harbour.csv'), incoming('input/calibration/offsets.csv')];

async function fill(id: string, text: string): Promise<void> {
  const field = (await found(() => all(`#${id}`)[0])) as HTMLInputElement;
  field.value = text;
  field.dispatchEvent(new Event('input', { bubbles: true }));
}

/** A form, with a server that is looked at. */
const browsing = (form: string, then?: () => Promise<void>): Scene => ({
  platform: world({ projects: [] }).platform,
  then: async () => {
    await press(form);
    if (form === 'Create a repository') {
      await press('Browse');
      await press('Next');
    }
    await press('A server');
    await fill('host', 'ana@data.example.org');
    await press('Connect');
    await press('data');
    await then?.();
  },
});

const asked = (what: QuestionKind): Scene => {
  const { platform } = world({ projects: [project()], changes: rows });
  const question: Question = { id: 1, about: 'Coast survey', what };
  platform.answers.questions_list = () => [question];
  return { platform };
};

const cutOff = (reason: OfflineReason, message: string, hint: string): Scene => {
  const repository = 'ssh://ana@data.example.org/srv/data/coast-survey';
  const { platform, changes } = world({ projects: [project({ repository })], changes: rows });
  const cut = offline(reason, message, { hint });
  changes.course = { kind: 'offline', offline: cut };
  changes.more = { offline: cut, blocker: cut.error.message };
  return { platform };
};

/** What is tried at a place on ZFS, where an administrator has not allowed it yet. */
const refused: PlaceStep[] = [
  ['configuration', 'ana@data.example.org:22, by the built-in ssh'],
  ['login', 'ana@data.example.org:22'],
  ['agent', '/home/ana/.cache/dsg/agent-0.1.0 runs'],
  [
    'place',
    'a dataset of its own, tank/dsg/coast-survey; 851 GB free of a quota of 1100 GB; OpenZFS 2.3.1',
  ],
].map(([name = '', found = '']) => ({ name, found, error: null }));
refused.push({
  name: 'rights',
  found: null,
  error: apiError(
    'permission',
    'Publishing on ZFS needs root on the host for mounts and promotions.',
    {
      hint: "Ask its administrator to run, once:\ninstall -o root -g root -m 755 /home/ana/.cache/dsg/agent-0.1.0 /usr/local/sbin/dsg-agent\necho '%dsg ALL=(root) NOPASSWD: /usr/local/sbin/dsg-agent zfs-helper tank/dsg' > /etc/sudoers.d/dsg && chmod 440 /etc/sudoers.d/dsg",
    },
  ),
});

const onZfs: Place = {
  filesystem: 'zfs',
  dataset: 'tank/dsg/coast-survey',
  available: 851_000_000_000,
  used: 248_500_000_000,
  quota: 1_099_500_000_000,
};

/** A repository of the earlier DSG, met when a copy of it is wanted. */
const earlier = (more: Partial<Adoption>): Scene => {
  const { platform } = world({ projects: [] });
  platform.answers.project_clone = () => {
    throw legacyRepository;
  };
  platform.answers.place_adopt = () => adoption(more);
  return {
    platform,
    then: async () => {
      await press('Get a copy');
      await fill('address', '/srv/data/coast-survey');
      await fill('folder', '/home/ana/coast-survey');
      const submit = await found(() => all('[type=submit]')[0]);
      submit.click();
      await press('See what it holds');
      await found(() => all('ul.list li')[0]);
    },
  };
};

export const serverScenes: Record<string, () => Scene> = {
  'place-refused': () => {
    const repository = 'ssh://ana@data.example.org/tank/dsg/coast-survey';
    const guarantee = 'ZFS · shared by a group · atomic';
    const shown = project({ repository, guarantee, place: onZfs });
    const { platform } = world({ projects: [shown], changes: rows });
    platform.answers.place_examine = ({ ticket }) => {
      refused.forEach((step) => platform.emit({ kind: 'examined', id: ticket, step }));
      return null;
    };
    return {
      platform,
      then: async () => {
        await press('Settings');
        await press('Try this place');
      },
    };
  },
  adopt: () => earlier({}),
  'adopt-changed': () =>
    earlier({
      deviating: 3,
      deviations: [
        { path: 'input/stations/harbour.csv', what: 'has another content' },
        { path: 'output/run 12/table.csv', what: 'was not there' },
        {
          path: '.dsg/archive/s10-sync.json.lz4',
          what: 'is not there: what that snapshot held is not known',
        },
      ],
    }),
  'server-drift': () => {
    const error = apiError(
      'drift',
      "output/model.csv and 2 more were changed on the repository's host, not by DSG.",
      {
        hint: 'Taken in, they become a snapshot of their own, with the host as its author. Nothing is lost, and nobody can sync before.',
        detail: 'output/model.csv\noutput/run 12/log.txt\noutput/run 12/table.csv',
        allow: 'drift',
      },
    );
    const repository = 'ssh://ana@data.example.org/tank/dsg/coast-survey';
    const guarantee = 'ZFS · shared by a group · atomic';
    const status = { kind: 'attention', error } as const;
    const shown = project({ repository, guarantee, place: onZfs, status });
    const { platform, changes } = world({ projects: [shown], changes: rows });
    changes.more = { trouble: error, blocker: error.message };
    return { platform };
  },
  'server-connect': () => {
    const { platform } = world({ projects: [] });
    platform.answers.server_folders = () => {
      throw apiError(
        'unreachable',
        'data.example.org could not be reached at port 22: it refuses connections.',
        {
          hint: 'Is the host up, is its ssh server at this port, and the network too? A VPN may be needed.',
          detail: 'Connection refused (os error 111)',
        },
      );
    };
    return {
      platform,
      then: async () => {
        await press('Get a copy');
        await press('A server');
        await fill('host', 'ana@data.example.org');
        await press('Connect');
      },
    };
  },
  'server-copy': () => browsing('Get a copy', () => press('coast-survey')),
  'server-create': () => browsing('Create a repository'),
  trust: () =>
    asked({
      kind: 'unknown_host',
      host: '[data.example.org]:2222',
      key: 'ssh-ed25519',
      fingerprint: FINGERPRINT,
    }),
  passphrase: () => asked({ kind: 'passphrase', key: '/home/ana/.ssh/id_ed25519', again: true }),
  password: () => asked({ kind: 'password', login: 'ana@data.example.org', again: false }),
  prompt: () =>
    asked({
      kind: 'prompt',
      login: 'ana@data.example.org',
      text: 'Two-factor sign-in of the institute\nOne-time code:',
      echo: true,
    }),
  unreachable: () =>
    cutOff(
      'unreachable',
      'data.example.org could not be reached at port 22: 192.0.2.7:22 did not answer within 15 s.',
      'Is the host up, is its ssh server at this port, and the network too? A VPN may be needed.',
    ),
  'sign-in': () =>
    cutOff(
      'sign_in',
      'data.example.org does not let ana in: the ssh agent (it has no key for it); /home/ana/.ssh/id_ed25519 (it needs a passphrase, and nobody gave one).',
      'Is the user right, and is a key of yours in ~/.ssh/authorized_keys there?',
    ),
  'host-unknown': () =>
    cutOff(
      'host_unknown',
      `data.example.org is not known, and nobody has confirmed it: its ssh-ed25519 key is ${FINGERPRINT}.`,
      'Have the fingerprint of its key at hand, as its administrator gives it, and confirm it.',
    ),
  'host-changed': () =>
    cutOff(
      'host_changed',
      `data.example.org is not the host that was confirmed: its ssh-ed25519 key is ${FINGERPRINT}, and the ssh-ed25519 key that /home/ana/.ssh/known_hosts:12 has is SHA256:9vWcN3bQmJ0o8yZ2hU5tXk7rD1sL4gFpEaYiB6qTnMw.`,
      'Somebody may stand between you and the host. Ask its administrator whether its key was changed; if so, remove line 12 of /home/ana/.ssh/known_hosts and try again.',
    ),
  'at-work': () => {
    const one = project({
      repository: 'ssh://ana@data.example.org/srv/data/coast-survey',
      atWork: [atWork(), atWork({ who: 'cleo@tank' })],
    });
    return { platform: world({ projects: [one], changes: rows }).platform };
  },
};
