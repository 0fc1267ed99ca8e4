//! What persons granted, kept for good: per script, with the manifest that was shown to them.

use crucible_services::clock;
use crucible_services::script::Error;
use crucible_services::service_traits::StateStore;
use crucible_services::state_store::StateWrite;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::capability::Capability;

/// Where grants are kept.
const NAMESPACE: &str = "script-grants";

/// A grant as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Grant {
    /// BLAKE3 of the manifest that was shown.
    pub(crate) manifest: String,
    /// What was granted.
    pub(crate) capabilities: Vec<String>,
    /// Who granted it.
    pub(crate) by: String,
    /// When.
    pub(crate) at: Timestamp,
}

impl Grant {
    /// Returns what was granted; a line that is no capability any more grants nothing.
    pub(crate) fn capabilities(&self) -> Vec<Capability> {
        self.capabilities
            .iter()
            .filter_map(|text| text.parse().ok())
            .collect()
    }
}

/// Returns what was granted to a script.
pub(crate) async fn load(state: &dyn StateStore, script: &str) -> Result<Option<Grant>, Error> {
    let kept = state
        .get(NAMESPACE, script)
        .await
        .map_err(|error| failed(&error))?;
    let Some(bytes) = kept else {
        return Ok(None);
    };
    match serde_json::from_slice(&bytes) {
        Ok(grant) => Ok(Some(grant)),
        Err(error) => {
            // What cannot be read grants nothing; a person can grant anew.
            tracing::error!(script.name = script, %error, "a grant cannot be read and is passed over");
            Ok(None)
        }
    }
}

/// Keeps what a person granted; nothing takes the grant away.
pub(crate) async fn keep(
    state: &dyn StateStore,
    script: &str,
    manifest: &str,
    capabilities: &[Capability],
    by: &str,
) -> Result<Option<Grant>, Error> {
    let grant = (!capabilities.is_empty()).then(|| Grant {
        manifest: manifest.to_owned(),
        capabilities: capabilities.iter().map(ToString::to_string).collect(),
        by: by.to_owned(),
        at: clock::now(),
    });
    let write = match &grant {
        None => StateWrite::remove(script),
        Some(grant) => {
            let json =
                serde_json::to_vec(grant).map_err(|error| Error::Failed(error.to_string()))?;
            StateWrite::put(script, json)
        }
    };
    state
        .write(NAMESPACE, vec![write])
        .await
        .map_err(|error| failed(&error))?;
    Ok(grant)
}

fn failed(error: &crucible_services::state_store::Error) -> Error {
    Error::Failed(format!("the grants cannot be kept: {error}"))
}

#[cfg(test)]
mod tests {
    use crucible_services::state_store::MemoryState;

    use super::*;

    #[tokio::test]
    async fn a_grant_is_kept_and_taken_back() {
        let state = MemoryState::default();
        assert_eq!(load(&state, "a").await.unwrap(), None);
        let kept = keep(&state, "a", "hash", &[Capability::Kv], "cli")
            .await
            .unwrap();
        assert_eq!(load(&state, "a").await.unwrap(), kept);
        assert_eq!(kept.unwrap().capabilities(), [Capability::Kv]);
        keep(&state, "a", "hash", &[], "cli").await.unwrap();
        assert_eq!(load(&state, "a").await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_damaged_grant_grants_nothing() {
        let state = MemoryState::default();
        let write = StateWrite::put("a", "{");
        state.write(NAMESPACE, vec![write]).await.unwrap();
        assert_eq!(load(&state, "a").await.unwrap(), None);
    }
}
