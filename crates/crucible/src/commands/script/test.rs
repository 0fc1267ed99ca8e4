//! `crucible script test`: a script's own tests, against a vault in memory.

use std::io::Write as _;

use crucible_script::rehearsal::{Rehearsal, TestOutcome};

use super::{folders, worker};
use crate::args::Global;
use crate::args::script::{Place, Test};
use crate::failure::{Failure, Kind};
use crate::terminal::{Style, plain};

pub(super) async fn run(global: &Global, place: &Place, args: &Test) -> Result<(), Failure> {
    let style = Style::detect();
    let (mut passed, mut failed) = (0, 0);
    for folder in folders(global, place, args.name.as_deref())? {
        let name = folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let rehearsal = Rehearsal::open(&folder, worker()?).await.map_err(|error| {
            Failure::new(
                Kind::Failed,
                anyhow::Error::new(error).context(name.clone()),
            )
        })?;
        for test in rehearsal.tests() {
            let outcome = rehearsal.test(&test).await;
            match outcome.error {
                None => passed += 1,
                Some(_) => failed += 1,
            }
            print(&name, &outcome, style)?;
        }
        rehearsal.close().await;
    }
    writeln!(std::io::stdout(), "{passed} passed, {failed} failed")?;
    match (passed, failed) {
        (_, 1..) => Err(Failure::message(
            Kind::FaultsFound,
            format!("{failed} tests failed"),
        )),
        (0, _) => Err(Failure::message(Kind::Usage, "there are no tests")
            .with_hint("a test is a function without arguments whose name begins with test_")),
        _ => Ok(()),
    }
}

fn print(script: &str, outcome: &TestOutcome, style: Style) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let verdict = match outcome.error {
        None => style.good("passed"),
        Some(_) => style.warn("failed"),
    };
    writeln!(
        out,
        "{} {}  {verdict}",
        plain(script),
        style.bold(plain(&outcome.name))
    )?;
    if let Some(error) = &outcome.error {
        writeln!(out, "  {}", plain(error))?;
        for line in &outcome.log {
            writeln!(
                out,
                "  {} {}",
                style.dim(plain(&line.level)),
                plain(&line.message)
            )?;
        }
    }
    Ok(())
}
