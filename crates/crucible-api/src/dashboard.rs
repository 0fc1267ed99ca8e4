//! The pages for people: overview, search, listing and note, rendered here and usable without scripts.
//!
//! `html` escapes, `layout` frames, and each page has a file. Style and the one script are in
//! `assets/`. Pages ask the same traits as the REST interface; nothing is computed for them.

mod assets;
mod error_page;
mod home;
mod html;
mod layout;
mod listing;
mod note;
mod search;

use axum::Router;
use axum::routing::get;

use crate::state::ApiState;

/// Routes of the pages and of what they load.
pub(crate) fn pages() -> Router<ApiState> {
    Router::new()
        .route("/", get(home::home))
        .route("/search", get(search::search))
        .route("/notes", get(listing::listing))
        .route("/note/{*reference}", get(note::note))
        .route("/assets/crucible.css", get(assets::style))
        .route("/assets/live.js", get(assets::script))
        .route("/assets/crucible.svg", get(assets::icon))
}
