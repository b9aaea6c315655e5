/** From a folder to a project, step by step. */
import { cleanup, render, screen, waitFor } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { afterEach, describe, expect, it } from 'vitest';

import App from '../src/App.svelte';
import { LookOut } from '../src/lib/state/outlook.svelte';
import { Workspace } from '../src/lib/state/workspace.svelte';
import { world } from './app';
import { apiError } from './fake';
import { folder, outlook, project } from './fixtures';

const user = userEvent.setup();
const button = (name: string | RegExp) => screen.findByRole('button', { name });
const next = async () => user.click(await button('Next'));
const nobody = { name: null, mail: null, otherwise: 'ana@laptop', path: '/home/ana/dsg.yml' };

afterEach(cleanup);

async function begun() {
  const { platform } = world({ projects: [] });
  platform.answers.project_create = () => project();
  render(App, { platform });
  await user.click(await button(/Create a repository/));
  return platform;
}

/** To the last step, with all that it takes. */
async function atTheEnd() {
  const platform = await begun();
  await user.click(await button('Browse…'));
  await next();
  await user.type(await screen.findByLabelText('Repository address'), '/srv/coast');
  await next();
  await next();
  await screen.findByText('Step 4 of 4: Before it is made');
  return platform;
}

describe('a new project', () => {
  it('goes on when a step has what it needs, and says what is missing', async () => {
    const platform = await begun();
    await next();
    await screen.findByText('Choose a folder.');
    await user.type(screen.getByRole('textbox', { name: 'Folder' }), '/home/ana/coast');
    await next();
    await screen.findByText('Step 2 of 4: Where the repository goes');
    await next();
    await screen.findByText('Say where the repository is.');
    expect(platform.requests('outlook_look')).toEqual([]);
  });

  it('proposes a name, but not into one that is being typed', async () => {
    const platform = await begun();
    let answer: (preview: ReturnType<typeof folder>) => void = () => undefined;
    platform.answers.project_inspect_folder = () => new Promise((done) => (answer = done));
    await user.type(screen.getByRole('textbox', { name: 'Folder' }), '/home/ana/coast');
    const name = screen.getByRole('textbox', { name: 'Project name' }) as HTMLInputElement;
    await user.type(name, 'S');
    await user.clear(name);
    answer(folder());
    await waitFor(() => expect(screen.queryByText('Looking at the folder…')).toBeNull());
    await user.type(name, 'Shore');
    expect(name.value).toBe('Shore');
    await user.clear(name);
    await user.tab();
    expect(name.value).toBe('coast');
  });

  it('goes on by one step, however often Enter is pressed while it looks', async () => {
    const platform = await begun();
    let answer: (preview: ReturnType<typeof folder>) => void = () => undefined;
    platform.answers.project_inspect_folder = () => new Promise((done) => (answer = done));
    await user.type(
      screen.getByRole('textbox', { name: 'Folder' }),
      '/home/ana/coast{Enter}{Enter}{Enter}',
    );
    answer(folder());
    await screen.findByText('Step 2 of 4: Where the repository goes');
    await new Promise((done) => setTimeout(done));
    expect(screen.queryByText('Step 3 of 4: Which folders are data')).toBeNull();
  });

  it('offers data folders that are configured, also where they lie deeper', async () => {
    const platform = await begun();
    platform.answers.project_inspect_folder = () =>
      folder({ defaultDataDirsFound: ['measurements'] });
    await user.click(await button('Browse…'));
    await next();
    await user.type(await screen.findByLabelText('Repository address'), '/srv/coast');
    await next();
    const configured = await screen.findByRole('checkbox', { name: 'measurements' });
    expect((configured as HTMLInputElement).checked).toBe(true);
  });

  it('keeps what was entered on the way back', async () => {
    await atTheEnd();
    const back = async () => user.click(await button('Back'));
    await back();
    await user.click(screen.getByRole('checkbox', { name: 'scratch' }));
    await back();
    expect(await screen.findByRole('textbox', { name: 'Repository address' })).toHaveProperty(
      'value',
      '/srv/coast',
    );
    await back();
    expect(await screen.findByRole('textbox', { name: 'Folder' })).toHaveProperty(
      'value',
      '/home/ana/coast',
    );
    await next();
    await next();
    expect(screen.getByRole('checkbox', { name: 'scratch' })).toHaveProperty('checked', true);
    await next();
    await screen.findByText('input, scratch');
  });

  it('shows what will be synced, what is left alone and why, and a name with the legal one', async () => {
    await atTheEnd();
    await user.click(await button('Back'));
    await screen.findByText('s1 will hold 120 files · 2.4 GB');
    await screen.findByText('Left alone: ignored by ignore.suffixes: .tmp');
    await screen.findByText('A name that can be synced: input/wind_ gusts.csv');
    await screen.findByText('Not in these folders');
  });

  it('asks who works here while nothing says it, and writes it before the first snapshot', async () => {
    const { platform } = world({ projects: [] });
    platform.answers.project_create = () => project();
    platform.answers.profile_read = () => nobody;
    render(App, { platform });
    await user.click(await button(/Create a repository/));
    await user.click(await button('Browse…'));
    await next();
    await user.type(await screen.findByLabelText('Repository address'), '/srv/coast');
    await next();
    await next();
    await user.type(await screen.findByLabelText('Your e-mail address'), 'ana');
    await user.click(await button('Create repository'));
    await screen.findByText(/Write an address as in/);
    await user.type(screen.getByLabelText('Your e-mail address'), '@example.org');
    await user.click(await button('Create repository'));
    await waitFor(() => expect(platform.requests('project_create')).toHaveLength(1));
    expect(platform.requests('profile_save')).toEqual([{ name: '', mail: 'ana@example.org' }]);
    const order = platform.calls.map((call) => call.name);
    expect(order.indexOf('profile_save')).toBeLessThan(order.indexOf('project_create'));
  });

  it('asks nobody who has said it', async () => {
    const platform = await atTheEnd();
    expect(screen.queryByLabelText('Your e-mail address')).toBeNull();
    await user.click(await button('Create repository'));
    await waitFor(() => expect(platform.requests('project_create')).toHaveLength(1));
    expect(platform.requests('profile_save')).toEqual([]);
  });
});

