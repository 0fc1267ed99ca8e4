//! Settings in memory: one that can be changed, one that a service guards, one secret.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use crucible_services::configuration::{
    Changed, Configuration, Error, Origin, Setting, SettingChange,
};
use jiff::Timestamp;
use serde_json::{Value, json};

pub(crate) struct SettingsTwin {
    limit: Mutex<Value>,
    /// Who changed something last.
    pub(crate) by: Mutex<String>,
}

impl Default for SettingsTwin {
    fn default() -> Self {
        Self {
            limit: Mutex::new(json!(10)),
            by: Mutex::default(),
        }
    }
}

#[async_trait]
impl Configuration for SettingsTwin {
    fn effective(&self) -> Vec<Setting> {
        let setting = |path: &str, value, origin, secret| Setting {
            path: path.to_owned(),
            value,
            origin,
            secret,
            live: true,
            about: "A setting.".to_owned(),
        };
        let limit = self.limit.lock().unwrap_or_else(PoisonError::into_inner);
        let file = Origin::File {
            path: "/etc/crucible.toml".to_owned(),
        };
        vec![
            setting("search.limit", limit.clone(), Origin::Default, false),
            // A careless implementation shows it; the API must not.
            setting("inference.key", json!("hunter2"), file, true),
        ]
    }

    async fn validate(&self, changes: &[SettingChange]) -> Result<(), Error> {
        let faults: Vec<String> = changes
            .iter()
            .filter(|change| change.path != "search.limit" && change.path != "guarded")
            .map(|change| format!("{:?} is not a setting", change.path))
            .collect();
        if faults.is_empty() {
            Ok(())
        } else {
            Err(Error::Invalid { faults })
        }
    }

    async fn change(&self, changes: &[SettingChange], by: &str) -> Result<Changed, Error> {
        self.validate(changes).await?;
        if changes.iter().any(|change| change.path == "guarded") {
            return Err(Error::Refused {
                service: "vault".to_owned(),
                reason: "not now".to_owned(),
            });
        }
        for change in changes {
            *self.limit.lock().unwrap_or_else(PoisonError::into_inner) = change.value.clone();
        }
        by.clone_into(&mut self.by.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(Changed {
            paths: changes.iter().map(|change| change.path.clone()).collect(),
            after_restart: Vec::new(),
            at: Timestamp::UNIX_EPOCH,
        })
    }
}
