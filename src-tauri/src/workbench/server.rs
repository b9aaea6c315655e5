//! Servers: looking around on one, signing in where a project is cut off, and who is at work there.

use std::sync::Arc;

use dsg_core::address::{Address, AddressError, Place, SshHost};
use dsg_core::failure::Code;
use dsg_core::places::{Folder, Lease, Listed, Step, Trouble, Work};
use dsg_engine::endpoint;
use dsg_engine::transport::ssh;

use super::keeper::Word;
use super::session::Session;
use super::{Workbench, words};
#[allow(clippy::wildcard_imports, reason = "the contract names nearly all of it")]
use crate::api::*;

impl Workbench {
    /// Reaches for a project's repository; whoever sits here is asked what has to be asked for that.
    pub(super) fn connect(&self, session: &Arc<Session>) -> Result<(), ApiError> {
        let ticket = format!("connect-{}", session.id);
        let name = session.view().name.clone();
        self.job(&ticket, &name, |_| {
            session.connect();
            Ok(())
        })?;
        // Whoever waits for the same server finds its login now.
        let host = session.host();
        let others = self.sessions().clone();
        for other in others.iter().filter(|other| host.is_some() && other.host() == host) {
            if other.id != session.id && other.view().offline.is_some() {
                other.wake(Word::Ask);
            }
        }
        Ok(())
    }

