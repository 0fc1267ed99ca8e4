//! The store as a service: what it tells, in which order, and how it says it is.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use crucible_services::events::{
    DaemonEvent, EventPayload, EventPublisher, EventSource, EventType,
};
use crucible_services::health::HealthStatus;
use crucible_services::note_index::{ChangeBatch, ChangeOrigin, NoteIndex as _};
use crucible_services::router::{RouteError, RoutingReceipt};
use crucible_services::service_traits::{ServiceContext, ServiceLifecycle as _};
use crucible_services::tasks::TaskOwner;
use crucible_store::{Store, StoreService};

use crate::bench::{Bench, DEADLINE, until};

/// Remembers what it was told; refuses while it is closed.
#[derive(Debug, Default)]
struct Listener {
    events: Mutex<Vec<DaemonEvent>>,
    is_closed: Mutex<bool>,
}

#[async_trait]
impl EventPublisher for Listener {
    async fn publish(&self, event: DaemonEvent) -> Result<RoutingReceipt, RouteError> {
        if *self.is_closed.lock().unwrap() {
            return Err(RouteError::Closed);
        }
        self.events.lock().unwrap().push(event);
        Ok(RoutingReceipt::default())
    }
}

impl Listener {
    fn events(&self) -> Vec<DaemonEvent> {
        self.events.lock().unwrap().clone()
    }

    /// What was told, as `type what`.
    fn log(&self) -> Vec<String> {
        self.events().iter().map(line).collect()
    }

    async fn wait_for(&self, count: usize) -> Vec<String> {
        until("all events are told", async || self.events().len() >= count).await;
        self.log()
    }
}

fn line(event: &DaemonEvent) -> String {
    let json = serde_json::to_value(&event.event_type).unwrap();
    let what = ["path", "from", "to", "id", "records"]
        .iter()
        .filter_map(|field| json.get(field))
        .map(|value| value.as_str().map_or(value.to_string(), str::to_owned))
        .collect::<Vec<_>>();
    format!("{} {}", event.event_type.name(), what.join(" "))
}

pub(crate) struct Serving {
    pub(crate) service: StoreService,
    listener: Arc<Listener>,
    tasks: TaskOwner,
}

pub(crate) async fn serve(store: &Store) -> Serving {
    let serving = Serving {
        service: StoreService::new(store.clone()),
        listener: Arc::default(),
        tasks: TaskOwner::new("test"),
    };
    serving.start().await;
    serving
}

impl Serving {
    async fn start(&self) {
        let context = ServiceContext {
            tasks: self.tasks.clone(),
            events: Arc::clone(&self.listener) as _,
        };
        self.service.start(context).await.unwrap();
    }

