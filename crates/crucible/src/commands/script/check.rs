//! `crucible script check`: manifest and code, without running anything.

use std::io::Write as _;

use crucible_script::rehearsal::Rehearsal;
use serde::Serialize;

use super::{folders, worker};
use crate::args::Global;
use crate::args::script::{Check, Place};
use crate::failure::{Failure, Kind};
use crate::session::print_json;
use crate::terminal::{Style, plain};

/// What was found in one script.
#[derive(Debug, Serialize)]
struct Found {
    script: String,
    ok: bool,
    faults: Vec<String>,
    warnings: Vec<String>,
}

pub(super) async fn run(global: &Global, place: &Place, args: &Check) -> Result<(), Failure> {
    let named = args.path.as_ref().map(|path| path.display().to_string());
    let mut found = Vec::new();
    for folder in folders(global, place, named.as_deref())? {
        let name = folder.file_name().unwrap_or_default();
        let mut one = Found {
            script: name.to_string_lossy().into_owned(),
            ok: true,
            faults: Vec::new(),
            warnings: Vec::new(),
        };
        match Rehearsal::open(&folder, worker()?).await {
            Ok(rehearsal) => {
                let warnings = rehearsal.warnings().iter();
                let words = warnings.map(|w| format!("{}:{}: {}", w.file, w.line, w.message));
                one.warnings = words.collect();
                rehearsal.close().await;
            }
            Err(error) => {
                one.ok = false;
                one.faults.push(error.to_string());
            }
        }
        found.push(one);
    }
    let faulty = found.iter().filter(|one| !one.ok).count();
    if args.format.json {
        print_json(&found)?;
    } else {
        print(&found)?;
    }
    match faulty {
        0 => Ok(()),
        faulty => {
            let message = format!("{faulty} of {} scripts cannot be loaded", found.len());
            Err(Failure::message(Kind::FaultsFound, message))
        }
    }
}

fn print(found: &[Found]) -> Result<(), Failure> {
    let style = Style::detect();
    let mut out = std::io::stdout().lock();
    for one in found {
        let verdict = if one.ok {
            style.good("good")
        } else {
            style.warn("faulty")
        };
        writeln!(out, "{}  {verdict}", style.bold(plain(&one.script)))?;
        for line in one.faults.iter().chain(&one.warnings) {
            writeln!(out, "  {}", plain(line))?;
        }
    }
    Ok(())
}
