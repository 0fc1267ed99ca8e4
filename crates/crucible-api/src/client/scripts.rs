//! Scripts of a daemon, as a [`ScriptEngine`].
//!
//! The daemon records the name of the token as the one who grants: what a caller says about itself
//! is not believed, and is not sent.

use async_trait::async_trait;
use crucible_services::script::{CallOutcome, CallRequest, Error, LogLine, ScriptInfo};
use crucible_services::service_traits::ScriptEngine;
use hyper::Method;

use super::Client;
use super::target::Target;
use crate::routes::scripts::{Call, Checked, Grants, LOG_MAX, Source};

const SCRIPTS: &str = "/api/v1/scripts";

#[async_trait]
impl ScriptEngine for Client {
    async fn scripts(&self) -> Result<Vec<ScriptInfo>, Error> {
        Ok(self.http.get(SCRIPTS).await?)
    }

    async fn check(&self, source: &str) -> Result<(), Error> {
        let body = Source {
            source: source.to_owned(),
        };
        let answer = self.http.tell(Method::POST, "/api/v1/check-script", &body);
        let _checked: Checked = answer.await?;
        Ok(())
    }

    /// The budget is the script's own, and the call begins something: neither can be sent.
    async fn call(&self, request: CallRequest) -> Result<CallOutcome, Error> {
        let target = of_script(&request.script, "call")?;
        let body = Call {
            function: request.function,
            arguments: request.arguments,
            dry_run: request.dry_run,
        };
        Ok(self.http.tell(Method::POST, &target.text, &body).await?)
    }

    async fn grant(
        &self,
        script: &str,
        manifest: &str,
        capabilities: &[String],
        _by: &str,
    ) -> Result<ScriptInfo, Error> {
        let target = of_script(script, "grant")?;
        let body = Grants {
            manifest: manifest.to_owned(),
            capabilities: capabilities.to_vec(),
        };
        Ok(self.http.tell(Method::POST, &target.text, &body).await?)
    }

    async fn reload(&self, script: &str) -> Result<ScriptInfo, Error> {
        let target = of_script(script, "reload")?;
        Ok(self.http.ask(Method::POST, &target.text).await?)
    }

    async fn log(&self, script: &str, limit: usize) -> Result<Vec<LogLine>, Error> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let target = of_script(script, "log")?.with("limit", &limit.min(LOG_MAX).to_string());
        Ok(self.http.get(&target.text).await?)
    }
}

/// Returns the address of something about a script; the empty name has none.
fn of_script(name: &str, what: &str) -> Result<Target, Error> {
    if name.is_empty() {
        return Err(Error::NotFound(String::new()));
    }
    Ok(Target::new(SCRIPTS).segment(name).segment(what))
}
