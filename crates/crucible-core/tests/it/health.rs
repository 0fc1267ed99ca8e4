//! Health checks, their history, and the recovery that they trigger.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use crucible_core::*;
use crucible_services::events::*;
use crucible_services::health::{HealthStatus, ServiceHealth};
use crucible_services::service_traits::{
    ServiceContext, ServiceError, ServiceKind, ServiceLifecycle,
};

use crate::actor::{Actor, Log, Mood, core, core_with, reaches, status, until};

/// A service that blocks its thread in its handler, or in `start`, until it is released.
#[derive(Default)]
pub(crate) struct Blocker {
    pub(crate) released: AtomicBool,
    pub(crate) blocks_start: bool,
}

impl Blocker {
    pub(crate) fn release(&self) {
        self.released.store(true, Ordering::SeqCst);
    }

    fn block(&self) {
        while !self.released.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
    }
}

#[async_trait]
impl ServiceLifecycle for Blocker {
    fn name(&self) -> &'static str {
        "blocker"
    }

    fn kind(&self) -> ServiceKind {
        ServiceKind::ScriptEngine
    }

    async fn start(&self, _context: ServiceContext) -> Result<(), ServiceError> {
        if self.blocks_start {
            self.block();
        }
        Ok(())
    }

    async fn stop(&self) -> Result<(), ServiceError> {
        Ok(())
    }

    async fn health_check(&self) -> Result<ServiceHealth, ServiceError> {
        Ok(ServiceHealth::healthy())
    }

    async fn handle_event(&self, _event: &DaemonEvent) -> Result<(), ServiceError> {
        self.block();
        Ok(())
    }
}

/// How many health checks of the service the history holds.
async fn checks(core: &CrucibleCore, name: &str) -> usize {
    let history = core.get_health_history().await;
    history
        .iter()
        .filter(|record| record.service == name)
        .count()
}

#[tokio::test(start_paused = true)]
async fn every_service_is_asked_at_once_and_then_at_the_interval() {
    let log = Log::default();
    let core = core_with(&[&Actor::new("a", &[], &log), &Actor::new("b", &[], &log)]).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(checks(&core, "a").await, 1);
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(checks(&core, "a").await, 11);
    assert_eq!(checks(&core, "b").await, 11);
    let health = core.get_system_health().await.unwrap();
    assert_eq!(health.status, HealthStatus::Healthy);
    assert_eq!(health.services.len(), 2);
    core.stop().await.unwrap();
    let health = core.get_system_health().await.unwrap();
    assert_eq!(health.status, HealthStatus::Unknown);
}

#[tokio::test(start_paused = true)]
async fn only_turns_of_the_verdict_are_told() {
    let log = Log::default();
    let core = core_with(&[&Actor::new("a", &[], &log)]).await;
    tokio::time::sleep(Duration::from_secs(300)).await;
    let filter = EventFilter {
        types: vec!["service.health_check".to_owned()],
        ..EventFilter::all()
    };
    assert_eq!(core.recent(&filter, 100).len(), 1);
    core.perform_health_check().await.unwrap();
    assert_eq!(core.recent(&filter, 100).len(), 2);
    core.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn bad_health_is_answered_by_a_restart_only_after_three_answers() {
    for mood in [Mood::Fails, Mood::Panics, Mood::Hangs] {
        let log = Log::default();
        let actor = Actor::new("a", &[], &log);
        let core = core_with(&[&actor]).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        actor.set(|moods| moods.health = mood);
        tokio::time::sleep(Duration::from_secs(75)).await;
        let shown = status(&core, "a").await;
        assert!(shown.ready, "two bad answers are not enough: {shown:?}");
        assert!(shown.health.message.unwrap().contains("2 of 3"));
        until("it is started again", || actor.starts() == 2).await;
        actor.set(|moods| moods.health = Mood::Well);
        let shown = reaches(&core, "a", ServiceState::Running).await;
        assert!(shown.last_error.unwrap().starts_with("found unhealthy"));
        core.stop().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn without_auto_recovery_bad_health_is_shown_and_turns_back() {
    let log = Log::default();
    let core = CrucibleCoreBuilder::new()
        .with_auto_recovery(false)
        .build()
        .await
        .unwrap();
    let actor = Actor::new("a", &[], &log);
    core.register_service(Arc::clone(&actor)).await.unwrap();
    core.start().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    actor.set(|moods| moods.health = Mood::Fails);
    tokio::time::sleep(Duration::from_secs(600)).await;
    let shown = status(&core, "a").await;
    assert_eq!(shown.state, ServiceState::Running);
    assert!(!shown.ready);
    let health = core.get_system_health().await.unwrap();
    assert_eq!(health.status, HealthStatus::Unhealthy);
    assert_eq!(health.reasons, ["a: the health check failed: health fails"]);
    assert_eq!(actor.starts(), 1);
    actor.set(|moods| moods.health = Mood::Well);
    tokio::time::sleep(Duration::from_secs(65)).await;
    assert!(status(&core, "a").await.ready);
    core.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn checks_on_demand_run_side_by_side_and_have_a_deadline() {
    let log = Log::default();
    let core = core().await;
    for name in ["a", "b", "c"] {
        let actor = Actor::new(name, &[], &log);
        actor.set(|moods| moods.health = Mood::Hangs);
        core.register_service(actor).await.unwrap();
    }
    core.register_service(Actor::new("well", &[], &log))
        .await
        .unwrap();
    let unknown = core.perform_health_check().await.unwrap();
    assert_eq!(unknown["well"].status, HealthStatus::Unknown);
    core.start().await.unwrap();
    let begun = tokio::time::Instant::now();
    let found = core.perform_health_check().await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(6));
    assert_eq!(found["well"].status, HealthStatus::Healthy);
    let message = found["a"].message.clone().unwrap();
    assert_eq!(
        message,
        "the health check failed: it did not end within 5 s"
    );
    core.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn history_is_bounded_and_ends_with_its_service() {
    let log = Log::default();
    let core = CrucibleCoreBuilder::new()
        .with_health_check_interval(1)
        .build()
        .await
        .unwrap();
    core.register_service(Actor::new("a", &[], &log))
        .await
        .unwrap();
    core.start().await.unwrap();
    tokio::time::sleep(Duration::from_secs(500)).await;
    assert_eq!(checks(&core, "a").await, 128);
    let metrics = core.get_metrics().await.unwrap();
    assert!(metrics.services["a"].health_checks >= 500);
    core.unregister_service("a").await.unwrap();
    assert_eq!(checks(&core, "a").await, 0);
    core.stop().await.unwrap();
}
