//! Logs: to standard error, as text for people or one JSON object a line for programs.

use std::io::IsTerminal as _;

use crucible_daemon::MCP_LOG_FILTER;
use tracing_subscriber::EnvFilter;

use crate::args::{Global, LogFormat};
use crate::failure::{Failure, Kind};

/// What is logged by a process that stays, when its standard error is kept by another program.
const STAYING: &str = "warn,crucible=info,crucible_daemon=info,crucible_core=info,\
                       crucible_store=info,crucible_vault=info,crucible_api=info,\
                       crucible_mcp=info,tantivy=error";
/// What is logged otherwise. Dependencies speak only when something is wrong.
const QUIET: &str = "warn,tantivy=error";

/// Starts logging for the rest of the process; `stays` says whether it is one that stays.
pub(crate) fn start(options: &Global, stays: bool) -> Result<(), Failure> {
    let on_terminal = std::io::stderr().is_terminal();
    let filter = match &options.log {
        Some(text) => EnvFilter::try_new(without_messages(text)).map_err(|error| {
            Failure::new(Kind::Usage, error).with_hint(
                "--log takes a level such as debug, or a filter such as crucible_store=debug",
            )
        })?,
        None if stays && !on_terminal => EnvFilter::new(STAYING),
        None => EnvFilter::new(QUIET),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match options.log_format {
        LogFormat::Text => builder.with_ansi(on_terminal).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
    Ok(())
}

/// Adds to a filter that the protocol's messages, which hold what people ask of their notes, are
/// not logged; unless the filter speaks of them itself.
fn without_messages(filter: &str) -> String {
    let (sdk, _) = MCP_LOG_FILTER
        .split_once('=')
        .unwrap_or((MCP_LOG_FILTER, ""));
    if filter.contains(sdk) {
        filter.to_owned()
    } else {
        format!("{filter},{MCP_LOG_FILTER}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_logging_does_not_log_what_agents_ask() {
        assert_eq!(without_messages("debug"), "debug,rmcp=warn");
        assert_eq!(without_messages("info,rmcp=trace"), "info,rmcp=trace");
    }
}
