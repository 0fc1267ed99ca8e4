//! `crucible script run`: one call, and what came of it.

use std::io::Write as _;

use crucible_services::script::{CallOutcome, CallRequest};
use serde_json::Value;

use super::engine::Engine;
use super::logs;
use crate::args::script::Run;
use crate::failure::Failure;
use crate::session::print_json;
use crate::terminal::{Style, plain};

pub(super) async fn run(engine: &Engine, args: &Run) -> Result<(), Failure> {
    let request = CallRequest {
        script: args.name.clone(),
        function: args.function.clone(),
        arguments: args.arguments.iter().map(|text| argument(text)).collect(),
        budget: None,
        cause: None,
        dry_run: args.dry_run,
    };
    let outcome = engine.call(request).await?;
    if args.format.json {
        return print_json(&outcome);
    }
    print(&outcome)
}

/// Reads an argument as JSON, or takes it as the text that it is.
fn argument(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

fn print(outcome: &CallOutcome) -> Result<(), Failure> {
    let style = Style::detect();
    logs::print(&outcome.log, style)?;
    let mut out = std::io::stdout().lock();
    for write in &outcome.writes {
        writeln!(out, "{} {}", style.warn("would"), plain(write))?;
    }
    if !outcome.value.is_null() {
        serde_json::to_writer_pretty(&mut out, &outcome.value)?;
        writeln!(out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_json_is_text() {
        assert_eq!(argument("{\"n\":1}"), serde_json::json!({ "n": 1 }));
        assert_eq!(argument("7"), serde_json::json!(7));
        assert_eq!(argument("Inbox/Rye.md"), serde_json::json!("Inbox/Rye.md"));
    }
}
