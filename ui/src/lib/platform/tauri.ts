import { invoke } from '@tauri-apps/api/core';
import { listen } from '@tauri-apps/api/event';

import type { Event } from '../bindings/api';
import type { Platform } from '.';

/** The window inside Tauri. */
export const tauriPlatform: Platform = {
  call: (name, request) => invoke(name, { request }),
  listen: (handler) => listen<Event>('dsg', (event) => handler(event.payload)),
  copyText: (text) => navigator.clipboard.writeText(text),
};
