import { render, screen, waitFor } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { beforeEach, describe, expect, it, vi } from 'vitest';

import App from '../src/App.svelte';
import type { ApiError, Question, QuestionKind } from '../src/lib/bindings/api';
import { world } from './app';
import { apiError } from './fake';
import { adoption, atWork, legacyRepository, offline, project, row } from './fixtures';

const user = userEvent.setup({ pointerEventsCheck: 0 });
const button = (name: string | RegExp) => screen.findByRole('button', { name });

beforeEach(() => {
  vi.spyOn(HTMLElement.prototype, 'clientHeight', 'get').mockReturnValue(600);
});

describe('a login', () => {
  const ask = (...kinds: QuestionKind[]) => {
    const { platform } = world();
    let open: Question[] = [];
    platform.answers.questions_list = () => open;
    platform.answers.question_answer = ({ id }) => {
      open = open.filter((question) => question.id !== id);
      return null;
    };
    render(App, { platform });
    open = kinds.map((what, at) => ({ id: at + 1, about: 'tank', what }));
    platform.emit({ kind: 'questions_changed' });
    return platform;
  };
  const host = { kind: 'unknown_host', host: 'tank', key: 'ssh-ed25519', fingerprint: 'SHA256:a' };

  it('asks about an unknown server, and Enter alone trusts nobody', async () => {
    const platform = ask(host as QuestionKind);
    await screen.findByText('SHA256:a');
    await waitFor(() => expect(document.activeElement?.textContent).toContain('Cancel'));
    await user.click(await button('Copy fingerprint'));
    expect(platform.copied).toBe('SHA256:a');
    await user.click(await button('Trust and connect'));
    expect(platform.requests('question_answer')).toEqual([{ id: 1, answer: { kind: 'trust' } }]);
    await waitFor(() => expect(screen.queryByText('SHA256:a')).toBeNull());
  });

  it('takes a passphrase without showing it, and forgets it', async () => {
    const platform = ask(
      { kind: 'passphrase', key: '/home/ana/.ssh/id_ed25519', again: false },
      { kind: 'password', login: 'ana@tank', again: true },
    );
    const field = await screen.findByLabelText('Passphrase of /home/ana/.ssh/id_ed25519');
    expect(field.getAttribute('type')).toBe('password');
    await user.type(field, 'correct horse{Enter}');
    expect(platform.requests('question_answer')).toEqual([
      { id: 1, answer: { kind: 'secret', text: 'correct horse' } },
    ]);
    // The next question begins empty, and says that the last answer was wrong.
    const next = (await screen.findByLabelText('Password of ana@tank')) as HTMLInputElement;
    expect(next.value).toBe('');
    await screen.findByText('That was not right. Try again.');
    await user.click(await button('Another way'));
    expect(platform.requests('question_answer')[1]).toEqual({ id: 2, answer: { kind: 'skip' } });
  });

  it('is left by Escape', async () => {
    const platform = ask({ kind: 'prompt', login: 'ana@tank', text: 'Code:', echo: true });
    await screen.findByText('Code:');
    await user.keyboard('{Escape}');
    expect(platform.requests('question_answer')).toEqual([{ id: 1, answer: { kind: 'cancel' } }]);
  });
});

