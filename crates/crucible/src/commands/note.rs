//! `crucible note`: one note as it is written.

use std::io::Write as _;

use crate::args::{Global, Note};
use crate::failure::Failure;
use crate::session::{Session, print_json};
use crate::terminal::plain_lines;

pub(crate) async fn run(global: &Global, args: &Note) -> Result<(), Failure> {
    let session = Session::open(global, &args.vault, "note").await?;
    let note = session.store().note(&args.reference).await;
    session.close().await;
    let note = note.map_err(Failure::of_name)?;
    if args.format.json {
        return print_json(&note);
    }
    let mut out = std::io::stdout().lock();
    let text = plain_lines(&note.text);
    out.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        writeln!(out)?;
    }
    Ok(())
}
