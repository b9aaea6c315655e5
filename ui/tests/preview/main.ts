import '../../src/lib/design/base.css';

import { mount } from 'svelte';

import App from '../../src/App.svelte';
import { scenes } from './scenes';

const query = new URLSearchParams(location.search);
document.documentElement.style.colorScheme = query.get('theme') ?? '';
const scene = scenes[query.get('scene') ?? 'changes'];
const target = document.getElementById('app');
if (!target || !scene) throw new Error(`scenes: ${Object.keys(scenes).join(', ')}`);
const { platform, then } = scene();
mount(App, { target, props: { platform } });
// Whatever the scene does, it does once the window has its data.
setTimeout(() => void then?.(platform), 400);
