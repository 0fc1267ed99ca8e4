//! `[capabilities]`: what the script asks to be allowed. Asking grants nothing.

use super::Fault;
use super::table::Table;
use crate::capability::Capability;
use crate::glob::Globs;

pub(super) fn read(script: &str, table: Option<&Table<'_>>) -> Result<Vec<Capability>, Fault> {
    let mut asked = Vec::new();
    let Some(table) = table else {
        return Ok(asked);
    };
    table.allow(&["notes", "events", "kv", "inference", "mcp"])?;
    if let Some(notes) = table.table("notes")? {
        notes.allow(&["read", "write"])?;
        for glob in globs(&notes, "read")? {
            asked.push(Capability::NotesRead(glob));
        }
        for glob in globs(&notes, "write")? {
            asked.push(Capability::NotesWrite(glob));
        }
    }
    if let Some(events) = table.table("events")? {
        events.allow(&["subscribe", "emit"])?;
        for name in events.strings("subscribe")? {
            asked.push(Capability::EventsSubscribe(name));
        }
        for name in events.strings("emit")? {
            check_emit(script, &name).map_err(|why| events.fault("emit", why))?;
            asked.push(Capability::EventsEmit(name));
        }
    }
    if table.boolean("kv")?.unwrap_or(false) {
        asked.push(Capability::Kv);
    }
    for what in table.strings("inference")? {
        if what != "embed" && what != "generate" {
            let message = format!("`inference` can be \"embed\" or \"generate\", not {what:?}");
            return Err(table.fault("inference", message));
        }
        asked.push(Capability::Inference(what));
    }
    if let Some(mcp) = table.table("mcp")? {
        mcp.allow(&["expose"])?;
        for tool in mcp.strings("expose")? {
            asked.push(Capability::McpExpose(tool));
        }
    }
    Ok(asked)
}

fn globs(table: &Table<'_>, key: &str) -> Result<Vec<String>, Fault> {
    let globs = table.strings(key)?;
    Globs::new(globs.iter().map(String::as_str)).map_err(|why| table.fault(key, why))?;
    Ok(globs)
}

/// A script tells events only in its own name.
fn check_emit(script: &str, name: &str) -> Result<(), String> {
    let own = format!("custom.{script}.");
    match name.strip_prefix(&own) {
        Some(rest) if !rest.is_empty() => Ok(()),
        _ => Err(format!(
            "a script tells events in its own name: {name:?} must begin with {own:?}, such as \
             \"{own}*\""
        )),
    }
}
