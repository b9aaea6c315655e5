/**
 * Keeps the keyboard where it is. What has the focus may be taken away under it: a row that was
 * decided, a button that became another one, a menu that closed. Engines then let the focus fall to
 * the page, from where Tab starts anew and no list hears its keys.
 */

const OVERLAY = '[role="dialog"], [role="menu"], [role="listbox"]';
/** What a part of the window begins with. */
const STARTS =
  '[data-first], [type="submit"], [role="grid"], [role="treegrid"], [aria-current="true"]';
const CONTROLS = 'button, input, textarea, a[href], summary, [tabindex]';

function usable(element: Element): boolean {
  return (
    element.isConnected && !element.matches(':disabled') && !element.closest('[hidden], [inert]')
  );
}

/** Where to go on in what is left: there itself, at what it begins with, or at its first control. */
function start(within: HTMLElement): HTMLElement | null {
  if (!usable(within)) return null;
  if (within.hasAttribute('tabindex') || within.matches(CONTROLS)) return within;
  const first = (selector: string) =>
    [...within.querySelectorAll<HTMLElement>(selector)].find(
      (one) => one.tabIndex >= 0 && usable(one),
    );
  return first(STARTS) ?? first(CONTROLS) ?? null;
}

/** An element and all that it lies in, as far as the page. */
function lineOf(element: HTMLElement): HTMLElement[] {
  const line: HTMLElement[] = [];
  for (let one: HTMLElement | null = element; one && one !== document.body; one = one.parentElement)
    line.push(one);
  return line;
}

/** Moves the focus to what is nearest to where it was, whenever that goes; until it is stopped. */
export function keepFocus(window: HTMLElement): () => void {
  // What had the focus last; and the same beneath whatever lies over the window.
  let line: HTMLElement[] = [];
  let beneath: HTMLElement[] = [];

  function nowhere(): boolean {
    const { activeElement } = document;
    return activeElement === null || activeElement === document.body || activeElement === line[0];
  }

  function came({ target }: FocusEvent) {
    if (!(target instanceof HTMLElement) || target === document.body) return;
    line = lineOf(target);
    if (!target.closest(OVERLAY)) beneath = line;
  }

  // Whoever clicks beside everything wants no focus.
  function went() {
    setTimeout(() => {
      if (line[0] && usable(line[0]) && document.activeElement === document.body) line = [];
    });
  }

  function check() {
    const last = line[0];
    if (!last || !nowhere()) return;
    if (usable(last)) {
      // It was switched off for a while.
      if (document.activeElement !== last) last.focus({ preventScroll: true });
      return;
    }
    if (last.isConnected && !last.closest('[hidden], [inert]')) return;
    const next = [...line, ...beneath, window].reduce<HTMLElement | null>(
      (found, one) => found ?? start(one),
      null,
    );
    next?.focus({ preventScroll: true });
  }

  const observer = new MutationObserver(check);
  observer.observe(document.body, {
    childList: true,
    subtree: true,
    attributeFilter: ['disabled', 'hidden'],
  });
  document.addEventListener('focusin', came);
  document.addEventListener('focusout', went);
  return () => {
    observer.disconnect();
    document.removeEventListener('focusin', came);
    document.removeEventListener('focusout', went);
  };
}
