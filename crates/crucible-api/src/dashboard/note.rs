//! The page of one note: its source, outline, tags, and the links from and to it.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use crucible_services::data_store::{Backlink, Note, NoteLinks, OutgoingLink};

use super::error_page::error_page;
use super::html::Html;
use super::layout;
use crate::error::ApiError;
use crate::routes::Named;
use crate::state::ApiState;

/// `GET /note/{reference}`
pub(super) async fn note(State(state): State<ApiState>, Named(reference): Named) -> Response {
    let parts = &state.parts;
    let note = match parts.store.note(&reference).await {
        Ok(note) => note,
        Err(error) => return error_page(&parts.vault, "", &ApiError::from(error)),
    };
    // The note may have gone since; its text is worth showing all the same.
    let links = parts.store.links(&note.summary.path).await;
    let main = body(&note, links.as_ref().ok());
    layout::page(&parts.vault, &note.summary.title, "", &main).into_response()
}

fn body(note: &Note, links: Option<&NoteLinks>) -> Html {
    let mut main = Html::default();
    main.raw("<article class=\"note\">\n<header>\n<p class=\"where\" dir=\"auto\">")
        .text(&note.summary.path)
        .raw("</p>\n<h1 dir=\"auto\">")
        .text(&note.summary.title)
        .raw("</h1>\n");
    names(&mut main, "Also called", &note.summary.aliases);
    tags(&mut main, &note.summary.tags);
    // A parser drops one line break after <pre>, which would be the note's own.
    main.raw("</header>\n<pre class=\"source\" tabindex=\"0\" dir=\"auto\" ")
        .raw("aria-label=\"The note's text\">\n")
        .text(&note.text)
        .raw("</pre>\n</article>\n<div class=\"aside\">\n");
    outline(&mut main, note);
    match links {
        Some(links) => {
            outgoing(&mut main, &links.outgoing);
            backlinks(&mut main, &links.backlinks);
        }
        None => {
            main.raw("<p class=\"notice\">The links of this note cannot be read now.</p>\n");
        }
    }
    main.raw("</div>\n");
    main
}

fn names(main: &mut Html, label: &'static str, names: &[String]) {
    if !names.is_empty() {
        main.raw("<p class=\"quiet\">")
            .raw(label)
            .raw(" <span dir=\"auto\">")
            .text(&names.join(", "))
            .raw("</span></p>\n");
    }
}

fn tags(main: &mut Html, tags: &[String]) {
    if tags.is_empty() {
        return;
    }
    main.raw("<ul class=\"tags\" aria-label=\"Tags\">\n");
    for tag in tags {
        main.raw("<li>").tag_link(tag).raw("</li>\n");
    }
    main.raw("</ul>\n");
}

fn outline(main: &mut Html, note: &Note) {
    if note.headings.is_empty() {
        return;
    }
    main.raw("<section aria-labelledby=\"outline\">\n<h2 id=\"outline\">Outline</h2>\n")
        .raw("<ul class=\"plain\">\n");
    for heading in &note.headings {
        main.raw("<li")
            .attribute("class", &format!("level-{}", heading.level.min(6)))
            .raw(" dir=\"auto\">")
            .text(&heading.text)
            .raw(" <span class=\"quiet\">line ")
            .number(heading.line)
            .raw("</span></li>\n");
    }
    main.raw("</ul>\n</section>\n");
}

fn outgoing(main: &mut Html, links: &[OutgoingLink]) {
    main.raw("<section aria-labelledby=\"outgoing\">\n<h2 id=\"outgoing\">Links from here</h2>\n");
    if links.is_empty() {
        main.raw("<p class=\"quiet\">None.</p>\n");
    } else {
        main.raw("<ul class=\"plain\">\n");
        for link in links {
            outgoing_item(main, link);
        }
        main.raw("</ul>\n");
    }
    main.raw("</section>\n");
}

fn outgoing_item(main: &mut Html, link: &OutgoingLink) {
    let words = link.alias.as_deref().unwrap_or(&link.target);
    main.raw("<li>");
    match &link.resolved {
        Some(path) if is_note(path) => main.note_link(path, words),
        Some(path) => main.raw("<span dir=\"auto\">").text(path).raw("</span>"),
        None => main
            .raw("<span class=\"unresolved\" dir=\"auto\">")
            .text(words)
            .raw("</span> <span class=\"quiet\">nothing has this name</span>"),
    };
    if link.ambiguous {
        main.raw(" <span class=\"quiet\">several have this name; this is the nearest</span>");
    }
    main.raw("</li>\n");
}

/// Images and other files have no page.
fn is_note(path: &str) -> bool {
    path.rsplit_once('.')
        .is_some_and(|(_, extension)| extension.eq_ignore_ascii_case("md"))
}

fn backlinks(main: &mut Html, links: &[Backlink]) {
    main.raw("<section aria-labelledby=\"backlinks\">\n<h2 id=\"backlinks\">Links to here</h2>\n");
    if links.is_empty() {
        main.raw("<p class=\"quiet\">None.</p>\n");
    } else {
        main.raw("<ul class=\"plain\">\n");
        for link in links {
            main.raw("<li>")
                .note_link(&link.path, &link.title)
                .raw("<p class=\"snippet\" dir=\"auto\">")
                .text(&link.context)
                .raw("</p></li>\n");
        }
        main.raw("</ul>\n");
    }
    main.raw("</section>\n");
}
