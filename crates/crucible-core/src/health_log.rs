//! The last health checks of each service.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use crate::health::HealthRecord;

/// How many checks of each service are kept; the oldest go first.
const RECORDS_MAX: usize = 128;

/// The last health checks of each service.
#[derive(Debug, Default)]
pub(crate) struct HealthLog {
    records: Mutex<BTreeMap<String, VecDeque<HealthRecord>>>,
}

impl HealthLog {
    pub(crate) fn add(&self, record: HealthRecord) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let of_service = records.entry(record.service.clone()).or_default();
        if of_service.len() == RECORDS_MAX {
            of_service.pop_front();
        }
        of_service.push_back(record);
    }

    pub(crate) fn forget(&self, service: &str) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        records.remove(service);
    }

    /// Returns all that is kept, oldest first.
    pub(crate) fn all(&self) -> Vec<HealthRecord> {
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<HealthRecord> = records.values().flatten().cloned().collect();
        drop(records);
        all.sort_by_key(|record| record.at);
        all
    }
}
