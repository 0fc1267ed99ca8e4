//! `crucible doctor`: every file that was skipped or is faulty, and the state of the index.

use std::io::Write;

use crucible_daemon::access::Via;
use crucible_daemon::{LeftOut, LeftOutRule};
use crucible_services::data_store::{Problem, StoreStats};
use serde::Serialize;

use crate::args::{Doctor, Global};
use crate::failure::{Failure, Kind};
use crate::session::{Session, print_json};
use crate::terminal::{Style, count, plain};

/// More than this nobody reads; the rest is counted.
const PROBLEMS_MAX: usize = 100_000;
/// As above, for what is left alone: a folder of a package manager can hold very many.
const LEFT_OUT_MAX: usize = 10_000;

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
    vault: String,
    index: String,
    /// Parts of the index that were damaged, moved aside and built again.
    recovered: Vec<String>,
    stats: StoreStats,
    problems: Vec<Problem>,
    /// Notes that the vault's rules leave alone; no fault.
    left_out: Vec<LeftOut>,
    /// How many there are, should there be more than are listed.
    left_out_total: u64,
}

pub(crate) async fn run(global: &Global, args: &Doctor) -> Result<(), Failure> {
    let session = Session::open(global, &args.vault, "doctor").await?;
    let report = examine(&session).await;
    let by = match session.via() {
        Via::Daemon(_) => "the daemon answers",
        Via::Reader(_) => "another process keeps it fresh",
        Via::Own => "opened and brought up to date",
    };
    session.close().await;
    let report = report?;
    if args.format.json {
        print_json(&report)?;
    } else {
        print(&mut std::io::stdout().lock(), &report, by, Style::detect())?;
    }
    if report.problems.is_empty() {
        return Ok(());
    }
    Err(Failure::message(
        Kind::FaultsFound,
        match report.problems.len() {
            1 => "1 fault found".to_owned(),
            several => format!("{} faults found", count(several as u64)),
        },
    ))
}

async fn examine(session: &Session) -> Result<Report, Failure> {
    let store = session.store();
    let (left_out, left_out_total) = session
        .location()
        .left_out(LEFT_OUT_MAX)
        .await
        .map_err(|error| Failure::new(Kind::Failed, error))?;
    Ok(Report {
        vault: session.location().vault().display().to_string(),
        index: session.location().index_dir().display().to_string(),
        recovered: session.recovered(),
        stats: store.stats().await?,
        problems: store.problems(PROBLEMS_MAX).await?,
        left_out,
        left_out_total,
    })
}

fn print(out: &mut impl Write, report: &Report, by: &str, style: Style) -> Result<(), Failure> {
    writeln!(out, "{} {}", style.bold("Vault"), plain(&report.vault))?;
    let stats = &report.stats;
    writeln!(
        out,
        "{} {} notes, {} blocks: {by}",
        style.bold("Index"),
        count(stats.notes),
        count(stats.blocks)
    )?;
    for line in &report.recovered {
        writeln!(out, "  {} {}", style.warn("rebuilt"), plain(line))?;
    }
    if report.problems.is_empty() {
        writeln!(out, "{}", style.good("Every file was read and understood."))?;
        return list_left_out(out, report, style);
    }
    let (skipped, faulty): (Vec<&Problem>, Vec<&Problem>) = report
        .problems
        .iter()
        .partition(|problem| problem.kind.is_skipped());
    list(out, "Skipped (not in the index)", &skipped, style)?;
    list(out, "Faulty (in the index all the same)", &faulty, style)?;
    list_left_out(out, report, style)
}

fn list_left_out(out: &mut impl Write, report: &Report, style: Style) -> Result<(), Failure> {
    if report.left_out.is_empty() {
        return Ok(());
    }
    let title = style.bold("Left alone by rule (no fault)");
    writeln!(out, "\n{title} {}", count(report.left_out_total))?;
    for rule in LeftOutRule::ALL {
        let mut left = report
            .left_out
            .iter()
            .filter(|left| left.rule == rule)
            .peekable();
        if left.peek().is_some() {
            writeln!(out, "  {}:", rule.message())?;
        }
        for left in left {
            writeln!(out, "    {}", plain(&left.path))?;
        }
    }
    let untold = report.left_out_total - report.left_out.len() as u64;
    if untold > 0 {
        writeln!(out, "  and {} more", count(untold))?;
    }
    Ok(())
}

fn list(
    out: &mut impl Write,
    title: &str,
    problems: &[&Problem],
    style: Style,
) -> Result<(), Failure> {
    if problems.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{} {}", style.bold(title), problems.len())?;
    for problem in problems {
        let line = problem
            .line
            .map(|line| format!(":{line}"))
            .unwrap_or_default();
        writeln!(out, "  {}{line}", style.warn(plain(&problem.path)))?;
        writeln!(out, "    {}", plain(&problem.message))?;
    }
    Ok(())
}
