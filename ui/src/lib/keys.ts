/** Whether a dialog or a menu is open: then the window's own keys are not meant. */
export function overlaid(): boolean {
  return document.querySelector('[role="dialog"], [role="menu"], [role="listbox"]') !== null;
}

/** Whether an event is this key with Ctrl (on a Mac: Command), and nothing else. */
export function withControl(event: KeyboardEvent, key: string): boolean {
  const control = (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey;
  // Digits are reached with Shift on some keyboards.
  const digit = /^\d$/.test(key) && event.code === `Digit${key}`;
  return control && (digit || event.key.toLowerCase() === key.toLowerCase());
}

/** Whether a key is pressed alone (Shift may be needed to reach it). */
export function plain(event: KeyboardEvent): boolean {
  return !event.ctrlKey && !event.metaKey && !event.altKey;
}
