//! The search page: what was found, with the words found marked.

use axum::http::Uri;
use axum::response::Response;
use crucible_services::data_store::{
    ScoreParts, SearchHit, SearchMode, SearchRequest, SearchResponse, Snippet,
};
use maud::{Markup, html};

use super::error_page::error_page;
use super::layout::{self, Place};
use super::parts::{self, empty, note_link, notice, place};
use super::visit::Visit;
use crate::error::ApiError;
use crate::params::{Params, invalid};

/// How many notes the page shows.
const HITS: usize = 25;
/// The ways to match, with the words that people read.
const MODES: [(SearchMode, &str, &str); 4] = [
    (SearchMode::Auto, "auto", "automatic choice"),
    (SearchMode::Lexical, "lexical", "words"),
    (SearchMode::Semantic, "semantic", "meaning"),
    (SearchMode::Hybrid, "hybrid", "words and meaning"),
];

/// `GET /search?q=&mode=`
pub(super) async fn search(visit: Visit, uri: Uri) -> Response {
    let (query, mode) = match read(&uri) {
        Ok(read) => read,
        Err(error) => return error_page(&visit, "", &error),
    };
    if query.trim().is_empty() {
        let main = html! {
            header.page-head { h1 { "Search" } }
            (form(&query, mode))
            (empty("Look for something", &html! {
                "Words find notes that have any of them, most of them first. "
                code { "\"quoted words\"" } " must stand together; " code { "-word" } " must be absent."
            }))
        };
        return layout::page(&visit, Place::Elsewhere, "Search", "", &main);
    }
    let mut request = SearchRequest::new(query.as_str());
    request.limit = HITS;
    request.mode = mode;
    match visit.parts().store.search(request).await {
        Ok(found) => {
            let main = results(&query, mode, &found);
            layout::page(&visit, Place::Elsewhere, &query, &query, &main)
        }
        Err(error) => error_page(&visit, &query, &ApiError::from(error)),
    }
}

fn read(uri: &Uri) -> Result<(String, SearchMode), ApiError> {
    let params = Params::read(uri, &["q", "mode"])?;
    let query = params.one("q")?.unwrap_or_default().to_owned();
    let mode = match params.one("mode")? {
        None => SearchMode::Auto,
        Some(name) => MODES
            .into_iter()
            .find(|(_, known, _)| *known == name)
            .map(|(mode, ..)| mode)
            .ok_or_else(|| {
                invalid(
                    "mode",
                    format!("{name:?} is none of auto, lexical, semantic, hybrid"),
                )
            })?,
    };
    Ok((query, mode))
}

fn form(query: &str, mode: SearchMode) -> Markup {
    html! {
        form.filter action="/search" method="get" {
            label.grow { "Look for" input name="q" type="search" value=(query) autocomplete="off"; }
            label { "By"
                select name="mode" {
                    @for (one, name, words) in MODES { option value=(name) selected[one == mode] { (words) } }
                }
            }
            button type="submit" { "Search" }
        }
    }
}

fn results(query: &str, mode: SearchMode, found: &SearchResponse) -> Markup {
    let used = MODES.into_iter().find(|(one, ..)| *one == found.mode);
    html! {
        header.page-head { h1 { "Results for " q dir="auto" { (query) } } }
        (form(query, mode))
        @for words in &found.notices { (notice(words)) }
        @if found.hits.is_empty() {
            (empty("Nothing was found", &html! { "Try fewer or other words." }))
        } @else {
            p.quiet {
                @if found.hits.len() == HITS { "The best " }
                (parts::count(found.hits.len(), "note", "notes"))
                @if let Some((.., words)) = used { ", by " (words) }
                ", in " (millis(found.took_us))
            }
            ol.hits data-list="" { @for found in &found.hits { (hit(found)) } }
        }
    }
}

fn millis(us: u64) -> String {
    format!("{}.{} ms", us / 1000, us % 1000 / 100)
}

fn hit(hit: &SearchHit) -> Markup {
    html! {
        li {
            h2 { (note_link(&hit.path, &hit.title)) }
            p.where {
                (place(&hit.path))
                @for heading in &hit.heading_path { span.step aria-hidden="true" { " › " } span dir="auto" { (heading) } }
                span.step { " · line " (hit.line) }
            }
            p.snippet dir="auto" { (snippet(&hit.snippet)) }
            details.score {
                summary { "Why here" }
                (score(hit.score, hit.parts))
            }
        }
    }
}

fn score(score: f32, parts: ScoreParts) -> Markup {
    html! {
        dl.facts {
            @if let Some(rank) = parts.lexical_rank { div { dt { "Rank by words" } dd { (rank) } } }
            @if let Some(bm25) = parts.bm25 { div { dt { "BM25" } dd { (format!("{bm25:.3}")) } } }
            @if let Some(rank) = parts.semantic_rank { div { dt { "Rank by meaning" } dd { (rank) } } }
            @if let Some(cosine) = parts.cosine { div { dt { "Cosine" } dd { (format!("{cosine:.3}")) } } }
            div { dt { "Ordered by" } dd { (format!("{score:.4}")) } }
        }
    }
}

/// The text with its highlights; a range that does not fit the text is passed over.
fn snippet(snippet: &Snippet) -> Markup {
    let text = snippet.text.as_str();
    let mut written = 0;
    let mut pieces = Vec::new();
    for &(start, end) in &snippet.highlights {
        let (Some(before), Some(found)) = (text.get(written..start), text.get(start..end)) else {
            continue;
        };
        pieces.push((before, found));
        written = end;
    }
    let rest = text.get(written..).unwrap_or_default();
    html! { @for (before, found) in pieces { (before) mark { (found) } } (rest) }
}
