/** Names from disks and other people, shown so that they cannot pretend to be something else. */

// Controls, format characters (bidi among them) and odd line ends.
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
// Joiners belong to emoji and to scripts that join their letters.
const JOINED =
  /[\p{Extended_Pictographic}\p{Emoji_Modifier}\ufe0f]$|[^\p{Script=Latin}\P{L}]$|\p{M}$/u;
const JOINERS = '\u200c\u200d';

/** `a<newline>b` → `a␊b`; what has no picture is named by its code point. */
export function visible(text: string): string {
  return text.replace(UNSEEN, (mark: string, at: number) => {
    if (JOINERS.includes(mark) && JOINED.test(text.slice(Math.max(0, at - 4), at))) return mark;
    const code = mark.codePointAt(0) ?? 0;
    if (code < 0x20) return String.fromCodePoint(0x2400 + code);
    if (code === 0x7f) return '\u2421';
    return `‹U+${code.toString(16).toUpperCase().padStart(4, '0')}›`;
  });
}

/** The same for content of files, where a tab is only a wide space. */
export function visibleText(text: string): string {
  return text.split('\t').map(visible).join('\t');
}

const RIGHT_TO_LEFT =
  /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u;

/** Whether parts of a text run from right to left: then each part of a path is isolated. */
export function hasRightToLeft(text: string): boolean {
  return RIGHT_TO_LEFT.test(text);
}

/** A name within a sentence: what is unseen is shown, and it turns nothing around it. */
export function named(text: string): string {
  const shown = visible(text);
  return hasRightToLeft(shown) ? `\u2068${shown}\u2069` : shown;
}

/** What Rust says, with the names that it speaks of; its lines stay lines. */
export function said(text: string): string {
  return text.split('\n').map(visible).join('\n');
}

/** Splits `a/b/c.csv` into `a/b/` and `c.csv`. */
export function splitPath(path: string): [folder: string, name: string] {
  const cut = path.lastIndexOf('/', path.length - 2) + 1;
  return [path.slice(0, cut), path.slice(cut)];
}

const LONG = 32;
const TAIL = 12;
const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** Splits a long name so that its end stays when the middle gives way; a short one stays whole. */
export function splitName(name: string): [start: string, end: string] {
  if (name.length <= LONG) return [name, ''];
  const parts = [...graphemes.segment(name)];
  const cut = parts[Math.max(0, parts.length - TAIL)]?.index ?? name.length;
  return [name.slice(0, cut), name.slice(cut)];
}

/** The beginning of a long text, with dots where it goes on. */
export function shortened(text: string, most = 32): string {
  const parts = [...graphemes.segment(text)];
  if (parts.length <= most) return text;
  return text.slice(0, parts[most - 1]?.index).trimEnd() + '…';
}
