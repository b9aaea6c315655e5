import { m } from '../../lib/messages';

/** What is wrong with a folder's path as typed; whether it exists is Rust's to say. */
export function folderProblem(path: string): string | null {
  if (path.trim() === '') return m.form.needFolder;
  return /^(\/|[A-Za-z]:[\\/])/.test(path.trim()) ? null : m.form.needAbsolute;
}

/** The text if it is missing. */
export function missing(value: string, text: string): string | null {
  return value.trim() === '' ? text : null;
}
