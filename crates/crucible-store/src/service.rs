//! The store as a supervised service.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use crucible_services::data_store::{Error, SearchRequest};
use crucible_services::health::ServiceHealth;
use crucible_services::service_traits::{
    ServiceContext, ServiceError, ServiceKind, ServiceLifecycle,
};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use crate::open::facts::fault_in_pages;
use crate::store::{Store, lock};
use crate::{tell, vectors};

/// How long `stop` waits for the event that is being told.
const STOP_DEADLINE: Duration = Duration::from_secs(10);
/// How long the questions of `health_check` may take.
const CHECK_DEADLINE: Duration = Duration::from_secs(4);
/// How far search may be behind before that is a restriction.
const BEHIND_MAX: Duration = Duration::from_secs(60);

/// Tells listeners what happens to notes, and says how the store is.
///
/// The store works without it: questions are answered and changes taken over all the same. What
/// happens while it is not started is told when it is, up to a bound.
#[derive(Debug)]
pub struct StoreService {
    store: Store,
    run: Mutex<Option<Run>>,
}

/// One run, from start to stop.
#[derive(Clone, Debug)]
struct Run {
    token: CancellationToken,
    ended: CancellationToken,
}

impl StoreService {
    /// Creates the service; nothing happens before it is started.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self {
            store,
            run: Mutex::default(),
        }
    }

    fn run(&self) -> MutexGuard<'_, Option<Run>> {
        lock(&self.run)
    }

    /// Asks both parts something small; returns how many rows wait in the outbox.
    async fn ask_both(&self) -> Result<i64, Error> {
        let rows = self.store.inner.readers.read(|connection| {
            connection
                .query_row("SELECT path FROM files LIMIT 1", [], |_| Ok(()))
                .or_else(|error| match error {
                    rusqlite::Error::QueryReturnedNoRows => Ok(()),
                    error => Err(error),
                })?;
            Ok(connection.query_row("SELECT count(*) FROM outbox", [], |row| row.get(0))?)
        });
        let rows = rows.await?;
        let index = self.store.text();
        let request = SearchRequest {
            limit: 1,
            ..SearchRequest::new("crucible")
        };
        spawn_blocking(move || index.search(&request))
            .await
            .map_err(|error| Error::Internal {
                message: error.to_string(),
            })?
            .map_err(|error| Error::Internal {
                message: error.to_string(),
            })?;
        Ok(rows)
    }

    fn verdict(&self) -> ServiceHealth {
        let shared = &self.store.inner.shared;
        let text = shared.text();
        let behind = text.since.map(|since| since.elapsed()).unwrap_or_default();
        let verdict = if let Some(damage) = shared.damage() {
            ServiceHealth::unhealthy(damage)
        } else if let Some(failure) = text.failure {
            ServiceHealth::degraded(failure)
        } else if text.is_rebuilding {
            ServiceHealth::degraded("the text index is being built anew from the notes")
        } else if behind > BEHIND_MAX {
            ServiceHealth::degraded(format!(
                "search is {} s behind the notes; the disk may be slow",
                behind.as_secs()
            ))
        } else {
            ServiceHealth::healthy()
        };
        let verdict = match self.store.vectors().map(|vectors| vectors.status().stats()) {
            Some(stats) => verdict
                .with_detail("vectors_done", stats.blocks_done)
                .with_detail("vectors_blocks", stats.blocks),
            None => verdict,
        };
        verdict
            .with_detail("text_pending", text.pending)
            .with_detail(
                "text_behind_ms",
                u64::try_from(behind.as_millis()).unwrap_or(u64::MAX),
            )
    }
}

#[async_trait]
impl ServiceLifecycle for StoreService {
    fn name(&self) -> &'static str {
        "datastore"
    }

    fn kind(&self) -> ServiceKind {
        ServiceKind::DataStore
    }

    async fn start(&self, context: ServiceContext) -> Result<(), ServiceError> {
        if !self.store.is_writing() {
            return Err(ServiceError::Refused(
                "a store that only reads has nothing to tell".to_owned(),
            ));
        }
        let asked = self.ask_both().await;
        asked.map_err(|error| ServiceError::Failed(error.to_string()))?;
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
                    "the data store is running already".to_owned(),
                ));
            }
            *current = Some(run.clone());
        }
        if self
            .store
            .inner
            .shared
            .is_on_trust
            .swap(false, Ordering::Relaxed)
        {
            let store = self.store.clone();
            context.tasks.spawn("look-through", look_through(store));
        }
        let store = self.store.clone();
        let ended = run.ended.drop_guard();
        if let Some(vectors) = self.store.vectors() {
            let follower = vectors::follow(
                self.store.clone(),
                Arc::clone(vectors),
                Arc::clone(&context.events),
                run.token.clone(),
            );
            context.tasks.spawn("vectors", follower);
        }
        context.tasks.spawn("tell", async move {
            let _ended = ended;
            tell::follow(store, context.events, run.token).await;
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
                "an event was not accepted within 10 s; it is told at the next start".to_owned(),
            ));
        }
        *self.run() = None;
        Ok(())
    }

    async fn health_check(&self) -> Result<ServiceHealth, ServiceError> {
        let rows = match tokio::time::timeout(CHECK_DEADLINE, self.ask_both()).await {
            Ok(Ok(rows)) => rows,
            Ok(Err(error)) => {
                let damage = self.store.inner.shared.damage();
                return Ok(ServiceHealth::unhealthy(
                    damage.unwrap_or_else(|| error.to_string()),
                ));
            }
            Err(_elapsed) => {
                return Ok(ServiceHealth::unhealthy(format!(
                    "the store did not answer within {} s; check the disk",
                    CHECK_DEADLINE.as_secs()
                )));
            }
        };
        let is_alive = self
            .run()
            .as_ref()
            .is_some_and(|run| !run.ended.is_cancelled());
        if !is_alive {
            return Ok(ServiceHealth::unhealthy(
                "the task that tells events is not running; start it",
            ));
        }
        Ok(self.verdict().with_detail("outbox_rows", rows))
    }
}

/// Looks through the pages of facts that were taken on the word of their seal.
///
/// Damage is told by the health check, and mended by the next open.
async fn look_through(store: Store) {
    let looked = store
        .inner
        .readers
        .read(|connection| Ok(fault_in_pages(connection)?));
    match looked.await {
        Ok(None) => {}
        Ok(Some(fault)) => {
            let _told_by_health = store.inner.shared.found_damaged(&fault);
        }
        Err(error) => tracing::warn!(%error, "the facts could not be looked through"),
    }
}
