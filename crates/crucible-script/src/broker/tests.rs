//! What a script learns and may do, by what was granted to it.

use std::sync::{Arc, Mutex};

use crucible_services::events::{DaemonEvent, EventType, ScriptEventType, SystemEventType};
use crucible_services::note_writer::{
    Change, CreateNote, DeleteNote, EditNote, Error, MoveNote, NoteWriter, Written,
};
use crucible_services::state_store::MemoryState;
use serde_json::json;
use tokio::time::Instant;

use super::*;
use crate::rehearsal::MemoryVault;
use crate::testing::Recorder;

struct Rig {
    vault: Arc<MemoryVault>,
    told: Arc<Recorder>,
    desk: Desk,
    visit: Visit,
}

fn rig(granted: &[&str]) -> Rig {
    let vault = Arc::new(MemoryVault::new([
        (
            "Inbox/Rye.md",
            "# Rye\n\nSee [[Secret]] and [[Wheat]]. #grain\n",
        ),
        (
            "Inbox/Wheat.md",
            "# Wheat\n\nA grain, and a secret word. #grain\n",
        ),
        (
            "Private/Secret.md",
            "# Secret\n\nThe secret of [[Rye]]. #grain\n",
        ),
        ("Private/Index.md", "# Index\n"),
        ("Inbox/sub/Index.md", "# Index\n"),
        ("Rye.md", "# Rye above\n"),
    ]));
    let told = Arc::new(Recorder::default());
    let granted: Vec<Capability> = granted.iter().map(|text| text.parse().unwrap()).collect();
    let config = ScriptConfig {
        kv_bytes_max: 100,
        emits_per_minute: 3,
        ..ScriptConfig::default()
    };
    let desk = Desk {
        host: ScriptHost {
            store: Arc::clone(&vault) as _,
            writer: Arc::clone(&vault) as _,
            state: Arc::new(MemoryState::default()),
            inference: None,
        },
        config: Arc::new(config),
        context: Some(told.context()),
    };
    let visit = Visit {
        script: "sample".to_owned(),
        function: "f".to_owned(),
        scopes: Arc::new(Scopes::new(&granted, &granted).unwrap()),
        cause: None,
        dry_run: false,
        read_only: false,
        emits: Arc::new(Mutex::new(Rate::new(3, Instant::now()))),
    };
    Rig {
        vault,
        told,
        desk,
        visit,
    }
}

impl Rig {
    fn broker(&self) -> Broker {
        Broker::new(self.desk.clone(), self.visit.clone(), |_| {})
    }

    async fn ask(&self, name: &str, arguments: Value) -> Answer {
        let Value::Array(arguments) = arguments else {
            panic!("arguments are a list")
        };
        self.broker().host_call(name, arguments).await
    }

    async fn refused(&self, name: &str, arguments: Value) -> HostError {
        self.ask(name, arguments).await.unwrap_err()
    }

    fn denied(&self) -> Vec<String> {
        let told = self.told.about_scripts().into_iter();
        told.filter_map(|what| match what {
            ScriptEventType::Denied { capability, .. } => Some(capability),
            _ => None,
        })
        .collect()
    }
}

const INBOX: &str = "notes.read: Inbox/**";

#[tokio::test]
async fn a_note_that_is_not_granted_reads_like_one_that_is_not_there() {
    let rig = rig(&[INBOX]);
    for reference in ["Private/Secret", "Private/Secret.md", "Secret", "secret"] {
        let hidden = rig.refused("notes.read", json!([reference])).await;
        let text = rig.vault.text("Private/Secret.md").unwrap();
        rig.vault.remove("Private/Secret.md");
        let missing = rig.refused("notes.read", json!([reference])).await;
        assert_eq!(hidden, missing);
        assert_eq!(hidden.kind, "not_found");
        assert_eq!(
            rig.ask("notes.exists", json!([reference])).await,
            Ok(json!(false))
        );
        assert!(rig.ask("notes.links", json!([reference])).await.is_err());
        rig.vault.put("Private/Secret.md", &text);
    }
    // A person is told what the script reached for; the script is not.
    assert!(
        rig.denied()
            .contains(&"notes.read: Private/Secret.md".to_owned())
    );
}

