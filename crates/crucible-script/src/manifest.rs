//! A script's manifest, `script.toml`: what it is for, what wakes it, which tools it has, what it
//! asks to be allowed, and what it may use up.
//!
//! Reading is two steps: `table` takes TOML apart and knows the line of everything; the other
//! files say what each part means. The first fault is told with its line and its cure; nothing
//! is guessed and no key is passed over.

mod budget;
mod capabilities;
mod checks;
mod handler;
mod schedule;
mod table;
mod tool;

use crucible_services::script::{Budget, Error};

use crate::capability::Capability;
use table::Table;

pub use handler::Handler;
pub(crate) use handler::is_about_notes;
pub use schedule::{Missed, Schedule, Zone};
pub use tool::Tool;

/// The name of the file.
pub const FILE: &str = "script.toml";
/// The version of the script API that this engine offers.
pub const API: i64 = 1;
/// The longest manifest, in bytes.
pub const BYTES_MAX: usize = 64 * 1024;
/// The most entries of one kind: handlers, tools, schedules, globs of one list.
const ENTRIES_MAX: usize = 64;
/// The longest script name; it stands in front of tool names and in names of state.
const NAME_BYTES_MAX: usize = 40;

/// What a script says about itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// BLAKE3 of the file, as 64 hexadecimal digits: what a grant names.
    pub hash: String,
    /// What it is for.
    pub about: String,
    /// What wakes it.
    pub handlers: Vec<Handler>,
    /// Its tools.
    pub tools: Vec<Tool>,
    /// When it runs by the clock.
    pub schedules: Vec<Schedule>,
    /// What it asks to be allowed, sorted.
    pub capabilities: Vec<Capability>,
    /// What one call may use up.
    pub budget: Budget,
}

impl Manifest {
    /// Reads the manifest of the script called `script`.
    ///
    /// # Errors
    /// [`Error::Manifest`] with the line, the cause and the cure.
    pub fn parse(script: &str, text: &str) -> Result<Self, Error> {
        read(script, text).map_err(|fault| Error::Manifest(fault.to_string()))
    }

    /// Returns the functions that the manifest names, each once, in order of appearance.
    #[must_use]
    pub fn functions(&self) -> Vec<&str> {
        let handlers = self
            .handlers
            .iter()
            .map(|handler| handler.function.as_str());
        let tools = self.tools.iter().map(|tool| tool.function.as_str());
        let schedules = self.schedules.iter().map(|line| line.function.as_str());
        let mut functions: Vec<&str> = Vec::new();
        for function in handlers.chain(tools).chain(schedules) {
            if !functions.contains(&function) {
                functions.push(function);
            }
        }
        functions
    }
}

/// Says whether a folder's name can be a script's.
///
/// # Errors
/// What is wrong with it.
pub fn check_name(name: &str) -> Result<(), String> {
    let begins = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if !begins || !name.bytes().all(is_plain) || name.len() > NAME_BYTES_MAX {
        return Err(format!(
            "{name:?} cannot be a script's name; it begins with a letter and has at most \
             {NAME_BYTES_MAX} of a-z, 0-9 and -"
        ));
    }
    Ok(())
}

/// Something wrong with a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// From 1; 0 where no line can be named.
    line: u64,
    message: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            0 => f.write_str(&self.message),
            line => write!(f, "line {line}: {}", self.message),
        }
    }
}

fn read(script: &str, text: &str) -> Result<Manifest, Fault> {
    let whole = |message| Fault { line: 0, message };
    check_name(script).map_err(whole)?;
    if text.len() > BYTES_MAX {
        return Err(whole(format!(
            "the manifest is longer than {BYTES_MAX} bytes"
        )));
    }
    let document = table::document(text)?;
    let root = Table::root(text, &document);
    root.allow(&[
        "name",
        "about",
        "api",
        "on",
        "tool",
        "schedule",
        "capabilities",
        "budget",
    ])?;
    if let Some(name) = root.string("name")?
        && name != script
    {
        let message = format!(
            "the name is {name:?}, but the folder is called {script:?}; rename one of them, or \
             leave the name out"
        );
        return Err(root.fault("name", message));
    }
    check_api(&root)?;
    let mut manifest = Manifest {
        hash: blake3::hash(text.as_bytes()).to_hex().to_string(),
        about: root.required_text("about")?,
        handlers: root
            .tables("on")?
            .iter()
            .map(handler::read)
            .collect::<Result<_, _>>()?,
        tools: root
            .tables("tool")?
            .iter()
            .map(tool::read)
            .collect::<Result<_, _>>()?,
        schedules: root
            .tables("schedule")?
            .iter()
            .map(schedule::read)
            .collect::<Result<_, _>>()?,
        capabilities: capabilities::read(script, root.table("capabilities")?.as_ref())?,
        budget: budget::read(root.table("budget")?.as_ref())?,
    };
    checks::hang_together(&root, &manifest)?;
    manifest.capabilities.sort();
    manifest.capabilities.dedup();
    Ok(manifest)
}

fn check_api(root: &Table<'_>) -> Result<(), Fault> {
    match root.integer("api")? {
        Some(API) => Ok(()),
        Some(other) => Err(root.fault(
            "api",
            format!("version {other} of the script API is not offered here; write `api = {API}`"),
        )),
        None => Err(root.fault_here(format!(
            "`api` is missing; write `api = {API}`, the version of the script API"
        ))),
    }
}

#[cfg(test)]
mod tests;
