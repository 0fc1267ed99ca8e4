//! `clock.now`: the time, as the daemon has it.

use crucible_services::clock;
use serde_json::{Value, json};

use super::Broker;

impl Broker {
    pub(super) fn now(&self) -> Value {
        let now = clock::now();
        let local = now.to_zoned_datetime(self.desk.config.local.clone());
        json!({
            "utc": now.to_string(),
            "local": local.datetime().to_string(),
            "date": local.date().to_string(),
            "weekday": local.weekday().to_monday_one_offset(),
            "unix_ms": now.as_millisecond(),
        })
    }
}
