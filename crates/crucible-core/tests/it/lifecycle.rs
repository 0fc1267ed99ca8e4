//! Starting and stopping: order, deadlines, restarts.

use std::sync::Arc;
use std::time::Duration;

use crucible_core::*;
use tokio::time::Instant;

use crate::actor::{Actor, Log, Mood, core, core_with, failures, reaches, status, to, until};

/// Where each entry stands in the log.
fn position(log: &Log, entry: &str) -> usize {
    let log = log.lock().unwrap();
    let found = log.iter().position(|other| other == entry);
    found.unwrap_or_else(|| panic!("{entry:?} is not in {log:?}"))
}

#[tokio::test(start_paused = true)]
async fn services_start_after_what_they_need_and_stop_before_it() {
    let log = Log::default();
    let core = core_with(&[
        &Actor::new("api", &["mcp", "store"], &log),
        &Actor::new("mcp", &["store"], &log),
        &Actor::new("store", &[], &log),
    ])
    .await;
    core.stop().await.unwrap();
    for (first, second) in [
        ("store runs", "mcp starts"),
        ("mcp runs", "api starts"),
        ("api stopped", "mcp stops"),
        ("mcp stopped", "store stops"),
    ] {
        assert!(position(&log, first) < position(&log, second), "{log:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn services_that_do_not_need_each_other_start_side_by_side() {
    let log = Log::default();
    let actors: Vec<_> = ["a", "b", "c"]
        .map(|name| Actor::new(name, &[], &log))
        .into();
    let core = core().await;
    for actor in &actors {
        actor.set(|moods| moods.start = Mood::Slow(Duration::from_secs(10)));
        core.register_service(Arc::clone(actor)).await.unwrap();
    }
    let begun = Instant::now();
    core.start().await.unwrap();
    // Time is simulated: three in a row would take 30 s exactly.
    assert!(begun.elapsed() < Duration::from_secs(11));
    core.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn nothing_is_left_running_after_stop() {
    let before = tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks();
    let log = Log::default();
    let actor = Actor::new("a", &[], &log);
    let core = core_with(&[&actor]).await;
    assert_eq!(actor.alive(), ["background"]);
    core.stop().await.unwrap();
    assert_eq!(actor.alive(), Vec::<String>::new());
    drop(core);
    drop(actor);
    until("all tasks of the core have ended", || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
            == before
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn core_starts_again_after_a_stop() {
    let log = Log::default();
    let actor = Actor::new("a", &[], &log);
    let core = core_with(&[&actor]).await;
    for _ in 0..3 {
        core.stop().await.unwrap();
        assert_eq!(core.get_state().await, CoreState::Stopped);
        assert_eq!(status(&core, "a").await.state, ServiceState::Stopped);
        core.start().await.unwrap();
        assert_eq!(status(&core, "a").await.state, ServiceState::Running);
    }
    core.restart().await.unwrap();
    core.route_event(to("a", "x")).await.unwrap();
    core.stop().await.unwrap();
    assert_eq!(actor.handled(), ["x"]);
    assert_eq!(actor.starts(), 5);
}

#[tokio::test(start_paused = true)]
async fn start_and_stop_twice_do_nothing_the_second_time() {
    let core = core().await;
    core.stop().await.unwrap();
    core.start().await.unwrap();
    core.start().await.unwrap();
    core.stop().await.unwrap();
    core.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn start_that_hangs_is_cut_off_and_named() {
    let log = Log::default();
    let core = core().await;
    let actor = Actor::new("a", &[], &log);
    actor.set(|moods| moods.start = Mood::Hangs);
    core.register_service(actor).await.unwrap();
    core.register_service(Actor::new("b", &[], &log))
        .await
        .unwrap();
    let failures = failures(core.start().await.unwrap_err());
    assert_eq!(failures, ["a: failed to start: it did not end within 60 s"]);
    assert_eq!(core.get_state().await, CoreState::Running);
    assert_eq!(status(&core, "b").await.state, ServiceState::Running);
    core.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn stop_interrupts_a_start_that_hangs() {
    let log = Log::default();
    let core = core().await;
    let actor = Actor::new("a", &[], &log);
    actor.set(|moods| moods.start = Mood::Hangs);
    core.register_service(Arc::clone(&actor)).await.unwrap();
    let starting = tokio::join!(core.start(), async {
        reaches(&core, "a", ServiceState::Starting).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        core.stop().await.unwrap();
    });
    assert!(
        matches!(starting.0, Err(Error::Interrupted { .. })),
        "{starting:?}"
    );
    assert_eq!(core.get_state().await, CoreState::Stopped);
    assert_eq!(actor.alive(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn stop_that_hangs_fails_or_panics_is_named_and_holds_nobody_up() {
    for (mood, reason) in [
        (Mood::Hangs, "did not end within"),
        (Mood::Fails, "stop fails"),
        (Mood::Panics, "panicked: stop panics"),
    ] {
        let log = Log::default();
        let bad = Actor::new("bad", &["store"], &log);
        let store = Actor::new("store", &[], &log);
        let core = core_with(&[&bad, &store]).await;
        bad.set(|moods| moods.stop = mood);
        let failures = failures(core.stop().await.unwrap_err());
        assert_eq!(failures.len(), 1);
        assert!(
            failures[0].starts_with("bad: failed to stop"),
            "{failures:?}"
        );
        assert!(failures[0].contains(reason), "{failures:?}");
        assert_eq!(core.get_state().await, CoreState::Stopped);
        assert_eq!(status(&core, "store").await.state, ServiceState::Stopped);
        assert!(bad.alive().is_empty() && store.alive().is_empty());
        // The core is none the worse for it.
        bad.set(|moods| moods.stop = Mood::Well);
        core.start().await.unwrap();
        core.stop().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn background_task_that_ignores_the_token_is_named() {
    let log = Log::default();
    let actor = Actor::new("a", &[], &log);
    let core = core_with(&[&actor]).await;
    actor.last_run().spawn("stubborn", std::future::pending());
    let failures = failures(core.stop().await.unwrap_err());
    assert_eq!(failures, ["a: background tasks do not end: stubborn"]);
}

#[tokio::test(start_paused = true)]
async fn services_are_started_stopped_and_restarted_one_by_one() {
    let log = Log::default();
    let mcp = Actor::new("mcp", &["store"], &log);
    let core = core_with(&[&mcp, &Actor::new("store", &[], &log)]).await;

    let error = core.stop_service("store").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "store is needed by mcp, which must be stopped first"
    );
    core.stop_service("mcp").await.unwrap();
    core.stop_service("store").await.unwrap();
    let failures = failures(core.start_service("mcp").await.unwrap_err());
    assert_eq!(failures, ["mcp: it waits for store"]);
    core.start_service("store").await.unwrap();
    reaches(&core, "mcp", ServiceState::Running).await;

    core.restart_service("store").await.unwrap();
    assert_eq!(status(&core, "store").await.restarts, 2);
    assert_eq!(status(&core, "mcp").await.restarts, 1);
    core.stop().await.unwrap();
    let error = core.start_service("store").await.unwrap_err();
    assert_eq!(
        error,
        Error::WrongState {
            state: CoreState::Stopped
        }
    );
}

#[tokio::test(start_paused = true)]
async fn start_names_what_is_waited_for_in_vain() {
    let log = Log::default();
    let core = core().await;
    core.register_service(Actor::new("mcp", &["datastoer"], &log))
        .await
        .unwrap();
    core.register_service(Actor::new("api", &["mcp"], &log))
        .await
        .unwrap();
    assert_eq!(
        failures(core.start().await.unwrap_err()),
        [
            "api: it waits for mcp, which does not run",
            "mcp: it waits for datastoer, which is not registered",
        ]
    );
    assert_eq!(status(&core, "mcp").await.waiting_for, ["datastoer"]);
    core.register_service(Actor::new("datastoer", &[], &log))
        .await
        .unwrap();
    reaches(&core, "api", ServiceState::Running).await;
    core.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn fault_of_a_moment_does_not_fail_the_start() {
    let log = Log::default();
    let core = core().await;
    let store = Actor::new("store", &[], &log);
    store
        .failing_starts
        .store(2, std::sync::atomic::Ordering::SeqCst);
    core.register_service(Arc::clone(&store)).await.unwrap();
    core.register_service(Actor::new("mcp", &["store"], &log))
        .await
        .unwrap();
    core.start().await.unwrap();
    assert_eq!(status(&core, "mcp").await.state, ServiceState::Running);
    assert_eq!(store.starts(), 3);
    core.stop().await.unwrap();
}
