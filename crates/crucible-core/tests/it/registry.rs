//! Registering, finding and unregistering services.

use std::sync::Arc;

use async_trait::async_trait;
use crucible_core::*;
use crucible_services::health::ServiceHealth;
use crucible_services::service_traits::{
    ServiceContext, ServiceError, ServiceKind, ServiceLifecycle,
};

use crate::actor::{Actor, Log, Mood, core, core_with, reaches, status, to};

#[tokio::test(start_paused = true)]
async fn duplicate_and_surplus_services_are_refused() {
    let log = Log::default();
    let core = CrucibleCoreBuilder::new()
        .with_max_services(2)
        .build()
        .await
        .unwrap();
    core.register_service(Actor::new("a", &[], &log))
        .await
        .unwrap();
    let name = "a".to_owned();
    assert_eq!(
        core.register_service(Actor::new("a", &[], &log)).await,
        Err(Error::DuplicateService { name })
    );
    core.register_service(Actor::new("b", &[], &log))
        .await
        .unwrap();
    assert_eq!(
        core.register_service(Actor::new("c", &[], &log)).await,
        Err(Error::TooManyServices { max: 2 })
    );
    core.unregister_service("a").await.unwrap();
    core.register_service(Actor::new("c", &[], &log))
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn cycle_is_refused_with_its_path() {
    let log = Log::default();
    let core = core().await;
    core.register_service(Actor::new("a", &["b"], &log))
        .await
        .unwrap();
    core.register_service(Actor::new("b", &["x", "c"], &log))
        .await
        .unwrap();
    let error = core
        .register_service(Actor::new("c", &["a"], &log))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the dependencies form a cycle: c -> a -> b -> c"
    );
    let error = core
        .register_service(Actor::new("d", &["d"], &log))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "the dependencies form a cycle: d -> d");
    core.register_service(Actor::new("c", &[], &log))
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn unknown_service_is_answered_with_near_names() {
    let log = Log::default();
    let core = core_with(&[&Actor::new("datastore", &[], &log)]).await;
    let Err(error) = core.get_service("datastor").await else {
        panic!("there is no such service");
    };
    assert_eq!(
        error.to_string(),
        "there is no service named \"datastor\"; did you mean datastore?"
    );
    assert!(matches!(
        core.stop_service("zebra").await,
        Err(Error::NoSuchService { .. })
    ));
    assert!(matches!(
        core.unregister_service("zebra").await,
        Err(Error::NoSuchService { .. })
    ));
}

#[tokio::test(start_paused = true)]
async fn service_registered_while_the_core_runs_is_started() {
    let log = Log::default();
    let core = core_with(&[]).await;
    core.register_service(Actor::new("a", &[], &log))
        .await
        .unwrap();
    assert!(status(&core, "a").await.ready);
    let bad = Actor::new("bad", &[], &log);
    bad.set(|moods| moods.start = Mood::Fails);
    let error = core.register_service(Arc::clone(&bad)).await.unwrap_err();
    assert_eq!(error.to_string(), "bad: failed to start: start fails");
    let shown = status(&core, "bad").await;
    assert_eq!(shown.state, ServiceState::CrashLooping);
    bad.set(|moods| moods.start = Mood::Well);
    core.start_service("bad").await.unwrap();
    core.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn unregistering_handles_the_mail_and_forgets_the_service() {
    let log = Log::default();
    let actor = Actor::new("a", &[], &log);
    let core = core_with(&[&actor]).await;
    for number in 0..10 {
        core.route_event(to("a", &number.to_string()))
            .await
            .unwrap();
    }
    core.unregister_service("a").await.unwrap();
    assert_eq!(actor.handled().len(), 10);
    assert!(actor.alive().is_empty());
    assert!(core.list_services().await.unwrap().is_empty());
    let receipt = core.route_event(to("a", "late")).await.unwrap();
    assert_eq!(receipt.accepted(), 0);
    core.register_service(Arc::clone(&actor)).await.unwrap();
    reaches(&core, "a", ServiceState::Running).await;
    core.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn service_is_handed_back_as_it_was_registered() {
    let log = Log::default();
    let core = core_with(&[&Actor::new("a", &["b"], &log), &Actor::new("b", &[], &log)]).await;
    let service = core.get_service("a").await.unwrap();
    assert_eq!(service.name(), "a");
    assert_eq!(service.dependencies(), ["b"]);
    core.stop().await.unwrap();
}

struct Rude(&'static str);

#[async_trait]
impl ServiceLifecycle for Rude {
    fn name(&self) -> &str {
        self.0
    }

    fn kind(&self) -> ServiceKind {
        ServiceKind::DataStore
    }

    fn dependencies(&self) -> Vec<String> {
        panic!("none of your business")
    }

    async fn start(&self, _context: ServiceContext) -> Result<(), ServiceError> {
        Ok(())
    }

    async fn stop(&self) -> Result<(), ServiceError> {
        Ok(())
    }

    async fn health_check(&self) -> Result<ServiceHealth, ServiceError> {
        Ok(ServiceHealth::healthy())
    }
}

#[tokio::test(start_paused = true)]
async fn service_that_panics_about_itself_is_refused() {
    let core = core_with(&[]).await;
    let error = core
        .register_service(Arc::new(Rude("rude")))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the service panicked while it was registered: none of your business"
    );
    for name in ["", " ", "a\nb"] {
        let log = Log::default();
        let result = core.register_service(Actor::new(name, &[], &log)).await;
        assert!(matches!(result, Err(Error::InvalidName { .. })), "{name:?}");
    }
    assert!(core.list_services().await.unwrap().is_empty());
}
