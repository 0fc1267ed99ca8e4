//! A vault with a place for its index.

use std::fs;
use std::time::Duration;

use crucible_daemon::compose::{Indexed, Role};
use crucible_daemon::location::Location;
use crucible_daemon::{Daemon, DaemonConfig};
use crucible_services::data_store::{DataStore, SearchRequest};

/// Far longer than anything here takes; reached only when a test fails.
const DEADLINE: Duration = Duration::from_secs(60);

/// A vault and a data folder; both go when it is dropped.
pub(crate) struct Place {
    temp: tempfile::TempDir,
}

impl Place {
    pub(crate) fn with(notes: &[(&str, &str)]) -> Self {
        let temp = tempfile::tempdir().unwrap();
        fs::create_dir(temp.path().join("vault")).unwrap();
        for (path, text) in notes {
            fs::write(temp.path().join("vault").join(path), text).unwrap();
        }
        Self { temp }
    }

    pub(crate) fn location(&self) -> Location {
        let (vault, data) = (
            self.temp.path().join("vault"),
            self.temp.path().join("data"),
        );
        Location::find(&vault, &data, false).unwrap()
    }

    pub(crate) fn config(&self, role: Role) -> DaemonConfig {
        let free = "127.0.0.1:0".parse().unwrap();
        DaemonConfig::new(self.location(), role).listening_on(free)
    }

    /// Starts a daemon and waits until its index is up to date.
    pub(crate) async fn start(&self, role: Role) -> (Daemon, Indexed) {
        let daemon = Daemon::start(self.config(role)).await.unwrap();
        let indexed = tokio::time::timeout(DEADLINE, daemon.wait_indexed(|_| ())).await;
        let indexed = indexed.unwrap().unwrap();
        (daemon, indexed)
    }
}

/// The paths that a search finds.
pub(crate) async fn search(store: &dyn DataStore, words: &str) -> Vec<String> {
    let answer = store.search(SearchRequest::new(words)).await.unwrap();
    answer.hits.into_iter().map(|hit| hit.path).collect()
}
