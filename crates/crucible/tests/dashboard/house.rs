//! The parts that `crucible serve` puts together, put together here with access control, two
//! scripts and some settings that the tests can know: real store, real vault, real API.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use crucible_api::auth::AccessControl;
use crucible_api::{ApiConfig, ApiParts, ApiService, VaultInfo};
use crucible_core::{CoreConfig, CrucibleCore};
use crucible_services::clock;
use crucible_services::configuration::{
    self, Changed, Configuration, Origin, Setting, SettingChange,
};
use crucible_services::events::{
    DaemonEvent, EventPayload, EventSource, EventType, FilesystemEventType, McpEventType,
    ScriptEventType,
};
use crucible_services::script::{
    CallOutcome, CallRequest, Error, LogLine, ScheduleInfo, ScriptEngine, ScriptInfo, ScriptState,
};
use crucible_services::state_store::MemoryState;
use crucible_store::{Store, StoreConfig, StoreService};
use crucible_vault::{VaultConfig, VaultFolder, VaultService};
use jiff::SignedDuration;
use serde_json::{Value, json};

/// A daemon within the test's process.
pub(crate) struct House {
    pub(crate) address: SocketAddr,
    pub(crate) access: AccessControl,
    pub(crate) scripts: Arc<Scripts>,
    core: CrucibleCore,
    runtime: tokio::runtime::Runtime,
}

impl House {
    pub(crate) fn open(vault: &Path, data: &Path) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let access = AccessControl::new(Arc::new(MemoryState::default()));
        let scripts = Arc::new(Scripts::sample());
        let core = runtime.block_on(async {
            let config = VaultConfig::new(vault);
            let folder = VaultFolder::open(&config).unwrap();
            let store = Store::open(StoreConfig::new(data), Arc::new(folder.clone()))
                .await
                .unwrap();
            let service = VaultService::new(config, folder, Arc::new(store.clone()));
            let core = CrucibleCore::new(CoreConfig::default()).await.unwrap();
            core.register_service(Arc::new(StoreService::new(store.clone())))
                .await
                .unwrap();
            core.register_service(Arc::new(service)).await.unwrap();
            let info = VaultInfo {
                name: "Bakery".to_owned(),
                path: "/home/baker/Bakery".into(),
                index_dir: "/home/baker/.local/share/crucible".into(),
            };
            let parts = ApiParts {
                scripts: Some(Arc::clone(&scripts) as Arc<dyn ScriptEngine>),
                configuration: Some(Arc::new(Settings)),
                ..ApiParts::new(core.clone(), Arc::new(store), info, access.clone())
            };
            let api = ApiService::new(ApiConfig::default(), parts, listener);
            core.register_service(Arc::new(api)).await.unwrap();
            core.start().await.unwrap();
            core
        });
        Self {
            address,
            access,
            scripts,
            core,
            runtime,
        }
    }

    /// Tells what could have happened in the last ten minutes, so that a picture shows a day at
    /// work and not the first second.
    pub(crate) fn remember_some_work(&self) {
        let now = clock::now();
        let paths = [
            "Journal/2025/2025-04-05.md",
            "Recipes/Focaccia.md",
            "Science/Gluten.md",
        ];
        for step in 0..70_i64 {
            let path = paths[usize::try_from(step % 3).unwrap()].to_owned();
            let age = 590 - step * 8 - (step * step) % 7;
            let tell = |kind, source, cause: Option<&DaemonEvent>| {
                let mut event = DaemonEvent::new(kind, source, EventPayload::text(""));
                event.timestamp = now - SignedDuration::from_secs(age.max(1));
                let event = cause.map_or(event.clone(), |cause| event.caused_by(cause));
                self.runtime
                    .block_on(self.core.route_event(event.clone()))
                    .unwrap();
                event
            };
            let saved = FilesystemEventType::FileModified { path };
            let saved = tell(
                EventType::Filesystem(saved),
                EventSource::filesystem("vault"),
                None,
            );
            if step % 4 == 0 {
                let (script, function) = ("weekly-review".to_owned(), "gather".to_owned());
                let ran = ScriptEventType::Completed {
                    script,
                    function,
                    duration_ms: 3,
                };
                tell(
                    EventType::Script(ran),
                    EventSource::service("scripts"),
                    Some(&saved),
                );
            }
            if step % 5 == 0 {
                let tool_name = "search_notes".to_owned();
                let asked = McpEventType::ToolCall { tool_name };
                tell(EventType::Mcp(asked), EventSource::mcp("editor"), None);
            }
        }
    }

    /// The address of a page.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A link that lets one browser in.
    pub(crate) fn link(&self) -> String {
        self.url(&self.access.login_code().unwrap().path)
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let stopped = self.runtime.block_on(self.core.stop());
        if !std::thread::panicking() {
            stopped.unwrap();
        }
    }
}

/// Scripts that remember what was granted.
pub(crate) struct Scripts {
    pub(crate) all: Mutex<Vec<ScriptInfo>>,
}

