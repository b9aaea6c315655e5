import { describe, expect, it } from 'vitest';

import {
  hasRightToLeft,
  named,
  said,
  shortened,
  splitName,
  splitPath,
  visible,
  visibleText,
} from '../src/lib/names';

it.each([
  ['two\nlines', 'two␊lines'],
  ['a\tb\u007f', 'a␉b␡'],
  ['invoice\u202efdp.exe', 'invoice‹U+202E›fdp.exe'],
  ['zero\u200bwidth', 'zero‹U+200B›width'],
  ['a\u200db', 'a‹U+200D›b'],
  ['\u0085', '‹U+0085›'],
  ['plain name.csv', 'plain name.csv'],
  ['👩‍🔬', '👩‍🔬'],
  ['می‌خواهم', 'می‌خواهم'],
  ['<b>&amp;', '<b>&amp;'],
])('shows %j as %s', (name, shown) => expect(visible(name)).toBe(shown));

it('leaves tabs in the content of files', () => expect(visibleText('a\tb\r')).toBe('a\tb␍'));

it('knows what runs from right to left', () => {
  expect([hasRightToLeft('a/قياسات'), hasRightToLeft('a/b')]).toEqual([true, false]);
});

it('splits paths at the last slash, folders at the one before', () => {
  expect([splitPath('a/b/c'), splitPath('c'), splitPath('a/b/')]).toEqual([
    ['a/b/', 'c'],
    ['', 'c'],
    ['a/', 'b/'],
  ]);
});

it('keeps the end of a long name in sight', () => {
  const [start, end] = splitName(`${'x'.repeat(240)}-2026.csv`);
  expect(start + end).toHaveLength(249);
  expect(end).toBe('xxx-2026.csv');
  expect(splitName('short.csv')).toEqual(['short.csv', '']);
});

it('shortens a text that is long, and says so', () => {
  expect(shortened('Monthly means, figures and the draft')).toBe('Monthly means, figures and the…');
  expect(shortened('👩‍🔬'.repeat(33))).toBe('👩‍🔬'.repeat(31) + '…');
  expect(shortened('short')).toBe('short');
});

describe('a name within a sentence', () => {
  it('turns nothing around it, and hides nothing', () => {
    expect(named('a.csv')).toBe('a.csv');
    expect(named('تجربة.csv')).toBe('\u2068تجربة.csv\u2069');
    expect(named('in\u202evoice')).toBe('in‹U+202E›voice');
  });

  it('that Rust says keeps its lines, and shows what is unseen in them', () => {
    expect(said('No a\u202eb.\nTry\tagain')).toBe('No a‹U+202E›b.\nTry␉again');
  });
});
