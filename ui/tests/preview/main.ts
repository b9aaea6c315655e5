import '../../src/lib/design/base.css';

import { mount } from 'svelte';

import App from '../../src/App.svelte';
import { scenes } from './scenes';

const query = new URLSearchParams(location.search);
const scene = scenes[query.get('scene') ?? 'changes'];
const target = document.getElementById('app');
if (!target || !scene) throw new Error(`scenes: ${Object.keys(scenes).join(', ')}`);
const { platform, then } = scene();
mount(App, { target, props: { platform } });
// Whoever looks at it from outside sees how far it is.
const told = document.documentElement.dataset;
void (async () => {
  const drawn = () => document.querySelector('main, nav, [role=alert]') !== null;
  while (!drawn()) await new Promise((done) => requestAnimationFrame(done));
  await new Promise((done) => setTimeout(done, 100));
  try {
    await then?.(platform);
    await new Promise((done) => setTimeout(done, 150));
    told.scene = 'ready';
  } catch (cause) {
    told.scene = `failed: ${String(cause)}`;
  }
})();
