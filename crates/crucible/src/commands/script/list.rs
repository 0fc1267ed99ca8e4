//! `crucible script list`: what is installed, what it asks for, what was granted.

use std::io::Write as _;

use crucible_services::script::{ScriptInfo, ScriptState};

use super::engine::Engine;
use crate::args::Format;
use crate::failure::Failure;
use crate::session::print_json;
use crate::terminal::{Style, plain};

pub(super) async fn run(engine: &Engine, format: Format) -> Result<(), Failure> {
    let scripts = engine.scripts().await?;
    if format.json {
        return print_json(&scripts);
    }
    if scripts.is_empty() {
        writeln!(
            std::io::stdout(),
            "No scripts. `crucible script new NAME` begins one."
        )?;
    }
    for script in &scripts {
        print(script)?;
    }
    Ok(())
}

fn print(script: &ScriptInfo) -> Result<(), Failure> {
    let style = Style::detect();
    let mut out = std::io::stdout().lock();
    let state = match script.state {
        ScriptState::Active => style.good("active"),
        ScriptState::Outdated => style.warn("outdated"),
        ScriptState::Faulty => style.warn("faulty"),
    };
    writeln!(
        out,
        "{}  {state}  {}",
        style.bold(plain(&script.name)),
        plain(&script.about)
    )?;
    for handler in &script.handlers {
        writeln!(out, "  on {}", plain(handler))?;
    }
    for tool in &script.tools {
        writeln!(out, "  tool {}", plain(tool))?;
    }
    for schedule in &script.schedules {
        let next = schedule
            .next
            .map_or("never".to_owned(), |at| at.to_string());
        writeln!(
            out,
            "  at {} -> {}, next {next}",
            plain(&schedule.cron),
            plain(&schedule.function)
        )?;
    }
    for capability in &script.requested {
        let verdict = if script.granted.contains(capability) {
            style.good("granted")
        } else {
            style.dim("asked for")
        };
        writeln!(out, "  {}  {verdict}", plain(capability))?;
    }
    if script.calls > 0 {
        writeln!(out, "  {} calls, {} failed", script.calls, script.failures)?;
    }
    if let Some(error) = &script.last_error {
        writeln!(out, "  {}", style.warn(plain(error)))?;
    }
    Ok(())
}
