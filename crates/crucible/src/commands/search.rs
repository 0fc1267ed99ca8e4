//! `crucible search`: the notes that match best.

use std::io::Write;

use crucible_services::data_store::{SearchMode, SearchRequest, SearchResponse};

use crate::args::{Global, Search};
use crate::failure::Failure;
use crate::session::{Session, print_json};
use crate::terminal::{Style, plain};

pub(crate) async fn run(global: &Global, args: &Search) -> Result<(), Failure> {
    let session = Session::open(global, &args.vault, "search").await?;
    let request = SearchRequest {
        query: args.words.join(" "),
        limit: usize::from(args.limit),
        folder: args.folder.clone(),
        tags: args
            .tags
            .iter()
            .map(|tag| tag.trim_start_matches('#').to_owned())
            .collect(),
        mode: SearchMode::Auto,
    };
    let answer = session.store().search(request).await;
    session.close().await;
    let answer = answer?;
    if args.format.json {
        return print_json(&answer);
    }
    print(&mut std::io::stdout().lock(), &answer, Style::detect())
}

fn print(out: &mut impl Write, answer: &SearchResponse, style: Style) -> Result<(), Failure> {
    if answer.hits.is_empty() {
        writeln!(out, "Nothing found. Fewer or other words may help.")?;
    }
    for hit in &answer.hits {
        let place = format!("{}:{}", plain(&hit.path), hit.line);
        writeln!(
            out,
            "{}  {}",
            style.bold(plain(&hit.title)),
            style.dim(place)
        )?;
        if !hit.heading_path.is_empty() {
            writeln!(out, "  {}", style.dim(plain(&hit.heading_path.join(" > "))))?;
        }
        writeln!(out, "  {}", style.snippet(&hit.snippet))?;
    }
    // Last, where it is read and not in the way of what was asked for.
    for notice in &answer.notices {
        writeln!(
            out,
            "\n{}",
            style.dim(format_args!("note: {}", plain(notice)))
        )?;
    }
    Ok(())
}
