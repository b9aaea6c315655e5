//! What happens to a repository on its host: the same in a folder and in a dataset.

use std::process::Command;

use crate::lab::Lab;

impl Lab {
    /// A script in the repository's folder, by whoever works on its host; what it printed.
    ///
    /// # Panics
    /// It failed.
    #[track_caller]
    pub fn on_host(&self, script: &str) -> String {
        let script = format!("cd '{}' && {{ {script}\n}}", self.repo.display());
        if self.is_on_zfs() {
            return self.zfs().0.run(&script);
        }
        let done = Command::new("sh").args(["-e", "-c", &script]).output().expect("sh");
        assert!(done.status.success(), "{script}\n{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).expect("text")
    }

    /// Runs one of two scripts beside the repository: of the dataset `$D`, which is mounted, or of the
    /// folder `$R` with its sidecar `$S`. Both may keep what they like in `$A`, which is not there yet.
    #[track_caller]
    fn either(&self, dataset: &str, folder: &str) {
        if self.is_on_zfs() {
            let (host, name) = self.zfs();
            let above = name.rsplit_once('/').expect("a dataset above").0;
            host.run(&format!("set -e; D={name}; O={above}; A={above}-away; {dataset}"));
            return;
        }
        let mut sh = Command::new("sh");
        sh.args(["-e", "-c", folder]).env("R", &self.repo).env("S", self.sidecar());
        sh.env("O", self.repo.parent().expect("a folder")).env("A", self.path().join("away"));
        assert!(sh.status().is_ok_and(|status| status.success()), "{folder}");
    }

    /// Its disk is not there.
    pub fn goes_away(&self) {
        self.either("zfs rename $O $A", "mv \"$O\" \"$A\"");
    }

    /// It is there again.
    pub fn comes_back(&self) {
        self.either("zfs rename $A $O", "mv \"$A\" \"$O\"");
    }

    /// Somebody gives it another place: nothing is at its own.
    pub fn moves_elsewhere(&self) {
        let folder = "mkdir \"$A\"; mv \"$R\" \"$A/repo\"; mv \"$S\" \"$A/.repo.dsg\"";
        self.either("zfs rename $D $O/elsewhere", folder);
    }

    /// An administrator makes a backup of it.
    pub fn backs_up(&self) {
        let folder = "mkdir \"$A\"; cp -a \"$R\" \"$S\" \"$A\"";
        self.either("zfs list -H -t snapshot -o name -S createtxg $D | head -n 1 > /tmp/backup-$(echo $D | tr / -)", folder);
    }

    /// That backup takes its place.
    pub fn restores(&self) {
        let folder = "rm -r \"$R\" \"$S\"; cp -a \"$A/${R##*/}\" \"$A/${S##*/}\" \"$O\"";
        self.either("zfs rollback -r $(cat /tmp/backup-$(echo $D | tr / -))", folder);
    }

    /// Somebody removes it.
    pub fn destroy(&self) {
        self.either("zfs destroy -R -f $D", "rm -r \"$R\"");
    }
}