impl Scripts {
    fn sample() -> Self {
        let script = |name: &str, about: &str, requested: &[&str]| ScriptInfo {
            name: name.to_owned(),
            about: about.to_owned(),
            state: ScriptState::Active,
            version: "5f0c3a9e81d2b7c4".repeat(4),
            manifest: format!("manifest-of-{name}"),
            requested: requested.iter().map(|&one| one.to_owned()).collect(),
            granted: Vec::new(),
            handlers: vec!["filesystem.file_modified in Journal/**".to_owned()],
            tools: Vec::new(),
            schedules: Vec::new(),
            calls: 12,
            failures: 0,
            last_error: None,
        };
        let mut weekly = script(
            "weekly-review",
            "Gathers the open tasks of the week in one note.",
            &["notes.read: Journal/**", "notes.write: Reviews/**", "state"],
        );
        weekly.schedules.push(ScheduleInfo {
            function: "gather".to_owned(),
            cron: "0 18 * * FRI".to_owned(),
            next: Some("2026-11-27T18:00:00Z".parse().unwrap()),
            last: None,
        });
        weekly.granted = vec!["notes.read: Journal/**".to_owned()];
        let mut inbox = script(
            "inbox-sorter",
            "Moves notes with a tag to the folder of that tag.",
            &["notes.read: Inbox/**"],
        );
        inbox.state = ScriptState::Outdated;
        inbox.last_error = Some("main.rn:14: expected `;`".to_owned());
        inbox.tools.push("sort_inbox".to_owned());
        inbox.failures = 3;
        Self {
            all: Mutex::new(vec![inbox, weekly]),
        }
    }
}

#[async_trait]
impl ScriptEngine for Scripts {
    async fn scripts(&self) -> Result<Vec<ScriptInfo>, Error> {
        Ok(self.all.lock().unwrap().clone())
    }

    async fn check(&self, _source: &str) -> Result<(), Error> {
        Ok(())
    }

    async fn call(&self, _request: CallRequest) -> Result<CallOutcome, Error> {
        Ok(CallOutcome {
            value: Value::Null,
            log: Vec::new(),
            writes: Vec::new(),
            host_calls: BTreeMap::new(),
            took: std::time::Duration::ZERO,
        })
    }

    async fn grant(
        &self,
        script: &str,
        manifest: &str,
        capabilities: &[String],
        _by: &str,
    ) -> Result<ScriptInfo, Error> {
        let mut all = self.all.lock().unwrap();
        let found = all.iter_mut().find(|one| one.name == script);
        let found = found.ok_or_else(|| Error::NotFound(script.to_owned()))?;
        if found.manifest != manifest {
            return Err(Error::Refused("the manifest has changed".to_owned()));
        }
        found.granted = capabilities.to_vec();
        Ok(found.clone())
    }

    async fn reload(&self, script: &str) -> Result<ScriptInfo, Error> {
        Err(Error::NotFound(script.to_owned()))
    }

    async fn log(&self, _script: &str, _limit: usize) -> Result<Vec<LogLine>, Error> {
        let line = |at: &str, level: &str, message: &str| LogLine {
            at: at.parse().unwrap(),
            level: level.to_owned(),
            function: "gather".to_owned(),
            message: message.to_owned(),
            correlation_id: None,
        };
        Ok(vec![
            line("2026-11-20T18:00:00Z", "info", "7 open tasks in 5 notes"),
            line(
                "2026-11-20T18:00:01Z",
                "warn",
                "Reviews/** is not granted; nothing was written",
            ),
        ])
    }
}

/// Some settings of each layer.
struct Settings;

#[async_trait]
impl Configuration for Settings {
    fn effective(&self) -> Vec<Setting> {
        let setting = |path: &str, value: Value, origin: Origin, about: &str| Setting {
            path: path.to_owned(),
            value,
            origin,
            secret: false,
            live: true,
            about: about.to_owned(),
        };
        let file = || Origin::File {
            path: "/home/baker/.config/crucible/crucible.toml".to_owned(),
        };
        let flag = Origin::Flag {
            option: "--listen".to_owned(),
        };
        let mut key = setting(
            "inference.api_key",
            Value::Null,
            file(),
            "The key of the provider.",
        );
        key.secret = true;
        key.live = false;
        vec![
            setting(
                "api.listen",
                json!("127.0.0.1:7437"),
                flag,
                "Where the API listens.",
            ),
            setting(
                "core.health_check_interval_s",
                json!(30),
                Origin::Default,
                "How often services are asked how they are, in seconds.",
            ),
            setting(
                "core.max_recovery_attempts",
                json!(5),
                file(),
                "How often a service is started again before a person has to look.",
            ),
            key,
            setting(
                "inference.idle_unload",
                json!("10 min"),
                Origin::Default,
                "After how long without use a model leaves memory.",
            ),
        ]
    }

    async fn validate(&self, _changes: &[SettingChange]) -> Result<(), configuration::Error> {
        Ok(())
    }

    async fn change(
        &self,
        _changes: &[SettingChange],
        _by: &str,
    ) -> Result<Changed, configuration::Error> {
        Err(configuration::Error::Failed(
            "nothing is changed here".to_owned(),
        ))
    }
}
