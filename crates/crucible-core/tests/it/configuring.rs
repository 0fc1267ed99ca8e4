//! Changing the configuration while the core runs.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crucible_core::*;
use crucible_services::events::*;
use crucible_services::router::Refusal;
use serde_json::json;

use crate::actor::{Actor, Log, core_with, to};

fn sections(sections: &[(&str, u64)]) -> CrucibleConfig {
    CrucibleConfig {
        services: sections
            .iter()
            .map(|(name, setting)| ((*name).to_owned(), json!({ "setting": setting })))
            .collect(),
        ..CrucibleConfig::default()
    }
}

fn changes(core: &CrucibleCore) -> Vec<String> {
    let events = core.recent(&EventFilter::all(), usize::MAX);
    events
        .iter()
        .filter_map(|event| match &event.event_type {
            EventType::Service(ServiceEventType::ConfigurationChanged { service, changes }) => {
                Some(format!("{service}: {}", changes.join(",")))
            }
            EventType::System(SystemEventType::ConfigurationReloaded { changes }) => {
                Some(changes.join(","))
            }
            _ => None,
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn services_get_their_sections_and_the_change_is_told() {
    let log = Log::default();
    let (a, b) = (Actor::new("a", &[], &log), Actor::new("b", &[], &log));
    let core = core_with(&[&a, &b]).await;
    core.update_config(sections(&[("a", 1), ("b", 2)]))
        .await
        .unwrap();
    let mut next = sections(&[("a", 1), ("b", 3)]);
    next.core.health_check_interval_s = 10;
    core.update_config(next.clone()).await.unwrap();
    core.update_config(next).await.unwrap();
    assert_eq!(a.setting.load(Ordering::SeqCst), 1);
    assert_eq!(b.setting.load(Ordering::SeqCst), 3);
    assert_eq!(
        changes(&core),
        [
            "a: setting",
            "b: setting",
            "services.a.setting,services.b.setting",
            "b: setting",
            "core.health_check_interval_s,services.b.setting",
        ]
    );
    // A section that is left out stays.
    core.update_config(CrucibleConfig::default()).await.unwrap();
    assert_eq!(core.config().services.len(), 2);
    core.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn one_refusal_rolls_everything_back() {
    let log = Log::default();
    let (a, b) = (Actor::new("a", &[], &log), Actor::new("b", &[], &log));
    let core = core_with(&[&a, &b]).await;
    core.update_config(sections(&[("a", 1)])).await.unwrap();
    let before = core.config();
    for (unwanted, reason) in [(13, "13 is unlucky"), (99, "it panicked: 99 is too much")] {
        let mut next = sections(&[("a", 2), ("b", unwanted)]);
        next.core.max_services = 50;
        let error = core.update_config(next).await.unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
        assert_eq!(a.setting.load(Ordering::SeqCst), 1);
        assert_eq!(core.config(), before);
    }
    core.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn invalid_configuration_changes_nothing() {
    let log = Log::default();
    let core = core_with(&[&Actor::new("a", &[], &log), &Actor::new("b", &[], &log)]).await;
    let before = core.config();
    for (config, word) in [
        (
            CoreConfig {
                max_services: 1,
                ..CoreConfig::default()
            },
            "fewer",
        ),
        (
            CoreConfig {
                event_queue_size: 0,
                ..CoreConfig::default()
            },
            "event_queue_size",
        ),
    ] {
        let error = core.update_config(config).await.unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
    }
    let error = core
        .update_config(sections(&[("aa", 1)]))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("did you mean a"), "{error}");
    assert_eq!(core.config(), before);
    core.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn every_setting_takes_effect_at_once() {
    let log = Log::default();
    let actor = Actor::new("a", &[], &log);
    let core = core_with(&[&actor]).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut config = CoreConfig {
        max_services: 1,
        health_check_interval_s: 5,
        metrics_interval_s: 2,
        event_queue_size: 2,
        enable_debug: true,
        ..CoreConfig::default()
    };
    config.routing_config.hops_max = 1;
    core.update_config(config).await.unwrap();
    tokio::time::sleep(Duration::from_secs(101)).await;
    let checks = core.get_health_history().await.len();
    assert!((20..=22).contains(&checks), "{checks}");
    assert_eq!(core.get_metrics_history().await.len(), 50);
    assert_eq!(
        core.register_service(Actor::new("b", &[], &log)).await,
        Err(Error::TooManyServices { max: 1 })
    );
    let cause = to("a", "1");
    let effect = to("a", "2").caused_by(&cause);
    let too_deep = to("a", "3").caused_by(&effect);
    core.route_event(effect).await.unwrap();
    assert!(core.route_event(too_deep).await.is_err());
    core.stop().await.unwrap();

    // Nothing is taken out of the mailbox of a service that does not start.
    core.start().await.unwrap();
    actor.set(|moods| moods.start = crate::actor::Mood::Fails);
    core.restart_service("a").await.unwrap_err();
    core.route_event(to("a", "1")).await.unwrap();
    core.route_event(to("a", "2")).await.unwrap();
    let receipt = core.route_event(to("a", "3")).await.unwrap();
    assert_eq!(receipt.deliveries[0].outcome, Err(Refusal::Full));
    core.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn two_changes_at_once_do_not_mix() {
    let log = Log::default();
    let actor = Actor::new("a", &[], &log);
    let core = core_with(&[&actor]).await;
    let (one, two) = tokio::join!(
        core.update_config(sections(&[("a", 1)])),
        core.update_config(sections(&[("a", 2)])),
    );
    assert_eq!(one, Ok(()));
    assert_eq!(two, Err(Error::ConfigBusy));
    assert_eq!(actor.setting.load(Ordering::SeqCst), 1);
    let _keeps: Arc<CrucibleConfig> = core.config();
    core.stop().await.unwrap();
}
