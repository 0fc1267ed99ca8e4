//! `crucible history`: what was changed through the daemon, by whom.

use std::io::Write;

use crucible_services::note_writer::{Change, ChangeAction, NoteWriter as _};

use crate::args::{Global, History};
use crate::failure::Failure;
use crate::session::{daemon, print_json};
use crate::terminal::{Style, plain};

pub(crate) async fn run(global: &Global, args: &History) -> Result<(), Failure> {
    let client = daemon(global, &args.vault)?;
    let changes = client
        .history(args.note.as_deref(), usize::from(args.limit))
        .await?;
    if args.format.json {
        return print_json(&changes);
    }
    print(&mut std::io::stdout().lock(), &changes, Style::detect())
}

fn print(out: &mut impl Write, changes: &[Change], style: Style) -> Result<(), Failure> {
    if changes.is_empty() {
        writeln!(
            out,
            "Nothing was changed through crucible. What other programs write is not recorded."
        )?;
    }
    for change in changes {
        let what = match change.action {
            ChangeAction::Create => "created",
            ChangeAction::Edit => "edited ",
            ChangeAction::Move => "moved  ",
            ChangeAction::Delete => "deleted",
            ChangeAction::Undo => "undid  ",
        };
        let mut line = plain(&change.path);
        if let Some(from) = &change.from {
            line = format!("{} -> {line}", plain(from));
        }
        if !change.also.is_empty() {
            line.push_str(&format!(" and links in {} notes", change.also.len()));
        }
        if change.undone_by.is_some() {
            line.push_str(&style.dim(" (undone)"));
        }
        let by = style.dim(format_args!("{}  {}", change.at, plain(&change.by)));
        writeln!(out, "{}  {what}  {line}  {by}", style.bold(&change.id))?;
    }
    Ok(())
}
