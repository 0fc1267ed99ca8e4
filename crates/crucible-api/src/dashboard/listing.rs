//! The listing: all notes, or those with one tag, in path order and by pages.

use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse as _, Response};
use crucible_services::data_store::{ListRequest, NotePage};

use super::error_page::error_page;
use super::html::Html;
use super::layout;
use crate::error::ApiError;
use crate::params::Params;
use crate::percent;
use crate::state::ApiState;

/// How many notes one page shows.
const NOTES: usize = 100;

/// `GET /notes?tag=&cursor=`
pub(super) async fn listing(State(state): State<ApiState>, uri: Uri) -> Response {
    let vault = &state.parts.vault;
    let request = match request(&uri) {
        Ok(request) => request,
        Err(error) => return error_page(vault, "", &error),
    };
    let tag = request.tag.clone();
    match state.parts.store.list_notes(request).await {
        Ok(page) => {
            let main = body(tag.as_deref(), &page);
            layout::page(vault, "Notes", "", &main).into_response()
        }
        Err(error) => error_page(vault, "", &ApiError::from(error)),
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

fn body(tag: Option<&str>, page: &NotePage) -> Html {
    let mut main = Html::default();
    main.raw("<h1 dir=\"auto\">");
    match tag {
        Some(tag) => main.raw("#").text(tag),
        None => main.raw("All notes"),
    };
    main.raw("</h1>\n<p class=\"quiet\">")
        .number(page.total)
        .raw(if page.total == 1 { " note" } else { " notes" })
        .raw("</p>\n<ul class=\"hits\">\n");
    for note in &page.notes {
        main.raw("<li>")
            .note_link(&note.path, &note.title)
            .raw("<p class=\"where\" dir=\"auto\">")
            .text(&note.path)
            .raw("</p></li>\n");
    }
    main.raw("</ul>\n");
    if let Some(cursor) = &page.next_cursor {
        let mut url = String::from("/notes?cursor=");
        percent::push(&mut url, cursor);
        if let Some(tag) = tag {
            url.push_str("&tag=");
            percent::push(&mut url, tag);
        }
        main.raw("<p><a rel=\"next\"")
            .attribute("href", &url)
            .raw(">More notes</a></p>\n");
    }
    main
}
