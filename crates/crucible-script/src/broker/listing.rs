//! `notes.list` and `notes.search`: many notes, of which none is shown that may not be read, nor
//! counted.

use crucible_services::data_store::{ListRequest, SearchMode, SearchRequest};
use serde::Deserialize;
use serde_json::json;

use super::reading::to_json;
use super::visible::{of_store, visible_notes};
use super::{Answer, Broker};

/// What a script can say about a listing.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ListOptions {
    folder: Option<String>,
    tag: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// What a script can say about a search.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SearchOptions {
    folder: Option<String>,
    tags: Vec<String>,
    limit: Option<usize>,
    mode: SearchMode,
}

impl Broker {
    pub(super) async fn list(&self, options: ListOptions) -> Answer {
        self.require_reading().await?;
        let scopes = &self.visit.scopes;
        let store = self.desk.host.store.as_ref();
        let limit = options.limit.unwrap_or(ListRequest::LIMIT_DEFAULT);
        let limit = limit.clamp(1, ListRequest::LIMIT_MAX);
        let tag = options
            .tag
            .map(|tag| tag.trim_start_matches('#').to_owned());
        if scopes.reads_all() {
            let request = ListRequest {
                folder: options.folder,
                tag,
                limit,
                cursor: options.cursor,
            };
            let page = store.list_notes(request).await;
            let page = page.map_err(|error| of_store(&error))?;
            return Ok(json!({
                "notes": to_json(&page.notes)?,
                "total": page.total,
                "next_cursor": page.next_cursor,
            }));
        }
        // The store's cursor could name a hidden note, and its total counts them.
        let (folder, tag) = (options.folder.as_deref(), tag.as_deref());
        let notes = visible_notes(store, scopes, folder, tag).await?;
        let after = options.cursor.unwrap_or_default();
        let start = notes.partition_point(|note| note.path <= after);
        let page = &notes[start..notes.len().min(start.saturating_add(limit))];
        let has_more = start + page.len() < notes.len();
        let next_cursor = page.last().filter(|_| has_more).map(|note| &note.path);
        Ok(json!({
            "notes": to_json(&page)?,
            "total": notes.len(),
            "next_cursor": next_cursor,
        }))
    }

    pub(super) async fn search(&self, query: String, options: SearchOptions) -> Answer {
        self.require_reading().await?;
        let scopes = &self.visit.scopes;
        let limit = options
            .limit
            .unwrap_or(10)
            .clamp(1, SearchRequest::LIMIT_MAX);
        let reads_all = scopes.reads_all();
        let tags = options
            .tags
            .iter()
            .map(|tag| tag.trim_start_matches('#').to_owned());
        let request = SearchRequest {
            query,
            // Hidden notes take places of the answer, so more is asked for than is wanted.
            limit: if reads_all {
                limit
            } else {
                SearchRequest::LIMIT_MAX
            },
            folder: options
                .folder
                .or_else(|| scopes.read_folder().map(str::to_owned)),
            tags: tags.collect(),
            mode: options.mode,
        };
        let answer = self.desk.host.store.search(request).await;
        let mut answer = answer.map_err(|error| of_store(&error))?;
        answer.hits.retain(|hit| scopes.may_read(&hit.path));
        answer.hits.truncate(limit);
        let mut hits = to_json(&answer.hits)?;
        let mode = to_json(&answer.mode)?;
        if reads_all {
            return Ok(json!({ "hits": hits, "mode": mode, "notices": answer.notices }));
        }
        // Scores weigh a word by how many notes have it, hidden ones too.
        for hit in hits.as_array_mut().into_iter().flatten() {
            if let Some(hit) = hit.as_object_mut() {
                hit.remove("score");
                hit.remove("parts");
            }
        }
        Ok(json!({ "hits": hits, "mode": mode, "notices": [] }))
    }
}
