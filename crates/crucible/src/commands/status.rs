//! `crucible status`: what is known of a vault, and whether a daemon serves it.

use std::io::Write;

use crucible_daemon::access::{Access, Via};
use crucible_daemon::compose::Role;
use crucible_daemon::instance::Instance;
use crucible_daemon::location::Location;
use crucible_services::data_store::StoreStats;
use serde::Serialize;

use crate::args::{Global, Status};
use crate::failure::Failure;
use crate::session::print_json;
use crate::terminal::{Style, count, plain, size};
use crate::{setup, vault_choice};

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
    vault: String,
    index: String,
    /// The process that keeps the index fresh; `None` when there is none.
    instance: Option<Instance>,
    /// `None` when the vault was never indexed.
    stats: Option<StoreStats>,
}

pub(crate) async fn run(global: &Global, args: &Status) -> Result<(), Failure> {
    let location = vault_choice::find(global, args.vault.vault.as_deref())?;
    let report = look(global, &location).await?;
    if args.format.json {
        return print_json(&report);
    }
    print(&mut std::io::stdout().lock(), &report, Style::detect())
}

/// Looks without bringing anything up to date: asking for the status changes nothing.
async fn look(global: &Global, location: &Location) -> Result<Report, Failure> {
    let mut report = Report {
        vault: location.vault().display().to_string(),
        index: location.index_dir().display().to_string(),
        instance: None,
        stats: None,
    };
    let access = match Access::running(location).await? {
        None if location.index_dir().is_dir() => {
            let config = setup::daemon(global, location.clone(), Role::Command("status"))?;
            Some(Access::open(&config).await?)
        }
        running => running,
    };
    if let Some(access) = access {
        let stats = access.store().stats().await;
        if let Via::Daemon(instance) | Via::Reader(instance) = access.via() {
            report.instance = Some(instance.clone());
        }
        access.close().await;
        report.stats = Some(stats?);
    }
    Ok(report)
}

fn print(out: &mut impl Write, report: &Report, style: Style) -> Result<(), Failure> {
    let mut row = |name: &str, value: String| {
        writeln!(out, "{}  {value}", style.dim(format_args!("{name:>10}")))
    };
    row("vault", plain(&report.vault))?;
    row("index", plain(&report.index))?;
    match &report.instance {
        Some(Instance {
            pid,
            role,
            api: Some(api),
            version,
        }) => {
            row(
                "served",
                format!(
                    "{} process {pid}, `crucible {role}` {version}",
                    style.good("yes")
                ),
            )?;
            row("dashboard", format!("http://{api}/"))?;
            row("API", format!("http://{api}/api/v1"))?;
        }
        Some(Instance {
            pid,
            role,
            api: None,
            version,
        }) => {
            row(
                "served",
                format!("by process {pid}, `crucible {role}` {version}, without an API"),
            )?;
        }
        None => row(
            "served",
            "no; `crucible serve` keeps the index fresh".to_owned(),
        )?,
    }
    let Some(stats) = &report.stats else {
        row("notes", "not indexed yet".to_owned())?;
        return Ok(());
    };
    row(
        "notes",
        format!("{} in {} blocks", count(stats.notes), count(stats.blocks)),
    )?;
    row(
        "links",
        format!(
            "{}, {} unresolved",
            count(stats.links),
            count(stats.links_unresolved)
        ),
    )?;
    row("tags", count(stats.tags))?;
    row("size", size(stats.index_size_bytes))?;
    if stats.text_pending > 0 {
        row(
            "pending",
            format!("{} notes are not searchable yet", count(stats.text_pending)),
        )?;
    }
    let problems = match stats.problems {
        0 => style.good("none"),
        some => format!("{}; `crucible doctor` names them", style.warn(count(some))),
    };
    row("problems", problems)?;
    Ok(())
}
