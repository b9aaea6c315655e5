/** The keys of the window, as F1 shows them. */
export const keys = {
  title: 'Keys',
  groups: [
    {
      name: 'Everywhere',
      keys: [
        ['Ctrl+1 … Ctrl+3', 'Changes, History, Settings'],
        ['Ctrl+F', 'Filter; Escape clears it'],
        ['Ctrl+R', 'Look at everything again'],
        ['←  →', 'Move a border between panes that has the focus'],
        ['F1', 'This list'],
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
      name: 'Changes',
      keys: [
        ['Ctrl+Enter', 'Sync'],
        ['↑  ↓', 'Move in the list'],
        ['Space', 'Include in the sync, or leave out'],
        ['Enter', 'Go to the versions; Escape comes back'],
        ['→  ←', 'Open or close a folder of the tree'],
        ['Shift+F10', 'More that can be done with the row'],
      ],
    },
    {
      name: 'History',
      keys: [
        ['↑  ↓', 'Another snapshot'],
        ['Shift+↑  Shift+↓', 'Compare it with another one'],
      ],
    },
  ] as { name: string; keys: [string, string][] }[],
};
