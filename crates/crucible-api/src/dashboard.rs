//! The pages for people, rendered here and usable without scripts.
//!
//! `layout` frames, `parts` are the small things that many pages show, `visit` is who looks, and
//! each page has a file. `markdown` shows notes. Style and the one script are in `assets/`. Pages
//! ask the same traits as the REST interface; nothing is computed for them. What changes something
//! is a form that only our own pages can send.
//!
//! Parts of a page that change by themselves carry `data-live` and an `id`: the script takes them
//! anew from the page when an event says that something happened.

mod access;
mod assets;
mod attachment;
mod configuration;
mod error_page;
mod event_row;
mod events;
mod layout;
mod listing;
mod markdown;
mod note;
mod overview;
mod parts;
mod scripts;
mod search;
mod services;
mod spark;
mod visit;

use crucible_services::access::Scope;

use crate::route::Route;

pub(crate) use layout::bare_page;

/// Routes of the pages and of what they load. What changes something needs [`Scope::Control`].
pub(crate) fn pages() -> Vec<Route> {
    let pages = [
        Route::get("/", overview::overview),
        Route::get("/search", search::search),
        Route::get("/notes", listing::listing),
        Route::get("/note/{*reference}", note::note),
        Route::get("/attachment/{*path}", attachment::attachment),
        Route::get("/events", events::events),
        Route::get("/services", services::services),
        Route::get("/services/{name}", services::detail),
        Route::get("/services/{name}/stop", services::confirm_stop).needs(Scope::Control),
        Route::post("/services/{name}/start", services::start),
        Route::post("/services/{name}/stop", services::stop),
        Route::post("/services/{name}/restart", services::restart),
        Route::get("/scripts", scripts::scripts),
        Route::get("/scripts/{name}", scripts::script),
        Route::post("/scripts/{name}/grant", scripts::grant),
        Route::get("/access", access::access).needs(Scope::Control),
        Route::post("/access", access::create),
        Route::post("/access/{name}/revoke", access::revoke),
        Route::get("/configuration", configuration::configuration).needs(Scope::Control),
        Route::post("/configuration", configuration::change),
    ];
    let assets = [
        Route::get("/assets/crucible.css", assets::style),
        Route::get("/assets/crucible.js", assets::script),
        Route::get("/assets/crucible.svg", assets::icon),
    ];
    let assets = assets.map(Route::public);
    pages.map(Route::page).into_iter().chain(assets).collect()
}
