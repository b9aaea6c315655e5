// The bridge between the window and the engine, declared once as `name(Request) -> Response`.
//
// Whoever needs the list passes a macro to `contract!`: build.rs makes permissions of it,
// commands.rs the functions and the router, bindings.rs the TypeScript type `Commands`.
// (Plain comments: build.rs includes this file in the middle of another.)
macro_rules! contract {
    ($callback:ident) => {
        $callback! {
            workbench {
                /// All registered projects, in the order of the sidebar.
                projects_list(()) -> Vec<ProjectSummary>;
                /// Registers a folder that is a project already; `not-a-project` if it is none.
                project_open(OpenProject) -> ProjectSummary;
                /// Makes a project of a folder and a new repository from it (snapshot s1).
                project_create(CreateProject) -> ProjectSummary;
                /// Makes a new project from an existing repository.
                project_clone(CloneProject) -> ProjectSummary;
                /// Takes a project off the list; nothing is deleted anywhere.
                project_forget(ProjectRef) -> ();
                /// Reaches for a project's repository, and asks whatever has to be asked for that. What
                /// came of it is told as the project's status.
                project_connect(ProjectRef) -> ();
                /// Servers to offer: those of registered projects, and of the ssh configuration.
                server_hosts(()) -> Vec<String>;
                /// Connects to a server and lists the folders in one of it.
                server_folders(ListServerFolders) -> ServerFolders;
                /// Tries whether a repository can live at an address, with one that goes again. Each
                /// step arrives as an event when it is done.
                place_examine(ExaminePlace) -> ();
                /// Takes over a repository of the earlier DSG with its history, in one transaction, or
                /// shows what would be done; `drift` if it is not as it was left.
                place_adopt(AdoptRepository) -> Adoption;
                /// What a login asks now.
                questions_list(()) -> Vec<Question>;
                /// Answers a question; `no-question` if nobody waits for it any more.
                question_answer(AnswerQuestion) -> ();
                /// What a folder holds, and what of it would be tracked.
                project_inspect_folder(InspectFolder) -> FolderPreview;
                /// Tells what a first sync of a folder would take, in events while it is looked at.
                outlook_look(LookOut) -> ();
                /// A configuration file with its form; one that is broken, too.
                settings_open(OpenSettings) -> Settings;
                /// What a text becomes when keys of it are changed, and what is wrong in it then. Nothing
                /// is written.
                settings_try(TrySettings) -> SettingsDraft;
                /// Writes a configuration file that is sound, over what was read and nothing else.
                settings_save(SaveSettings) -> Settings;
                /// Who works here.
                profile_read(()) -> Profile;
                /// Writes name and address of who works here into the person's file.
                profile_save(SaveProfile) -> ();
                /// Where a sample would be made, unless another folder is chosen.
                sample_place(()) -> SamplePlace;
                /// Makes a sample project and its repository, with history, changes and a conflict.
                sample_create(CreateSample) -> ProjectSummary;
                /// Removes the sample project and its repository; `not-a-sample` for anything else,
                /// `own-files` if a person's files are in it.
                sample_remove(RemoveSample) -> ();
                /// One page of what is pending, with the totals of all groups.
                changes_list(ListChanges) -> ChangesPage;
                /// Opens or closes folders of the tree.
                changes_expand(ExpandFolders) -> ();
                /// Says what the next sync takes.
                changes_select(SelectChanges) -> ();
                /// Where a path stands among the rows, after opening the folders that it lies in;
                /// nothing if it is not shown.
                changes_locate(LocateChange) -> Option<u64>;
                /// All that is known of one change.
                change_detail(PathRef) -> ChangeDetail;
                /// Brings paths back to the version of the last sync; what was here goes to the
                /// trash. Nothing happens in the repository.
                changes_revert(RevertChanges) -> RestoreReport;
                /// Adds a rule to the shared configuration.
                changes_ignore(IgnorePath) -> Ignored;
                /// Takes a rule out of the shared configuration again.
                changes_heed(IgnorePath) -> ();
                /// What is in a version, or differs between two. Asking for another ends the one
                /// before with the code `cancelled`.
                preview(ShowPreview) -> Preview;
                /// Says how conflicts end, or takes that back; nothing moves before the sync.
                conflict_resolve(ResolveConflicts) -> ();
                /// Starts a sync of what is ticked; its course and end arrive as events.
                sync_start(StartSync) -> ();
                /// Restores the former snapshot as a new one; its course and end arrive as events.
                sync_undo(UndoSync) -> ();
                /// Asks a running operation to stop; ignored once it has begun to publish.
                sync_cancel(ProjectRef) -> ();
                /// What the last sync of this window did, row by row.
                sync_results(ListResults) -> ResultsPage;
                /// Puts away what a project had to tell.
                notices_dismiss(ProjectRef) -> ();
                /// Snapshots, newest first.
                history_list(ListHistory) -> HistoryPage;
                /// What differs between two snapshots, or between one and the folder.
                history_compare(CompareSnapshots) -> ComparisonPage;
                /// Paths that any snapshot has, deleted ones included.
                history_find(FindPaths) -> Vec<FoundPath>;
                /// The distinct versions of a path, newest first.
                history_versions(PathRef) -> Vec<PathVersion>;
                /// Brings files, folders or all of a snapshot back.
                history_restore(RestoreFiles) -> RestoreReport;
                /// Proves the history; what does not prove itself is the error.
                history_verify(VerifyHistory) -> Receipt;
                /// One page of the trash, newest first.
                trash_list(ListTrash) -> TrashPage;
                /// Brings something back to its place, or beside it where that is taken.
                trash_restore(RestoreTrash) -> RestoredTrash;
                /// Removes for good what is in the trash for long.
                trash_empty(EmptyTrash) -> EmptiedTrash;
                /// Looks at the whole folder and at the repository again.
                rescan(ProjectRef) -> ();
            }
            window {
                /// Shows the desktop's own folder dialog; nothing if it was cancelled.
                pick_folder(PickFolder) -> Option<String>;
                /// Opens a file of the folder with the program that the desktop has for it.
                path_open(PathRef) -> ();
                /// Shows a path of the folder (an empty path: the folder) in the file manager.
                path_reveal(PathRef) -> ();
                /// Opens a copy of a former version, which goes when the application ends.
                version_open(OpenVersion) -> ();
            }
        }
    };
}
