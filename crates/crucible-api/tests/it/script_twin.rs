//! A Script Engine of one script that keeps what it is asked.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use crucible_services::script::{
    CallOutcome, CallRequest, Error, LogLine, ScriptInfo, ScriptState,
};
use crucible_services::service_traits::ScriptEngine;
use serde_json::json;

#[derive(Debug, Default)]
pub(crate) struct ScriptTwin {
    granted: Mutex<Vec<String>>,
    asked: Mutex<Vec<String>>,
}

impl ScriptTwin {
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn note(&self, what: String) {
        self.asked.lock().unwrap().push(what);
    }

    fn info(&self) -> ScriptInfo {
        ScriptInfo {
            name: "digest".to_owned(),
            about: "Keeps a log".to_owned(),
            state: ScriptState::Active,
            version: "1".repeat(64),
            manifest: "2".repeat(64),
            requested: vec!["kv".to_owned(), "notes.read: **".to_owned()],
            granted: self.granted.lock().unwrap().clone(),
            handlers: Vec::new(),
            tools: Vec::new(),
            schedules: Vec::new(),
            calls: 0,
            failures: 0,
            last_error: None,
        }
    }

    fn find(&self, name: &str) -> Result<ScriptInfo, Error> {
        match name {
            "digest" => Ok(self.info()),
            other => Err(Error::NotFound(other.to_owned())),
        }
    }
}

#[async_trait]
impl ScriptEngine for ScriptTwin {
    async fn scripts(&self) -> Result<Vec<ScriptInfo>, Error> {
        Ok(vec![self.info()])
    }

    async fn check(&self, source: &str) -> Result<(), Error> {
        match source {
            "" => Err(Error::Compile {
                file: "main.rn".to_owned(),
                line: 1,
                message: "it is empty".to_owned(),
            }),
            _ => Ok(()),
        }
    }

    async fn call(&self, request: CallRequest) -> Result<CallOutcome, Error> {
        self.find(&request.script)?;
        if request.function == "loops" {
            return Err(Error::Stopped {
                limit: "instructions".to_owned(),
            });
        }
        self.note(format!(
            "{} {:?} {}",
            request.function, request.arguments, request.dry_run
        ));
        Ok(CallOutcome {
            value: json!({ "n": 1 }),
            log: Vec::new(),
            writes: vec!["create a.md".to_owned()],
            host_calls: [("notes.read".to_owned(), 2)].into(),
            took: Duration::from_millis(3),
        })
    }

    async fn grant(
        &self,
        script: &str,
        manifest: &str,
        capabilities: &[String],
        by: &str,
    ) -> Result<ScriptInfo, Error> {
        let info = self.find(script)?;
        if info.manifest != manifest {
            return Err(Error::Refused("the manifest has changed".to_owned()));
        }
        self.note(format!("{by} grants {}", capabilities.join(", ")));
        *self.granted.lock().unwrap() = capabilities.to_vec();
        self.find(script)
    }

    async fn reload(&self, script: &str) -> Result<ScriptInfo, Error> {
        self.find(script)?;
        Err(Error::Manifest("line 3: `api` is missing".to_owned()))
    }

    async fn log(&self, script: &str, limit: usize) -> Result<Vec<LogLine>, Error> {
        self.find(script)?;
        let line = |n| LogLine {
            at: "2026-01-01T00:00:00Z".parse().unwrap(),
            level: "info".to_owned(),
            function: "f".to_owned(),
            message: format!("line {n}"),
            correlation_id: None,
        };
        Ok((0..limit.min(3)).map(line).collect())
    }
}
