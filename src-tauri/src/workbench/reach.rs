//! Whether a project's repository answers, and what it says between two looks.

use std::sync::{Arc, PoisonError};

use dsg_core::address::Address;
use dsg_core::entry::Hash;
use dsg_core::failure::{Code, Outcome};
use dsg_core::places::Lease;
use dsg_engine::endpoint::{self, Endpoint};
use dsg_engine::report::Status;

use super::keeper::Word;
use super::offline;
use super::rows::Found;
use super::server::at_work;
use super::session::{Look, Session};
use crate::api::{ApiError, Event};

impl Session {
    /// The chain value of the head, if it is not known yet.
    pub(super) fn chain(&self, status: &Status<Found>) -> Option<Hash> {
        let view = self.view();
        let known = view.chain.is_some() && view.head == status.head;
        // A server that nobody asked yet is not waited for.
        let answers =
            status.reach.is_ok() || (view.known && !view.recalled && view.offline.is_none());
        drop(view);
        if known || !answers {
            return None;
        }
        // Somebody may have published since: the next look sees it.
        let head = self.ask_news(|repository| repository.head())?.ok().flatten()?;
        (Some(head.id) == status.head).then_some(head.chain)
    }

    /// Asks over the connection that is kept for that; `None` while somebody else does.
    fn ask_news<T>(&self, ask: impl FnOnce(&dyn Endpoint) -> Outcome<T>) -> Option<Outcome<T>> {
        self.ask_over(&mut *self.news.try_lock().ok()?, ask)
    }

    fn ask_over<T>(
        &self,
        kept: &mut Option<Box<dyn Endpoint>>,
        ask: impl FnOnce(&dyn Endpoint) -> Outcome<T>,
    ) -> Option<Outcome<T>> {
        let address: Address = self.view().address.parse().ok()?;
        let opened = match kept.take() {
            Some(endpoint) => endpoint.look_again().map(|()| endpoint),
            None => endpoint::open(&address),
        };
        let answer = opened.and_then(|endpoint| {
            let answer = ask(&*endpoint)?;
            // A folder is looked for each time.
            *kept = Some(endpoint).filter(|_| address.local().is_none());
            Ok(answer)
        });
        Some(answer)
    }

    /// The repository answered. Whether that, or who is at work in it, is news.
    pub(super) fn reached(&self, leases: &[Lease]) -> bool {
        let at_work = at_work(leases);
        let mut view = self.view();
        let news = view.offline.is_some();
        view.offline = None;
        let others = view.at_work != at_work;
        view.at_work = at_work;
        drop(view);
        if others {
            (self.events)(Event::ProjectsChanged);
        }
        news
    }

    /// The repository is out of reach. A host that gives no more at once is not: the next try asks again.
    pub(super) fn cut_off(&self, error: ApiError) {
        if error.code == Code::HostBusy.as_str() {
            return;
        }
        let server = self.host().is_some();
        let mut view = self.view();
        view.offline = Some(offline::Cut::again(view.offline.as_ref(), error, server));
        view.at_work.clear();
        view.revision += 1;
    }

    /// Reaches for the repository.
    pub(super) fn connect(&self) {
        // A try that goes on by itself asks nobody: it is waited for.
        let mut kept = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = self.ask_over(&mut kept, |repository| repository.head());
        drop(kept);
        match asked {
            None => {}
            Some(Ok(_)) => self.wake(Word::Look),
            Some(Err(failure)) if failure.code == Code::Cancelled => {}
            Some(Err(failure)) => {
                self.cut_off(ApiError::from(failure));
                self.tell();
            }
        }
    }

    /// Asks the repository for its head, and for who is at work in it; looks at everything if the head
    /// is news.
    pub(super) fn poll(self: &Arc<Self>) {
        let (chain, failed, was_offline) = {
            let view = self.view();
            if view.is_busy() || view.closed {
                return;
            }
            (view.chain, view.failure.is_some(), view.offline.is_some())
        };
        if failed {
            // A repository that is away has its own time.
            self.look(&Look::Everything { shown: false, asks: !was_offline });
            return;
        }
        let everything = Look::Everything { shown: false, asks: true };
        let asked = self.ask_news(|repository| {
            // For people only: whoever may not look at the locks sees nobody.
            Ok((repository.head()?, repository.leases().unwrap_or_default()))
        });
        match asked {
            None => {}
            Some(Ok((head, leases))) => {
                self.reached(&leases);
                if was_offline || head.map(|h| h.chain) != chain {
                    self.look(&everything);
                    (self.events)(Event::HistoryChanged { id: self.id.clone() });
                }
                if was_offline {
                    self.view().revision += 1;
                    self.tell();
                }
            }
            Some(Err(failure)) if failure.code == Code::RepoId => {
                self.look(&everything);
            }
            Some(Err(failure)) => {
                self.cut_off(ApiError::from(failure));
                self.tell();
            }
        }
    }
}
