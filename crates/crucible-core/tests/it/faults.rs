//! What services do wrong, and what becomes of it.

use std::sync::Arc;
use std::time::Duration;

use crucible_core::*;
use crucible_services::events::*;
use crucible_services::health::HealthStatus;
use tokio::time::Instant;

use crate::actor::{
    Actor, Log, Mood, core, core_with, custom, failures, reaches, status, to, until,
};

/// The events about services so far, as `name service detail`.
fn told(core: &CrucibleCore) -> Vec<String> {
    let filter = EventFilter::category(EventCategory::Service);
    let events = core.recent(&filter, usize::MAX);
    events
        .iter()
        .filter_map(|event| match &event.event_type {
            EventType::Service(ServiceEventType::ServiceFailed { service, error }) => {
                Some(format!("failed {service}: {error}"))
            }
            EventType::Service(ServiceEventType::ServiceStatusChanged {
                service,
                old_status,
                new_status,
            }) => Some(format!("{service}: {old_status} -> {new_status}")),
            _ => None,
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn panic_in_a_handler_restarts_only_that_service_and_is_told() {
    let log = Log::default();
    let bad = Actor::new("bad", &[], &log);
    let good = Actor::new("good", &["bad"], &log);
    let core = core_with(&[&bad, &good]).await;
    bad.set(|moods| moods.handle = Mood::Panics);
    core.route_event(to("bad", "x")).await.unwrap();
    until("the service is started again", || bad.starts() == 2).await;
    bad.set(|moods| moods.handle = Mood::Well);
    let shown = reaches(&core, "bad", ServiceState::Running).await;
    assert_eq!(shown.restarts, 1);
    assert!(shown.last_error.unwrap().contains("panicked: "));
    assert_eq!(status(&core, "good").await.restarts, 0);
    let told = told(&core);
    assert!(
        told.iter()
            .any(|line| line.starts_with("failed bad: handling an event panicked")),
        "{told:?}"
    );
    let order = [
        "bad: running -> failed",
        "bad: failed -> backing_off",
        "bad: backing_off -> starting",
    ];
    assert_eq!(
        told.iter()
            .filter(|line| order.contains(&line.as_str()))
            .count(),
        3
    );
    core.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn hang_in_a_handler_is_cut_off_and_answered_by_a_restart() {
    let log = Log::default();
    let actor = Actor::new("a", &[], &log);
    let core = core_with(&[&actor]).await;
    actor.set(|moods| moods.handle = Mood::Hangs);
    core.route_event(to("a", "x")).await.unwrap();
    until("the service is started again", || actor.starts() == 2).await;
    let metrics = core.get_metrics().await.unwrap();
    assert_eq!(metrics.services["a"].timed_out, 1);
    core.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn panic_in_a_background_task_restarts_the_service() {
    let log = Log::default();
    let actor = Actor::new("a", &[], &log);
    let core = core_with(&[&actor]).await;
    actor.last_run().spawn("bad", async { panic!("boom") });
    until("the service is started again", || actor.starts() == 2).await;
    let shown = reaches(&core, "a", ServiceState::Running).await;
    assert_eq!(shown.last_error.unwrap(), "a background task panicked");
    core.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn errors_of_a_handler_are_counted_and_degrade_the_service() {
    let log = Log::default();
    let actor = Actor::new("a", &[], &log);
    let core = core_with(&[&actor]).await;
    actor.set(|moods| moods.handle = Mood::Fails);
    for _ in 0..6 {
        core.route_event(to("a", "x")).await.unwrap();
    }
    until("all are counted", || {
        actor.starts() == 1 && log.lock().unwrap().len() == 2
    })
    .await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    let health = core.get_system_health().await.unwrap();
    assert_eq!(health.status, HealthStatus::Degraded);
    assert!(health.reasons[0].contains("handle fails"), "{health:?}");
    assert_eq!(core.get_metrics().await.unwrap().services["a"].failed, 6);
    assert_eq!(status(&core, "a").await.restarts, 0);
    actor.set(|moods| moods.handle = Mood::Well);
    core.route_event(to("a", "x")).await.unwrap();
    until("it is handled", || actor.handled().len() == 1).await;
    let health = core.get_system_health().await.unwrap();
    assert_eq!(health.status, HealthStatus::Healthy, "{health:?}");
    core.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn panic_in_start_is_a_failure_like_any_other() {
    let log = Log::default();
    let core = core().await;
    let actor = Actor::new("a", &[], &log);
    actor.set(|moods| moods.start = Mood::Panics);
    core.register_service(Arc::clone(&actor)).await.unwrap();
    let failures = failures(core.start().await.unwrap_err());
    assert_eq!(failures, ["a: failed to start: it panicked: start panics"]);
    core.stop().await.unwrap();
    assert!(actor.alive().is_empty());
}

#[tokio::test(start_paused = true)]
async fn crash_loop_tries_every_five_minutes_until_it_goes_well() {
    let log = Log::default();
    let core = core().await;
    let actor = Actor::new("a", &[], &log);
    actor.set(|moods| moods.start = Mood::Fails);
    core.register_service(Arc::clone(&actor)).await.unwrap();
    let begun = Instant::now();
    core.start().await.unwrap_err();
    // The first try and three more, 100, 200 and 400 ms apart, give or take a quarter.
    assert_eq!(actor.starts(), 4);
    let took = begun.elapsed();
    assert!(took > Duration::from_millis(500) && took < Duration::from_millis(900));
    assert_eq!(status(&core, "a").await.state, ServiceState::CrashLooping);
    assert_eq!(
        core.get_system_health().await.unwrap().status,
        HealthStatus::Unhealthy
    );
    for tries in 5..8 {
        tokio::time::sleep(Duration::from_secs(301)).await;
        assert_eq!(actor.starts(), tries);
    }
    actor.set(|moods| moods.start = Mood::Well);
    let shown = reaches(&core, "a", ServiceState::Running).await;
    assert_eq!(shown.last_error.unwrap(), "failed to start: start fails");
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(status(&core, "a").await.last_error, None);
    core.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn person_resets_a_crash_loop() {
    let log = Log::default();
    let core = core().await;
    let actor = Actor::new("a", &[], &log);
    actor.set(|moods| moods.start = Mood::Fails);
    core.register_service(Arc::clone(&actor)).await.unwrap();
    core.start().await.unwrap_err();
    let failures = failures(core.start_service("a").await.unwrap_err());
    assert_eq!(failures, ["a: failed to start: start fails"]);
    assert_eq!(actor.starts(), 8);
    actor.set(|moods| moods.start = Mood::Well);
    core.restart_service("a").await.unwrap();
    assert_eq!(status(&core, "a").await.state, ServiceState::Running);
    core.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn stable_run_ends_the_episode() {
    let log = Log::default();
    let actor = Actor::new("a", &[], &log);
    let core = core_with(&[&actor]).await;
    // Ten crashes with pauses between them would be too many for one episode.
    for crash in 0..10 {
        actor.last_run().spawn("bad", async { panic!("boom") });
        until("it is started again", || actor.starts() == crash + 2).await;
        reaches(&core, "a", ServiceState::Running).await;
        tokio::time::sleep(Duration::from_secs(90)).await;
    }
    assert_eq!(status(&core, "a").await.restarts, 10);
    // Without the pauses the fourth is one too many.
    for _ in 0..4 {
        reaches(&core, "a", ServiceState::Running).await;
        actor.last_run().spawn("bad", async { panic!("boom") });
        until("the panic is noticed", || {
            actor.last_run().token().is_cancelled()
        })
        .await;
    }
    reaches(&core, "a", ServiceState::CrashLooping).await;
    core.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn without_auto_recovery_nothing_is_started_again() {
    let log = Log::default();
    let core = CrucibleCoreBuilder::new()
        .with_auto_recovery(false)
        .build()
        .await
        .unwrap();
    let actor = Actor::new("a", &[], &log);
    let running = Actor::new("b", &[], &log);
    actor.set(|moods| moods.start = Mood::Fails);
    core.register_service(Arc::clone(&actor)).await.unwrap();
    core.register_service(Arc::clone(&running)).await.unwrap();
    core.start().await.unwrap_err();
    running.last_run().spawn("bad", async { panic!("boom") });
    tokio::time::sleep(Duration::from_secs(1_000)).await;
    assert_eq!(status(&core, "a").await.state, ServiceState::Failed);
    assert_eq!(actor.starts(), 1);
    // A running service is left alone; what happened is shown.
    let shown = status(&core, "b").await;
    assert_eq!(shown.state, ServiceState::Running);
    assert_eq!(shown.last_error.unwrap(), "a background task panicked");
    core.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn attempts_of_an_episode_are_as_configured() {
    for attempts in [0, 1, 2] {
        let log = Log::default();
        let builder = CrucibleCoreBuilder::new().with_max_recovery_attempts(attempts);
        let core = builder.build().await.unwrap();
        let actor = Actor::new("a", &[], &log);
        actor.set(|moods| moods.start = Mood::Fails);
        core.register_service(Arc::clone(&actor)).await.unwrap();
        core.start().await.unwrap_err();
        assert_eq!(actor.starts(), attempts + 1);
        assert_eq!(status(&core, "a").await.state, ServiceState::CrashLooping);
        core.stop().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn mail_survives_a_restart() {
    let log = Log::default();
    let actor = Actor::listening("a", &[], custom(), &log);
    let core = core_with(&[&actor]).await;
    actor.set(|moods| {
        moods.handle = Mood::Slow(Duration::from_millis(10));
        moods.stop = Mood::Slow(Duration::from_secs(2));
    });
    for number in 0..20 {
        let receipt = core
            .route_event(to("a", &number.to_string()))
            .await
            .unwrap();
        assert_eq!(receipt.accepted(), 1);
    }
    let restart = core.restart_service("a");
    let (restarted, receipt) = tokio::join!(restart, async {
        reaches(&core, "a", ServiceState::Stopping).await;
        core.route_event(to("a", "20")).await.unwrap()
    });
    restarted.unwrap();
    assert_eq!(receipt.accepted(), 1);
    until("all is handled", || actor.handled().len() == 21).await;
    let expected: Vec<String> = (0..=20).map(|number| number.to_string()).collect();
    assert_eq!(actor.handled(), expected);
    core.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn crash_loses_only_the_event_in_hand() {
    let log = Log::default();
    let actor = Actor::new("a", &[], &log);
    let core = core_with(&[&actor]).await;
    actor.set(|moods| moods.handle = Mood::Panics);
    for number in 0..5 {
        core.route_event(to("a", &number.to_string()))
            .await
            .unwrap();
    }
    until("it is down", || actor.last_run().token().is_cancelled()).await;
    actor.set(|moods| moods.handle = Mood::Well);
    let metrics = || async { core.get_metrics().await.unwrap().services["a"].clone() };
    reaches(&core, "a", ServiceState::Running).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let metrics = metrics().await;
    assert_eq!(metrics.queued, 0);
    assert_eq!(metrics.accepted, 5);
    assert_eq!(metrics.panicked + metrics.delivered, 5);
    assert!(
        metrics.delivered > 0 || metrics.panicked == 5,
        "{metrics:?}"
    );
    core.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn service_that_chokes_on_news_of_its_own_failure_does_not_storm() {
    let log = Log::default();
    let filters = vec![EventFilter {
        types: vec!["service.failed".to_owned()],
        ..EventFilter::all()
    }];
    let actor = Actor::listening("a", &[], filters, &log);
    let core = core_with(&[&actor, &Actor::new("b", &[], &log)]).await;
    actor.set(|moods| moods.handle = Mood::Panics);
    actor.last_run().spawn("bad", async { panic!("boom") });
    tokio::time::sleep(Duration::from_secs(30)).await;
    // The news can reach it before it is down or after it is up again; either way it ends.
    assert!((2..=4).contains(&actor.starts()), "{}", actor.starts());
    let panicked = core.get_metrics().await.unwrap().services["a"].panicked;
    assert!((1..=4).contains(&panicked), "{panicked}");
    assert_eq!(status(&core, "b").await.restarts, 0);
    core.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handler_that_blocks_its_thread_does_not_stop_the_core() {
    use crucible_services::service_traits::ServiceLifecycle as _;
    let blocker = Arc::new(crate::health::Blocker::default());
    let core = core().await;
    core.register_service(Arc::clone(&blocker)).await.unwrap();
    core.start().await.unwrap();
    core.route_event(to(blocker.name(), "x")).await.unwrap();
    let log = Log::default();
    core.register_service(Actor::new("other", &[], &log))
        .await
        .unwrap();
    assert_eq!(status(&core, "other").await.state, ServiceState::Running);
    blocker.release();
    core.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn start_that_blocks_its_thread_is_given_up_and_not_tried_again_by_itself() {
    let blocker = Arc::new(crate::health::Blocker {
        blocks_start: true,
        ..Default::default()
    });
    let core = core().await;
    let options = ServiceOptions {
        start_deadline: Duration::from_millis(50),
        stop_deadline: Duration::from_millis(500),
        ..ServiceOptions::default()
    };
    core.register_service_with(Arc::clone(&blocker), options)
        .await
        .unwrap();
    let failures = failures(core.start().await.unwrap_err());
    assert!(failures[0].contains("blocks its thread"), "{failures:?}");
    assert_eq!(status(&core, "blocker").await.state, ServiceState::Failed);
    blocker.release();
    core.start_service("blocker").await.unwrap();
    core.stop().await.unwrap();
}
