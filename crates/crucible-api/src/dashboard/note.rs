//! The page of one note: its text, properties, outline, tags, the links from and to it, its past.

use axum::http::Uri;
use axum::response::Response;
use crucible_services::data_store::{Backlink, LinkKind, Note, NoteLinks, OutgoingLink};
use crucible_services::note_writer::{Change, ChangeAction};
use jiff::Timestamp;
use maud::{Markup, html};
use serde_json::Value;

use super::attachment::picture_url;
use super::error_page::error_page;
use super::layout::{self, Place};
use super::markdown;
use super::parts::{self, bytes, day_and_time, note_link, note_url, notice, tag_link};
use super::visit::Visit;
use crate::error::ApiError;
use crate::params::{Params, invalid};
use crate::routes::Named;

/// How many former changes the page shows.
const CHANGES: usize = 10;

/// `GET /note/{reference}?view=source`
pub(super) async fn note(visit: Visit, Named(reference): Named, uri: Uri) -> Response {
    let shows_source = match view(&uri) {
        Ok(shows_source) => shows_source,
        Err(error) => return error_page(&visit, "", &error),
    };
    let store = &visit.parts().store;
    let note = match store.note(&reference).await {
        Ok(note) => note,
        Err(error) => return error_page(&visit, "", &ApiError::from(error)),
    };
    // The note may have gone since; its text is worth showing all the same.
    let links = store.links(&note.summary.path).await.ok();
    let history = match &visit.parts().writer {
        Some(writer) => writer.history(Some(&note.summary.path), CHANGES).await.ok(),
        None => None,
    };
    let main = html! {
        div.note-page {
            (article(&note, links.as_ref(), shows_source))
            div.aside {
                (outline(&note))
                @match &links {
                    Some(links) => {
                        (backlinks(&links.backlinks))
                        (outgoing(&links.outgoing))
                    },
                    None => (notice("The links of this note cannot be read now.")),
                }
                @if let Some(history) = &history { (past(history)) }
            }
        }
    };
    layout::page(&visit, Place::Notes, &note.summary.title, "", &main)
}

fn view(uri: &Uri) -> Result<bool, ApiError> {
    match Params::read(uri, &["view"])?.one("view")? {
        None => Ok(false),
        Some("source") => Ok(true),
        Some(odd) => Err(invalid("view", format!("must be source, not {odd:?}"))),
    }
}

fn article(note: &Note, links: Option<&NoteLinks>, shows_source: bool) -> Markup {
    let summary = &note.summary;
    let address = note_url(&summary.path);
    html! {
        article.note {
            header.page-head {
                p.crumb { (folders(&summary.path)) }
                h1 dir="auto" { (parts::or_untitled(&summary.title)) }
                @if !summary.aliases.is_empty() {
                    p.also dir="auto" { "Also " (summary.aliases.join(", ")) }
                }
                p.quiet.note-meta {
                    @if let Ok(at) = Timestamp::from_millisecond(summary.modified_ms) { span { "Changed " (day_and_time(at)) } }
                    span { (bytes(summary.size_bytes)) }
                    @if shows_source { a href=(address) { "Show as read" } } @else { a href=(format!("{address}?view=source")) { "Show source" } }
                }
                @if !summary.tags.is_empty() {
                    ul.tags aria-label="Tags" { @for tag in &summary.tags { li { (tag_link(tag)) } } }
                }
                (properties(note))
            }
            @if shows_source {
                // A parser drops one line break after <pre>, which would be the note's own.
                pre.source tabindex="0" dir="auto" aria-label="The note's text" { "\n" (note.text) }
            } @else {
                @let outgoing = links.map_or(&[][..], |links| &links.outgoing);
                @let rendered = markdown::render(&note.text, &summary.title, outgoing);
                div.prose { (rendered.html) }
                @if rendered.left_out > 0 {
                    (notice(&format!("The last {} are not shown here; the file has them.", bytes(rendered.left_out as u64))))
                }
            }
        }
    }
}

fn folders(path: &str) -> Markup {
    let folder = path.rsplit_once('/').map(|(folder, _)| folder);
    html! {
        a href="/notes" { "Notes" }
        @if let Some(folder) = folder {
            @for step in folder.split('/') { span.step { " › " } span dir="auto" { (step) } }
        }
    }
}

/// Properties that the page does not show elsewhere.
fn properties(note: &Note) -> Markup {
    let shown: Vec<_> = note
        .properties
        .iter()
        .filter(|(name, _)| {
            !matches!(
                name.as_str(),
                "title" | "tags" | "tag" | "aliases" | "alias"
            )
        })
        .collect();
    html! {
        @if !shown.is_empty() {
            dl.properties aria-label="Properties" {
                @for (name, value) in shown {
                    div { dt dir="auto" { (name) } dd dir="auto" { (property(value)) } }
                }
            }
        }
    }
}

