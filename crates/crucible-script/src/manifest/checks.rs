//! What must be true of a manifest as a whole: parts that name each other, and parts that could
//! never do anything.

use super::table::Table;
use super::{Fault, Manifest, is_about_notes};
use crate::capability::Capability;

/// Reads the name of a function.
pub(super) fn function(table: &Table<'_>) -> Result<String, Fault> {
    let name = table.required_text("function")?;
    let is_identifier = |part: &str| {
        let mut bytes = part.bytes();
        bytes
            .next()
            .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
            && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    if name.len() > 128 || !name.split("::").all(is_identifier) {
        return Err(table.fault("function", format!("{name:?} cannot be a function's name")));
    }
    Ok(name)
}

pub(super) fn hang_together(root: &Table<'_>, manifest: &Manifest) -> Result<(), Fault> {
    handlers_can_wake(root, manifest)?;
    let tables = root.tables("tool")?;
    for (index, tool) in manifest.tools.iter().enumerate() {
        let table = &tables[index];
        if manifest.tools[..index]
            .iter()
            .any(|other| other.name == tool.name)
        {
            return Err(table.fault(
                "name",
                format!("a tool called {:?} is there already", tool.name),
            ));
        }
        let wanted = Capability::McpExpose(tool.name.clone());
        if !manifest.capabilities.contains(&wanted) {
            let message = format!(
                "nobody could see this tool; ask for it with `mcp.expose = [\"{}\"]` in \
                 [capabilities]",
                tool.name
            );
            return Err(table.fault("name", message));
        }
    }
    for capability in &manifest.capabilities {
        if let Capability::McpExpose(name) = capability
            && !manifest.tools.iter().any(|tool| tool.name == *name)
        {
            let message = format!("`mcp.expose` names {name:?}, and no [[tool]] has that name");
            return Err(root.fault("capabilities", message));
        }
    }
    Ok(())
}

fn handlers_can_wake(root: &Table<'_>, manifest: &Manifest) -> Result<(), Fault> {
    let reads = |c: &Capability| matches!(c, Capability::NotesRead(_));
    let tables = root.tables("on")?;
    for (handler, table) in manifest.handlers.iter().zip(&tables) {
        for event in &handler.events {
            if is_about_notes(event) {
                if !manifest.capabilities.iter().any(reads) {
                    let message = format!(
                        "{event} would never wake it: a script hears only of notes that it may \
                         read; ask for some with `notes.read = [\"Inbox/**\"]` in [capabilities]"
                    );
                    return Err(table.fault("events", message));
                }
                continue;
            }
            let wanted = Capability::EventsSubscribe(event.clone());
            if !manifest
                .capabilities
                .iter()
                .any(|have| have.includes(&wanted))
            {
                let message = format!(
                    "{event} would never wake it; ask for it with `events.subscribe = \
                     [\"{event}\"]` in [capabilities]"
                );
                return Err(table.fault("events", message));
            }
            if !handler.paths.is_empty() || !handler.tags.is_empty() {
                let message =
                    format!("{event} is about no note, so `paths` and `tags` keep it away");
                return Err(table.fault("events", message));
            }
        }
    }
    Ok(())
}
