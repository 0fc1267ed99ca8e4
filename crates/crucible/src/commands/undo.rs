//! `crucible undo`: takes a change back that was made through the daemon.

use std::io::Write;

use crucible_services::note_writer::{Author, NoteWriter as _};

use crate::args::{Global, Undo};
use crate::failure::{Failure, Kind};
use crate::session::{daemon, print_json};
use crate::terminal::plain;

/// As far back as the first letters of a change are looked for.
const CHANGES_MAX: usize = 1000;

pub(crate) async fn run(global: &Global, args: &Undo) -> Result<(), Failure> {
    let client = daemon(global, &args.vault)?;
    let change = match &args.change {
        Some(begin) => {
            let changes = client.history(None, CHANGES_MAX).await?;
            Some(one(begin, changes.into_iter().map(|change| change.id))?)
        }
        None => None,
    };
    let written = client.undo(change.as_deref(), Author::new("cli")).await?;
    if args.format.json {
        return print_json(&written);
    }
    let mut out = std::io::stdout().lock();
    let path = plain(&written.path);
    match &written.hash {
        Some(_) => writeln!(out, "{path} is as it was before.")?,
        None => writeln!(out, "{path} is gone again.")?,
    }
    if !written.also.is_empty() {
        writeln!(out, "So are links in {} other notes.", written.also.len())?;
    }
    writeln!(out, "`crucible undo {}` takes this back.", written.change)?;
    Ok(())
}

/// Finds the one change that begins as typed.
fn one(begin: &str, ids: impl Iterator<Item = String>) -> Result<String, Failure> {
    let mut found: Vec<String> = ids.filter(|id| id.starts_with(begin)).collect();
    match (found.pop(), found.is_empty()) {
        (Some(id), true) => Ok(id),
        (Some(_), false) => Err(Failure::message(
            Kind::Usage,
            format!("several changes begin with {begin:?}; give more of it"),
        )),
        (None, _) => Err(
            Failure::message(Kind::Usage, format!("no change begins with {begin:?}"))
                .with_hint("`crucible history` shows them"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_letters_must_tell_one_change_apart() {
        let ids = || ["abc", "abd", "xyz"].map(str::to_owned).into_iter();
        assert_eq!(one("x", ids()).unwrap(), "xyz");
        assert_eq!(one("abd", ids()).unwrap(), "abd");
        assert!(
            one("ab", ids())
                .unwrap_err()
                .to_string()
                .contains("several")
        );
        assert!(
            one("q", ids())
                .unwrap_err()
                .to_string()
                .contains("no change")
        );
    }
}
