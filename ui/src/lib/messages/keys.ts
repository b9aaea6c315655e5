/** The keys of the window, as F1 shows them. */
export const keys = {
  title: 'Keys',
  groups: [
    {
      name: 'Everywhere',
      keys: [
        ['Ctrl+1  Ctrl+2  Ctrl+3', 'Changes, History, Settings'],
        ['Ctrl+F', 'Filter; Escape clears it'],
        ['Ctrl+R', 'Look at everything again'],
        ['F1', 'This list'],
      ],
    },
    {
      name: 'In a list',
      keys: [
        ['↑  ↓', 'The row above or below'],
        ['Page up  Page down', 'A page up or down'],
        ['Home  End', 'The first or the last row'],
        ['Enter', 'Go to what the row shows; Escape comes back'],
      ],
    },
    {
      name: 'Changes',
      keys: [
        ['Ctrl+Enter', 'Sync'],
        ['Space', 'Include in the sync, or leave out'],
        ['Shift+↑  Shift+↓', 'Choose more rows; also with Page, Home and End'],
        ['→  ←', 'Open or close a folder; Enter does, too'],
        ['Shift+F10', 'More that can be done with the row'],
      ],
    },
    {
      name: 'On a conflict',
      keys: [
        ['>', 'Keep mine: it goes to the repository'],
        ['<', 'Take theirs: it comes here'],
        ['/', 'Undecided again'],
      ],
    },
    {
      name: 'History',
      keys: [
        ['Shift+↑  Shift+↓', 'Compare the snapshot with another one'],
        ['Shift+F10', 'More that can be done with a file that differs'],
      ],
    },
    {
      name: 'On a border between panes',
      keys: [
        ['←  →', 'Move it; with Shift, faster'],
        ['Enter', 'Put it back'],
      ],
    },
  ] as { name: string; keys: [string, string][] }[],
};
