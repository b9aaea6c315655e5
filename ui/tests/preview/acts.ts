/** What a person does in a scene. */
import type { FakePlatform } from '../fake';

export interface Scene {
  platform: FakePlatform;
  /** What is done once the window has its data. */
  then?: (platform: FakePlatform) => void | Promise<void>;
}

export const wait = (ms: number) => new Promise((done) => setTimeout(done, ms));

/** Waits until there is something to act on. */
export async function found(find: () => HTMLElement | undefined): Promise<HTMLElement> {
  for (let tries = 0; tries < 200; tries += 1) {
    const element = find();
    if (element) return element;
    await wait(20);
  }
  throw new Error(`nothing to act on: ${find}`);
}

export const all = (selector: string) => [...document.querySelectorAll<HTMLElement>(selector)];
const saying = (text: string) => (element: HTMLElement) =>
  element.textContent?.trim().startsWith(text) || element.getAttribute('aria-label') === text;

export async function press(text: string): Promise<void> {
  (await found(() => all('button:enabled').find(saying(text)))).click();
  await wait(50);
}

export async function choose(path: string): Promise<void> {
  (await found(() => all('[role=row]').find((one) => one.textContent?.includes(path)))).click();
  await wait(50);
}

export function key(name: string, control = false): void {
  const target = document.activeElement ?? document.body;
  target.dispatchEvent(
    new KeyboardEvent('keydown', { key: name, ctrlKey: control, bubbles: true, cancelable: true }),
  );
}

/** Types into a field. */
export async function fillIn(id: string, text: string): Promise<void> {
  const field = (await found(() => all(`#${id}`)[0])) as HTMLInputElement;
  field.value = text;
  field.dispatchEvent(new Event('input', { bubbles: true }));
  await wait(50);
}

export async function scrolledTo(selector: string): Promise<void> {
  (await found(() => all(selector)[0])).scrollIntoView({ block: 'start' });
}

export async function menuOf(path: string): Promise<void> {
  const target = await found(() =>
    all('[role=row]').find((one) => one.textContent?.includes(path)),
  );
  const { x, y } = target.getBoundingClientRect();
  const at = { clientX: x + 120, clientY: y + 14, button: 2, bubbles: true, cancelable: true };
  target.dispatchEvent(new PointerEvent('pointerdown', at));
  target.dispatchEvent(new MouseEvent('contextmenu', at));
}
