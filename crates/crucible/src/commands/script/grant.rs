//! `crucible script grant`: shows exactly what a script asks for, asks, and grants it.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use crucible_script::capability::Capability;
use crucible_services::script::ScriptInfo;

use super::engine::Engine;
use crate::args::script::Grant;
use crate::failure::{Failure, Kind};
use crate::terminal::{Style, plain};

pub(super) async fn run(engine: &Engine, args: &Grant) -> Result<(), Failure> {
    let scripts = engine.scripts().await?;
    let info = scripts.into_iter().find(|script| script.name == args.name);
    let info = info.ok_or_else(|| {
        Failure::message(Kind::Usage, format!("no script is called {:?}", args.name))
            .with_hint("`crucible script list` names the installed scripts")
    })?;
    let wanted = wanted(&info, args)?;
    show(&info, &wanted)?;
    if wanted == info.granted {
        writeln!(std::io::stdout(), "Nothing changes.")?;
        return Ok(());
    }
    if !args.yes && !is_confirmed()? {
        return Err(Failure::message(Kind::Failed, "nothing was changed"));
    }
    let granted = engine
        .grant(&info.name, &info.manifest, &wanted, "cli")
        .await?;
    let mut out = std::io::stdout().lock();
    match granted.granted.as_slice() {
        [] => writeln!(out, "Nothing is granted to {} now.", plain(&granted.name))?,
        some => writeln!(
            out,
            "Granted to {}: {}",
            plain(&granted.name),
            plain(&some.join("; "))
        )?,
    }
    Ok(())
}

/// Returns all that is to be granted from now on.
fn wanted(info: &ScriptInfo, args: &Grant) -> Result<Vec<String>, Failure> {
    for capability in &args.capabilities {
        if !info.requested.contains(capability) {
            let message = format!("{} does not ask for {capability:?}", info.name);
            return Err(Failure::message(Kind::Usage, message)
                .with_hint(format!("it asks for: {}", info.requested.join("; "))));
        }
    }
    let is_named = |capability: &&String| args.capabilities.contains(capability);
    let is_granted = |capability: &&String| info.granted.contains(capability);
    let wanted = info.requested.iter();
    let wanted: Vec<String> = match (args.revoke, args.capabilities.is_empty()) {
        (true, true) => Vec::new(),
        (true, false) => wanted
            .filter(|c| is_granted(c) && !is_named(c))
            .cloned()
            .collect(),
        (false, true) => wanted.cloned().collect(),
        (false, false) => wanted
            .filter(|c| is_granted(c) || is_named(c))
            .cloned()
            .collect(),
    };
    Ok(wanted)
}

fn show(info: &ScriptInfo, wanted: &[String]) -> Result<(), Failure> {
    let style = Style::detect();
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{}: {}",
        style.bold(plain(&info.name)),
        plain(&info.about)
    )?;
    if info.requested.is_empty() {
        writeln!(out, "  asks for nothing")?;
    }
    for capability in &info.requested {
        let verdict = match (
            info.granted.contains(capability),
            wanted.contains(capability),
        ) {
            (true, true) => "stays granted",
            (false, true) => "to be granted",
            (true, false) => "to be taken back",
            (false, false) => "not granted",
        };
        let words = capability
            .parse::<Capability>()
            .map_or_else(|_| String::new(), |c| c.explain());
        writeln!(
            out,
            "  {}  {}  {}",
            plain(capability),
            style.warn(verdict),
            style.dim(plain(&words))
        )?;
    }
    Ok(())
}

fn is_confirmed() -> Result<bool, Failure> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(
            Failure::message(Kind::Usage, "nobody is there to confirm it")
                .with_hint("look at what is asked for, and add --yes"),
        );
    }
    let mut out = std::io::stdout().lock();
    write!(out, "Go on? [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

#[cfg(test)]
mod tests {
    use crucible_services::script::ScriptState;

    use super::*;

    fn info(granted: &[&str]) -> ScriptInfo {
        ScriptInfo {
            name: "digest".to_owned(),
            about: String::new(),
            state: ScriptState::Active,
            version: String::new(),
            manifest: String::new(),
            requested: vec!["kv".to_owned(), "notes.read: **".to_owned()],
            granted: granted.iter().map(|text| (*text).to_owned()).collect(),
            handlers: Vec::new(),
            tools: Vec::new(),
            schedules: Vec::new(),
            calls: 0,
            failures: 0,
            last_error: None,
        }
    }

    fn check(granted: &[&str], capabilities: &[&str], revoke: bool, expected: &[&str]) {
        let args = Grant {
            name: "digest".to_owned(),
            capabilities: capabilities.iter().map(|text| (*text).to_owned()).collect(),
            all: capabilities.is_empty(),
            revoke,
            yes: true,
        };
        assert_eq!(wanted(&info(granted), &args).unwrap(), expected);
    }

    #[test]
    fn what_is_named_comes_to_what_is_granted_or_goes_from_it() {
        check(&[], &[], false, &["kv", "notes.read: **"]);
        check(
            &["kv"],
            &["notes.read: **"],
            false,
            &["kv", "notes.read: **"],
        );
        check(
            &["kv", "notes.read: **"],
            &["kv"],
            true,
            &["notes.read: **"],
        );
        check(&["kv", "notes.read: **"], &[], true, &[]);
    }

    #[test]
    fn what_is_not_asked_for_cannot_be_granted() {
        let args = Grant {
            name: "digest".to_owned(),
            capabilities: vec!["net".to_owned()],
            all: false,
            revoke: false,
            yes: true,
        };
        assert_eq!(wanted(&info(&[]), &args).unwrap_err().code(), 2);
    }
}
