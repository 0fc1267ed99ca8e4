//! Notes as resources: listed in pages, read whole.

use std::sync::Arc;

use crucible_services::access::{Principal, Scope};
use crucible_services::data_store::{self, ListRequest};
use rmcp::model::{
    CacheScope, ErrorData, ListResourceTemplatesResult, ListResourcesResult, MetaObject,
    ReadResourceResult, Resource, ResourceContents, ResourceTemplate,
};
use tokio_util::sync::CancellationToken;

use crate::gateway::Gateway;
use crate::teller::Caller;
use crate::{budget, uri};

/// How many notes a page has.
const PAGE: usize = 100;
/// How long a client may keep what it was told: notes change at any time.
const FRESH_MS: u64 = 0;
const MIME_TYPE: &str = "text/markdown";
/// The name under which the hash of the content stands in `_meta`.
const HASH_KEY: &str = "crucible/hash";

/// Refuses whom notes are no business of: to them there are no resources.
pub(crate) fn allow(principal: &Principal) -> Result<(), ErrorData> {
    if principal.may(Scope::Read) {
        Ok(())
    } else {
        Err(ErrorData::resource_not_found(
            "there is no such resource",
            None,
        ))
    }
}

/// Lists a page of notes.
pub(crate) async fn list(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    cursor: Option<String>,
    cancelled: &CancellationToken,
) -> Result<ListResourcesResult, ErrorData> {
    if !caller.principal.may(Scope::Read) {
        return Ok(ListResourcesResult::with_all_items(Vec::new()));
    }
    let request = ListRequest {
        limit: PAGE,
        cursor,
        ..ListRequest::default()
    };
    let page = bounded(gateway, cancelled, gateway.store.list_notes(request)).await?;
    let resources = page
        .notes
        .into_iter()
        .map(|note| {
            Resource::new(uri::of(&note.path), note.path)
                .with_title(budget::shorten(&note.title, 200))
                .with_mime_type(MIME_TYPE)
                .with_size(note.size_bytes)
        })
        .collect();
    let mut result = ListResourcesResult::with_all_items(resources)
        .with_ttl_ms(FRESH_MS)
        .with_cache_scope(CacheScope::Private);
    result.next_cursor = page.next_cursor;
    Ok(result)
}

/// Lists the one form that URIs have.
pub(crate) fn templates() -> ListResourceTemplatesResult {
    let template = ResourceTemplate::new(uri::TEMPLATE, "note")
        .with_title("A note")
        .with_description("A note of the vault by its path, such as Projects/Garden.md.")
        .with_mime_type(MIME_TYPE);
    ListResourceTemplatesResult::with_all_items(vec![template])
        .with_cache_scope(CacheScope::Private)
        .with_ttl_ms(5 * 60 * 1000)
}

/// Reads a note.
pub(crate) async fn read(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    asked: &str,
    cancelled: &CancellationToken,
) -> Result<ReadResourceResult, ErrorData> {
    allow(&caller.principal)?;
    let path = path_of(asked)?;
    gateway.teller.requested(caller, asked);
    let note = bounded(gateway, cancelled, gateway.store.note(&path)).await?;
    // The store also knows notes by name; a URI names a path.
    if note.summary.path != path {
        return Err(unknown(asked));
    }
    let bytes_max = gateway.config.message_size_max_bytes;
    if budget::json_len(&note.text) > bytes_max {
        return Err(ErrorData::invalid_params(
            format!("the note is longer than {bytes_max} bytes; read it in pages with read_note"),
            None,
        ));
    }
    let mut meta = MetaObject::new();
    meta.insert(HASH_KEY.to_owned(), note.summary.hash.into());
    let contents = ResourceContents::text(note.text, asked)
        .with_mime_type(MIME_TYPE)
        .with_meta(meta);
    Ok(ReadResourceResult::new(vec![contents])
        .with_ttl_ms(FRESH_MS)
        .with_cache_scope(CacheScope::Private))
}

/// Returns the path that a URI names.
pub(crate) fn path_of(asked: &str) -> Result<String, ErrorData> {
    uri::path_of(asked).ok_or_else(|| unknown(asked))
}

fn unknown(asked: &str) -> ErrorData {
    ErrorData::resource_not_found(
        format!(
            "there is no resource {:?}; notes are {}",
            budget::shorten(asked, 200),
            uri::TEMPLATE
        ),
        None,
    )
}

/// Asks the store within the bounds that calls have.
async fn bounded<T>(
    gateway: &Arc<Gateway>,
    cancelled: &CancellationToken,
    asked: impl Future<Output = Result<T, data_store::Error>>,
) -> Result<T, ErrorData> {
    let busy = || ErrorData::internal_error("Crucible is busy or stopping; ask again", None);
    let pass = gateway.gate.enter().map_err(|_refusal| busy())?;
    let deadline = gateway.config.call_deadline;
    tokio::select! {
        biased;
        () = cancelled.cancelled() => Err(ErrorData::invalid_request("it was cancelled", None)),
        () = pass.abort.cancelled() => Err(busy()),
        answer = tokio::time::timeout(deadline, asked) => match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error @ (data_store::Error::NotFound { .. } | data_store::Error::Ambiguous { .. }))) => {
                Err(ErrorData::resource_not_found(error.to_string(), None))
            }
            Ok(Err(error @ data_store::Error::InvalidQuery { .. })) => {
                Err(ErrorData::invalid_params(error.to_string(), None))
            }
            Ok(Err(error)) => Err(ErrorData::internal_error(error.to_string(), None)),
            Err(_elapsed) => Err(busy()),
        },
    }
}
