//! When schedules ran last, kept for good, so that a restart knows what it missed.

use crucible_services::clock;
use crucible_services::script::Error;
use crucible_services::service_traits::StateStore;
use crucible_services::state_store::StateWrite;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::manifest::Schedule;

/// Where last runs are kept.
const NAMESPACE: &str = "script-schedules";

/// What is known of a schedule's past.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Past {
    /// When it was seen first: nothing before that was missed.
    pub(crate) since: Timestamp,
    /// When it ran last.
    pub(crate) last: Option<Timestamp>,
}

/// Returns the past of each schedule; one that was never seen begins now.
pub(crate) async fn load(
    state: &dyn StateStore,
    script: &str,
    schedules: &[Schedule],
) -> Result<Vec<Past>, Error> {
    let mut pasts = Vec::new();
    let mut fresh = Vec::new();
    for schedule in schedules {
        let key = key(script, schedule);
        let kept = state
            .get(NAMESPACE, &key)
            .await
            .map_err(|error| failed(&error))?;
        let past = kept.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let past = past.unwrap_or_else(|| {
            let past = Past {
                since: clock::now(),
                last: None,
            };
            fresh.push(write(key, past));
            past
        });
        pasts.push(past);
    }
    if !fresh.is_empty() {
        state
            .write(NAMESPACE, fresh)
            .await
            .map_err(|error| failed(&error))?;
    }
    Ok(pasts)
}

/// Keeps that a schedule ran.
pub(crate) async fn keep(
    state: &dyn StateStore,
    script: &str,
    schedule: &Schedule,
    at: Timestamp,
) -> Result<(), Error> {
    let past = Past {
        since: at,
        last: Some(at),
    };
    let writes = vec![write(key(script, schedule), past)];
    state
        .write(NAMESPACE, writes)
        .await
        .map_err(|error| failed(&error))
}

fn key(script: &str, schedule: &Schedule) -> String {
    format!("{script}/{}/{}", schedule.function, schedule.cron.as_str())
}

fn write(key: String, past: Past) -> StateWrite {
    StateWrite::put(key, serde_json::json!(past).to_string())
}

fn failed(error: &crucible_services::state_store::Error) -> Error {
    Error::Failed(format!(
        "the last runs of schedules cannot be kept: {error}"
    ))
}