describe('a look at what would be synced', () => {
  it('is told while it goes on; the newest counts, and the one before is ended', async () => {
    const { platform } = world();
    const ends: ((done: null) => void)[] = [];
    platform.answers.outlook_look = () => new Promise<null>((done) => ends.push(done));
    const workspace = new Workspace(platform);
    await workspace.start();
    const look = new LookOut(workspace);
    const tell = (turn: number, files: number) => {
      const { ticket = '' } = platform.requests('outlook_look')[turn] ?? {};
      const synced = { files, bytes: 0, examples: [] };
      const told = outlook(['*'], { synced, complete: false });
      platform.emit({ kind: 'outlook_told', id: ticket, outlook: told });
    };
    void look.look('/home/ana/coast', ['*']);
    tell(0, 1000);
    expect(look.found?.synced.files).toBe(1000);
    // Asked again, the same look goes on.
    void look.look('/home/ana/coast', ['*']);
    expect(platform.requests('outlook_look')).toHaveLength(1);
    void look.look('/home/ana/coast', ['input']);
    const [first] = platform.requests('outlook_look');
    expect(platform.requests('sync_cancel')).toEqual([{ id: first?.ticket }]);
    tell(0, 5000);
    tell(1, 7);
    expect(look.found?.synced.files).toBe(7);
  });

  it('says why it cannot be', async () => {
    const { platform } = world();
    platform.answers.outlook_look = () => {
      throw apiError('config', '.dsgconfig.yml cannot be used');
    };
    const look = new LookOut(new Workspace(platform));
    await look.look('/home/ana/coast', ['*']);
    expect(look.error?.code).toBe('config');
    expect(look.found).toBeNull();
  });
});
