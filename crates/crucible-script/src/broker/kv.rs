//! `kv`: small values that a script keeps for good, apart from every other script's.

use crucible_services::state_store::{self, StateWrite};
use serde_json::Value;

use super::{Answer, Broker};
use crate::capability::Capability;
use crate::protocol::HostError;

/// The most keys that one listing returns.
const KEYS_MAX: usize = 1000;

impl Broker {
    fn namespace(&self) -> String {
        format!("script:{}", self.visit.script)
    }

    pub(super) async fn kv_get(&self, key: String) -> Answer {
        self.require(Capability::Kv).await?;
        let kept = self.desk.host.state.get(&self.namespace(), &key).await;
        match kept.map_err(|error| of_state(&error))? {
            None => Ok(Value::Null),
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                HostError::new(
                    "failed",
                    format!("the value of {key:?} is damaged: {error}"),
                )
            }),
        }
    }

    pub(super) async fn kv_set(&self, key: String, value: Value) -> Answer {
        self.require(Capability::Kv).await?;
        if key.is_empty() {
            return Err(HostError::new("invalid", "a key is not empty"));
        }
        let bytes = value.to_string().into_bytes();
        let state = &self.desk.host.state;
        let namespace = self.namespace();
        let before = state
            .get(&namespace, &key)
            .await
            .map_err(|error| of_state(&error))?;
        let before = before.map_or(0, |old| (old.len() + key.len()) as u64);
        let size = state
            .size_bytes(&namespace)
            .await
            .map_err(|error| of_state(&error))?;
        let after = size.saturating_sub(before) + (bytes.len() + key.len()) as u64;
        let most = self.desk.config.kv_bytes_max;
        if after > most {
            let message = format!(
                "the script would keep {after} bytes, and may keep {most}; remove some keys"
            );
            return Err(HostError::new("invalid", message));
        }
        if self.is_rehearsal(|| format!("keep {} bytes under {key:?}", bytes.len())) {
            return Ok(Value::Null);
        }
        self.kv_write(StateWrite::put(key, bytes)).await
    }

    pub(super) async fn kv_remove(&self, key: String) -> Answer {
        self.require(Capability::Kv).await?;
        if self.is_rehearsal(|| format!("forget {key:?}")) {
            return Ok(Value::Null);
        }
        self.kv_write(StateWrite::remove(key)).await
    }

    pub(super) async fn kv_keys(&self, prefix: String) -> Answer {
        self.require(Capability::Kv).await?;
        let state = &self.desk.host.state;
        let kept = state.list(&self.namespace(), &prefix, None, KEYS_MAX).await;
        let kept = kept.map_err(|error| of_state(&error))?;
        Ok(kept.into_iter().map(|(key, _)| Value::from(key)).collect())
    }

    async fn kv_write(&self, write: StateWrite) -> Answer {
        let outcome = self
            .desk
            .host
            .state
            .write(&self.namespace(), vec![write])
            .await;
        outcome.map_err(|error| of_state(&error))?;
        Ok(Value::Null)
    }
}

fn of_state(error: &state_store::Error) -> HostError {
    let kind = match error {
        state_store::Error::TooLarge { .. } => "invalid",
        _ => "failed",
    };
    HostError::new(kind, error.to_string())
}