#[tokio::test]
async fn a_hidden_note_does_not_stand_in_the_way_of_a_visible_one() {
    let rig = rig(&[INBOX]);
    let note = rig.ask("notes.read", json!(["Rye"])).await.unwrap();
    assert_eq!(note["path"], "Inbox/Rye.md");
    let note = rig.ask("notes.read", json!(["Index"])).await.unwrap();
    assert_eq!(note["path"], "Inbox/sub/Index.md");
    assert_eq!(note["hash"].as_str().unwrap().len(), 64);
}

#[tokio::test]
async fn lists_show_and_count_only_what_may_be_read() {
    let rig = rig(&[INBOX]);
    let page = rig
        .ask("notes.list", json!([{ "tag": "#grain", "limit": 1 }]))
        .await
        .unwrap();
    assert_eq!(page["notes"][0]["path"], "Inbox/Rye.md");
    assert_eq!(page["total"], 2);
    let cursor = &page["next_cursor"];
    let page = rig
        .ask(
            "notes.list",
            json!([{ "tag": "grain", "limit": 1, "cursor": cursor }]),
        )
        .await;
    let page = page.unwrap();
    assert_eq!(page["notes"][0]["path"], "Inbox/Wheat.md");
    assert_eq!(page["next_cursor"], Value::Null);
    let outside = rig
        .ask("notes.list", json!([{ "folder": "Private" }]))
        .await
        .unwrap();
    assert_eq!(
        (&outside["total"], &outside["notes"]),
        (&json!(0), &json!([]))
    );
}

#[tokio::test]
async fn searches_find_only_what_may_be_read_and_tell_no_weights() {
    let rig = rig(&[INBOX]);
    let found = rig
        .ask("notes.search", json!(["secret", {}]))
        .await
        .unwrap();
    let hits = found["hits"].as_array().unwrap();
    let paths: Vec<&str> = hits
        .iter()
        .map(|hit| hit["path"].as_str().unwrap())
        .collect();
    assert_eq!(paths.len(), 2);
    assert!(
        paths.iter().all(|path| path.starts_with("Inbox/")),
        "{paths:?}"
    );
    assert!(hits[0].get("score").is_none());
    let asked = json!(["secret", { "folder": "Private" }]);
    assert_eq!(
        rig.ask("notes.search", asked).await.unwrap()["hits"],
        json!([])
    );
}

#[tokio::test]
async fn links_to_hidden_notes_lead_nowhere_and_their_backlinks_are_not_shown() {
    let rig = rig(&[INBOX]);
    let links = rig
        .ask("notes.links", json!(["Inbox/Rye.md"]))
        .await
        .unwrap();
    assert_eq!(links["outgoing"][0]["target"], "Secret");
    assert_eq!(links["outgoing"][0]["resolved"], Value::Null);
    assert_eq!(links["outgoing"][1]["resolved"], "Inbox/Wheat.md");
    assert_eq!(links["backlinks"], json!([]));
}

