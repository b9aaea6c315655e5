// Serves the whole window on made-up data, for looking at it in an ordinary browser:
// npm run preview, then http://localhost:5174/?scene=changes&theme=dark
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

export default defineConfig({
  root: 'tests/preview',
  plugins: [svelte({ configFile: '../../svelte.config.js' })],
  server: { port: 5174, strictPort: true, fs: { allow: ['../..'] } },
});