    pub(crate) async fn stop(self) {
        self.service.stop().await.unwrap();
        self.tasks.shutdown(DEADLINE).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_told_in_order_with_their_causes() {
    let bench = Bench::new().await;
    let serving = serve(&bench.store).await;
    bench.put("a.md", "# Apples").await;
    bench.put("a.md", "# Pears").await;
    bench.put("pic.png", "png").await;
    let moved = bench.vault.rename("a.md", "b/a.md");
    bench.apply(vec![moved]).await;
    let removed = bench.vault.remove("b/a.md");
    bench.apply(vec![removed]).await;
    assert_eq!(
        serving.listener.wait_for(10).await,
        [
            "filesystem.file_created a.md",
            "database.record_created a.md",
            "filesystem.file_modified a.md",
            "database.record_updated a.md",
            "filesystem.file_created pic.png",
            "filesystem.file_moved a.md b/a.md",
            "database.record_deleted a.md",
            "database.record_created b/a.md",
            "filesystem.file_deleted b/a.md",
            "database.record_deleted b/a.md",
        ]
    );
    let events = serving.listener.events();
    let [created, record] = &events[..2] else {
        panic!("two events");
    };
    assert_eq!(record.metadata.causation_id, Some(created.id));
    assert_eq!(
        record.metadata.correlation_id,
        created.metadata.correlation_id
    );
    assert_eq!(created.metadata.ordering_key.as_deref(), Some("a.md"));
    assert_eq!(
        (created.source.id.as_str(), record.source.id.as_str()),
        ("vault", "datastore")
    );
    let expected = serde_json::json!({
        "path": "a.md",
        "size_bytes": 8,
        "hash": blake3::hash(b"# Apples").to_hex().to_string(),
        "title": "Apples",
    });
    assert_eq!(created.payload, EventPayload::json(expected));
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_daemon_wrote_is_told_with_the_correlation_of_its_cause() {
    let mut bench = Bench::with(&[("a.md", "apples")]).await;
    let asked = DaemonEvent::new(
        EventType::Custom {
            name: "asked".to_owned(),
        },
        EventSource::system("test"),
        EventPayload::text("write"),
    );
    let change = bench.vault.write("b.md", "bananas");
    let batch = ChangeBatch {
        changes: vec![change],
        origin: ChangeOrigin::Change,
        cause: Some(asked.as_cause()),
    };
    bench.store.apply(batch).await.unwrap();
    bench.put("c.md", "cherries").await;
    bench.restart().await; // the cause is kept with what waits to be told
    let serving = serve(&bench.store).await;
    serving.listener.wait_for(5).await;
    let events = serving.listener.events();
    let [_built, file, record, other, other_record] = &events[..] else {
        panic!("five events: {events:?}");
    };
    assert_eq!(file.metadata.causation_id, Some(asked.id));
    assert_eq!(record.metadata.causation_id, Some(file.id));
    let correlation_id = asked.metadata.correlation_id;
    for (event, depth) in [(file, 1), (record, 2)] {
        assert_eq!(event.metadata.correlation_id, correlation_id);
        assert_eq!(event.metadata.depth, depth);
    }
    assert_eq!(other.metadata.causation_id, None);
    assert_ne!(other_record.metadata.correlation_id, correlation_id);
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unchanged_content_is_not_told() {
    let bench = Bench::with(&[("a.md", "apples")]).await;
    let serving = serve(&bench.store).await;
    bench.put("a.md", "apples").await;
    bench.put("z.md", "last").await;
    let told = serving.listener.wait_for(3).await;
    assert!(told.iter().all(|line| !line.contains("a.md")), "{told:?}");
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_index_is_told_as_one_event() {
    let bench = Bench::new().await;
    let serving = serve(&bench.store).await;
    let changes = (0..20)
        .map(|number| {
            bench
                .vault
                .write(&format!("{number}.md"), format!("note {number}"))
        })
        .collect();
    bench.first(changes).await;
    assert_eq!(
        serving.listener.wait_for(1).await,
        ["database.index_built 20"]
    );
    bench.put("new.md", "new").await;
    assert_eq!(serving.listener.wait_for(3).await.len(), 3);
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_while_nobody_listens_is_told_later_once() {
    let mut bench = Bench::with(&[("a.md", "apples")]).await;
    bench.put("b.md", "bananas").await;
    bench.restart().await;
    let serving = serve(&bench.store).await;
    let expected = [
        "database.index_built 1",
        "filesystem.file_created b.md",
        "database.record_created b.md",
    ];
    assert_eq!(serving.listener.wait_for(3).await, expected);
    serving.stop().await;
    bench.restart().await;
    let serving = serve(&bench.store).await;
    bench.put("c.md", "cherries").await;
    let told = serving.listener.wait_for(2).await;
    assert!(told.iter().all(|line| line.ends_with("c.md")), "{told:?}");
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_are_refused_are_told_again() {
    let bench = Bench::new().await;
    let serving = serve(&bench.store).await;
    *serving.listener.is_closed.lock().unwrap() = true;
    bench.put("a.md", "apples").await;
    bench.put("b.md", "bananas").await;
    *serving.listener.is_closed.lock().unwrap() = false;
    let told = serving.listener.wait_for(4).await;
    assert_eq!(told[0], "filesystem.file_created a.md");
    assert_eq!(told[3], "database.record_created b.md");
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_starts_again_after_it_was_stopped() {
    let bench = Bench::new().await;
    let serving = serve(&bench.store).await;
    serving.service.stop().await.unwrap();
    let health = serving.service.health_check().await.unwrap();
    assert_eq!(health.status, HealthStatus::Unhealthy);
    serving.start().await;
    bench.put("a.md", "apples").await;
    serving.listener.wait_for(2).await;
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_store_is_healthy_and_its_outbox_empties() {
    let bench = Bench::new().await;
    let serving = serve(&bench.store).await;
    bench.put("a.md", "apples").await;
    until("everyone has passed the outbox", async || {
        bench
            .put("a.md", &format!("{:?}", tokio::time::Instant::now()))
            .await;
        let health = serving.service.health_check().await.unwrap();
        assert_eq!(health.status, HealthStatus::Healthy, "{health:?}");
        health.details["outbox_rows"] == 0
    })
    .await;
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_damaged_while_in_use_are_told_and_replaced_at_the_next_open() {
    let mut bench = Bench::with(&[("a.md", "apples")]).await;
    for number in 0..200 {
        let change = bench
            .vault
            .write(&format!("{number}.md"), format!("{number} [[a]]"));
        bench.apply(vec![change]).await;
    }
    bench.restart().await; // everything is in the file now, nothing in its log
    let serving = serve(&bench.store).await;
    let facts = bench.index_dir().join("facts.db");
    let pages = std::fs::metadata(&facts).unwrap().len() / 8192;
    let file = std::fs::File::options().write(true).open(&facts).unwrap();
    for page in 1..pages {
        use std::os::unix::fs::FileExt as _;
        file.write_all_at(&[0xa5; 8192], page * 8192).unwrap();
    }
    until("the damage is noticed", async || {
        let _refused = bench.store.known_files().await;
        let health = serving.service.health_check().await.unwrap();
        health.status == HealthStatus::Unhealthy
            && health
                .message
                .is_some_and(|message| message.contains("restart crucible"))
    })
    .await;
    serving.stop().await;
    bench.restart().await;
    assert_eq!(bench.store.recovered().len(), 1);
    bench.reconcile().await;
    assert_eq!(bench.found("apples").await, ["a.md"]);
    let is_told = |event: &DaemonEvent| matches!(event.event_type, EventType::Database(_));
    let serving = serve(&bench.store).await;
    until("the listener hears of it", async || {
        serving.listener.events().iter().any(is_told)
    })
    .await;
    serving.stop().await;
}