#[tokio::test]
async fn a_script_without_any_grant_is_denied_everything_and_a_person_is_told_once() {
    let rig = rig(&[]);
    let broker = rig.broker();
    for _ in 0..3 {
        let refused = broker
            .host_call("notes.read", vec![json!("Rye")])
            .await
            .unwrap_err();
        assert_eq!(refused.kind, "denied");
        assert!(
            refused.message.contains("crucible script grant sample"),
            "{refused}"
        );
    }
    assert_eq!(rig.denied(), ["notes.read: **"]);
    assert_eq!(broker.take().log.len(), 1);
    for (name, arguments) in [
        ("notes.exists", json!(["Rye"])),
        ("notes.list", json!([{}])),
        ("notes.search", json!(["x", {}])),
        ("notes.links", json!(["Rye"])),
        ("notes.create", json!(["a", "x"])),
        ("notes.append", json!(["a", "x"])),
        ("notes.append_to_section", json!(["a", "h", "x"])),
        ("notes.write", json!(["a", "h", "x"])),
        ("notes.edit", json!(["a", "h", []])),
        ("notes.rename", json!(["a", "b", "h"])),
        ("notes.delete", json!(["a", "h"])),
        ("events.emit", json!(["custom.sample.x", {}])),
        ("kv.get", json!(["k"])),
        ("kv.set", json!(["k", 1])),
        ("kv.remove", json!(["k"])),
        ("kv.keys", json!([""])),
        ("inference.embed", json!([["x"]])),
        (
            "inference.generate",
            json!([{ "model": "m", "messages": [] }]),
        ),
    ] {
        assert_eq!(rig.refused(name, arguments).await.kind, "denied", "{name}");
    }
    assert!(rig.vault.made().is_empty());
}

#[tokio::test]
async fn notes_are_written_only_within_the_grant_and_in_the_scripts_name() {
    let rig = rig(&["notes.write: Log/**"]);
    let done = rig
        .ask("notes.create", json!(["Log/Today", "one"]))
        .await
        .unwrap();
    assert_eq!(done["path"], "Log/Today.md");
    let seen = done["hash"].clone();
    rig.ask("notes.write", json!(["Log/Today.md", seen, "two"]))
        .await
        .unwrap();
    assert_eq!(
        rig.refused("notes.write", json!(["Log/Today.md", seen, "three"]))
            .await
            .kind,
        "conflict"
    );
    assert_eq!(&*rig.vault.text("Log/Today.md").unwrap(), "two");
    for path in [
        "Inbox/Rye.md",
        "Log",
        "Logs/a",
        "Log/../Inbox/Rye",
        "/Log/a",
        "log/a",
    ] {
        let kind = rig.refused("notes.append", json!([path, "x"])).await.kind;
        assert!(kind == "denied" || kind == "invalid", "{path}: {kind}");
    }
    assert!(
        rig.vault
            .made()
            .iter()
            .all(|change| change.by == "script:sample")
    );
    assert_eq!(rig.vault.made().len(), 2);
}

#[tokio::test]
async fn a_conflict_tells_nothing_of_a_note_that_may_not_be_read() {
    let rig = rig(&["notes.write: Private/**"]);
    let refused = rig
        .refused("notes.write", json!(["Private/Secret.md", "stale", "x"]))
        .await;
    assert_eq!(refused.kind, "conflict");
    assert!(!refused.message.contains("The secret of"), "{refused}");
}

#[tokio::test]
async fn both_ends_of_a_move_are_looked_at() {
    let rig = rig(&[INBOX, "notes.write: Inbox/**"]);
    let seen = rig
        .ask("notes.read", json!(["Inbox/Rye.md"]))
        .await
        .unwrap()["hash"]
        .clone();
    let out = json!(["Inbox/Rye.md", "Private/Rye.md", seen]);
    assert_eq!(rig.refused("notes.rename", out).await.kind, "denied");
    let within = json!(["Inbox/Rye.md", "Inbox/Rye bread.md", seen]);
    let moved = rig.ask("notes.rename", within).await.unwrap();
    assert_eq!(moved["path"], "Inbox/Rye bread.md");
    let delete = json!(["Inbox/Rye bread.md", seen]);
    rig.ask("notes.delete", delete).await.unwrap();
    assert!(rig.vault.text("Inbox/Rye bread.md").is_none());
}

/// A writer before whose first edits somebody else writes.
#[derive(Debug)]
struct Racing {
    vault: Arc<MemoryVault>,
    races: Mutex<usize>,
}

#[async_trait]
impl NoteWriter for Racing {
    async fn create(&self, request: CreateNote, by: Author) -> Result<Written, Error> {
        self.vault.create(request, by).await
    }

