//! `[[schedule]]`: when the script runs by the clock.

use std::time::Duration;

use super::Fault;
use super::budget::duration;
use super::table::Table;
use crate::cron::CronLine;

/// The longest spread of start times.
const JITTER_MAX: Duration = Duration::from_secs(3600);

/// A function that is called by the clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// When, as a cron line of five fields, or of six with seconds first.
    pub cron: CronLine,
    /// Which clock the line is meant for.
    pub zone: Zone,
    /// The function; called with an object that says when it was due.
    pub function: String,
    /// What happens to times that passed while the daemon was away.
    pub missed: Missed,
    /// Starts are spread over this time, so that not everything runs on the minute.
    pub jitter: Duration,
}

/// A clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Zone {
    /// Coordinated universal time.
    Utc,
    /// The clock on the wall, with its changes in spring and autumn.
    Local,
}

/// What happens to times that passed while the daemon was away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Missed {
    /// Nothing.
    Skip,
    /// One call at the next start, however many times passed.
    Once,
}

pub(super) fn read(table: &Table<'_>) -> Result<Schedule, Fault> {
    table.allow(&["cron", "timezone", "function", "missed", "jitter"])?;
    let cron =
        CronLine::parse(&table.required_text("cron")?).map_err(|why| table.fault("cron", why))?;
    let zone = match table.string("timezone")?.as_deref() {
        None | Some("local") => Zone::Local,
        Some("UTC" | "utc") => Zone::Utc,
        Some(other) => {
            let message = format!("`timezone` is {other:?}; it can be \"local\" or \"UTC\"");
            return Err(table.fault("timezone", message));
        }
    };
    let missed = match table.string("missed")?.as_deref() {
        None | Some("skip") => Missed::Skip,
        Some("once") => Missed::Once,
        Some(other) => {
            let message = format!("`missed` is {other:?}; it can be \"skip\" or \"once\"");
            return Err(table.fault("missed", message));
        }
    };
    let jitter = match table.string("jitter")? {
        None => Duration::ZERO,
        Some(text) => duration(&text).map_err(|why| table.fault("jitter", why))?,
    };
    if jitter > JITTER_MAX {
        return Err(table.fault("jitter", "`jitter` is longer than an hour"));
    }
    Ok(Schedule {
        cron,
        zone,
        function: super::checks::function(table)?,
        missed,
        jitter,
    })
}
