/** Configuration in a form beside its text. */
import { cleanup, render, screen } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { afterEach, describe, expect, it, vi } from 'vitest';

import App from '../src/App.svelte';
import { FileSettings } from '../src/lib/state/settings.svelte';
import { world } from './app';
import { fakeSettings } from './settings-file';

afterEach(cleanup);

async function opened(text?: string) {
  const { platform } = world();
  if (text !== undefined) Object.assign(platform.answers, fakeSettings(text));
  render(App, { platform });
  const user = userEvent.setup();
  await user.click(await screen.findByRole('tab', { name: 'Settings' }));
  const area = (await screen.findByLabelText('As text')) as HTMLTextAreaElement;
  return { platform, user, area };
}

describe('settings', () => {
  it('change in the form and in the text in step, and write nothing before they are saved', async () => {
    const { platform, user, area } = await opened();
    const retention = screen.getByLabelText('Kept by a prune');
    await user.type(retention, 'last=3');
    await vi.waitFor(() => expect(area.value).toContain('retention: last=3\n'));
    await user.clear(area);
    await user.type(area, 'name: Shore\ndata_dirs:\n- raw\n');
    const name = screen.getByLabelText('Project name') as HTMLInputElement;
    await vi.waitFor(() => expect(name.value).toBe('Shore'));
    expect((screen.getByLabelText('Data folders') as HTMLInputElement).value).toBe('raw');
    expect(platform.requests('settings_save')).toEqual([]);
    await user.click(screen.getByRole('button', { name: 'Save' }));
    await screen.findByText('Saved.');
    expect(platform.requests('settings_save')).toMatchObject([
      { seen: 'name: Coast survey\ndata_dirs:\n- input\n- output\n', text: area.value },
    ]);
  });

  it('say what is wrong at the key and in the list, and cannot be saved so', async () => {
    const { user, area } = await opened();
    await user.type(screen.getByLabelText('Data folders'), '\nraw/2024');
    const said = await screen.findAllByText(/"raw\/2024" is a path/);
    expect(said).toHaveLength(2);
    const save = screen.getByRole('button', { name: 'Save' }) as HTMLButtonElement;
    expect(save.disabled).toBe(true);
    // The list leads to the place in the text.
    await user.click(screen.getByRole('button', { name: 'Line 2' }));
    expect(area.value.slice(area.selectionStart, area.selectionEnd)).toBe('data_dirs');
    await user.click(screen.getByRole('button', { name: 'Discard changes' }));
    await vi.waitFor(() => expect(area.value).toContain('- output\n'));
    expect(area.value).not.toContain('raw');
  });

  it('of a broken file are its text, which mends it in place', async () => {
    const { user, area } = await opened('name: [Coast\n');
    await screen.findByText(/cannot be read as YAML/);
    await screen.findByText(/this is not YAML/);
    await user.clear(area);
    await user.type(area, 'name: Coast');
    await screen.findByLabelText('Project name');
    await user.click(screen.getByRole('button', { name: 'Save' }));
    await screen.findByText('Saved.');
  });

  it('of the person are beside those of the project, and what is not saved stays meanwhile', async () => {
    const { user, area } = await opened();
    await user.type(screen.getByLabelText('Kept by a prune'), 'last=3');
    await vi.waitFor(() => expect(area.value).toContain('last=3'));
    await user.click(screen.getByRole('radio', { name: 'Yours' }));
    await screen.findByLabelText('Your e-mail address');
    await user.click(screen.getByRole('tab', { name: 'Changes' }));
    await user.click(screen.getByRole('tab', { name: 'Settings' }));
    const again = (await screen.findByLabelText('As text')) as HTMLTextAreaElement;
    expect(again.value).toContain('last=3');
  });

  it('are read again, but what is typed meanwhile stays', async () => {
    const { platform } = world();
    const settings = new FileSettings(platform, { kind: 'project', id: 'p' });
    await settings.open();
    const read = platform.answers.settings_open!;
    let answer: () => void = () => undefined;
    platform.answers.settings_open = async (request) => {
      await new Promise<void>((done) => (answer = done));
      return read(request);
    };
    const again = settings.open();
    await vi.waitFor(() => expect(platform.requests('settings_open')).toHaveLength(2));
    const typed = settings.write('name: Harbour\n');
    answer();
    await Promise.all([again, typed]);
    expect(settings.text).toBe('name: Harbour\n');
    expect(settings.changed).toBe(true);
  });

  it('are tried one after the other, and what is typed meanwhile counts', async () => {
    const { platform } = world();
    const settings = new FileSettings(platform, { kind: 'project', id: 'p' });
    await settings.open();
    const field = (key: string) => settings.form!.fields.find((one) => one.path[0] === key)!;
    const both = [
      settings.change(field('name'), { kind: 'text', text: 'Shore' }),
      settings.change(field('retention'), { kind: 'text', text: 'last=3' }),
    ];
    await Promise.all(both);
    expect(settings.text).toContain('name: Shore\n');
    expect(settings.text).toContain('retention: last=3\n');
    const slow = settings.change(field('name'), { kind: 'text', text: 'Coast' });
    const typed = settings.write('name: Harbour\nretention: last=3\n');
    await Promise.all([slow, typed]);
    expect(settings.text).toBe('name: Coast\nretention: last=3\n');
    expect(settings.form?.sound).toBe(true);
  });
});