    async fn edit(&self, request: EditNote, by: Author) -> Result<Written, Error> {
        let races = {
            let mut races = self.races.lock().unwrap();
            *races = races.saturating_sub(1);
            *races
        };
        if races > 0 {
            self.vault
                .put(&request.path, &format!("somebody else {races}\n"));
        }
        self.vault.edit(request, by).await
    }

    async fn rename(&self, request: MoveNote, by: Author) -> Result<Written, Error> {
        self.vault.rename(request, by).await
    }

    async fn delete(&self, request: DeleteNote, by: Author) -> Result<Written, Error> {
        self.vault.delete(request, by).await
    }

    async fn undo(&self, change: Option<&str>, by: Author) -> Result<Written, Error> {
        self.vault.undo(change, by).await
    }

    async fn history(&self, path: Option<&str>, limit: usize) -> Result<Vec<Change>, Error> {
        self.vault.history(path, limit).await
    }
}

#[tokio::test]
async fn appending_creates_the_note_and_outlasts_other_writers() {
    let mut rig = rig(&["notes.write: Log/**"]);
    rig.ask("notes.append", json!(["Log/a", "one"]))
        .await
        .unwrap();
    rig.ask("notes.append", json!(["Log/a", "two"]))
        .await
        .unwrap();
    assert_eq!(
        rig.vault
            .text("Log/a.md")
            .unwrap()
            .lines()
            .collect::<Vec<_>>(),
        ["one", "two"]
    );
    rig.desk.host.writer = Arc::new(Racing {
        vault: Arc::clone(&rig.vault),
        races: Mutex::new(4),
    });
    rig.ask("notes.append", json!(["Log/a", "three"]))
        .await
        .unwrap();
    let text = rig.vault.text("Log/a.md").unwrap();
    assert_eq!(
        text.lines().collect::<Vec<_>>(),
        ["somebody else 1", "three"]
    );
    rig.desk.host.writer = Arc::new(Racing {
        vault: Arc::clone(&rig.vault),
        races: Mutex::new(100),
    });
    assert_eq!(
        rig.refused("notes.append", json!(["Log/a", "four"]))
            .await
            .kind,
        "conflict"
    );
}

#[tokio::test]
async fn a_dry_run_tells_what_it_would_do_and_does_nothing() {
    let mut rig = rig(&["notes.write: **", "kv", "events.emit: custom.sample.*"]);
    rig.visit.dry_run = true;
    let broker = rig.broker();
    for (name, arguments) in [
        ("notes.create", vec![json!("a"), json!("text")]),
        ("notes.append", vec![json!("Rye.md"), json!("x")]),
        ("notes.delete", vec![json!("Rye.md"), json!("hash")]),
        ("kv.set", vec![json!("k"), json!(1)]),
        ("events.emit", vec![json!("custom.sample.x"), json!({})]),
    ] {
        broker.host_call(name, arguments).await.unwrap();
    }
    let writes = broker.take().writes;
    assert_eq!(writes[0], "create a.md (4 bytes)");
    assert_eq!(writes.len(), 5);
    assert!(rig.vault.made().is_empty() && rig.told.all().is_empty());
    assert_eq!(rig.ask("kv.get", json!(["k"])).await, Ok(Value::Null));
}

#[tokio::test]
async fn a_tool_that_says_it_only_reads_cannot_write() {
    let mut rig = rig(&["notes.write: **"]);
    rig.visit.read_only = true;
    let refused = rig.refused("notes.append", json!(["Rye.md", "x"])).await;
    assert!(refused.message.contains("read_only"), "{refused}");
}

