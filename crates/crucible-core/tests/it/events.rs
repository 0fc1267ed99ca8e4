//! Events through the core: who sees them, full mailboxes, slow observers, figures.

use std::sync::Arc;
use std::time::Duration;

use crucible_core::*;
use crucible_services::events::*;
use crucible_services::router::{Overflow, Refusal, Subscription};

use crate::actor::{Actor, Log, Mood, core, core_with, custom, event, to, until};

#[tokio::test(start_paused = true)]
async fn untargeted_events_go_to_subscribers_and_targets_narrow() {
    let log = Log::default();
    let a = Actor::listening("a", &[], custom(), &log);
    let b = Actor::listening("b", &[], custom(), &log);
    let c = Actor::new("c", &[], &log);
    let core = core_with(&[&a, &b, &c]).await;
    assert_eq!(core.route_event(event("all")).await.unwrap().accepted(), 2);
    assert_eq!(
        core.route_event(to("c", "one")).await.unwrap().accepted(),
        1
    );
    let receipt = core.route_event(to("zebra", "none")).await.unwrap();
    assert_eq!(receipt.deliveries[0].outcome, Err(Refusal::NoSuchService));
    core.stop().await.unwrap();
    assert_eq!(a.handled(), ["all"]);
    assert_eq!(b.handled(), ["all"]);
    assert_eq!(c.handled(), ["one"]);
}

#[tokio::test(start_paused = true)]
async fn events_are_refused_before_the_start_and_after_the_stop() {
    let core = core().await;
    assert_eq!(core.route_event(event("x")).await, Err(RouteError::Closed));
    core.start().await.unwrap();
    core.route_event(event("x")).await.unwrap();
    core.stop().await.unwrap();
    assert_eq!(core.route_event(event("x")).await, Err(RouteError::Closed));
}

#[tokio::test(start_paused = true)]
async fn stopped_service_refuses_mail() {
    let log = Log::default();
    let core = core_with(&[&Actor::new("a", &[], &log)]).await;
    core.stop_service("a").await.unwrap();
    let receipt = core.route_event(to("a", "x")).await.unwrap();
    assert_eq!(receipt.deliveries[0].outcome, Err(Refusal::NotRunning));
    core.start_service("a").await.unwrap();
    assert_eq!(core.route_event(to("a", "x")).await.unwrap().accepted(), 1);
    core.stop().await.unwrap();
}

