// Generated from src-tauri/src/contract.rs. Do not edit: make bindings.
import type { AdoptRepository, Adoption, AnswerQuestion, ChangeDetail, ChangesPage, CloneProject, CompareSnapshots, ComparisonPage, CreateProject, CreateSample, EmptiedTrash, EmptyTrash, ExaminePlace, ExpandFolders, FindPaths, FolderPreview, FoundPath, HistoryPage, IgnorePath, Ignored, InspectFolder, ListChanges, ListHistory, ListResults, ListServerFolders, ListTrash, LocateChange, LookOut, OpenProject, OpenSettings, OpenVersion, PathRef, PathVersion, PickFolder, Preview, Profile, ProjectRef, ProjectSummary, Question, Receipt, RemoveSample, ResolveConflicts, RestoreFiles, RestoreReport, RestoreTrash, RestoredTrash, ResultsPage, RevertChanges, SamplePlace, SaveProfile, SaveSettings, SelectChanges, ServerFolders, Settings, SettingsDraft, ShowPreview, StartSync, TrashPage, TrySettings, UndoSync, VerifyHistory } from './api';

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
  /** Reaches for a project's repository, and asks whatever has to be asked for that. What came of it is told as the project's status. */
  project_connect: { request: ProjectRef; response: null };
  /** Servers to offer: those of registered projects, and of the ssh configuration. */
  server_hosts: { request: null; response: Array<string> };
  /** Connects to a server and lists the folders in one of it. */
  server_folders: { request: ListServerFolders; response: ServerFolders };
  /** Tries whether a repository can live at an address, with one that goes again. Each step arrives as an event when it is done. */
  place_examine: { request: ExaminePlace; response: null };
  /** Takes over a repository of the earlier DSG with its history, in one transaction, or shows what would be done; `drift` if it is not as it was left. */
  place_adopt: { request: AdoptRepository; response: Adoption };
  /** What a login asks now. */
  questions_list: { request: null; response: Array<Question> };
  /** Answers a question; `no-question` if nobody waits for it any more. */
  question_answer: { request: AnswerQuestion; response: null };
  /** What a folder holds, and what of it would be tracked. */
  project_inspect_folder: { request: InspectFolder; response: FolderPreview };
  /** Tells what a first sync of a folder would take, in events while it is looked at. */
  outlook_look: { request: LookOut; response: null };
  /** A configuration file with its form; one that is broken, too. */
  settings_open: { request: OpenSettings; response: Settings };
  /** What a text becomes when keys of it are changed, and what is wrong in it then. Nothing is written. */
  settings_try: { request: TrySettings; response: SettingsDraft };
  /** Writes a configuration file that is sound, over what was read and nothing else. */
  settings_save: { request: SaveSettings; response: Settings };
  /** Who works here. */
  profile_read: { request: null; response: Profile };
  /** Writes name and address of who works here into the person's file. */
  profile_save: { request: SaveProfile; response: null };
  /** Where a sample would be made, unless another folder is chosen. */
  sample_place: { request: null; response: SamplePlace };
  /** Makes a sample project and its repository, with history, changes and a conflict. */
  sample_create: { request: CreateSample; response: ProjectSummary };
  /** Removes the sample project and its repository; `not-a-sample` for anything else, `own-files` if a person's files are in it. */
  sample_remove: { request: RemoveSample; response: null };
  /** One page of what is pending, with the totals of all groups. */
  changes_list: { request: ListChanges; response: ChangesPage };
  /** Opens or closes folders of the tree. */
  changes_expand: { request: ExpandFolders; response: null };
  /** Says what the next sync takes. */
  changes_select: { request: SelectChanges; response: null };
  /** Where a path stands among the rows, after opening the folders that it lies in; nothing if it is not shown. */
  changes_locate: { request: LocateChange; response: number | null };
  /** All that is known of one change. */
  change_detail: { request: PathRef; response: ChangeDetail };
  /** Brings paths back to the version of the last sync; what was here goes to the trash. Nothing happens in the repository. */
  changes_revert: { request: RevertChanges; response: RestoreReport };
  /** Adds a rule to the shared configuration. */
  changes_ignore: { request: IgnorePath; response: Ignored };
  /** Takes a rule out of the shared configuration again. */
  changes_heed: { request: IgnorePath; response: null };
  /** What is in a version, or differs between two. Asking for another ends the one before with the code `cancelled`. */
  preview: { request: ShowPreview; response: Preview };
  /** Says how conflicts end, or takes that back; nothing moves before the sync. */
  conflict_resolve: { request: ResolveConflicts; response: null };
  /** Starts a sync of what is ticked; its course and end arrive as events. */
  sync_start: { request: StartSync; response: null };
  /** Restores the former snapshot as a new one; its course and end arrive as events. */
  sync_undo: { request: UndoSync; response: null };
  /** Asks a running operation to stop; ignored once it has begun to publish. */
  sync_cancel: { request: ProjectRef; response: null };
  /** What the last sync of this window did, row by row. */
  sync_results: { request: ListResults; response: ResultsPage };
  /** Puts away what a project had to tell. */
  notices_dismiss: { request: ProjectRef; response: null };
  /** Snapshots, newest first. */
  history_list: { request: ListHistory; response: HistoryPage };
  /** What differs between two snapshots, or between one and the folder. */
  history_compare: { request: CompareSnapshots; response: ComparisonPage };
  /** Paths that any snapshot has, deleted ones included. */
  history_find: { request: FindPaths; response: Array<FoundPath> };
  /** The distinct versions of a path, newest first. */
  history_versions: { request: PathRef; response: Array<PathVersion> };
  /** Brings files, folders or all of a snapshot back. */
  history_restore: { request: RestoreFiles; response: RestoreReport };
  /** Proves the history; what does not prove itself is the error. */
  history_verify: { request: VerifyHistory; response: Receipt };
  /** One page of the trash, newest first. */
  trash_list: { request: ListTrash; response: TrashPage };
  /** Brings something back to its place, or beside it where that is taken. */
  trash_restore: { request: RestoreTrash; response: RestoredTrash };
  /** Removes for good what is in the trash for long. */
  trash_empty: { request: EmptyTrash; response: EmptiedTrash };
  /** Looks at the whole folder and at the repository again. */
  rescan: { request: ProjectRef; response: null };
  /** Shows the desktop's own folder dialog; nothing if it was cancelled. */
  pick_folder: { request: PickFolder; response: string | null };
  /** Opens a file of the folder with the program that the desktop has for it. */
  path_open: { request: PathRef; response: null };
  /** Shows a path of the folder (an empty path: the folder) in the file manager. */
  path_reveal: { request: PathRef; response: null };
  /** Opens a copy of a former version, which goes when the application ends. */
  version_open: { request: OpenVersion; response: null };
}
