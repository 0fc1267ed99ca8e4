//! The router as a whole: who gets what, in which order, and that nothing is lost unseen.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use proptest::prelude::*;
use tokio::sync::mpsc;

use super::*;
use crate::events::{
    EventCategory, EventPayload, EventPriority, EventSource, EventType, ServiceTarget,
};
use crate::health::ServiceHealth;
use crate::ids::{InstanceId, ServiceName};
use crate::service_traits::{ServiceContext, ServiceError, ServiceKind, ServiceLifecycle};

const DEADLINE: Duration = Duration::from_secs(60);

/// Remembers what it handled; a text `panic` or `fail` does that instead.
#[derive(Debug, Default)]
struct Recorder {
    handled: Mutex<Vec<String>>,
    is_slow: AtomicBool,
}

#[async_trait]
impl ServiceLifecycle for Recorder {
    fn name(&self) -> &'static str {
        "recorder"
    }

    fn kind(&self) -> ServiceKind {
        ServiceKind::DataStore
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

    async fn handle_event(&self, event: &DaemonEvent) -> Result<(), ServiceError> {
        if self.is_slow.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let EventPayload::Text(text) = &event.payload else {
            return Ok(());
        };
        match text.as_str() {
            "panic" => panic!("as it was told"),
            "fail" => return Err(ServiceError::Failed("as it was told".to_owned())),
            "hang" => std::future::pending().await,
            text => self.handled.lock().unwrap().push(text.to_owned()),
        }
        Ok(())
    }
}

impl Recorder {
    fn handled(&self) -> Vec<String> {
        self.handled.lock().unwrap().clone()
    }
}

struct Place {
    recorder: Arc<Recorder>,
    instance: Instance,
    faults: mpsc::Receiver<Fault>,
}

fn add(router: &Router, name: &str, overflow: Option<Overflow>) -> Place {
    let recorder = Arc::new(Recorder::default());
    let spec = InstanceSpec {
        service: ServiceName::new(name),
        kind: ServiceKind::DataStore,
        subscriptions: vec![Subscription {
            filter: EventFilter::category(EventCategory::Custom),
            overflow,
        }],
    };
    let (instance, faults) = router.add(spec, Arc::clone(&recorder) as _).unwrap();
    Place {
        recorder,
        instance,
        faults,
    }
}

fn open(lane_max: usize, balance: Balance) -> Router {
    let config = RoutingConfig {
        balance,
        ..RoutingConfig::default()
    };
    let router = Router::new(config, lane_max);
    router.open();
    router
}

fn event(text: &str) -> DaemonEvent {
    DaemonEvent::new(
        EventType::Custom {
            name: "test".to_owned(),
        },
        EventSource::manual("test"),
        EventPayload::text(text),
    )
}

async fn settled(place: &Place) {
    place.instance.drain(DEADLINE).await;
    place.instance.accept();
}

