import './lib/design/base.css';

import { mount } from 'svelte';

import App from './App.svelte';
import { tauriPlatform } from './lib/platform/tauri';

const target = document.getElementById('app');
target?.replaceChildren();
if (target) mount(App, { target, props: { platform: tauriPlatform } });
