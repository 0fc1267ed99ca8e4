//! Waiting until the index is up to date: first the vault is compared, then its text is indexed.

use std::time::Duration;

use crucible_services::data_store::{DataStore as _, StoreStats};
use crucible_services::health::HealthStatus;
use crucible_services::note_index::NoteIndex as _;
use crucible_services::service_traits::ServiceLifecycle as _;
use crucible_vault::{Phase, Progress, ReconcileReport};

use super::{Daemon, StartError};

/// How often the rest of the work is counted while the text index catches up.
const COUNT_EVERY: Duration = Duration::from_millis(200);
/// How long nothing may be told before the vault is asked whether it still works.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// How long a process that stays waits before it tries a failed text index again.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// How far the index is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexProgress {
    /// What is being done, in a word or two.
    pub phase: &'static str,
    /// How many files are done.
    pub done: u64,
    /// How many files there are; 0 while it is not known.
    pub total: u64,
    /// What went wrong and is tried again; `None` while all goes well.
    pub failure: Option<String>,
}

/// An index that is up to date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Indexed {
    /// How much it holds.
    pub stats: StoreStats,
    /// How many notes had to be parsed.
    pub parsed: u64,
    /// How many files were looked at and left out.
    pub skipped: u64,
    /// How long it took since the daemon was started.
    pub took: Duration,
}

impl Daemon {
    /// Waits until all notes are in the index and can be found, telling `tell` how far it is.
    ///
    /// A process that stays waits for as long as it takes: what fails is tried again by the
    /// services, and told. A command gives up at the first failure.
    ///
    /// # Errors
    /// When a command's index cannot be brought up to date, or the daemon is stopped meanwhile.
    pub async fn wait_indexed(
        &self,
        mut tell: impl FnMut(&IndexProgress),
    ) -> Result<Indexed, StartError> {
        let first = self.wait_compared(&mut tell).await?;
        self.wait_searchable(&mut tell).await?;
        let stats = self.vault.store.stats().await?;
        Ok(Indexed {
            parsed: stats.parsed_since_open,
            stats,
            skipped: first.skipped,
            took: self.begun.elapsed(),
        })
    }

    /// Waits until every file of the vault was looked at and handed over.
    async fn wait_compared(
        &self,
        tell: &mut impl FnMut(&IndexProgress),
    ) -> Result<ReconcileReport, StartError> {
        let mut progress = self.vault.service.progress();
        loop {
            let now = progress.borrow_and_update().clone();
            if let Phase::Watching { first } = now.phase {
                return Ok(first);
            }
            self.report(tell, comparing(&now))?;
            match tokio::time::timeout(SILENCE_MAX, progress.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_sender_gone)) => return Err(StartError::Stopped),
                Err(_silence) => self.ask_vault(tell).await?,
            }
        }
    }

    /// Waits until what was handed over can be found by search.
    async fn wait_searchable(
        &self,
        tell: &mut impl FnMut(&IndexProgress),
    ) -> Result<(), StartError> {
        let mut settled = std::pin::pin!(self.vault.store.settle());
        let total = self.vault.store.stats().await?.text_pending;
        loop {
            match tokio::time::timeout(COUNT_EVERY, &mut settled).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => {
                    let failure = Some(error.to_string());
                    self.report(
                        tell,
                        IndexProgress {
                            failure,
                            ..searchable(total, total)
                        },
                    )?;
                    tokio::time::sleep(RETRY_AFTER).await;
                    settled.set(self.vault.store.settle());
                }
                Err(_not_yet) => {
                    let pending = self.vault.store.stats().await?.text_pending;
                    self.report(tell, searchable(total, pending))?;
                }
            }
        }
    }

    /// Tells how far it is; a command does not wait for a second try.
    fn report(
        &self,
        tell: &mut impl FnMut(&IndexProgress),
        progress: IndexProgress,
    ) -> Result<(), StartError> {
        match progress.failure {
            Some(message) if !self.role.stays() => Err(StartError::Indexing { message }),
            _ => {
                tell(&progress);
                Ok(())
            }
        }
    }

    /// Asks a vault that has been silent whether it still works.
    async fn ask_vault(&self, tell: &mut impl FnMut(&IndexProgress)) -> Result<(), StartError> {
        let failure = match self.vault.service.health_check().await {
            Ok(health) if health.status == HealthStatus::Healthy => return Ok(()),
            Ok(health) => health.message,
            Err(error) => Some(error.to_string()),
        };
        let phase = "looking at files";
        self.report(
            tell,
            IndexProgress {
                phase,
                failure,
                ..IndexProgress::default()
            },
        )
    }
}

fn comparing(progress: &Progress) -> IndexProgress {
    let (phase, done, total) = match &progress.phase {
        Phase::Indexing { done, total } => ("reading notes", *done, *total),
        Phase::Idle | Phase::Walking | Phase::Watching { .. } => ("looking at files", 0, 0),
    };
    let failure = progress.failure.clone();
    IndexProgress {
        phase,
        done,
        total,
        failure,
    }
}

fn searchable(total: u64, pending: u64) -> IndexProgress {
    let done = total.saturating_sub(pending);
    IndexProgress {
        phase: "indexing text",
        done,
        total,
        failure: None,
    }
}