/// A core whose service `a` holds four events, handles none for a while, and answers so.
async fn crowded(overflow: Overflow) -> (CrucibleCore, Arc<Actor>) {
    let log = Log::default();
    let core = CrucibleCoreBuilder::new()
        .with_event_queue_size(4)
        .build()
        .await
        .unwrap();
    let actor = Actor::new("a", &[], &log);
    let options = ServiceOptions {
        subscriptions: Some(vec![Subscription {
            filter: EventFilter::category(EventCategory::Custom),
            overflow: Some(overflow),
        }]),
        ..ServiceOptions::default()
    };
    core.register_service_with(Arc::clone(&actor), options)
        .await
        .unwrap();
    core.start().await.unwrap();
    actor.set(|moods| moods.handle = Mood::Slow(Duration::from_secs(10)));
    core.route_event(event("in hand")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    for number in 0..4 {
        let receipt = core.route_event(event(&number.to_string())).await.unwrap();
        assert_eq!(receipt.accepted(), 1);
    }
    (core, actor)
}

#[tokio::test(start_paused = true)]
async fn full_mailbox_that_rejects_says_so() {
    let (core, actor) = crowded(Overflow::Reject).await;
    let receipt = core.route_event(event("4")).await.unwrap();
    assert_eq!(receipt.deliveries[0].outcome, Err(Refusal::Full));
    until("all is handled", || actor.handled().len() == 5).await;
    let metrics = core.get_metrics().await.unwrap();
    assert_eq!((metrics.events.rejected, metrics.events.dropped), (1, 0));
    core.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn full_mailbox_that_drops_the_oldest_counts_them() {
    let (core, actor) = crowded(Overflow::DropOldest).await;
    for number in 4..6 {
        let receipt = core.route_event(event(&number.to_string())).await.unwrap();
        assert_eq!(receipt.accepted(), 1);
    }
    until("all is handled", || actor.handled().len() == 5).await;
    assert_eq!(actor.handled(), ["in hand", "2", "3", "4", "5"]);
    let metrics = core.get_metrics().await.unwrap();
    assert_eq!(metrics.events.dropped, 2);
    core.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn full_mailbox_that_waits_takes_the_event_when_there_is_room() {
    let (core, actor) = crowded(Overflow::Wait {
        deadline_ms: 30_000,
    })
    .await;
    assert_eq!(core.route_event(event("4")).await.unwrap().accepted(), 1);
    until("all is handled", || actor.handled().len() == 6).await;
    core.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn full_mailbox_that_waits_refuses_after_its_deadline() {
    let (core, _actor) = crowded(Overflow::Wait { deadline_ms: 100 }).await;
    let receipt = core.route_event(event("4")).await.unwrap();
    assert_eq!(receipt.deliveries[0].outcome, Err(Refusal::Full));
    let urgent = event("urgent").with_priority(EventPriority::Critical);
    assert_eq!(core.route_event(urgent).await.unwrap().accepted(), 1);
    core.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_service_that_takes_no_mail_out() {
    let log = Log::default();
    let core = CrucibleCoreBuilder::new()
        .with_event_queue_size(1)
        .build()
        .await
        .unwrap();
    let actor = Actor::new("a", &[], &log);
    actor.set(|moods| moods.start = Mood::Fails);
    core.register_service(Arc::clone(&actor)).await.unwrap();
    core.start().await.unwrap_err();
    assert_eq!(
        core.route_event(to("a", "kept")).await.unwrap().accepted(),
        1
    );
    let begun = tokio::time::Instant::now();
    let receipt = core.route_event(to("a", "too much")).await.unwrap();
    assert_eq!(receipt.deliveries[0].outcome, Err(Refusal::Full));
    assert_eq!(begun.elapsed(), Duration::ZERO);
    actor.set(|moods| moods.start = Mood::Well);
    core.start_service("a").await.unwrap();
    until("the mail is handled", || actor.handled() == ["kept"]).await;
    core.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn observers_see_all_that_is_accepted_and_end_with_the_core() {
    let core = core_with(&[]).await;
    let mut all = core.subscribe_events(custom().remove(0));
    let mut slow = core.subscribe_events(EventFilter::all());
    core.route_event(event("")).await.unwrap();
    for _ in 0..2_000 {
        core.route_event(event("x")).await.unwrap();
        assert!(matches!(all.recv().await, Some(Received::Event(_))));
    }
    let Some(Received::Missed(missed)) = slow.recv().await else {
        panic!("a slow observer is told what it missed");
    };
    let mut seen = 0;
    while let Some(received) = slow.try_recv() {
        assert!(matches!(received, Received::Event(_)));
        seen += 1;
    }
    assert_eq!(missed + seen, 2_001);
    assert!(matches!(all.recv().await, Some(Received::Event(_))));
    core.stop().await.unwrap();
    assert_eq!(all.recv().await, None);
}

#[tokio::test(start_paused = true)]
async fn observer_comes_back_where_it_was() {
    let core = core_with(&[]).await;
    let mut events = Vec::new();
    for number in 0..5 {
        let event = event(&number.to_string());
        events.push(event.clone());
        core.route_event(event).await.unwrap();
    }
    assert_eq!(core.recent(&custom()[0], 2).len(), 2);
    let mut again = core
        .subscribe_events_after(custom().remove(0), events[2].id)
        .unwrap();
    for expected in &events[3..] {
        let received = again.recv().await;
        assert_eq!(received, Some(Received::Event(Arc::new(expected.clone()))));
    }
    core.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn life_of_a_service_is_told() {
    let log = Log::default();
    let core = core().await;
    let mut seen = core.subscribe_events(EventFilter::category(EventCategory::Service));
    core.register_service(Actor::new("a", &[], &log))
        .await
        .unwrap();
    core.start().await.unwrap();
    core.unregister_service("a").await.unwrap();
    core.stop().await.unwrap();
    let mut names = Vec::new();
    while let Some(received) = seen.recv().await {
        let Received::Event(event) = received else {
            panic!("the observer is quick enough");
        };
        if let EventType::Service(ServiceEventType::ServiceStatusChanged { new_status, .. }) =
            &event.event_type
        {
            names.push(new_status.clone());
        } else {
            names.push(event.event_type.name().into_owned());
        }
    }
    names.retain(|name| name != "service.health_check");
    assert_eq!(
        names,
        [
            "service.registered",
            "starting",
            "running",
            "draining",
            "stopping",
            "stopped",
            "service.unregistered",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn loop_of_causes_ends() {
    let core = core_with(&[]).await;
    let mut last = event("first");
    let mut hops = 0;
    while core.route_event(last.clone()).await.is_ok() {
        last = event("next").caused_by(&last);
        hops += 1;
        assert!(hops < 100, "the loop must end");
    }
    assert_eq!(hops, 17);
    assert_eq!(core.get_metrics().await.unwrap().events.invalid, 1);
    core.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn figures_have_rates_and_a_history() {
    let log = Log::default();
    let actor = Actor::new("a", &[], &log);
    let core = core_with(&[&actor]).await;
    tokio::time::sleep(Duration::from_secs(61)).await;
    for _ in 0..50 {
        core.route_event(to("a", "x")).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    let metrics = core.get_metrics().await.unwrap();
    assert!(metrics.events.routed_per_s > 4.0 && metrics.events.routed_per_s < 5.0);
    assert_eq!(metrics.services["a"].delivered, 50);
    assert_eq!(metrics.uptime_ms / 1_000, 71);
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(core.get_metrics_history().await.len(), 11);
    core.stop().await.unwrap();
    assert_eq!(core.get_metrics().await.unwrap().uptime_ms, 0);
}
