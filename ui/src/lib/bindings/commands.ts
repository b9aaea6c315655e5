// Generated from src-tauri/src/contract.rs. Do not edit: make bindings.
import type { ChangesPage, CloneProject, CreateProject, FolderPreview, InspectFolder, ListChanges, ListHistory, OpenProject, PickFolder, ProjectRef, ProjectSummary, ResolveConflicts, SnapshotRow, StartSync } from './api';

/** Every command that the window may call. */
export interface Commands {
  /** All registered projects, in the order of the sidebar. */
  projects_list: { request: null; response: Array<ProjectSummary> };
  /** Registers a folder that is a project already; `not-a-project` if it is none. */
  project_open: { request: OpenProject; response: ProjectSummary };
  /** Makes a project of a folder and a new repository from it (snapshot s1). */
  project_create: { request: CreateProject; response: ProjectSummary };
  /** Makes a new project from an existing repository. */
  project_clone: { request: CloneProject; response: ProjectSummary };
  /** Takes a project off the list; nothing is deleted anywhere. */
  project_forget: { request: ProjectRef; response: null };
  /** What a folder holds, and what of it would be tracked. */
  project_inspect_folder: { request: InspectFolder; response: FolderPreview };
  /** One page of what is pending, with the totals of all groups. */
  changes_list: { request: ListChanges; response: ChangesPage };
  /** Starts a sync; its course and end arrive as events. */
  sync_start: { request: StartSync; response: null };
  /** Asks a running operation to stop; ignored once it has begun to publish. */
  sync_cancel: { request: ProjectRef; response: null };
  /** Says how conflicts end, or takes that back; nothing moves before the sync. */
  conflict_resolve: { request: ResolveConflicts; response: null };
  /** Puts away what a project had to tell. */
  notices_dismiss: { request: ProjectRef; response: null };
  /** Snapshots, newest first. */
  history_list: { request: ListHistory; response: Array<SnapshotRow> };
  /** Looks at the whole folder and at the repository again. */
  rescan: { request: ProjectRef; response: null };
  /** Shows the desktop's own folder dialog; nothing if it was cancelled. */
  pick_folder: { request: PickFolder; response: string | null };
}
