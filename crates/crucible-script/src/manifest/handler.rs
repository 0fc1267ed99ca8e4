//! `[[on]]`: which events wake the script, decided in the daemon before any worker is asked.

use super::Fault;
use super::table::Table;
use crate::glob::Globs;
use crate::nearest::cure;
use crucible_services::events::EventType;

/// A function that is called with an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handler {
    /// Names of events, such as `filesystem.file_modified`, or beginnings, such as `filesystem.*`.
    pub events: Vec<String>,
    /// Globs of which the event's path must match one; empty when any path will do.
    pub paths: Vec<String>,
    /// Globs of which the event's path must match none.
    pub not_paths: Vec<String>,
    /// Tags, without `#`, of which the note must carry one; empty when none is asked for.
    pub tags: Vec<String>,
    /// The function.
    pub function: String,
}

/// The categories that event names begin with. Those about scripts are for persons alone: they
/// can name what a script was not allowed to see.
const CATEGORIES: [&str; 8] = [
    "filesystem",
    "database",
    "external",
    "mcp",
    "inference",
    "service",
    "system",
    "custom",
];

pub(super) fn read(table: &Table<'_>) -> Result<Handler, Fault> {
    table.allow(&["events", "paths", "not_paths", "tags", "function"])?;
    let events = table.strings("events")?;
    if events.is_empty() {
        let message = "[[on]] lacks `events`; add `events = [\"filesystem.file_modified\"]`";
        return Err(table.fault("events", message));
    }
    for event in &events {
        check_event(event).map_err(|message| table.fault("events", message))?;
    }
    let globs = |key: &str| -> Result<Vec<String>, Fault> {
        let globs = table.strings(key)?;
        Globs::new(globs.iter().map(String::as_str)).map_err(|why| table.fault(key, why))?;
        Ok(globs)
    };
    let tags = table.strings("tags")?;
    let tags = tags
        .iter()
        .map(|tag| tag.trim_start_matches('#').to_owned());
    Ok(Handler {
        paths: globs("paths")?,
        not_paths: globs("not_paths")?,
        tags: tags.collect(),
        function: super::checks::function(table)?,
        events,
    })
}

/// Says whether events of this name are about one note or file.
pub(crate) fn is_about_notes(event: &str) -> bool {
    event.starts_with("filesystem.") || event.starts_with("database.record_")
}

fn check_event(pattern: &str) -> Result<(), String> {
    let (category, rest) = pattern.split_once('.').unwrap_or((pattern, ""));
    if !CATEGORIES.contains(&category) {
        return Err(format!(
            "no event is called {pattern:?}: {category:?} is no category{}",
            cure(category, &CATEGORIES)
        ));
    }
    if rest.is_empty() {
        return Err(format!(
            "{pattern:?} names a category; write \"{category}.*\" for all of its events"
        ));
    }
    if rest == "*" || category == "custom" {
        return Ok(());
    }
    known_type(category, rest).map_err(|known| {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        format!("{category} has no event {rest:?}{}", cure(rest, &known))
    })
}

/// Asks the contract itself whether an event type exists; names those that do when not.
fn known_type(category: &str, name: &str) -> Result<(), Vec<String>> {
    let json = serde_json::json!({ "category": category, "type": name });
    let Err(error) = serde_json::from_value::<EventType>(json) else {
        return Ok(());
    };
    let message = error.to_string();
    if !message.starts_with("unknown variant") {
        return Ok(());
    }
    // The message is "unknown variant `x`, expected one of `a`, `b`".
    Err(message
        .split('`')
        .skip(1)
        .step_by(2)
        .skip(1)
        .map(str::to_owned)
        .collect())
}
