//! `notes.read`, `notes.exists`, `notes.links`: one note.

use serde_json::{Value, json};

use super::visible::{not_found, of_store};
use super::{Answer, Broker};

impl Broker {
    pub(super) async fn read(&self, reference: String) -> Answer {
        let note = self.visible(&reference).await?;
        to_json(&note)
    }

    pub(super) async fn exists(&self, reference: String) -> Answer {
        match self.visible(&reference).await {
            Ok(_) => Ok(Value::Bool(true)),
            Err(error) if error.kind == "not_found" => Ok(Value::Bool(false)),
            Err(error) if error.kind == "ambiguous" => Ok(Value::Bool(true)),
            Err(error) => Err(error),
        }
    }

    /// The links of a note; what leads to hidden notes reads as leading nowhere.
    pub(super) async fn links(&self, reference: String) -> Answer {
        let note = self.visible(&reference).await?;
        let path = note.summary.path;
        let scopes = &self.visit.scopes;
        let links = self.desk.host.store.links(&path).await;
        let mut links = match links {
            Ok(links) => links,
            Err(error) if scopes.reads_all() => return Err(of_store(&error)),
            Err(_) => return Err(not_found(&reference)),
        };
        if !scopes.reads_all() {
            for link in &mut links.outgoing {
                link.resolved.take_if(|path| !scopes.may_read(path));
                // Which other notes have the name is not told.
                link.ambiguous = false;
            }
            links.backlinks.retain(|link| scopes.may_read(&link.path));
        }
        to_json(&links)
    }
}

pub(super) fn to_json(value: &impl serde::Serialize) -> Answer {
    serde_json::to_value(value).map_err(|error| {
        crate::protocol::HostError::new("failed", format!("the answer is no JSON: {error}"))
    })
}

/// Says where a change left a note.
pub(super) fn written(path: &str, hash: Option<&str>) -> Value {
    json!({ "path": path, "hash": hash })
}
