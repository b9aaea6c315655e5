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
                /// What a folder holds, and what of it would be tracked.
                project_inspect_folder(InspectFolder) -> FolderPreview;
                /// One page of what is pending, with the totals of all groups.
                changes_list(ListChanges) -> ChangesPage;
                /// Starts a sync; its course and end arrive as events.
                sync_start(StartSync) -> ();
                /// Asks a running operation to stop; ignored once it has begun to publish.
                sync_cancel(ProjectRef) -> ();
                /// Says how conflicts end, or takes that back; nothing moves before the sync.
                conflict_resolve(ResolveConflicts) -> ();
                /// Puts away what a project had to tell.
                notices_dismiss(ProjectRef) -> ();
                /// Snapshots, newest first.
                history_list(ListHistory) -> Vec<SnapshotRow>;
                /// Looks at the whole folder and at the repository again.
                rescan(ProjectRef) -> ();
            }
            window {
                /// Shows the desktop's own folder dialog; nothing if it was cancelled.
                pick_folder(PickFolder) -> Option<String>;
            }
        }
    };
}
