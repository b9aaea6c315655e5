import { m } from '../../lib/messages';

/** The mark of a line, row or column that differs. */
export const MARK = { same: '', added: '+', removed: '−', changed: '~' };

/** What it says to whoever does not see the mark. */
export function spokenMarks([left, right]: [left: string, right: string]) {
  return {
    same: '',
    added: m.preview.onlyIn(right),
    removed: m.preview.onlyIn(left),
    changed: m.preview.rowChanged,
  };
}
