/** Previews as Rust would give them, by the kind of file. */
import type { Preview, ShowPreview, TextLine } from '../src/lib/bindings/api';

const line = (
  change: TextLine['change'],
  left: number | null,
  right: number | null,
  text: string,
): TextLine => ({
  change,
  left,
  right,
  // [words] differ.
  spans: text
    .split(/(\[[^\]]*\])/)
    .filter(Boolean)
    .map((part) => ({
      text: part.startsWith('[') ? part.slice(1, -1) : part,
      changed: part.startsWith('['),
    })),
});

const picture = (hue: number) =>
  `data:image/svg+xml,${encodeURIComponent(
    `<svg xmlns="http://www.w3.org/2000/svg" width="320" height="200"><rect width="320" height="200" fill="hsl(${hue} 40% 90%)"/><path d="M0 150 Q80 ${hue} 160 120 T320 90" fill="none" stroke="hsl(${hue} 60% 40%)" stroke-width="5"/></svg>`,
  )}`;

export function previewOf({ left, right }: ShowPreview): Preview {
  const path = (right ?? left)?.path ?? '';
  const both = left !== null && right !== null;
  const side = (kind: string, size: number) => ({ size, time: null, kind });
  const sides = (kind: string) => ({
    left: left && side(kind, 880),
    right: right && side(kind, 1000),
    same: false,
    notes: [] as string[],
  });
  if (path.endsWith('.csv')) return { ...sides('CSV table'), content: table(both) };
  if (/\.(png|tif)$/.test(path)) {
    const image = (hue: number) => ({ url: picture(hue), width: 320, height: 200, reason: null });
    const images = { left: left && image(30), right: right && image(200) };
    return { ...sides('PNG image'), content: { kind: 'images', ...images } };
  }
  if (/\.(txt|yml|py|md|R)$/.test(path)) return { ...sides('Text'), content: text(both) };
  return {
    ...sides('File'),
    content: { kind: 'nothing', sentence: 'There is no preview of this kind of file.' },
  };
}

function text(both: boolean): Preview['content'] {
  const same = (number: number, words: string) => line('same', both ? number : null, number, words);
  if (!both) {
    const lines = [
      'model: tidal',
      'steps: 400',
      'damping: 0.12',
      'stations:',
      '  - harbour',
      '  - buoy-north',
    ];
    return {
      kind: 'text',
      added: 0,
      removed: 0,
      hunks: [{ skipped: 0, lines: lines.map((one, index) => same(index + 1, one)) }],
    };
  }
  return {
    kind: 'text',
    added: 3,
    removed: 2,
    hunks: [
      {
        skipped: 11,
        lines: [
          same(12, 'model: tidal'),
          line('removed', 13, null, 'steps: [400]'),
          line('removed', 14, null, 'damping: [0.12]  # from the 2024 survey'),
          line('added', null, 13, 'steps: [640]'),
          line('added', null, 14, 'damping: [0.15]  # from the 2024 survey'),
          line('added', null, 15, '[clock: utc]'),
          same(16, 'stations:'),
          same(17, '  - harbour'),
        ],
      },
      { skipped: 204, lines: [same(222, 'output: results/tides.csv')] },
    ],
  };
}

function table(both: boolean): Preview['content'] {
  const cells = (texts: string[], former: (string | null)[] = []) =>
    texts.map((text, index) => ({
      text,
      former: both ? (former[index] ?? null) : null,
      changed: both && (former[index] ?? null) !== null,
    }));
  const before = both ? 12 : 0;
  const rows = Array.from({ length: 18 }, (_, index) => {
    const number = index + 1;
    const day = `2026-10-${String(number).padStart(2, '0')}`;
    const values = [day, 'harbour', (0.31 + index / 40).toFixed(2), 'ok'];
    if (index === 3)
      return {
        number,
        change: 'changed' as const,
        cells: cells(values, [null, null, '0.83', 'check']),
      };
    if (index === 9) return { number, change: 'added' as const, cells: cells(values) };
    if (index === 14) return { number, change: 'removed' as const, cells: cells(values) };
    return { number, change: 'same' as const, cells: cells(values) };
  });
  return {
    kind: 'table',
    columns: ['date', 'station', 'level', 'note'].map((name) => ({ name, change: 'same' })),
    added: both ? 1 : 0,
    removed: both ? 1 : 0,
    changed: both ? 1 : 0,
    hunks: [
      {
        skipped: before,
        rows: rows.map(({ number, change, cells }) => ({
          change: both ? change : 'same',
          left: change === 'added' ? null : before + number,
          right: change === 'removed' ? null : before + number,
          cells,
        })),
      },
    ],
  };
}
