/** Numbers and times as people read them. */

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** `2300000000` → `2.3 GB`. */
export function bytes(value: number): string {
  let size = Math.abs(value);
  let unit = 0;
  // 999.5 would be shown as 1000 of the smaller unit.
  while (size >= 999.5 && unit < UNITS.length - 1) {
    size /= 1000;
    unit += 1;
  }
  const digits = unit > 0 && size < 9.95 ? 1 : 0;
  return `${value < 0 ? '−' : ''}${size.toFixed(digits)} ${UNITS[unit]}`;
}

/** `300` → `+300 B`, `-2000` → `−2.0 kB`. */
export function signedBytes(value: number): string {
  return `${value > 0 ? '+' : ''}${bytes(value)}`;
}

const grouped = new Intl.NumberFormat('en');

/** `12345` → `12,345`. */
export function count(value: number): string {
  return grouped.format(value);
}

/** `1` → `1 file`, `2` → `2 files`. */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
const brief = new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'narrow' });
const STEPS: [Intl.RelativeTimeFormatUnit, number, number][] = [
  ['minute', 60, 3600],
  ['hour', 3600, 86_400],
  ['day', 86_400, 7 * 86_400],
];
const date = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short', year: 'numeric' });

/** `5 minutes ago`; the date when it is more than a week ago. */
export function ago(time: string, now = new Date(), format = relative): string {
  const seconds = (now.getTime() - new Date(time).getTime()) / 1000;
  if (Math.abs(seconds) < 60) return 'just now';
  for (const [unit, size, below] of STEPS) {
    if (Math.abs(seconds) < below) return format.format(-Math.trunc(seconds / size), unit);
  }
  return date.format(new Date(time));
}

/** `5m ago`, for narrow columns. */
export function briefAgo(time: string, now = new Date()): string {
  return ago(time, now, brief);
}

const full = new Intl.DateTimeFormat('en', { dateStyle: 'full', timeStyle: 'medium' });

/** The exact time, in this computer's time zone. */
export function exact(time: string): string {
  return full.format(new Date(time));
}

const weekday = new Intl.DateTimeFormat('en', { weekday: 'long', day: 'numeric', month: 'long' });
const weekdayYear = new Intl.DateTimeFormat('en', {
  weekday: 'long',
  day: 'numeric',
  month: 'long',
  year: 'numeric',
});

/** `Today`, `Yesterday`, `Friday, November 20`, with the year when it is another one. */
export function day(time: string, now = new Date()): string {
  const then = new Date(time);
  const midnight = (at: Date) => new Date(at.getFullYear(), at.getMonth(), at.getDate()).getTime();
  const days = Math.round((midnight(now) - midnight(then)) / 86_400_000);
  if (days === 0) return 'Today';
  if (days === 1) return 'Yesterday';
  return (then.getFullYear() === now.getFullYear() ? weekday : weekdayYear).format(then);
}

/** `12.4 s`, `3 min 5 s`, `under 0.1 s`. */
export function duration(seconds: number): string {
  if (seconds < 0.1) return 'under 0.1 s';
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** `ana@example.org` → `ana`: enough for a narrow column; the whole stands in the title. */
export function briefName(author: string): string {
  return author.replace(/(.)@.*/, '$1');
}
