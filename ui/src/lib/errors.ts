import type { ApiError } from './bindings/api';
import { m } from './messages';

/** Makes an `ApiError` of whatever a call was rejected with. */
export function toApiError(cause: unknown): ApiError {
  if (typeof cause === 'object' && cause !== null && 'code' in cause && 'message' in cause) {
    return cause as ApiError;
  }
  // Tauri itself answers with a bare string, such as "command x not allowed".
  return {
    code: 'internal',
    message: m.error.internal,
    hint: null,
    detail: String(cause),
    allow: null,
  };
}

/** An error as text, for a bug report or a colleague. */
export function errorAsText(error: ApiError): string {
  return [error.message, error.hint, `code: ${error.code}`, error.detail]
    .filter((line) => line)
    .join('\n');
}
