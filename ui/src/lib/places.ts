/** What a person arranged in the window, kept by the web view from one start to the next. */

const PREFIX = 'dsg.places.';

/** Where the borders of some panes stood last; nothing if nobody moved them. */
export function rememberedPlaces(name: string): number[] | null {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(PREFIX + name) ?? 'null');
    const numbers = Array.isArray(kept) && kept.every((one) => Number.isFinite(one));
    return numbers ? (kept as number[]) : null;
  } catch {
    // Damaged, or nothing can be kept here: the window looks as it does at first.
    return null;
  }
}

/** Keeps where they stand; `null`: where they stand at first. */
export function rememberPlaces(name: string, places: number[] | null): void {
  try {
    if (places === null) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, JSON.stringify(places));
  } catch {
    // It holds for as long as the window is open.
  }
}
