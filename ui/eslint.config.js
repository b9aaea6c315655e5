import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';

import svelteConfig from './svelte.config.js';

const tauriOnlyInPlatform = {
  patterns: [
    { group: ['@tauri-apps/*'], message: 'Only src/lib/platform may name Tauri.' },
    { group: ['**/tests/*'], message: 'What ships does not import tests.' },
  ],
};

export default ts.config(
  { ignores: ['dist', 'src/lib/bindings'] },
  ...ts.configs.recommended,
  ...svelte.configs.recommended,
  { languageOptions: { globals: globals.browser } },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser, svelteConfig } },
  },
  // Collections in state are replaced as a whole ($state.raw), never changed in place.
  { rules: { 'svelte/prefer-svelte-reactivity': 'off' } },
  {
    files: ['src/**'],
    ignores: ['src/lib/platform/**'],
    rules: { 'no-restricted-imports': ['error', tauriOnlyInPlatform] },
  },
);
