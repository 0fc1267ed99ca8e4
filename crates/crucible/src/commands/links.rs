//! `crucible links`: the links from and to a note.

use std::io::Write;

use crucible_services::data_store::{NoteLinks, OutgoingLink};

use crate::args::{Global, Links};
use crate::failure::Failure;
use crate::session::{Session, print_json};
use crate::terminal::{Style, plain};

pub(crate) async fn run(global: &Global, args: &Links) -> Result<(), Failure> {
    let session = Session::open(global, &args.vault, "links").await?;
    let links = session.store().links(&args.reference).await;
    session.close().await;
    let links = links.map_err(Failure::of_name)?;
    if args.format.json {
        return print_json(&links);
    }
    print(&mut std::io::stdout().lock(), &links, Style::detect())
}

fn print(out: &mut impl Write, links: &NoteLinks, style: Style) -> Result<(), Failure> {
    writeln!(
        out,
        "{}  {}",
        style.bold(plain(&links.title)),
        style.dim(plain(&links.path))
    )?;
    writeln!(out, "\n{} {}", style.bold("Links to"), links.outgoing.len())?;
    for link in &links.outgoing {
        writeln!(
            out,
            "  {} {}",
            style.dim(format_args!("{:>4}", link.line)),
            target(link, style)
        )?;
    }
    writeln!(
        out,
        "\n{} {}",
        style.bold("Linked from"),
        links.backlinks.len()
    )?;
    for link in &links.backlinks {
        let place = format!("{}:{}", plain(&link.path), link.line);
        writeln!(out, "  {}  {}", place, style.dim(plain(&link.context)))?;
    }
    Ok(())
}

fn target(link: &OutgoingLink, style: Style) -> String {
    let mut part = String::new();
    if let Some(heading) = &link.heading {
        part = format!("#{heading}");
    } else if let Some(block) = &link.block {
        part = format!("#^{block}");
    }
    match &link.resolved {
        Some(path) if link.ambiguous => {
            format!(
                "{}{} {}",
                plain(path),
                plain(&part),
                style.warn("(other notes have that name too)")
            )
        }
        Some(path) => format!("{}{}", plain(path), plain(&part)),
        None => format!(
            "{}{} {}",
            plain(&link.target),
            plain(&part),
            style.warn("(nothing has that name)")
        ),
    }
}
