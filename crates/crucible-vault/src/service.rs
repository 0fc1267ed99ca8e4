//! The vault as a supervised service.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use crucible_services::health::ServiceHealth;
use crucible_services::note_index::NoteIndex;
use crucible_services::service_traits::{
    ServiceContext, ServiceError, ServiceKind, ServiceLifecycle,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::VaultConfig;
use crate::folder::VaultFolder;
use crate::follower::{Follower, Shared};
use crate::progress::Progress;

/// How long `stop` waits for the batch that the index is taking over.
const STOP_DEADLINE: Duration = Duration::from_secs(10);
/// How long `health_check` waits for the disk.
const STAT_DEADLINE: Duration = Duration::from_secs(3);

/// Keeps an index up to date with a folder.
///
/// Start returns once the folder has been looked at; the comparison and everything after it run
/// in the background, and [`VaultService::progress`] tells how far they are.
pub struct VaultService {
    config: VaultConfig,
    folder: VaultFolder,
    index: Arc<dyn NoteIndex>,
    shared: Arc<Shared>,
    run: Mutex<Option<Run>>,
}

/// One run, from start to stop.
#[derive(Clone, Debug)]
struct Run {
    /// Asks the task to end.
    token: CancellationToken,
    /// Is cancelled when the task has ended, however it did.
    ended: CancellationToken,
}

impl std::fmt::Debug for VaultService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VaultService")
            .field("config", &self.config)
            .field("shared", &self.shared)
            .finish_non_exhaustive()
    }
}

impl VaultService {
    /// Creates the service; nothing happens before it is started.
    #[must_use]
    pub fn new(config: VaultConfig, folder: VaultFolder, index: Arc<dyn NoteIndex>) -> Self {
        Self {
            config,
            folder,
            index,
            shared: Arc::default(),
            run: Mutex::default(),
        }
    }

    /// Returns a view of how far the vault is; it lives on across restarts.
    #[must_use]
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.shared.progress.subscribe()
    }

    fn run(&self) -> std::sync::MutexGuard<'_, Option<Run>> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks whether the folder is there; `Err` is the cause and the cure.
    async fn stat_root(&self) -> Result<(), String> {
        let folder = self.folder.clone();
        let stat = tokio::task::spawn_blocking(move || folder.identity());
        let root = self.folder.root().display();
        match tokio::time::timeout(STAT_DEADLINE, stat).await {
            Ok(Ok(Ok(_))) => Ok(()),
            Ok(Ok(Err(error))) => Err(format!(
                "the vault folder {root} is gone ({error}); mount it or put it back"
            )),
            Ok(Err(error)) => Err(format!(
                "the vault folder {root} cannot be looked at ({error})"
            )),
            Err(_elapsed) => Err(format!(
                "the vault folder {root} does not answer; check the disk or network"
            )),
        }
    }
}

#[async_trait]
impl ServiceLifecycle for VaultService {
    fn name(&self) -> &'static str {
        "vault"
    }

    fn kind(&self) -> ServiceKind {
        ServiceKind::Custom("vault".to_owned())
    }

    fn dependencies(&self) -> Vec<String> {
        vec!["datastore".to_owned()]
    }

    async fn start(&self, context: ServiceContext) -> Result<(), ServiceError> {
        self.stat_root().await.map_err(ServiceError::Failed)?;
        let run = Run {
            token: context.tasks.token().child_token(),
            ended: CancellationToken::new(),
        };
        {
            let mut current = self.run();
            if current
                .as_ref()
                .is_some_and(|run| !run.ended.is_cancelled())
            {
                return Err(ServiceError::Refused(
                    "the vault is running already".to_owned(),
                ));
            }
            *current = Some(run.clone());
        }
        self.shared
            .update(|status| *status = crate::follower::Status::default());
        let follower = Follower {
            config: self.config.clone(),
            folder: self.folder.clone(),
            index: Arc::clone(&self.index),
            shared: Arc::clone(&self.shared),
            token: run.token,
        };
        let ended = run.ended.drop_guard();
        context.tasks.spawn("vault", async move {
            let _ended = ended;
            follower.run().await;
        });
        Ok(())
    }

    async fn stop(&self) -> Result<(), ServiceError> {
        let Some(run) = self.run().clone() else {
            return Ok(());
        };
        run.token.cancel();
        if tokio::time::timeout(STOP_DEADLINE, run.ended.cancelled())
            .await
            .is_err()
        {
            return Err(ServiceError::Failed(
                "the vault's task did not end within 10 s; the index is busy".to_owned(),
            ));
        }
        *self.run() = None;
        Ok(())
    }

    async fn health_check(&self) -> Result<ServiceHealth, ServiceError> {
        if let Err(cause) = self.stat_root().await {
            return Ok(ServiceHealth::unhealthy(cause));
        }
        let is_alive = self
            .run()
            .as_ref()
            .is_some_and(|run| !run.ended.is_cancelled());
        if !is_alive {
            return Ok(ServiceHealth::unhealthy(
                "the vault's task is not running; start it",
            ));
        }
        let mut health = ServiceHealth::healthy();
        self.shared.update(|status| {
            health = match (&status.failure, &status.watch_fault) {
                (Some(failure), _) if failure.is_folder => {
                    ServiceHealth::unhealthy(&failure.message)
                }
                (Some(failure), _) => ServiceHealth::degraded(&failure.message),
                (None, Some(fault)) => ServiceHealth::degraded(format!(
                    "changes are looked for every 5 s only: {fault}"
                )),
                (None, None) => ServiceHealth::healthy(),
            }
            .with_detail("files", status.files);
            if let Some(report) = &status.report {
                health = std::mem::take(&mut health)
                    .with_detail("notes_seen", report.notes)
                    .with_detail("files_skipped", report.skipped)
                    .with_detail("walk_ms", millis(report.walk))
                    .with_detail("apply_ms", millis(report.apply));
            }
        });
        Ok(health)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
