//! What can be set about routing.

use serde::{Deserialize, Serialize};

use crate::events::EventFilter;

/// Settings of the router.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoutingConfig {
    /// What a full mailbox answers when the subscription does not say.
    pub overflow: Overflow,
    /// How an instance of a group is selected for an event without an ordering key.
    pub balance: Balance,
    /// How long one event may be handled, in milliseconds; from 1.
    pub handle_deadline_ms: u64,
    /// The longest chain of causes; a longer one is taken for a loop and refused.
    pub hops_max: u16,
    /// The largest payload, in bytes; JSON is measured as it would be written.
    pub payload_bytes_max: usize,
    /// How many of the last events are kept for observers; read when the router is created.
    pub recent_events_max: usize,
    /// How many bytes of payload those may hold; read when the router is created.
    pub recent_bytes_max: usize,
}

impl Default for RoutingConfig {
    fn default() -> Self {
        Self {
            overflow: Overflow::default(),
            balance: Balance::default(),
            handle_deadline_ms: 30_000,
            hops_max: 16,
            payload_bytes_max: 10 * 1024 * 1024,
            recent_events_max: 1024,
            recent_bytes_max: 32 * 1024 * 1024,
        }
    }
}

impl RoutingConfig {
    /// Says whether the settings can be used.
    ///
    /// # Errors
    /// The name of the field at fault and what is wrong with it.
    pub fn validate(&self) -> Result<(), (&'static str, String)> {
        let fields = [
            ("handle_deadline_ms", self.handle_deadline_ms, 1, 3_600_000),
            ("hops_max", self.hops_max.into(), 1, 1_000),
            (
                "payload_bytes_max",
                as_u64(self.payload_bytes_max),
                1,
                1 << 30,
            ),
            (
                "recent_events_max",
                as_u64(self.recent_events_max),
                1,
                1 << 20,
            ),
            (
                "recent_bytes_max",
                as_u64(self.recent_bytes_max),
                1,
                1 << 36,
            ),
        ];
        for (name, value, least, most) in fields {
            if !(least..=most).contains(&value) {
                return Err((name, format!("{value} is not between {least} and {most}")));
            }
        }
        Ok(())
    }
}

fn as_u64(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

/// What a full mailbox answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Overflow {
    /// The teller waits until there is room, and the event is refused after the deadline. Nobody
    /// waits for an instance that does not take mail out now (it is starting again, say).
    Wait {
        /// How long, in milliseconds.
        deadline_ms: u64,
    },
    /// The new event is refused.
    Reject,
    /// The oldest event of the lane makes room, and is counted as dropped.
    DropOldest,
}

impl Default for Overflow {
    fn default() -> Self {
        Self::Wait { deadline_ms: 1_000 }
    }
}

/// How an instance of a group is selected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// One after the other.
    RoundRobin,
    /// The one with the fewest events waiting or being handled.
    #[default]
    LeastLoaded,
}

/// Which events a group wants, and what its full mailboxes answer to them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// The wanted events.
    pub filter: EventFilter,
    /// The answer of a full mailbox; `None` for that of [`RoutingConfig::overflow`].
    #[serde(default)]
    pub overflow: Option<Overflow>,
}

impl From<EventFilter> for Subscription {
    fn from(filter: EventFilter) -> Self {
        Self {
            filter,
            overflow: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_a_fault_names_its_field() {
        assert_eq!(RoutingConfig::default().validate(), Ok(()));
        let config = RoutingConfig {
            hops_max: 0,
            ..RoutingConfig::default()
        };
        assert_eq!(config.validate().unwrap_err().0, "hops_max");
    }

    #[test]
    fn settings_are_read_from_json_and_unknown_ones_are_refused() {
        let json = r#"{"overflow": "drop_oldest", "balance": "round_robin"}"#;
        let config: RoutingConfig = serde_json::from_str(json).unwrap();
        assert_eq!(config.overflow, Overflow::DropOldest);
        assert_eq!(config.hops_max, 16);
        let json = r#"{"overflow": {"wait": {"deadline_ms": 5}}}"#;
        let config: RoutingConfig = serde_json::from_str(json).unwrap();
        assert_eq!(config.overflow, Overflow::Wait { deadline_ms: 5 });
        assert!(serde_json::from_str::<RoutingConfig>(r#"{"overflo": "reject"}"#).is_err());
    }
}