    /// Servers to offer: those of the projects first.
    pub(super) fn hosts(&self) -> Vec<String> {
        let mut hosts: Vec<String> = Vec::new();
        let known = self.sessions().iter().filter_map(|session| session.host()).collect::<Vec<_>>();
        for host in known.iter().map(SshHost::to_string).chain(ssh::aliases()) {
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        hosts
    }

    /// Tries a place, and tells each step.
    pub(super) fn examine(&self, request: &ExaminePlace) -> Result<(), ApiError> {
        let address = super::address(&request.address)?;
        let ticket = &request.ticket;
        self.job(ticket, &address.to_string(), |monitor| {
            let told = endpoint::examine(&address, monitor, &mut |Step { name, found }| {
                let (found, error) = match found {
                    Ok(found) => (Some(found), None),
                    Err(trouble) => (None, Some(said(trouble))),
                };
                let step = PlaceStep { name, found, error };
                (self.events)(Event::Examined { id: ticket.clone(), step });
                Ok(())
            });
            Ok(told?)
        })
        .map(|_| ())
    }

    pub(super) fn look_around(
        &self,
        request: &ListServerFolders,
    ) -> Result<ServerFolders, ApiError> {
        let place = place(request)?;
        let Place::Ssh(host, _) = &place else { return Err(no_server(&request.host)) };
        let about = host.to_string();
        let ((around, folders), _) =
            self.job(&request.ticket, &about, |monitor| Ok(endpoint::folders(&place, monitor)?))?;
        let parent = around.path.rsplit_once('/').filter(|_| around.path != "/");
        let parent = parent.map(|(above, _)| if above.is_empty() { "/" } else { above }.to_owned());
        let inside = around.path.trim_end_matches('/');
        let folder = |Folder { name, repository }: Folder| ServerFolder {
            path: format!("{inside}/{name}"),
            repository: repository.map(|listed| repository_of(&place, listed)),
            name,
        };
        Ok(ServerFolders {
            host: about,
            parent,
            prefix: place.address_of(&format!("{inside}/")),
            writable: around.writable,
            complete: around.complete,
            folders: folders.into_iter().map(folder).collect(),
            path: around.path,
        })
    }
}

/// A place on a server, as it was typed and chosen.
fn place(request: &ListServerFolders) -> Result<Place, ApiError> {
    let typed = request.host.trim();
    let place = match typed.parse::<SshHost>() {
        Ok(host) => Place::Ssh(host, None),
        Err(wrong) => typed.parse::<Place>().map_err(|_| unusable(&wrong))?,
    };
    Ok(match (place, &request.path) {
        (Place::Ssh(host, _), Some(path)) => Place::Ssh(host, Some(path.clone())),
        (place, _) => place,
    })
}

fn unusable(why: &AddressError) -> ApiError {
    ApiError::new(Code::Usage.as_str(), format!("This is no server: {why}."))
        .with_hint("Write user@host:port, or a name of your ssh configuration.")
}

fn no_server(typed: &str) -> ApiError {
    ApiError::new(Code::Usage.as_str(), format!("{typed} is a folder of this computer."))
        .with_hint("Choose “This computer”, or write a server.")
}

fn repository_of(place: &Place, listed: Listed) -> ServerRepository {
    let Listed { path, info, head, trouble } = listed;
    ServerRepository {
        address: place.address_of(&path),
        name: head.as_ref().map(|head| head.config.name.clone()),
        head: head.as_ref().map(|head| head.id.to_string()),
        author: head.as_ref().map(|head| head.authorship.author.clone()),
        time: head.as_ref().map(|head| head.authorship.time.to_string()),
        files: head.as_ref().map(|head| head.totals.entries),
        bytes: head.as_ref().map(|head| head.totals.bytes),
        guarantee: info.as_ref().map(words::guarantee),
        trouble: trouble.map(said),
    }
}

fn said(Trouble { code, message, hint, detail }: Trouble) -> ApiError {
    ApiError { hint, detail, ..ApiError::new(&code, message) }
}

/// Who else is at work, as the window says it. What a repository does for itself is nobody's.
pub(super) fn at_work(leases: &[Lease]) -> Vec<AtWork> {
    let others = leases.iter().filter(|lease| lease.work != Work::Housekeeping);
    let one = |lease: &Lease| {
        let percent = lease.bytes.or(lease.files).filter(|(_, all)| *all > 0).map(|(done, all)| {
            #[allow(clippy::cast_precision_loss, reason = "a share that is shown")]
            let share = done as f64 / all as f64;
            (share * 100.0).floor().min(100.0)
        });
        let snapshot = lease.snapshot.map_or_else(|| "a snapshot".to_owned(), |id| id.to_string());
        let publishing = lease.work == Work::Publishing;
        let verb = if publishing { "is publishing" } else { "is uploading" };
        let far = percent.map_or_else(String::new, |percent| format!(", {percent} %"));
        AtWork {
            who: if lease.who.is_empty() { "Somebody".to_owned() } else { lease.who.clone() },
            doing: format!("{verb} {snapshot}{far}"),
            since: Some(lease.since.clone()).filter(|since| !since.is_empty()),
            percent,
            publishing,
        }
    };
    others.map(one).collect()
}

impl Session {
    /// The server that the repository is on.
    pub(super) fn host(&self) -> Option<SshHost> {
        match self.view().address.parse() {
            Ok(Address::Ssh(there)) => Some(there.host),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_understood_as_it_is_typed() {
        let ask = |host: &str, path: Option<&str>| {
            let (ticket, path) = (String::new(), path.map(str::to_owned));
            place(&ListServerFolders { ticket, host: host.into(), path }).map_err(|e| e.message)
        };
        let at = |text: &str| text.parse::<Place>().map_err(|e| e.to_string());
        assert_eq!(ask("tank", None), at("tank:"));
        assert_eq!(ask(" ann@tank:2222 ", None), at("ssh://ann@tank:2222"));
        assert_eq!(ask("tank:/srv", None), at("tank:/srv"));
        assert_eq!(ask("ssh://ann@tank:2222/srv", Some("/data")), at("ssh://ann@tank:2222/data"));
        assert!(ask("-oProxyCommand=x", None).is_err() && ask("", None).is_err());
        assert!(matches!(ask("/data", None), Ok(Place::Local(_))));
    }

    #[test]
    fn who_is_at_work_is_said_with_how_far() {
        let lease = |work, bytes| Lease {
            who: "ana".into(),
            since: "2026-01-01T00:00:00Z".into(),
            work,
            transaction: None,
            snapshot: "s5".parse().ok(),
            files: Some((1, 2)),
            bytes,
        };
        let leases = [
            lease(Work::Staging, Some((41, 99))),
            lease(Work::Publishing, None),
            lease(Work::Housekeeping, None),
        ];
        let said: Vec<String> = at_work(&leases).into_iter().map(|one| one.doing).collect();
        assert_eq!(said, ["is uploading s5, 41 %", "is publishing s5, 50 %"]);
    }
}
