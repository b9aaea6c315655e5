import CloudDownload from '@lucide/svelte/icons/cloud-download';
import FlaskConical from '@lucide/svelte/icons/flask-conical';
import FolderOpen from '@lucide/svelte/icons/folder-open';
import FolderPlus from '@lucide/svelte/icons/folder-plus';

import { m } from '../../lib/messages';

/** The ways to a project, in the order of the window. */
export const ways = [
  { kind: 'open', icon: FolderOpen, title: m.welcome.open, text: m.welcome.openText },
  { kind: 'create', icon: FolderPlus, title: m.welcome.create, text: m.welcome.createText },
  { kind: 'clone', icon: CloudDownload, title: m.welcome.clone, text: m.welcome.cloneText },
  { kind: 'sample', icon: FlaskConical, title: m.welcome.sample, text: m.welcome.sampleText },
] as const;