describe('a server', () => {
  it('is looked around on, and a repository of it copied', async () => {
    const { platform } = world({ projects: [] });
    platform.answers.project_clone = () => project();
    render(App, { platform });
    await user.click(await button(/Get a copy/));
    await user.click(await screen.findByRole('radio', { name: 'A server' }));
    // Servers that are known are offered.
    await user.click(await button('tank'));
    await user.click(await button('Connect'));
    await user.click(await button('data'));
    const repository = await button(/coast-survey/);
    expect(repository.textContent).toContain('s42 · ben@example.org');
    expect((await button(/^old/)).hasAttribute('disabled')).toBe(true);
    await user.click(repository);
    await user.type(await screen.findByLabelText('Folder'), '/home/ana/copy');
    await user.click(screen.getByRole('button', { name: 'Get a copy' }));
    expect(platform.requests('server_folders').map(({ host, path }) => [host, path])).toEqual([
      ['tank', null],
      ['ana@data.example.org', '/home/ana/data'],
    ]);
    expect(platform.requests('project_clone')).toMatchObject([
      { address: 'ssh://ana@data.example.org/home/ana/data/coast-survey', path: '/home/ana/copy' },
    ]);
  });

  it('with a repository of the earlier DSG shows what that holds, takes it over, and copies it', async () => {
    const { platform } = world({ projects: [] });
    let taken = false;
    platform.answers.project_clone = () => {
      if (!taken) throw legacyRepository;
      return project();
    };
    const deviations = [{ path: 'input/a.csv', what: 'has another content' }];
    platform.answers.place_adopt = ({ dryRun }) => {
      taken = !dryRun;
      return adoption({ deviating: 1, deviations, adopted: dryRun ? null : 's13' });
    };
    render(App, { platform });
    await user.click(await button(/Get a copy/));
    await user.type(await screen.findByLabelText('Repository address'), '/srv/old');
    await user.type(await screen.findByLabelText('Folder'), '/home/ana/copy');
    await user.click(screen.getByRole('button', { name: 'Get a copy' }));
    await user.click(await button('See what it holds…'));
    await screen.findByText('Second field trip; station list corrected');
    await screen.findByText('has another content');
    // What is not as it was left is taken over only by whoever says so.
    const take = await button('Take it over');
    expect(take.hasAttribute('disabled')).toBe(true);
    await user.click(await screen.findByRole('checkbox', { name: /as it stands/ }));
    await user.click(take);
    await waitFor(() => expect(platform.requests('project_clone')).toHaveLength(2));
    expect(platform.requests('place_adopt')).toMatchObject([
      { address: '/srv/old', dryRun: true, asItStands: false },
      { address: '/srv/old', dryRun: false, asItStands: true },
    ]);
  });

  it('gets a new repository in the folder that is shown', async () => {
    const { platform } = world({ projects: [] });
    platform.answers.project_create = () => project();
    render(App, { platform });
    await user.click(await button(/Create a repository/));
    await user.click(await button('Browse…'));
    await user.click(await button('Next'));
    await user.click(await screen.findByRole('radio', { name: 'A server' }));
    await user.type(await screen.findByLabelText('Server'), 'tank{Enter}');
    const name = (await screen.findByLabelText(
      'Folder for the new repository',
    )) as HTMLInputElement;
    await waitFor(() => expect(name.value).toBe('coast'));
    await user.clear(name);
    await user.type(name, 'survey');
    await screen.findByText('It will be ssh://ana@data.example.org/home/ana/survey');
    await user.click(await button('Next'));
    await user.click(await button('Next'));
    await user.click(await button('Create repository'));
    expect(platform.requests('project_create')).toMatchObject([
      { address: 'ssh://ana@data.example.org/home/ana/survey' },
    ]);
  });

  it('is tried step by step, and what an administrator has to type can be copied', async () => {
    const { platform } = world({ projects: [] });
    let end: (done: null) => void = () => undefined;
    platform.answers.place_examine = () => new Promise<null>((done) => (end = done));
    render(App, { platform });
    await user.click(await button(/Create a repository/));
    await user.click(await button('Browse…'));
    await user.click(await button('Next'));
    const trial = await button('Try this place');
    expect(trial.hasAttribute('disabled')).toBe(true);
    await user.type(await screen.findByLabelText('Repository address'), 'tank:/dsg/survey');
    await user.click(trial);
    const [{ ticket = '', address = '' } = {}] = platform.requests('place_examine');
    expect(address).toBe('tank:/dsg/survey');
    const tell = (name: string, found: string | null, error: ApiError | null = null) =>
      platform.emit({ kind: 'examined', id: ticket, step: { name, found, error } });
    tell('login', 'ana@tank:22');
    await screen.findByText('ana@tank:22');
    await user.click(await button('Stop'));
    expect(platform.requests('sync_cancel')).toEqual([{ id: ticket }]);
    tell(
      'rights',
      null,
      apiError('permission', 'It needs root.', { hint: 'Ask:\nsudo it\nor so' }),
    );
    await user.click(await button('Copy the commands'));
    expect(platform.copied).toBe('sudo it\nor so');
    end(null);
    await button('Try this place');
    expect(screen.queryByText('A repository can live here.')).toBeNull();
    // Of another address nothing is known.
    await user.type(await screen.findByLabelText('Repository address'), '2');
    expect(screen.queryByText('ana@tank:22')).toBeNull();
  });

  it('that is not let in is said, and whoever cancels is told nothing', async () => {
    const { platform } = world({ projects: [] });
    platform.answers.server_folders = () => {
      throw apiError('login-refused', 'tank does not let ana in.');
    };
    render(App, { platform });
    await user.click(await button(/Get a copy/));
    await user.click(await screen.findByRole('radio', { name: 'A server' }));
    await user.type(await screen.findByLabelText('Server'), 'tank{Enter}');
    await screen.findByText('tank does not let ana in.');
    platform.answers.server_folders = () => {
      throw apiError('cancelled', 'Stopped as asked; nothing was changed.');
    };
    await user.click(await button('Connect'));
    await waitFor(() => expect(screen.queryByRole('alert')).toBeNull());
  });
});

it('a project that is cut off says why, and reaches for its server when asked to', async () => {
  const { platform, changes } = world({ changes: [row('input/a.csv')] });
  const cut = offline('sign_in', 'tank does not let ana in.');
  changes.more = { offline: cut, blocker: cut.error.message };
  let reached = () => {};
  platform.answers.project_connect = () => new Promise((done) => (reached = () => done(null)));
  render(App, { platform });
  await screen.findByText('You need to sign in');
  // What is here is shown all the same.
  await screen.findByRole('row', { name: /a\.csv/ });
  expect((await button(/^Sync 1 file/)).hasAttribute('disabled')).toBe(true);
  await user.click(await button('Sign in…'));
  expect((await button('Trying…')).hasAttribute('disabled')).toBe(true);
  expect(platform.requests('project_connect')).toEqual([{ id: 'p1' }]);
  changes.more = { revision: 9 };
  reached();
  platform.emit({ kind: 'changes_changed', id: 'p1', revision: 9 });
  await waitFor(() => expect(screen.queryByText('You need to sign in')).toBeNull());
  expect((await button(/^Sync 1 file/)).hasAttribute('disabled')).toBe(false);
});

it('whoever is at work in the repository is named beside the button', async () => {
  const one = project({ atWork: [atWork({ since: null })] });
  render(App, { platform: world({ projects: [one], changes: [row('input/a.csv')] }).platform });
  await screen.findByText('ben@example.org is uploading s43, 40 %.');
});
