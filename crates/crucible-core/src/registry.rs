//! Which services there are and how they depend on each other.
//!
//! Readers take a snapshot; changes are made one at a time. What becomes of a service is not
//! decided here but by its supervisor.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use crucible_services::service_traits::ServiceLifecycle;
use tokio::sync::{mpsc, watch};

use crate::error::Error;
use crate::state::ServiceState;
use crate::status::ServiceStatus;
use crate::supervisor::{Command, Snapshot};

/// One registered service.
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) service: Arc<dyn ServiceLifecycle>,
    pub(crate) dependencies: Vec<String>,
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) snapshot: watch::Receiver<Snapshot>,
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Member {
    pub(crate) fn state(&self) -> ServiceState {
        self.snapshot.borrow().status.state
    }

    pub(crate) fn status(&self) -> ServiceStatus {
        self.snapshot.borrow().status.clone()
    }
}

pub(crate) type Members = BTreeMap<String, Arc<Member>>;

/// All registered services.
#[derive(Debug)]
pub(crate) struct Registry {
    members: ArcSwap<Members>,
    edit: Mutex<()>,
    /// Changes whenever a service enters another state, comes or goes.
    pulse: watch::Sender<u64>,
}

impl Registry {
    pub(crate) fn new() -> Self {
        Self {
            members: ArcSwap::default(),
            edit: Mutex::new(()),
            pulse: watch::Sender::new(0),
        }
    }

    /// Returns a channel that changes with the state of any service.
    pub(crate) fn pulse(&self) -> watch::Receiver<u64> {
        self.pulse.subscribe()
    }

    /// Says that a service has entered another state.
    pub(crate) fn touch(&self) {
        self.pulse.send_modify(|count| *count += 1);
    }

    pub(crate) fn members(&self) -> Arc<Members> {
        self.members.load_full()
    }

    /// Returns the service of that name, or an error with the names that may have been meant.
    pub(crate) fn find(&self, name: &str) -> Result<Arc<Member>, Error> {
        let members = self.members.load();
        members
            .get(name)
            .cloned()
            .ok_or_else(|| Error::NoSuchService {
                name: name.to_owned(),
                near: near(name, members.keys()),
            })
    }

    /// Adds the service that `make` makes, if `name` is free, there is room, and no cycle arises.
    pub(crate) fn insert(
        &self,
        name: &str,
        dependencies: &[String],
        max: usize,
        make: impl FnOnce() -> Result<Member, Error>,
    ) -> Result<(), Error> {
        let _turn = self.edit.lock().unwrap_or_else(PoisonError::into_inner);
        let mut members = Members::clone(&self.members.load());
        if members.contains_key(name) {
            return Err(Error::DuplicateService {
                name: name.to_owned(),
            });
        }
        if members.len() >= max {
            return Err(Error::TooManyServices { max });
        }
        if let Some(path) = cycle(name, dependencies, &members) {
            return Err(Error::DependencyCycle { path });
        }
        members.insert(name.to_owned(), Arc::new(make()?));
        self.members.store(Arc::new(members));
        self.touch();
        Ok(())
    }

    pub(crate) fn remove(&self, name: &str) {
        let _turn = self.edit.lock().unwrap_or_else(PoisonError::into_inner);
        let mut members = Members::clone(&self.members.load());
        members.remove(name);
        self.members.store(Arc::new(members));
        self.touch();
    }

    /// Returns those of `dependencies` that do not run.
    pub(crate) fn missing(&self, dependencies: &[String]) -> Vec<String> {
        let members = self.members.load();
        let runs = |name: &String| {
            let member = members.get(name);
            member.is_some_and(|member| member.state() == ServiceState::Running)
        };
        dependencies
            .iter()
            .filter(|name| !runs(name))
            .cloned()
            .collect()
    }

    /// Returns the services that depend on `name` and are not down.
    pub(crate) fn dependants_up(&self, name: &str) -> Vec<String> {
        let members = self.members.load();
        let needs = |member: &&Arc<Member>| member.dependencies.iter().any(|other| other == name);
        members
            .values()
            .filter(needs)
            .filter(|member| is_up(member.state()))
            .map(|member| member.name.clone())
            .collect()
    }

    /// Says whether waiting for `name` makes sense: it runs, is being started, or waits for
    /// services of which the same is true. What is being started again counts too.
    pub(crate) fn is_coming(&self, name: &str) -> bool {
        is_coming(&self.members.load(), name)
    }
}

/// Says whether something of the service may still be at work.
const fn is_up(state: ServiceState) -> bool {
    !matches!(
        state,
        ServiceState::Registered | ServiceState::Stopped | ServiceState::Failed
    )
}

// The graph has no cycles, since none is let in, so the recursion ends.
fn is_coming(members: &Members, name: &str) -> bool {
    let Some(member) = members.get(name) else {
        return false;
    };
    let snapshot = member.snapshot.borrow();
    match snapshot.status.state {
        ServiceState::Running | ServiceState::BackingOff => true,
        ServiceState::Failed => snapshot.is_recovering,
        ServiceState::Registered | ServiceState::Starting => {
            let waits_for = &snapshot.status.waiting_for;
            waits_for.iter().all(|name| is_coming(members, name))
        }
        _ => false,
    }
}

/// Returns the cycle that adding `name` with `dependencies` would close, if any.
fn cycle(name: &str, dependencies: &[String], members: &Members) -> Option<Vec<String>> {
    fn search(
        at: &str,
        goal: &str,
        members: &Members,
        seen: &mut std::collections::BTreeSet<String>,
        path: &mut Vec<String>,
    ) -> bool {
        path.push(at.to_owned());
        if at == goal {
            return true;
        }
        if seen.insert(at.to_owned())
            && let Some(member) = members.get(at)
        {
            for next in &member.dependencies {
                if search(next, goal, members, seen, path) {
                    return true;
                }
            }
        }
        path.pop();
        false
    }
    let mut path = vec![name.to_owned()];
    let mut seen = std::collections::BTreeSet::new();
    dependencies
        .iter()
        .any(|next| search(next, name, members, &mut seen, &mut path))
        .then_some(path)
}

/// Returns up to three names that are like `name`, nearest first.
fn near<'a>(name: &str, names: impl Iterator<Item = &'a String>) -> Vec<String> {
    let bound = (name.chars().count() / 3).max(2);
    let mut found: Vec<(usize, &String)> = names
        .map(|other| {
            let contains = other.contains(name) || name.contains(other.as_str());
            let edits = edits(name, other);
            (if contains { edits.min(1) } else { edits }, other)
        })
        .filter(|(edits, _)| *edits <= bound && !name.is_empty())
        .collect();
    found.sort();
    found
        .into_iter()
        .take(3)
        .map(|(_, name)| name.clone())
        .collect()
}

/// Returns how many characters must be inserted, deleted or replaced (Levenshtein, 1966).
fn edits(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let names = ["datastore", "mcp-gateway", "vault", "api"].map(str::to_owned);
        let near = |name: &str| near(name, names.iter());
        assert_eq!(near("datastor"), ["datastore"]);
        assert_eq!(near("data-store"), ["datastore"]);
        assert_eq!(near("mcp"), ["mcp-gateway"]);
        assert!(near("inference").is_empty());
        assert!(near("").is_empty());
    }
}
