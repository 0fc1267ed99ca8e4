//! The whole engine with real workers: from an event to a written note, and through crashes.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use crucible_script::rehearsal::MemoryVault;
use crucible_script::{ScriptConfig, ScriptHost, ScriptService};
use crucible_services::events::{
    DaemonEvent, EventPayload, EventPublisher, EventSource, EventType, FilesystemEventType,
    ScriptEventType,
};
use crucible_services::router::{RouteError, RoutingReceipt};
use crucible_services::script::{Budget, CallOutcome, CallRequest, Error};
use crucible_services::service_traits::{ScriptEngine, ServiceContext, ServiceLifecycle};
use crucible_services::state_store::MemoryState;
use crucible_services::tasks::TaskOwner;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::support::command;

/// How long anything may take; the tests' program is not optimised and the machine is busy.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Debug, Default)]
struct Listener {
    events: Mutex<Vec<DaemonEvent>>,
    came: Notify,
}

#[async_trait]
impl EventPublisher for Listener {
    async fn publish(&self, event: DaemonEvent) -> Result<RoutingReceipt, RouteError> {
        self.events.lock().unwrap().push(event);
        self.came.notify_one();
        Ok(RoutingReceipt::default())
    }
}

impl Listener {
    async fn until(&self, found: impl Fn(&ScriptEventType) -> bool) -> DaemonEvent {
        let wait = async {
            loop {
                let came = self.came.notified();
                let events = self.events.lock().unwrap().clone();
                let told = events.into_iter().find(|event| match &event.event_type {
                    EventType::Script(what) => found(what),
                    _ => false,
                });
                if let Some(event) = told {
                    return event;
                }
                came.await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap()
    }
}

struct Rig {
    _place: tempfile::TempDir,
    service: ScriptService,
    told: Arc<Listener>,
    vault: Arc<MemoryVault>,
    tasks: TaskOwner,
}

const MANIFEST: &str = r#"
about = "For tests"
api = 1
[[on]]
events = ["filesystem.file_modified"]
paths = ["Inbox/**"]
function = "changed"
[capabilities]
notes.read = ["Inbox/**"]
notes.write = ["Log/**"]
kv = true
[budget]
wall = "60s"
instructions = 100_000_000
"#;

const CODE: &str = r#"
pub fn changed(event) {
    let note = notes::read(event.path)?;
    let count = match kv::get("count")? { Some(n) => n + 1, None => 1 };
    kv::set("count", count)?;
    notes::append("Log/Changes.md", `${count}: ${note.title}`)?;
    log::info(`saw ${note.title}`);
    Ok(count)
}
pub fn peek(path) { notes::read(path) }
pub fn denied(path) { notes::create(path, "x") }
pub fn spin(_) { loop {} }
pub fn native_spin(_) { (0..100_000_000_000).iter().sum::<i64>() }
pub fn nest(depth) {
    let inner = [];
    for _ in 0..depth { inner = [inner]; }
    1
}
pub fn echo(value) { value }
"#;

async fn rig() -> Rig {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("probe");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("script.toml"), MANIFEST).unwrap();
    fs::write(folder.join("main.rn"), CODE).unwrap();
    let vault = Arc::new(MemoryVault::new([
        ("Inbox/Rye.md", "# Rye\n"),
        ("Private/Diary.md", "# Diary\n"),
    ]));
    let host = ScriptHost {
        store: Arc::clone(&vault) as _,
        writer: Arc::clone(&vault) as _,
        state: Arc::new(MemoryState::default()),
        inference: None,
    };
    let service = ScriptService::new(ScriptConfig::new(place.path()), host, command());
    let told = Arc::new(Listener::default());
    let tasks = TaskOwner::new("test");
    let context = ServiceContext {
        tasks: tasks.clone(),
        events: Arc::clone(&told) as _,
    };
    service.start(context).await.unwrap();
    let info = service.scripts().await.unwrap().remove(0);
    assert_eq!(info.last_error, None);
    service
        .grant("probe", &info.manifest, &info.requested, "test")
        .await
        .unwrap();
    Rig {
        _place: place,
        service,
        told,
        vault,
        tasks,
    }
}

impl Rig {
    async fn call(
        &self,
        function: &str,
        argument: Value,
        budget: Option<Budget>,
    ) -> Result<CallOutcome, Error> {
        let request = CallRequest {
            script: "probe".to_owned(),
            function: function.to_owned(),
            arguments: vec![argument],
            budget,
            cause: None,
            dry_run: false,
        };
        self.service.call(request).await
    }

