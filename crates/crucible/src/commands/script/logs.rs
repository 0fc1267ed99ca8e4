//! `crucible script logs`: what a script said, newest last.

use std::io::Write as _;

use crucible_services::script::LogLine;

use super::engine::Engine;
use crate::args::script::Logs;
use crate::failure::Failure;
use crate::session::print_json;
use crate::terminal::{Style, plain};

pub(super) async fn run(engine: &Engine, args: &Logs) -> Result<(), Failure> {
    let lines = engine.log(&args.name, usize::from(args.limit)).await?;
    if args.format.json {
        return print_json(&lines);
    }
    print(&lines, Style::detect())
}

pub(super) fn print(lines: &[LogLine], style: Style) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    for line in lines {
        let level = match line.level.as_str() {
            "error" | "warn" => style.warn(plain(&line.level)),
            level => style.dim(plain(level)),
        };
        let at = style.dim(line.at.to_string());
        writeln!(
            out,
            "{at} {level} {} {}",
            plain(&line.function),
            plain(&line.message)
        )?;
    }
    Ok(())
}
