//! `crucible serve`: keeps a vault indexed and serves it until interrupted.

use std::io::Write;

use crucible_daemon::Daemon;
use crucible_daemon::compose::{Indexed, Role};

use crate::args::{Global, Serve};
use crate::failure::{Failure, Kind};
use crate::signals::Signals;
use crate::terminal::{Style, count, plain};
use crate::{progress, setup, vault_choice};

pub(crate) async fn run(global: &Global, args: &Serve) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let location = vault_choice::find_to_serve(global, args.vault.as_deref(), args.index_in_vault)?;
    let mut config = setup::daemon(global, location, Role::Serve)?;
    if let Some(address) = args.listen {
        config = config.listening_on(address);
    }
    if args.no_auth {
        config = config.without_authentication();
    }
    let daemon = Daemon::start(config).await?;
    let outcome = serve(&daemon, &mut signals).await;
    let why = outcome
        .as_ref()
        .map_or("the index cannot be built", |signal| *signal);
    let leftovers = tokio::select! {
        leftovers = daemon.stop(why) => leftovers,
        second = signals.again() => return Err(left_at_once(second)),
    };
    let signal = outcome?;
    let mut out = std::io::stdout().lock();
    for leftover in leftovers {
        writeln!(out, "Not stopped cleanly: {leftover}")?;
    }
    writeln!(out, "Stopped ({signal}).")?;
    Ok(())
}

/// Announces the daemon, and again once its index is up to date; then waits for the end.
async fn serve(daemon: &Daemon, signals: &mut Signals) -> Result<&'static str, Failure> {
    let style = Style::detect();
    announce(&mut std::io::stdout().lock(), daemon, style)?;
    // A person may lose patience while the first index is built.
    tokio::select! {
        indexed = progress::follow(daemon) => {
            announce_ready(&mut std::io::stdout().lock(), &indexed?, style)?;
        }
        signal = signals.next() => return Ok(signal),
    }
    Ok(signals.next().await)
}

fn left_at_once(signal: &str) -> Failure {
    Failure::message(Kind::Failed, format!("left at once ({signal} came twice)"))
        .with_hint("what was being written is completed at the next start")
}

/// Says what is served and where: known before the index is up to date.
fn announce(out: &mut impl Write, daemon: &Daemon, style: Style) -> Result<(), Failure> {
    let location = daemon.location();
    let vault = location.vault().display().to_string();
    row(out, style, "vault", &plain(&vault))?;
    row(
        out,
        style,
        "index",
        &plain(&location.index_dir().display().to_string()),
    )?;
    for line in daemon.recovered() {
        row(out, style, "rebuilt", &style.warn(plain(&line)))?;
    }
    if let Some(api) = daemon.api_address() {
        if let Some(link) = daemon.dashboard_link() {
            row(out, style, "dashboard", &style.bold(link))?;
        }
        row(out, style, "API", &format!("http://{api}/api/v1"))?;
        let stdio = shell_word(&vault);
        row(
            out,
            style,
            "MCP",
            &format!("http://{api}/mcp, or `crucible mcp {stdio}` over stdio"),
        )?;
    }
    out.flush()?;
    Ok(())
}

/// Says what the index holds.
fn announce_ready(out: &mut impl Write, indexed: &Indexed, style: Style) -> Result<(), Failure> {
    let Indexed {
        stats,
        parsed,
        took,
        ..
    } = indexed;
    let notes = format!("{} in {} blocks", count(stats.notes), count(stats.blocks));
    row(out, style, "notes", &notes)?;
    let links = format!(
        "{}, {} unresolved",
        count(stats.links),
        count(stats.links_unresolved)
    );
    row(out, style, "links", &links)?;
    if stats.problems > 0 {
        let faults = format!("{}; `crucible doctor` names them", count(stats.problems));
        row(out, style, "problems", &style.warn(faults))?;
    }
    let work = match parsed {
        0 => "nothing had changed".to_owned(),
        1 => "1 note read".to_owned(),
        some => format!("{} notes read", count(*some)),
    };
    row(
        out,
        style,
        "ready in",
        &format!("{:.2} s, {work}", took.as_secs_f64()),
    )?;
    writeln!(
        out,
        "\n  Try `crucible search WORDS` in another terminal. Ctrl-C stops."
    )?;
    out.flush()?;
    Ok(())
}

fn row(out: &mut impl Write, style: Style, name: &str, value: &str) -> std::io::Result<()> {
    writeln!(out, "  {} {value}", style.dim(format_args!("{name:<10}")))
}

/// Quotes a path so that it can be pasted into a shell.
fn shell_word(path: &str) -> String {
    let safe = |c: char| c.is_alphanumeric() || "/._-~".contains(c);
    if path.chars().all(safe) {
        path.to_owned()
    } else {
        format!("'{}'", plain(path).replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_can_be_pasted_into_a_shell() {
        assert_eq!(shell_word("/home/me/notes"), "/home/me/notes");
        assert_eq!(shell_word("/home/me/my notes"), "'/home/me/my notes'");
        assert_eq!(shell_word("/a'b"), "'/a'\\''b'");
    }
}
