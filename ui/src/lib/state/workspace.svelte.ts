import type {
  ApiError,
  Event,
  Outlook,
  PlaceStep,
  Progress,
  ProjectSummary,
} from '../bindings/api';
import { toApiError } from '../errors';
import type { Platform } from '../platform';
import { Project } from './project.svelte';
import { Questions } from './questions.svelte';
import { FileSettings } from './settings.svelte';

/** Which form is open over the window, and the folder that it starts with. */
export type Form =
  | { kind: 'open' | 'create' | 'clone' | 'sample'; path: string }
  | { kind: 'leave'; project: ProjectSummary; remove: boolean };

/** The registered projects, the chosen one, and the one place where events come in. */
export class Workspace {
  projects = $state.raw<ProjectSummary[]>([]);
  loaded = $state(false);
  error = $state.raw<ApiError | null>(null);
  form = $state.raw<Form | null>(null);

  /** The chosen project with its changes and history. */
  project = $state.raw<Project | null>(null);
  /** The chosen project as the sidebar knows it. */
  readonly summary = $derived(this.projects.find((project) => project.id === this.project?.id));

  // Counts questions, so that a late answer to an old one is known as such.
  #question = 0;
  readonly #projects = new Map<string, Project>();
  /** The person's own configuration, whichever project is shown beside it. */
  readonly #own: FileSettings;
  readonly #tickets = new Map<string, (progress: Progress) => void>();
  readonly #told = new Map<string, (text: string) => void>();
  readonly #steps = new Map<string, (step: PlaceStep) => void>();
  readonly #outlooks = new Map<string, (outlook: Outlook) => void>();
  /** What a login asks. */
  readonly questions: Questions;

  constructor(readonly platform: Platform) {
    this.questions = new Questions(platform);
    this.#own = new FileSettings(platform, { kind: 'own' });
  }

  /** Listens first, then asks: nothing that happens in between is missed. */
  async start(): Promise<() => void> {
    try {
      const stop = await this.platform.listen((event) => this.handle(event));
      await Promise.all([this.reload(), this.questions.reload()]);
      return stop;
    } catch (cause) {
      this.error = toApiError(cause);
      return () => undefined;
    }
  }

  async reload(): Promise<void> {
    const question = ++this.#question;
    try {
      const projects = await this.platform.call('projects_list', null);
      // A later question knows better.
      if (question !== this.#question) return;
      this.projects = projects;
      this.error = null;
      if (!this.summary) {
        const first = this.projects[0];
        if (first) this.choose(first.id);
        else this.project = null;
      }
      this.loaded = true;
    } catch (cause) {
      if (question === this.#question) this.error = toApiError(cause);
    }
  }

  choose(id: string): void {
    let project = this.#projects.get(id);
    if (!project) {
      project = new Project(this.platform, id, this.#own);
      this.#projects.set(id, project);
      project.load();
    }
    this.project = project;
  }

  openForm(kind: 'open' | 'create' | 'clone' | 'sample', path = ''): void {
    this.form = { kind, path };
  }

  closeForm(): void {
    this.form = null;
  }

  async forget(id: string): Promise<void> {
    await this.platform.call('project_forget', { id });
    this.#projects.delete(id);
    await this.reload();
  }

  /** Removes the sample with its repository; `own-files` if a person's files are in it. */
  async removeSample(id: string, withOwnFiles: boolean): Promise<void> {
    await this.platform.call('sample_remove', { id, withOwnFiles });
    this.#projects.delete(id);
    await this.reload();
  }

  /** Hears the progress of an operation that has no project yet. */
  watchTicket(ticket: string, handler: (progress: Progress) => void): void {
    this.#tickets.set(ticket, handler);
  }

  /** Hears in words what such an operation is at. */
  watchTold(ticket: string, handler: (text: string) => void): void {
    this.#told.set(ticket, handler);
  }

  /** Hears of the steps in which a place is tried. */
  watchSteps(ticket: string, handler: (step: PlaceStep) => void): void {
    this.#steps.set(ticket, handler);
  }

  /** Hears what a first sync of a folder would take. */
  watchOutlook(ticket: string, handler: (outlook: Outlook) => void): void {
    this.#outlooks.set(ticket, handler);
  }

  forgetTicket(ticket: string): void {
    this.#outlooks.delete(ticket);
    this.#steps.delete(ticket);
    this.#tickets.delete(ticket);
    this.#told.delete(ticket);
  }

  handle(event: Event): void {
    if (event.kind === 'projects_changed') {
      void this.reload();
      return;
    }
    if (event.kind === 'questions_changed') {
      void this.questions.reload();
      return;
    }
    if (event.kind === 'told') {
      this.#told.get(event.id)?.(event.text);
      return;
    }
    if (event.kind === 'examined') {
      this.#steps.get(event.id)?.(event.step);
      return;
    }
    if (event.kind === 'outlook_told') {
      this.#outlooks.get(event.id)?.(event.outlook);
      return;
    }
    const ticket = this.#tickets.get(event.id);
    if (ticket && event.kind === 'progress') ticket(event);
    else this.#projects.get(event.id)?.handle(event);
  }
}