#[tokio::test(start_paused = true)]
async fn instances_of_a_group_share_its_events() {
    for balance in [Balance::RoundRobin, Balance::LeastLoaded] {
        let router = open(100, balance);
        let places: Vec<_> = (0..3).map(|_| add(&router, "group", None)).collect();
        for number in 0..30 {
            // Nothing is taken out yet, so the load is what has been put in.
            let receipt = router.route(event(&number.to_string())).await.unwrap();
            assert_eq!(receipt.deliveries.len(), 1);
        }
        for place in &places {
            assert_eq!(place.instance.stats().accepted, 10, "{balance:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn instances_that_take_no_mail_out_are_passed_over() {
    for balance in [Balance::RoundRobin, Balance::LeastLoaded] {
        let router = open(100, balance);
        let places: Vec<_> = (0..3).map(|_| add(&router, "group", None)).collect();
        places[1].instance.resume();
        for _ in 0..10 {
            router.route(event("x")).await.unwrap();
        }
        assert_eq!(places[1].instance.stats().accepted, 10);
    }
}

#[tokio::test(start_paused = true)]
async fn targets_name_a_group_a_kind_or_an_instance_and_count_once() {
    let router = open(100, Balance::default());
    let one = add(&router, "one", None);
    let two = add(&router, "two", None);
    let route = async |targets: Vec<ServiceTarget>| {
        let event = DaemonEvent {
            targets,
            ..event("x")
        };
        let receipt = router.route(event).await.unwrap();
        receipt
            .deliveries
            .into_iter()
            .map(|delivery| (delivery.service.to_string(), delivery.outcome.is_ok()))
            .collect::<Vec<_>>()
    };
    let yes = |name: &str| (name.to_owned(), true);
    let no = |name: &str| (name.to_owned(), false);
    let service = |name: &str| ServiceTarget::new(name);
    let kind = |kind| ServiceTarget::kind(kind);
    let instance = |number| {
        ServiceTarget::instance(InstanceId {
            service: ServiceName::new("one"),
            number,
        })
    };
    assert_eq!(route(vec![service("one")]).await, [yes("one")]);
    assert_eq!(
        route(vec![service("two"), kind(ServiceKind::DataStore)]).await,
        [yes("two"), yes("one")]
    );
    assert_eq!(route(vec![service("one"); 3]).await, [yes("one")]);
    assert_eq!(
        route(vec![instance(0), instance(7)]).await,
        [yes("one"), no("one")]
    );
    assert_eq!(
        route(vec![kind(ServiceKind::McpGateway)]).await,
        [no("mcp_gateway")]
    );
    assert_eq!(route(vec![service("three")]).await, [no("three")]);
    drop((one, two));
}

#[tokio::test(start_paused = true)]
async fn faults_are_told_counted_and_end_nothing() {
    let router = open(100, Balance::default());
    let mut place = add(&router, "one", None);
    place.instance.resume();
    for text in ["panic", "fail", "hang", "well"] {
        router.route(event(text)).await.unwrap();
    }
    for kind in [FaultKind::Panicked, FaultKind::Failed, FaultKind::TimedOut] {
        assert_eq!(place.faults.recv().await.unwrap().kind, kind);
    }
    settled(&place).await;
    assert_eq!(place.recorder.handled(), ["well"]);
    let stats = place.instance.stats();
    let counts = (
        stats.panicked,
        stats.failed,
        stats.timed_out,
        stats.delivered,
    );
    assert_eq!(counts, (1, 1, 1, 1));
    assert_eq!(stats.failing_in_a_row, 0);
}

#[tokio::test(start_paused = true)]
async fn control_does_not_wait_behind_bulk() {
    let router = open(1_000, Balance::default());
    let place = add(&router, "one", None);
    for _ in 0..1_000 {
        router
            .route(event("bulk").with_priority(EventPriority::Low))
            .await
            .unwrap();
    }
    let control = event("control").with_priority(EventPriority::Critical);
    assert_eq!(router.route(control).await.unwrap().accepted(), 1);
    place.instance.resume();
    settled(&place).await;
    assert_eq!(place.recorder.handled()[0], "control");
    assert_eq!(place.recorder.handled().len(), 1_001);
}

#[tokio::test(start_paused = true)]
async fn pause_keeps_mail_and_lets_the_event_in_hand_end() {
    let router = open(100, Balance::default());
    let place = add(&router, "one", None);
    place.recorder.is_slow.store(true, Ordering::SeqCst);
    place.instance.resume();
    for number in 0..3 {
        router.route(event(&number.to_string())).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    place.instance.pause(DEADLINE).await;
    assert_eq!(place.recorder.handled(), ["0"]);
    assert_eq!(place.instance.stats().queued, 2);
    place.instance.resume();
    settled(&place).await;
    assert_eq!(place.recorder.handled(), ["0", "1", "2"]);
}

#[tokio::test(start_paused = true)]
async fn pause_lets_go_of_a_handler_that_does_not_end() {
    let router = open(100, Balance::default());
    let place = add(&router, "one", None);
    place.instance.resume();
    router.route(event("hang")).await.unwrap();
    router.route(event("next")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1)).await;
    place.instance.pause(Duration::from_secs(1)).await;
    assert_eq!(place.instance.stats().let_go, 1);
    assert!(place.recorder.handled().is_empty());
    place.instance.resume();
    settled(&place).await;
    assert_eq!(place.recorder.handled(), ["next"]);
}

#[tokio::test(start_paused = true)]
async fn removed_instance_counts_what_it_had_and_its_number_is_not_used_again() {
    let router = open(100, Balance::default());
    let place = add(&router, "one", None);
    router.route(event("x")).await.unwrap();
    place.instance.remove(DEADLINE).await;
    assert_eq!(place.instance.stats().dropped, 1);
    assert!(
        router
            .route(event("x"))
            .await
            .unwrap()
            .deliveries
            .is_empty()
    );
    assert_eq!(add(&router, "one", None).instance.id().number, 1);
}

#[tokio::test(start_paused = true)]
async fn closing_sends_waiting_tellers_away() {
    let router = open(1, Balance::default());
    let wait = Overflow::Wait {
        deadline_ms: 50_000,
    };
    let place = add(&router, "one", Some(wait));
    place.recorder.is_slow.store(true, Ordering::SeqCst);
    place.instance.resume();
    router.route(event("hang")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1)).await;
    router.route(event("x")).await.unwrap();
    let (receipt, ()) = tokio::join!(router.route(event("y")), async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        place.instance.refuse();
    });
    let outcome = &receipt.unwrap().deliveries[0].outcome;
    assert_eq!(*outcome, Err(Refusal::NotRunning));
}

/// What one teller tells: the ordering key, the lane, and whether handling fails.
fn letters() -> impl Strategy<Value = Vec<(Option<u8>, u8, bool)>> {
    let letter = (
        proptest::option::of(0_u8..4),
        0_u8..4,
        proptest::bool::weighted(0.05),
    );
    proptest::collection::vec(letter, 1..60)
}

fn priority(lane: u8) -> EventPriority {
    match lane {
        0 => EventPriority::Low,
        1 => EventPriority::Normal,
        2 => EventPriority::High,
        _ => EventPriority::Critical,
    }
}

fn check_order(handled: &[String]) {
    // A text is `teller lane number`: numbers of one teller and lane must rise.
    let mut last: BTreeMap<String, usize> = BTreeMap::new();
    for text in handled {
        let (line, number) = text.rsplit_once(' ').unwrap();
        let number: usize = number.parse().unwrap();
        let before = last.insert(line.to_owned(), number);
        assert!(before.is_none_or(|before| before < number), "{handled:?}");
    }
}

async fn tell(router: Router, teller: usize, letters: Vec<(Option<u8>, u8, bool)>) -> (u64, u64) {
    let (mut accepted, mut refused) = (0, 0);
    for (number, (key, lane, fails)) in letters.into_iter().enumerate() {
        let text = format!("{teller} {lane} {number}");
        let text = if fails { "fail" } else { &text };
        let mut event = event(text).with_priority(priority(lane));
        if let Some(key) = key {
            event = event.with_ordering_key(format!("key {key}"));
        }
        let receipt = router.route(event).await.unwrap();
        match receipt.deliveries[0].outcome {
            Ok(_) => accepted += 1,
            Err(_) => refused += 1,
        }
    }
    (accepted, refused)
}

async fn tellers_and_instances(
    tellers: Vec<Vec<(Option<u8>, u8, bool)>>,
    overflow: Overflow,
    lane_max: usize,
    instances: usize,
) {
    let router = open(lane_max, Balance::default());
    let places: Vec<_> = (0..instances)
        .map(|_| add(&router, "group", Some(overflow)))
        .collect();
    let owner = TaskOwner::new("tellers");
    let (reports, mut counts) = mpsc::channel(tellers.len());
    let count = tellers.len();
    for (teller, letters) in tellers.into_iter().enumerate() {
        let (router, reports) = (router.clone(), reports.clone());
        owner.spawn("teller", async move {
            let report = tell(router, teller, letters).await;
            reports.send(report).await.unwrap();
        });
    }
    for place in &places {
        place.instance.resume();
    }
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..count {
        let (yes, no) = counts.recv().await.unwrap();
        accepted += yes;
        refused += no;
    }
    for place in &places {
        settled(place).await;
        check_order(&place.recorder.handled());
    }
    let total = router.stats().total();
    assert_eq!(total.accepted, accepted);
    assert_eq!(total.rejected, refused);
    assert_eq!(total.queued, 0);
    assert_eq!(
        total.accepted,
        total.delivered + total.failed + total.dropped
    );
    let handled: usize = places
        .iter()
        .map(|place| place.recorder.handled().len())
        .sum();
    assert_eq!(handled as u64, total.delivered);
    if matches!(overflow, Overflow::Wait { .. }) {
        assert_eq!((total.rejected, total.dropped), (0, 0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn order_holds_and_nothing_is_lost_unseen(
        tellers in proptest::collection::vec(letters(), 1..5),
        policy in 0..3,
        lane_max in 1_usize..20,
        instances in 1_usize..4,
    ) {
        let overflow = match policy {
            0 => Overflow::Wait { deadline_ms: 60_000 },
            1 => Overflow::Reject,
            _ => Overflow::DropOldest,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(tellers_and_instances(tellers, overflow, lane_max, instances));
    }

    #[test]
    fn one_key_goes_to_one_instance_while_others_come_and_go(
        keys in proptest::collection::vec("[a-z/]{1,12}", 1..20),
        leaving in 1_usize..4,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let router = open(1_000, Balance::default());
            let mut places: Vec<_> = (0..4).map(|_| add(&router, "group", None)).collect();
            let route = async |key: &String| {
                let event = event("x").with_ordering_key(key.clone());
                let receipt = router.route(event).await.unwrap();
                receipt.deliveries[0].outcome.clone().unwrap()
            };
            let mut before = Vec::new();
            for key in &keys {
                before.push(route(key).await);
                assert_eq!(Some(&route(key).await), before.last());
            }
            let gone = places.remove(leaving);
            gone.instance.remove(DEADLINE).await;
            for (key, before) in keys.iter().zip(before) {
                if before != *gone.instance.id() {
                    assert_eq!(route(key).await, before, "only keys of the one that left may move");
                }
            }
        });
    }
}
