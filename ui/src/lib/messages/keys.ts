/** The keys of the window, as F1 shows them. */
export const keys = {
  title: 'Keys',
  groups: [
    {
      name: 'Everywhere',
      keys: [
        ['Ctrl+1  Ctrl+2  Ctrl+3', 'Changes, History, Settings'],
        ['Ctrl+F', 'Filter; Escape clears it'],
        ['Ctrl+R', 'Look at the folder and the repository again'],
        ['F1', 'This list'],
      ],
    },
    {
      name: 'Changes',
      keys: [
        ['Ctrl+Enter', 'Sync'],
        ['↑  ↓  Page Up  Page Down', 'Move in the list'],
        ['Space', 'Include in the sync, or leave out'],
        ['Enter', 'Go to the versions; Escape comes back'],
        ['→  ←', 'Open or close a folder of the tree'],
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
  ] as { name: string; keys: [string, string][] }[],
};