fn property(value: &Value) -> String {
    match value {
        Value::String(text) => without_brackets(text),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Null => "–".to_owned(),
        Value::Array(items) => items.iter().map(property).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn outline(note: &Note) -> Markup {
    html! {
        @if note.headings.len() > 1 {
            nav aria-labelledby="outline" {
                h2 #outline { "Outline" }
                ul.outline {
                    @for heading in &note.headings {
                        li data-level=(heading.level.min(6)) dir="auto" {
                            a href=(format!("#{}", anchor(&heading.text))) { (heading.text) }
                        }
                    }
                }
            }
        }
    }
}

fn anchor(heading: &str) -> String {
    parts::url_with("", &markdown::heading_id(heading))
}

fn backlinks(links: &[Backlink]) -> Markup {
    html! {
        section aria-labelledby="backlinks" {
            h2 #backlinks { "Links to here" @if !links.is_empty() { span.tally { (links.len()) } } }
            @if links.is_empty() {
                p.quiet { "No other note links here." }
            } @else {
                ul.rows data-list="" {
                    @for links in links.chunk_by(|one, next| one.path == next.path) {
                        li {
                            @if let Some(link) = links.first() { (note_link(&link.path, &link.title)) }
                            @for link in links { p.context dir="auto" { (in_passing(&link.context)) } }
                        }
                    }
                }
            }
        }
    }
}

/// A line of a note without the marks of lists and tables and with its links as words.
fn in_passing(line: &str) -> String {
    let words = without_addresses(&without_brackets(line));
    let row = words.trim();
    match row.strip_prefix('|').and_then(|row| row.strip_suffix('|')) {
        Some(cells) => {
            let cells = cells.split('|').map(str::trim);
            let cells: Vec<&str> = cells.filter(|cell| !cell.is_empty()).collect();
            cells.join(" · ")
        }
        None => row.strip_prefix("- ").unwrap_or(row).to_owned(),
    }
}

/// A line with its wikilinks as words.
fn without_brackets(line: &str) -> String {
    let mut words = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, (link, after))) = rest
        .split_once("[[")
        .and_then(|(before, from)| Some((before, from.split_once("]]")?)))
    {
        words.push_str(before.strip_suffix('!').unwrap_or(before));
        let (target, alias) = crucible_notes::names::split_wikilink(link);
        words.push_str(alias.unwrap_or(target));
        rest = after;
    }
    words.push_str(rest);
    words
}

/// A line with its Markdown links as words.
fn without_addresses(line: &str) -> String {
    let mut words = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, (link, after))) = rest
        .split_once('[')
        .and_then(|(before, from)| Some((before, from.split_once("](")?)))
    {
        let Some((_, after)) = after.split_once(')') else {
            break;
        };
        words.push_str(before.strip_suffix('!').unwrap_or(before));
        words.push_str(link);
        rest = after;
    }
    words.push_str(rest);
    words
}

fn outgoing(links: &[OutgoingLink]) -> Markup {
    html! {
        section aria-labelledby="outgoing" {
            h2 #outgoing { "Links from here" @if !links.is_empty() { span.tally { (links.len()) } } }
            @if links.is_empty() {
                p.quiet { "It links to no other note." }
            } @else {
                ul.rows data-list="" { @for link in links { li { (outgoing_item(link)) } } }
            }
        }
    }
}

fn outgoing_item(link: &OutgoingLink) -> Markup {
    let target = match (link.target.is_empty(), &link.heading) {
        (true, Some(heading)) => heading,
        _ => &link.target,
    };
    let words = link.alias.as_deref().unwrap_or(target);
    let embeds = matches!(link.kind, LinkKind::Embed | LinkKind::MarkdownEmbed);
    html! {
        @match &link.resolved {
            Some(path) if is_note(path) => (note_link(path, words)),
            Some(path) => @match picture_url(path) {
                Some(url) => a.file href=(url) dir="auto" { (path) },
                None => span.file dir="auto" { (path) },
            },
            None => { span.unresolved dir="auto" { (words) } " " span.quiet { "nothing has this name" } },
        }
        @if embeds { " " span.quiet { "embedded" } }
        @if link.ambiguous { " " span.quiet { "several have this name; this is the nearest" } }
    }
}

/// Images and other files have no page.
fn is_note(path: &str) -> bool {
    path.rsplit_once('.')
        .is_some_and(|(_, extension)| extension.eq_ignore_ascii_case("md"))
}

fn past(history: &[Change]) -> Markup {
    html! {
        section aria-labelledby="history" {
            h2 #history { "Changes through Crucible" }
            @if history.is_empty() {
                p.quiet { "None. Changes made in an editor are not listed." }
            } @else {
                ol.rows {
                    @for change in history {
                        li {
                            span { (done(change.action)) " by " (change.by) }
                            p.quiet {
                                (day_and_time(change.at)) " · " code { (change.id) }
                                @if change.undone_by.is_some() { " · undone" }
                            }
                        }
                    }
                }
                p.quiet { code { "crucible undo" } " takes one back." }
            }
        }
    }
}

const fn done(action: ChangeAction) -> &'static str {
    match action {
        ChangeAction::Create => "Created",
        ChangeAction::Edit => "Edited",
        ChangeAction::Move => "Moved",
        ChangeAction::Delete => "Deleted",
        ChangeAction::Undo => "Undone",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_items_are_words_in_passing() {
        assert_eq!(in_passing("| a | [[b\\|c]] | |"), "a · c");
        assert_eq!(in_passing("- one [[two]]"), "one two");
        assert_eq!(in_passing("|"), "|");
        assert_eq!(
            in_passing("a [b c](d%20e.md#f), ![g](h.png) [i] (j"),
            "a b c, g [i] (j"
        );
        assert_eq!(in_passing("[a](b"), "[a](b");
    }

    #[test]
    fn wikilinks_are_words_in_passing() {
        assert_eq!(without_brackets("a [[B c|d]] ![[e]] [[f"), "a d e [[f");
        assert_eq!(without_brackets("]] [[x]]"), "]] x");
    }
}
