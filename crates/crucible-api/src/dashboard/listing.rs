//! The listing: all notes, or those with one tag, in path order and by pages.

use axum::http::Uri;
use axum::response::Response;
use crucible_services::data_store::{ListRequest, NotePage};
use maud::{Markup, html};

use super::error_page::error_page;
use super::layout::{self, Place};
use super::parts::{empty, note_link, number, place, tag_link, url_with};
use super::visit::Visit;
use crate::error::ApiError;
use crate::params::Params;
use crate::percent;

/// How many notes one page shows.
const NOTES: usize = 100;
/// How many tags of one note are shown.
const TAGS: usize = 5;

/// `GET /notes?tag=&cursor=`
pub(super) async fn listing(visit: Visit, uri: Uri) -> Response {
    let request = match request(&uri) {
        Ok(request) => request,
        Err(error) => return error_page(&visit, "", &error),
    };
    let tag = request.tag.clone();
    match visit.parts().store.list_notes(request).await {
        Ok(page) => {
            let main = body(tag.as_deref(), &page);
            layout::page(&visit, Place::Notes, "Notes", "", &main)
        }
        Err(error) => error_page(&visit, "", &ApiError::from(error)),
    }
}

fn request(uri: &Uri) -> Result<ListRequest, ApiError> {
    let params = Params::read(uri, &["tag", "cursor"])?;
    Ok(ListRequest {
        folder: None,
        tag: params.one("tag")?.map(str::to_owned),
        limit: NOTES,
        cursor: params.one("cursor")?.map(str::to_owned),
    })
}

fn body(tag: Option<&str>, page: &NotePage) -> Markup {
    let noun = if page.total == 1 { " note" } else { " notes" };
    html! {
        header.page-head {
            @match tag {
                Some(tag) => { p.crumb { a href="/notes" { "All notes" } } h1 dir="auto" { "#" (tag) } },
                None => h1 { "All notes" },
            }
            p.lede { (number(page.total)) (noun) }
        }
        @if page.notes.is_empty() {
            (empty("No notes here", &html! { "Markdown files that are saved in the vault appear here by themselves." }))
        }
        @for (folder, notes) in by_folder(page) {
            section.folder {
                h2 dir="auto" { @if folder.is_empty() { "At the top" } @else { (folder) } }
                ul.notes data-list="" {
                    @for note in notes {
                        li {
                            (note_link(&note.path, &note.title))
                            span.note-tags { @for tag in note.tags.iter().take(TAGS) { (tag_link(tag)) " " } }
                            (place(note.path.rsplit('/').next().unwrap_or_default()))
                        }
                    }
                }
            }
        }
        @if let Some(cursor) = &page.next_cursor {
            p.after { a.button.plain rel="next" href=(next(cursor, tag)) { "More notes" } }
        }
    }
}

/// The notes by folder, in path order; those at the top of the vault come first.
fn by_folder(page: &NotePage) -> Vec<(&str, Vec<&crucible_services::data_store::NoteSummary>)> {
    let mut folders: Vec<(&str, Vec<_>)> = Vec::new();
    for note in &page.notes {
        let folder = note.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        match folders.iter_mut().find(|(known, _)| *known == folder) {
            Some((_, notes)) => notes.push(note),
            None => folders.push((folder, vec![note])),
        }
    }
    folders.sort_by_key(|(folder, _)| !folder.is_empty());
    folders
}

fn next(cursor: &str, tag: Option<&str>) -> String {
    let mut url = url_with("/notes?cursor=", cursor);
    if let Some(tag) = tag {
        url.push_str("&tag=");
        percent::push(&mut url, tag);
    }
    url
}
