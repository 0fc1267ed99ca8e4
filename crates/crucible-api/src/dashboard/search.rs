//! The search page: what was found, with the words found marked.

use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse as _, Response};
use crucible_services::data_store::{SearchHit, SearchRequest, SearchResponse, Snippet};

use super::error_page::error_page;
use super::html::Html;
use super::layout;
use crate::error::ApiError;
use crate::params::Params;
use crate::state::ApiState;

/// How many notes the page shows.
const HITS: usize = 25;

/// `GET /search?q=`
pub(super) async fn search(State(state): State<ApiState>, uri: Uri) -> Response {
    let vault = &state.parts.vault;
    let query = match Params::read(&uri, &["q"]).and_then(|p| Ok(p.one("q")?.map(str::to_owned))) {
        Ok(query) => query.unwrap_or_default(),
        Err(error) => return error_page(vault, "", &error),
    };
    if query.trim().is_empty() {
        let mut main = Html::default();
        main.raw("<h1>Search</h1>\n")
            .raw("<p>Words find notes that have any of them, most of them first. ")
            .raw("<code>\"quoted words\"</code> must stand together; ")
            .raw("<code>-word</code> must be absent.</p>\n");
        return layout::page(vault, "Search", "", &main).into_response();
    }
    let mut request = SearchRequest::new(query.as_str());
    request.limit = HITS;
    match state.parts.store.search(request).await {
        Ok(found) => {
            let main = results(&query, &found);
            layout::page(vault, &query, &query, &main).into_response()
        }
        Err(error) => error_page(vault, &query, &ApiError::from(error)),
    }
}

fn results(query: &str, found: &SearchResponse) -> Html {
    let mut main = Html::default();
    main.raw("<h1>Results for <q dir=\"auto\">")
        .text(query)
        .raw("</q></h1>\n");
    for notice in &found.notices {
        main.raw("<p class=\"notice\">").text(notice).raw("</p>\n");
    }
    let count = u64::try_from(found.hits.len()).unwrap_or(u64::MAX);
    main.raw("<p class=\"quiet\">");
    match found.hits.len() {
        0 => main.raw("Nothing was found. Try fewer or other words."),
        1 => main.raw("1 note"),
        HITS => main.raw("The best ").number(count).raw(" notes"),
        _ => main.number(count).raw(" notes"),
    };
    main.raw("</p>\n");
    if !found.hits.is_empty() {
        main.raw("<ol class=\"hits\">\n");
        for found in &found.hits {
            hit(&mut main, found);
        }
        main.raw("</ol>\n");
    }
    main
}

fn hit(main: &mut Html, hit: &SearchHit) {
    main.raw("<li>\n<h2>")
        .note_link(&hit.path, &hit.title)
        .raw("</h2>\n<p class=\"where\" dir=\"auto\">")
        .text(&hit.path);
    for heading in &hit.heading_path {
        main.raw(" <span aria-hidden=\"true\">›</span> ")
            .text(heading);
    }
    main.raw(" · line ").number(hit.line).raw("</p>\n");
    main.raw("<p class=\"snippet\" dir=\"auto\">");
    snippet(main, &hit.snippet);
    main.raw("</p>\n</li>\n");
}

/// Writes the text with its highlights; a range that does not fit the text is passed over.
fn snippet(main: &mut Html, snippet: &Snippet) {
    let text = snippet.text.as_str();
    let mut written = 0;
    for &(start, end) in &snippet.highlights {
        let (Some(before), Some(found)) = (text.get(written..start), text.get(start..end)) else {
            continue;
        };
        main.text(before).raw("<mark>").text(found).raw("</mark>");
        written = end;
    }
    main.text(text.get(written..).unwrap_or_default());
}
