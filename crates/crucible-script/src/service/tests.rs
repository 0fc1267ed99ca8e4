//! The engine with scripts that are written in Rust: what wakes them, in which order, and what
//! happens when they fail.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use crucible_services::access::{Principal, Scope};
use crucible_services::events::{EventPayload, EventSource, EventType, FilesystemEventType};
use crucible_services::health::HealthStatus;
use crucible_services::mcp::{self, ToolCaller};
use crucible_services::script::ScriptState;
use crucible_services::service_traits::ToolProvider;
use crucible_services::state_store::MemoryState;
use serde_json::{Value, json};

use super::*;
use crate::rehearsal::MemoryVault;
use crate::testing::{NamedRunner, Recorder};

struct Rig {
    place: tempfile::TempDir,
    service: ScriptService,
    told: Arc<Recorder>,
    runner: Arc<NamedRunner>,
    vault: Arc<MemoryVault>,
    context: ServiceContext,
}

const HANDLER: &str = r#"
about = "Logs what changed"
api = 1
[[on]]
events = ["filesystem.file_modified"]
not_paths = ["Log.md"]
function = "append"
[capabilities]
notes.read = ["**"]
notes.write = ["Log.md"]
"#;

impl Rig {
    async fn start(scripts: &[(&str, &str)]) -> Self {
        let place = tempfile::tempdir().unwrap();
        let vault = Arc::new(MemoryVault::new([
            ("a.md", "# A\n#grain/rye\n"),
            ("b.md", "# B\n"),
        ]));
        let host = ScriptHost {
            store: Arc::clone(&vault) as _,
            writer: Arc::clone(&vault) as _,
            state: Arc::new(MemoryState::default()),
            inference: None,
        };
        let config = ScriptConfig {
            queue_max: 3,
            crashes_max: 3,
            ..ScriptConfig::new(place.path())
        };
        let runner = Arc::new(NamedRunner::default());
        let told = Arc::new(Recorder::default());
        let rig = Self {
            service: ScriptService::with_runner(config, host, Arc::clone(&runner) as _),
            context: told.context(),
            told,
            runner,
            vault,
            place,
        };
        for (name, manifest) in scripts {
            rig.write(name, manifest, "");
        }
        rig.service.start(rig.context.clone()).await.unwrap();
        rig
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn write(&self, name: &str, manifest: &str, source: &str) {
        let folder = self.folder(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("script.toml"), manifest).unwrap();
        fs::write(folder.join("main.rn"), source).unwrap();
    }

    async fn info(&self, name: &str) -> ScriptInfo {
        let scripts = self.service.scripts().await.unwrap();
        scripts.into_iter().find(|info| info.name == name).unwrap()
    }

    async fn grant_all(&self, name: &str) -> ScriptInfo {
        let info = self.info(name).await;
        let granted = self
            .service
            .grant(name, &info.manifest, &info.requested, "test")
            .await;
        granted.unwrap()
    }

    async fn change(&self, path: &str) -> DaemonEvent {
        let path = path.to_owned();
        let event = DaemonEvent::new(
            EventType::Filesystem(FilesystemEventType::FileModified { path }),
            EventSource::filesystem("vault"),
            EventPayload::json(json!({})),
        );
        self.service.handle_event(&event).await.unwrap();
        event
    }

    async fn call(
        &self,
        script: &str,
        function: &str,
        argument: Value,
    ) -> Result<CallOutcome, Error> {
        let request = CallRequest {
            script: script.to_owned(),
            function: function.to_owned(),
            arguments: vec![argument],
            budget: None,
            cause: None,
            dry_run: false,
        };
        self.service.call(request).await
    }

    async fn stop(self) {
        self.service.stop().await.unwrap();
        self.context
            .tasks
            .shutdown(std::time::Duration::from_secs(30))
            .await
            .unwrap();
    }
}

fn completed(of: &'static str) -> impl FnMut(&EventType) -> bool {
    move |event| matches!(event, EventType::Script(ScriptEventType::Completed { function, .. }) if function == of)
}

#[tokio::test]
async fn a_changed_note_wakes_the_handler_which_writes_within_its_grant() {
    let rig = Rig::start(&[("log", HANDLER)]).await;
    rig.grant_all("log").await;
    let event = rig.change("a.md").await;
    let done = rig.told.until(completed("append")).await;
    assert_eq!(done.metadata.correlation_id, event.metadata.correlation_id);
    assert_eq!(rig.vault.text("Log.md").unwrap().trim_end(), "a.md");
    rig.change("Log.md").await;
    let info = rig.info("log").await;
    assert_eq!((info.calls, info.failures), (1, 0));
    assert_eq!(
        info.handlers,
        ["filesystem.file_modified but not in Log.md -> append"]
    );
    rig.stop().await;
}

#[tokio::test]
async fn nothing_wakes_a_script_to_which_nothing_was_granted() {
    let rig = Rig::start(&[("log", HANDLER)]).await;
    let info = rig.info("log").await;
    assert_eq!(info.state, ScriptState::Active);
    assert_eq!(info.requested, ["notes.read: **", "notes.write: Log.md"]);
    assert!(info.granted.is_empty());
    rig.change("a.md").await;
    rig.call("log", "echo", json!(1)).await.unwrap();
    let begun = rig.runner.until_begun(1).await;
    assert_eq!(begun, [("echo".to_owned(), json!(1))]);
    rig.stop().await;
}

#[tokio::test]
async fn a_grant_outlasts_a_restart_and_is_taken_back() {
    let rig = Rig::start(&[("log", HANDLER)]).await;
    let info = rig.grant_all("log").await;
    assert_eq!(info.granted, info.requested);
    rig.service.stop().await.unwrap();
    rig.service.start(rig.told.context()).await.unwrap();
    assert_eq!(rig.info("log").await.granted, info.requested);
    let nothing = rig
        .service
        .grant("log", &info.manifest, &[], "test")
        .await
        .unwrap();
    assert!(nothing.granted.is_empty());
    rig.stop().await;
}

#[tokio::test]
async fn a_manifest_that_asks_for_less_keeps_its_grant_and_one_that_asks_for_more_waits() {
    let rig = Rig::start(&[("log", HANDLER)]).await;
    let shown = rig.grant_all("log").await;
    let less = HANDLER.replace("[\"**\"]", "[\"Inbox/**\"]");
    rig.write("log", &less, "");
    let info = rig.service.reload("log").await.unwrap();
    assert_eq!(
        info.granted,
        ["notes.read: Inbox/**", "notes.write: Log.md"]
    );
    let more = format!("{HANDLER}kv = true\n");
    rig.write("log", &more, "");
    let info = rig.service.reload("log").await.unwrap();
    assert_eq!(info.granted, ["notes.read: **", "notes.write: Log.md"]);
    assert!(info.requested.contains(&"kv".to_owned()));
    let kv = ["kv".to_owned()];
    let stale = rig.service.grant("log", &shown.manifest, &kv, "test").await;
    assert!(matches!(stale, Err(Error::Refused(why)) if why.contains("has changed")));
    let unasked = ["inference: generate".to_owned()];
    let unasked = rig
        .service
        .grant("log", &info.manifest, &unasked, "test")
        .await;
    assert!(matches!(unasked, Err(Error::Refused(why)) if why.contains("does not ask")));
    rig.stop().await;
}

#[tokio::test]
async fn a_version_with_a_fault_leaves_the_old_one_in_force() {
    let rig = Rig::start(&[("log", HANDLER)]).await;
    let version = rig.info("log").await.version;
    rig.write("log", HANDLER, "fault");
    let refused = rig.service.reload("log").await.unwrap_err();
    assert!(refused.to_string().starts_with("main.rn:3"), "{refused}");
    let info = rig.info("log").await;
    assert_eq!(
        (info.state, &info.version),
        (ScriptState::Outdated, &version)
    );
    rig.call("log", "echo", json!(1)).await.unwrap();
    assert_eq!(
        rig.service.health_check().await.unwrap().status,
        HealthStatus::Degraded
    );
    let told = rig.told.about_scripts();
    assert!(
        told.iter()
            .any(|what| matches!(what, ScriptEventType::Refused { .. }))
    );
    rig.write("log", HANDLER, "// mended");
    let info = rig.service.reload("log").await.unwrap();
    assert_eq!(info.state, ScriptState::Active);
    assert_ne!(info.version, version);
    assert_eq!(
        rig.service.health_check().await.unwrap().status,
        HealthStatus::Healthy
    );
    rig.stop().await;
}

#[tokio::test]
async fn scripts_that_come_change_and_go_are_noticed() {
    let rig = Rig::start(&[]).await;
    rig.write("log", HANDLER, "");
    rig.told
        .until(|event| matches!(event, EventType::Script(ScriptEventType::Loaded { .. })))
        .await;
    rig.write("bad", "about = 1", "");
    rig.told.until(|event| {
        matches!(event, EventType::Script(ScriptEventType::Refused { script, .. }) if script == "bad")
    })
    .await;
    let info = rig.info("bad").await;
    assert_eq!(info.state, ScriptState::Faulty);
    assert!(info.last_error.unwrap().contains("script.toml: line 1"));
    let refused = rig.call("bad", "f", json!(1)).await.unwrap_err();
    assert!(matches!(refused, Error::Unavailable(_)), "{refused}");
    fs::remove_dir_all(rig.folder("log")).unwrap();
    rig.told
        .until(|event| matches!(event, EventType::Script(ScriptEventType::Removed { .. })))
        .await;
    assert!(matches!(
        rig.call("log", "echo", json!(1)).await,
        Err(Error::NotFound(_))
    ));
    rig.stop().await;
}

#[tokio::test]
async fn the_manifest_names_only_functions_that_are_there() {
    let manifest = HANDLER.replace("function = \"append\"", "function = \"apend\"");
    let rig = Rig::start(&[("log", &manifest)]).await;
    let why = rig.info("log").await.last_error.unwrap();
    assert!(why.contains("did you mean `append`?"), "{why}");
    rig.stop().await;
}

const WAITER: &str = r#"
about = "Waits"
api = 1
[[on]]
events = ["filesystem.*"]
function = "wait"
[capabilities]
notes.read = ["**"]
"#;

#[tokio::test]
async fn events_are_handled_one_by_one_in_order_and_the_oldest_is_dropped_when_too_many_wait() {
    let rig = Rig::start(&[("slow", WAITER)]).await;
    rig.grant_all("slow").await;
    rig.change("first.md").await;
    rig.runner.until_begun(1).await;
    for path in ["1.md", "2.md", "3.md", "4.md", "5.md"] {
        rig.change(path).await;
    }
    rig.runner.gate.add_permits(4);
    let begun = rig.runner.until_begun(4).await;
    let paths: Vec<&str> = begun
        .iter()
        .map(|(_, event)| event["path"].as_str().unwrap())
        .collect();
    assert_eq!(paths, ["first.md", "3.md", "4.md", "5.md"]);
    let log = rig.service.log("slow", 100).await.unwrap();
    let dropped = log
        .iter()
        .filter(|line| line.message.contains("was dropped"));
    assert_eq!(dropped.count(), 2);
    rig.stop().await;
}

#[tokio::test]
async fn a_long_chain_of_causes_wakes_nobody() {
    let rig = Rig::start(&[("slow", WAITER)]).await;
    rig.grant_all("slow").await;
    let mut event = rig.change("a.md").await;
    rig.runner.gate.add_permits(1);
    rig.told.until(completed("wait")).await;
    event.metadata.depth = 9;
    rig.service.handle_event(&event).await.unwrap();
    rig.call("slow", "echo", json!("last")).await.unwrap();
    assert_eq!(rig.runner.until_begun(2).await[1].0, "echo");
    let log = rig.service.log("slow", 100).await.unwrap();
    assert!(
        log.iter()
            .any(|line| line.message.contains("chain of causes"))
    );
    rig.stop().await;
}

#[tokio::test]
async fn handlers_can_ask_for_tags() {
    let manifest = WAITER.replace(
        "function = \"wait\"",
        "tags = [\"grain\"]\nfunction = \"echo\"",
    );
    let rig = Rig::start(&[("tagged", &manifest)]).await;
    rig.grant_all("tagged").await;
    rig.change("b.md").await;
    rig.change("a.md").await;
    rig.told.until(completed("echo")).await;
    assert_eq!(rig.runner.until_begun(1).await[0].1["path"], "a.md");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn repeated_crashes_switch_a_script_off_until_it_is_loaded_again() {
    let rig = Rig::start(&[("log", HANDLER)]).await;
    rig.call("log", "crash", json!(1)).await.unwrap_err();
    rig.call("log", "crash", json!(1)).await.unwrap_err();
    rig.call("log", "echo", json!(1)).await.unwrap();
    for _ in 0..3 {
        let error = rig.call("log", "crash", json!(1)).await.unwrap_err();
        assert_eq!(error, Error::Failed("boom".to_owned()));
    }
    let off = rig.call("log", "echo", json!(1)).await.unwrap_err();
    assert!(
        matches!(&off, Error::Unavailable(why) if why.contains("3 crashes")),
        "{off}"
    );
    let health = rig.service.health_check().await.unwrap();
    assert_eq!(health.status, HealthStatus::Degraded);
    assert!(
        rig.info("log")
            .await
            .last_error
            .unwrap()
            .contains("switched off")
    );
    rig.service.reload("log").await.unwrap();
    rig.call("log", "echo", json!(1)).await.unwrap();
    let told = rig.told.about_scripts();
    let exits = told
        .iter()
        .filter(|what| matches!(what, ScriptEventType::WorkerExited { .. }));
    assert_eq!(exits.count(), 5);
    rig.stop().await;
}

#[tokio::test]
async fn a_failed_call_is_counted_logged_and_told() {
    let rig = Rig::start(&[("log", HANDLER)]).await;
    rig.call("log", "fail", json!(1)).await.unwrap_err();
    let info = rig.info("log").await;
    assert_eq!(
        (info.calls, info.failures, info.last_error.as_deref()),
        (1, 1, Some("boom"))
    );
    let log = rig.service.log("log", 1).await.unwrap();
    assert_eq!(
        (log[0].level.as_str(), log[0].message.as_str()),
        ("error", "boom")
    );
    let unknown = rig.call("log", "ecko", json!(1)).await.unwrap_err();
    assert!(
        unknown.to_string().contains("did you mean `echo`?"),
        "{unknown}"
    );
    rig.stop().await;
}

const TOOLS: &str = r#"
about = "Has tools"
api = 1
[[tool]]
name = "show"
about = "Returns what it is given"
function = "echo"
read_only = true
[tool.input]
type = "object"
required = ["tag"]
[tool.input.properties.tag]
type = "string"
[[tool]]
name = "make"
about = "Creates a note"
function = "create"
[tool.input]
type = "object"
[tool.input.properties.path]
type = "string"
[capabilities]
notes.write = ["Made/**"]
mcp.expose = ["show", "make"]
"#;

fn caller(scopes: &[Scope]) -> ToolCaller {
    ToolCaller {
        principal: Principal::new("agent", scopes.iter().copied()),
        cause: None,
    }
}

#[tokio::test]
async fn tools_appear_with_their_grant_and_check_their_arguments_and_caller() {
    let rig = Rig::start(&[("kit", TOOLS)]).await;
    assert!(rig.service.provided_tools().await.is_empty());
    let hidden = rig
        .service
        .call_provided("kit__show", json!({}), caller(&Scope::ALL))
        .await;
    assert_eq!(hidden, Err(mcp::Error::UnknownTool("kit__show".to_owned())));
    rig.grant_all("kit").await;
    let tools = rig.service.provided_tools().await;
    let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["kit__show", "kit__make"]);
    assert_eq!(tools[0].input_schema["required"], json!(["tag"]));
    assert!(tools[0].read_only);
    let call = |name: &'static str, arguments: Value, scopes: &'static [Scope]| {
        rig.service.call_provided(name, arguments, caller(scopes))
    };
    let shown = call("kit__show", json!({ "tag": "x" }), &[Scope::Read]).await;
    assert_eq!(shown, Ok(json!({ "tag": "x" })));
    let missing = call("kit__show", json!({}), &[Scope::Read]).await;
    assert_eq!(
        missing,
        Err(mcp::Error::InvalidArguments("`tag` is missing".to_owned()))
    );
    let reader = call("kit__make", json!({ "path": "Made/a" }), &[Scope::Read]).await;
    assert!(matches!(reader, Err(mcp::Error::Failed(why)) if why.contains("scope write")));
    call("kit__make", json!({ "path": "Made/a" }), &[Scope::Write])
        .await
        .unwrap();
    assert!(rig.vault.text("Made/a.md").is_some());
    let outside = call("kit__make", json!({ "path": "a" }), &[Scope::Write]).await;
    assert!(matches!(outside, Err(mcp::Error::Failed(why)) if why.contains("not granted")));
    rig.stop().await;
}

#[tokio::test]
async fn an_engine_that_does_not_run_says_so() {
    let rig = Rig::start(&[("log", HANDLER)]).await;
    let again = rig.service.start(rig.told.context()).await;
    assert!(matches!(again, Err(ServiceError::Refused(_))));
    rig.service.stop().await.unwrap();
    let refused = rig.call("log", "echo", json!(1)).await.unwrap_err();
    assert!(refused.to_string().contains("not running"), "{refused}");
    assert!(rig.service.provided_tools().await.is_empty());
    assert_eq!(
        rig.service.health_check().await.unwrap().status,
        HealthStatus::Unhealthy
    );
    rig.stop().await;
}

#[tokio::test]
async fn stopping_ends_what_waits_and_says_so_to_whoever_asked() {
    let rig = Rig::start(&[("log", HANDLER)]).await;
    let slow = rig.call("log", "wait", json!(1));
    let queued = rig.call("log", "echo", json!(2));
    let stop = async {
        rig.runner.until_begun(1).await;
        rig.service.stop().await.unwrap();
        rig.runner.gate.add_permits(1);
    };
    let (slow, queued, ()) = tokio::join!(slow, queued, stop);
    assert!(slow.is_ok());
    assert!(matches!(queued, Err(Error::Unavailable(_))));
    rig.stop().await;
}

#[tokio::test]
async fn a_schedule_runs_by_the_clock_and_begins_a_chain_of_causes() {
    let manifest =
        "about = \"a\"\napi = 1\n[[schedule]]\ncron = \"* * * * * *\"\nfunction = \"echo\"\n";
    let rig = Rig::start(&[("clock", manifest)]).await;
    let done = rig.told.until(completed("echo")).await;
    let told = rig.told.all();
    let begun = told
        .iter()
        .find(|event| event.event_type.name() == "custom.clock.schedule");
    assert_eq!(done.metadata.causation_id, Some(begun.unwrap().id));
    let schedule = &rig.info("clock").await.schedules[0];
    assert!(schedule.last.is_some() && schedule.next > schedule.last);
    rig.stop().await;
}