    async fn stop(self) {
        self.service.stop().await.unwrap();
        self.tasks.shutdown(PATIENCE).await.unwrap();
    }
}

#[tokio::test]
async fn a_changed_note_leads_to_a_written_note_with_one_correlation() {
    let rig = rig().await;
    let path = "Inbox/Rye.md".to_owned();
    let event = DaemonEvent::new(
        EventType::Filesystem(FilesystemEventType::FileModified { path }),
        EventSource::filesystem("vault"),
        EventPayload::json(json!({})),
    );
    for _ in 0..2 {
        rig.service.handle_event(&event).await.unwrap();
    }
    // One call at a time, in order: this one comes after at most one event, and a later one after both.
    rig.told
        .until(|what| matches!(what, ScriptEventType::Completed { .. }))
        .await;
    loop {
        let text = rig.vault.text("Log/Changes.md");
        if text.is_some_and(|text| text.trim_end() == "1: Rye\n2: Rye") {
            break;
        }
        rig.call("echo", json!(1), None).await.unwrap();
    }
    let change = rig.vault.made().remove(0);
    assert_eq!(change.by, "script:probe");
    let log = rig.service.log("probe", 100).await.unwrap();
    let said = log.iter().find(|line| line.message == "saw Rye").unwrap();
    assert_eq!(
        said.correlation_id,
        Some(event.metadata.correlation_id.to_string())
    );
    rig.stop().await;
}

#[tokio::test]
async fn an_ungranted_note_is_not_there_and_an_ungranted_write_is_denied_and_told() {
    let rig = rig().await;
    let hidden = rig
        .call("peek", json!("Private/Diary.md"), None)
        .await
        .unwrap_err();
    let missing = rig
        .call("peek", json!("Private/Nothing.md"), None)
        .await
        .unwrap_err();
    let plain = |error: &Error| {
        error
            .to_string()
            .replace("Diary", "X")
            .replace("Nothing", "X")
    };
    assert_eq!(plain(&hidden), plain(&missing));
    let denied = rig
        .call("denied", json!("Private/New.md"), None)
        .await
        .unwrap_err();
    assert!(
        denied.to_string().contains("notes.write: Private/New.md"),
        "{denied}"
    );
    let told = rig.told.until(|what| {
        matches!(what, ScriptEventType::Denied { capability, .. } if capability.starts_with("notes.write"))
    });
    told.await;
    assert!(rig.vault.made().is_empty());
    rig.stop().await;
}

#[tokio::test]
async fn runaway_scripts_are_stopped_and_the_next_call_works() {
    let rig = rig().await;
    let spun = rig.call("spin", json!(1), None).await.unwrap_err();
    assert_eq!(
        spun,
        Error::Stopped {
            limit: "instructions".to_owned()
        }
    );
    let budget = Budget {
        wall: Duration::from_millis(300),
        ..Budget::default()
    };
    let spun = rig
        .call("native_spin", json!(1), Some(budget))
        .await
        .unwrap_err();
    assert_eq!(
        spun,
        Error::Stopped {
            limit: "time".to_owned()
        }
    );
    let echoed = rig
        .call("echo", json!({ "still": "here" }), None)
        .await
        .unwrap();
    assert_eq!(echoed.value, json!({ "still": "here" }));
    let info = rig.service.scripts().await.unwrap().remove(0);
    assert_eq!((info.calls, info.failures), (3, 2));
    rig.stop().await;
}

#[tokio::test]
async fn a_worker_that_dies_is_told_and_replaced() {
    let rig = rig().await;
    // Data nested without end overflows the stack when it is dropped, which ends the process.
    let died = rig.call("nest", json!(5_000_000), None).await.unwrap_err();
    assert!(!matches!(died, Error::Unavailable(_)), "{died}");
    assert_eq!(
        rig.call("echo", json!(3), None).await.unwrap().value,
        json!(3)
    );
    rig.stop().await;
}
