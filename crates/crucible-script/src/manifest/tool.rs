//! `[[tool]]`: functions that AI agents can call.

use serde_json::{Value, json};

use super::Fault;
use super::table::Table;
use crate::schema;

/// The longest tool name, in bytes.
const NAME_BYTES_MAX: usize = 32;
/// The longest description, in bytes: every agent reads all of them.
const ABOUT_BYTES_MAX: usize = 1024;

/// A function that is offered as a tool.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// Its name within the script.
    pub name: String,
    /// What it does, for the model.
    pub about: String,
    /// The function; called with one object, the arguments.
    pub function: String,
    /// JSON Schema of the arguments.
    pub input: Value,
    /// True when it changes nothing: writes are refused while it runs.
    pub read_only: bool,
}

pub(super) fn read(table: &Table<'_>) -> Result<Tool, Fault> {
    table.allow(&["name", "about", "function", "input", "read_only"])?;
    let name = table.required_text("name")?;
    let begins = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if !begins || !name.bytes().all(is_plain) || name.len() > NAME_BYTES_MAX || name.contains("__")
    {
        let message = format!(
            "{name:?} cannot be a tool's name; it begins with a letter and has at most \
             {NAME_BYTES_MAX} of a-z, 0-9 and single _"
        );
        return Err(table.fault("name", message));
    }
    let about = table.required_text("about")?;
    if about.len() > ABOUT_BYTES_MAX {
        let message = format!("the description is longer than {ABOUT_BYTES_MAX} bytes");
        return Err(table.fault("about", message));
    }
    let input = table
        .json("input")?
        .unwrap_or_else(|| json!({ "type": "object", "properties": {} }));
    schema::check(&input).map_err(|why| table.fault("input", why))?;
    Ok(Tool {
        function: if table.has("function") {
            super::checks::function(table)?
        } else {
            name.clone()
        },
        name,
        about,
        input,
        read_only: table.boolean("read_only")?.unwrap_or(false),
    })
}