#[tokio::test]
async fn values_are_kept_apart_and_within_a_bound() {
    let mut rig = rig(&["kv"]);
    rig.ask("kv.set", json!(["a", { "n": 1 }])).await.unwrap();
    assert_eq!(rig.ask("kv.get", json!(["a"])).await, Ok(json!({ "n": 1 })));
    let refused = rig.refused("kv.set", json!(["b", "x".repeat(100)])).await;
    assert!(refused.message.contains("may keep 100"), "{refused}");
    rig.ask("kv.set", json!(["a", "x".repeat(90)]))
        .await
        .unwrap();
    assert_eq!(rig.ask("kv.keys", json!([""])).await, Ok(json!(["a"])));
    rig.visit.script = "other".to_owned();
    assert_eq!(rig.ask("kv.get", json!(["a"])).await, Ok(Value::Null));
    rig.visit.script = "sample".to_owned();
    rig.ask("kv.remove", json!(["a"])).await.unwrap();
    assert_eq!(rig.ask("kv.get", json!(["a"])).await, Ok(Value::Null));
}

fn cause(depth: u16) -> Cause {
    let first = DaemonEvent::new(
        EventType::System(SystemEventType::DaemonStarted {
            version: "1".to_owned(),
        }),
        EventSource::system("core"),
        EventPayload::text(""),
    );
    Cause {
        depth,
        ..first.as_cause()
    }
}

#[tokio::test]
async fn events_are_told_in_the_scripts_name_and_follow_their_cause() {
    let mut rig = rig(&["events.emit: custom.sample.*"]);
    let cause = cause(2);
    rig.visit.cause = Some(cause);
    rig.ask("events.emit", json!(["custom.sample.done", { "n": 1 }]))
        .await
        .unwrap();
    let told = rig.told.all();
    assert_eq!(told[0].event_type.name(), "custom.sample.done");
    assert_eq!(told[0].metadata.correlation_id, cause.correlation_id);
    assert_eq!(told[0].metadata.depth, 3);
    for name in [
        "custom.other.done",
        "filesystem.file_created",
        "custom.sample.",
        "sample.x",
    ] {
        assert_eq!(
            rig.refused("events.emit", json!([name, {}])).await.kind,
            "invalid",
            "{name}"
        );
    }
}

#[tokio::test]
async fn chains_of_causes_and_floods_of_events_come_to_an_end() {
    let mut rig = rig(&["events.emit: custom.sample.*"]);
    let event = json!(["custom.sample.again", {}]);
    for _ in 0..3 {
        rig.ask("events.emit", event.clone()).await.unwrap();
    }
    let refused = rig.refused("events.emit", event.clone()).await;
    assert!(
        refused.message.contains("3 events within a minute"),
        "{refused}"
    );
    rig.visit.cause = Some(cause(8));
    let refused = rig.refused("events.emit", event).await;
    assert!(refused.message.contains("chain of causes"), "{refused}");
}

#[tokio::test]
async fn calls_that_make_no_sense_say_what_would() {
    let rig = rig(&[INBOX]);
    let refused = rig.refused("notes.read", json!([])).await;
    assert_eq!(refused.message, "notes.read takes 1 arguments, not 0");
    assert!(
        rig.refused("notes.read", json!([7]))
            .await
            .message
            .contains("`note`")
    );
    assert!(
        rig.refused("process.run", json!([]))
            .await
            .message
            .contains("process.run")
    );
    let refused = rig.refused("notes.list", json!([{ "limt": 1 }])).await;
    assert!(refused.message.contains("limt"), "{refused}");
    let now = rig.ask("clock.now", json!([])).await.unwrap();
    assert!(now["unix_ms"].as_i64().unwrap() > 0);
}

#[tokio::test]
async fn inference_without_an_engine_says_so() {
    let rig = rig(&["inference: embed", "inference: generate"]);
    assert_eq!(
        rig.refused("inference.embed", json!([["x"]])).await.kind,
        "unavailable"
    );
    let conversation = json!([{ "model": "m", "messages": [{ "role": "user", "content": "x" }] }]);
    assert_eq!(
        rig.refused("inference.generate", conversation).await.kind,
        "unavailable"
    );
}
