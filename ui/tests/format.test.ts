import { expect, it } from 'vitest';

import { errorAsText, toApiError } from '../src/lib/errors';
import { ago, briefName, bytes, counted, day, duration, signedBytes } from '../src/lib/format';

const now = new Date(2026, 10, 23, 12, 0, 0);
const before = (seconds: number) => new Date(now.getTime() - seconds * 1000).toISOString();

it.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [999_499, '999 kB'],
  [999_500, '1.0 MB'],
  [2_300_000_000, '2.3 GB'],
  [-1500, '−1.5 kB'],
])('writes %d bytes as %s', (value, text) => expect(bytes(value)).toBe(text));

it('gives differences their sign', () => {
  expect([signedBytes(300), signedBytes(-2000)]).toEqual(['+300 B', '−2.0 kB']);
});

it('counts one and many', () => {
  expect([counted(1, 'file'), counted(12_345, 'file')]).toEqual(['1 file', '12,345 files']);
});

it.each([
  [20, 'just now'],
  [300, '5 minutes ago'],
  [7200, '2 hours ago'],
  [86_400, 'yesterday'],
  [30 * 86_400, 'Oct 24, 2026'],
])('tells a time %d seconds ago as %s', (seconds, text) =>
  expect(ago(before(seconds), now)).toBe(text),
);

it('names days by the calendar, not by hours', () => {
  const late = new Date(2026, 10, 22, 23, 59).toISOString();
  expect(day(late, now)).toBe('Yesterday');
  expect(day(before(60), now)).toBe('Today');
  expect(day(new Date(2026, 10, 20, 12).toISOString(), now)).toBe('Friday, November 20');
  expect(day(new Date(2025, 10, 20, 12).toISOString(), now)).toContain('2025');
});

it('writes durations', () => {
  expect([0, 1.54, 27.4, 185].map(duration)).toEqual(['under 0.1 s', '1.5 s', '27 s', '3 min 5 s']);
});

it('shortens an address to its name', () => {
  expect([briefName('ana@example.org'), briefName('ana'), briefName('@x')]).toEqual([
    'ana',
    'ana',
    '@x',
  ]);
});

it('makes an error of whatever was thrown', () => {
  const error = { code: 'x', message: 'm', hint: 'h', detail: 'd', allow: null };
  expect(toApiError(error)).toBe(error);
  expect(toApiError('command denied')).toMatchObject({
    code: 'internal',
    detail: 'command denied',
  });
  expect(errorAsText(error)).toBe('m\nh\ncode: x\nd');
});
