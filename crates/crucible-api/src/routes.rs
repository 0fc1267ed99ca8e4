//! The resources under `/api/v1`, one file each, and the two probes at the root.

mod config;
pub(crate) mod events;
mod health;
mod links;
mod metrics;
mod notes;
mod openai;
pub(crate) mod problems;
pub(crate) mod scripts;
mod search;
pub(crate) mod services;
mod stats;
pub(crate) mod tokens;
mod vault;
pub(crate) mod writing;

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use crucible_core::{CoreMetrics, HealthRecord, MetricsSample, ServiceStatus, SystemHealth};
use crucible_services::access::Scope;
use crucible_services::configuration::{Changed, Setting, SettingChange};
use crucible_services::data_store::{
    Note, NoteLinks, NotePage, Problem, SearchResponse, StoreStats,
};
use crucible_services::events::DaemonEvent;
use crucible_services::note_writer::{Change, CreateNote, MoveNote, Written};
use crucible_services::script::{CallOutcome, LogLine, ScriptInfo};

use crate::auth::{self, LoginCode, NewToken, TokenInfo};
use crate::config::VaultInfo;
use crate::error::{ApiError, Code};
use crate::openapi;
use crate::route::Route;
use crate::state::ApiState;
use events::{NewEvent, Published};
pub(crate) use openai::{OpenAiFault, envelope as openai_envelope};

/// Routes whose answer is one body.
pub(crate) fn answers() -> Vec<Route> {
    [probes(), control(), notes(), writing(), scripts(), access()].concat()
}

/// Routes whose answer goes on until somebody closes it.
pub(crate) fn streams() -> Vec<Route> {
    vec![
        Route::get("/api/v1/events", events::stream)
            .called(
                "streamEvents",
                "Tells events as they happen, as server-sent events.",
            )
            .repeated("category", "Only events of these categories.")
            .repeated("type", "Only events of these dotted names.")
            .repeated("source", "Only events of these sorts of tellers.")
            .flag(
                "named",
                "Whether each event carries its name, so that listeners can choose.",
            )
            .answers_text("text/event-stream"),
    ]
}

/// Routes that compute; their paths and shapes are OpenAI's.
pub(crate) fn inference() -> Vec<Route> {
    openai::routes()
}

/// Whether the daemon lives, and what it says about itself.
fn probes() -> Vec<Route> {
    vec![
        Route::get("/livez", health::alive)
            .public()
            .called("livez", "Says that requests are answered at all.")
            .answers::<health::Probe>(),
        Route::get("/readyz", health::ready)
            .called(
                "readyz",
                "Says whether every service is ready; 503 when not.",
            )
            .answers::<health::Probe>(),
        Route::get("/api/v1/health/live", health::alive)
            .public()
            .called("isAlive", "Says that requests are answered at all.")
            .answers::<health::Probe>(),
        Route::get("/api/v1/health/ready", health::ready)
            .called(
                "isReady",
                "Says whether every service is ready; 503 when not.",
            )
            .answers::<health::Probe>(),
        Route::get("/api/v1/health", health::health)
            .called(
                "getHealth",
                "Returns what is known of the health of each service.",
            )
            .answers::<SystemHealth>(),
        Route::get("/api/v1/health/now", health::now)
            .called("checkHealth", "Asks every service anew how it is.")
            .answers::<SystemHealth>(),
        Route::get("/api/v1/health/history", health::history)
            .called(
                "getHealthHistory",
                "Returns the last health checks, oldest first.",
            )
            .query("service", "Only checks of this service.")
            .number("limit", "How many, at most; 200 when left out.")
            .answers::<Vec<HealthRecord>>(),
        Route::get("/metrics", metrics::text)
            .called(
                "scrapeMetrics",
                "Returns all figures in the text format of Prometheus.",
            )
            .answers_text(metrics::MEDIA_TYPE),
        Route::get("/api/v1/metrics", metrics::metrics)
            .called("getMetrics", "Returns the figures of this moment.")
            .answers::<CoreMetrics>(),
        Route::get("/api/v1/metrics/history", metrics::history)
            .called(
                "getMetricsHistory",
                "Returns samples of the figures, oldest first.",
            )
            .number("limit", "How many, at most; 60 when left out.")
            .answers::<Vec<MetricsSample>>(),
        Route::get("/api/v1/openapi.json", openapi::serve)
            .called("getDescription", "Returns this description.")
            .answers::<serde_json::Map<String, serde_json::Value>>(),
    ]
}

/// Services, settings and events.
fn control() -> Vec<Route> {
    vec![
        Route::get("/api/v1/services", services::list)
            .called("listServices", "Returns what every service is doing.")
            .answers::<Vec<ServiceStatus>>(),
        Route::get("/api/v1/services/{name}", services::one)
            .called("getService", "Returns what one service is doing.")
            .answers::<ServiceStatus>(),
        Route::post("/api/v1/services/{name}/start", services::start)
            .called(
                "startService",
                "Starts a service; returns what it is doing then.",
            )
            .answers::<ServiceStatus>(),
        Route::post("/api/v1/services/{name}/stop", services::stop)
            .called(
                "stopService",
                "Stops a service; returns what it is doing then.",
            )
            .answers::<ServiceStatus>(),
        Route::post("/api/v1/services/{name}/restart", services::restart)
            .called(
                "restartService",
                "Stops a service and starts it again, keeping its mail.",
            )
            .answers::<ServiceStatus>(),
        Route::get("/api/v1/config", config::show)
            .needs(Scope::Control)
            .called(
                "getConfig",
                "Returns every setting in force and where it comes from.",
            )
            .answers::<Vec<Setting>>(),
        Route::patch("/api/v1/config", config::change)
            .called("changeConfig", "Makes all changes of settings, or none.")
            .takes::<Vec<SettingChange>>()
            .answers::<Changed>(),
        Route::post("/api/v1/config/validate", config::validate)
            .called(
                "validateConfig",
                "Checks changes of settings without making them.",
            )
            .takes::<Vec<SettingChange>>(),
        Route::post("/api/v1/events", events::publish)
            .called("publishEvent", "Tells an event; returns who took it.")
            .takes::<NewEvent>()
            .answers::<Published>(),
        Route::get("/api/v1/events/recent", events::recent)
            .called("getRecentEvents", "Returns the last events, oldest first.")
            .number("limit", "How many, at most; 50 when left out.")
            .repeated("category", "Only events of these categories.")
            .repeated("type", "Only events of these dotted names.")
            .repeated("source", "Only events of these sorts of tellers.")
            .query("correlation", "Only events of this correlation.")
            .answers::<Vec<DaemonEvent>>(),
    ]
}

/// What can be asked about notes.
fn notes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/search", search::search)
            .called("search", "Finds the notes that match best, best first.")
            .required("q", "Words, \"phrases\" and -exclusions.")
            .number("limit", "How many notes, at most; 10 when left out.")
            .query("folder", "Only notes below this folder.")
            .repeated("tag", "Only notes that carry all of these tags.")
            .query("mode", "auto, lexical, semantic or hybrid.")
            .answers::<SearchResponse>(),
        Route::get("/api/v1/notes", notes::list)
            .called("listNotes", "Lists notes in path order, page by page.")
            .query("folder", "Only notes below this folder.")
            .query("tag", "Only notes that carry this tag or a child of it.")
            .number("limit", "How many notes a page has; 100 when left out.")
            .query("cursor", "Where the former page ended: its next_cursor.")
            .answers::<NotePage>(),
        Route::get("/api/v1/notes/{*reference}", notes::one)
            .called(
                "getNote",
                "Returns one note with its text, by path, file name, title or alias.",
            )
            .answers::<Note>(),
        Route::get("/api/v1/links/{*reference}", links::links)
            .called("getLinks", "Returns the links from and to a note.")
            .answers::<NoteLinks>(),
        Route::get("/api/v1/stats", stats::stats)
            .called("getStats", "Returns how much the store holds.")
            .answers::<StoreStats>(),
        Route::get("/api/v1/problems", problems::problems)
            .called(
                "getProblems",
                "Returns what was skipped or found faulty in the vault.",
            )
            .number("limit", "How many, at most; 100 when left out.")
            .answers::<Vec<Problem>>(),
        Route::get("/api/v1/vault", vault::vault)
            .called("getVault", "Returns which vault is served.")
            .answers::<VaultInfo>(),
    ]
}

/// Changes of notes.
fn writing() -> Vec<Route> {
    vec![
        Route::post("/api/v1/notes", writing::create)
            .needs(Scope::Write)
            .takes_notes()
            .called("createNote", "Creates a note; never replaces one.")
            .takes::<CreateNote>()
            .makes::<Written>(),
        Route::patch("/api/v1/notes/{*reference}", writing::edit)
            .needs(Scope::Write)
            .takes_notes()
            .called(
                "editNote",
                "Makes all edits of a note, named by its path, or none.",
            )
            .takes::<writing::Edits>()
            .answers::<Written>(),
        Route::delete("/api/v1/notes/{*reference}", writing::delete)
            .needs(Scope::Write)
            .called(
                "deleteNote",
                "Deletes a note; its content stays in the record.",
            )
            .required("seen", "The hash of the content that the writer has seen.")
            .answers::<Written>(),
        Route::post("/api/v1/moves", writing::rename)
            .needs(Scope::Write)
            .called(
                "moveNote",
                "Moves or renames a note, and rewrites links to it when asked.",
            )
            .takes::<MoveNote>()
            .answers::<Written>(),
        Route::post("/api/v1/undo", writing::undo)
            .needs(Scope::Write)
            .called(
                "undoChange",
                "Undoes one change, which is a change of its own.",
            )
            .takes::<writing::Undo>()
            .answers::<Written>(),
        Route::get("/api/v1/history", writing::history)
            .called(
                "getHistory",
                "Returns the changes made through the daemon, newest first.",
            )
            .query("path", "Only changes of this note.")
            .number("limit", "How many, at most; 50 when left out.")
            .answers::<Vec<Change>>(),
    ]
}

/// Scripts and what they may do.
fn scripts() -> Vec<Route> {
    vec![
        Route::get("/api/v1/scripts", scripts::list)
            .called("listScripts", "Returns the scripts that are installed.")
            .answers::<Vec<ScriptInfo>>(),
        Route::get("/api/v1/scripts/{name}", scripts::one)
            .called(
                "getScript",
                "Returns one script: what it asks for, and what was granted.",
            )
            .answers::<ScriptInfo>(),
        Route::get("/api/v1/scripts/{name}/log", scripts::log)
            .called(
                "getScriptLog",
                "Returns the newest log lines of a script, oldest first.",
            )
            .number("limit", "How many, at most; 100 when left out.")
            .answers::<Vec<LogLine>>(),
        Route::post("/api/v1/scripts/{name}/grant", scripts::grant)
            .called(
                "grantScript",
                "Grants exactly the capabilities named, to the manifest that was seen.",
            )
            .takes::<scripts::Grants>()
            .answers::<ScriptInfo>(),
        Route::post("/api/v1/scripts/{name}/reload", scripts::reload)
            .called("reloadScript", "Reads a script's files again.")
            .answers::<ScriptInfo>(),
        Route::post("/api/v1/scripts/{name}/call", scripts::call)
            .takes_notes()
            .called("callScript", "Calls a function of a script.")
            .takes::<scripts::Call>()
            .answers::<CallOutcome>(),
        Route::post("/api/v1/check-script", scripts::check)
            .takes_notes()
            .called(
                "checkScript",
                "Compiles a script's text without installing or running it.",
            )
            .takes::<scripts::Source>()
            .answers::<scripts::Checked>(),
    ]
}

/// Tokens, links and sessions.
fn access() -> Vec<Route> {
    vec![
        Route::get("/api/v1/tokens", tokens::list)
            .needs(Scope::Control)
            .called(
                "listTokens",
                "Returns what is known of every token, never the token.",
            )
            .answers::<Vec<TokenInfo>>(),
        Route::post("/api/v1/tokens", tokens::create)
            .called("createToken", "Makes a token; it is shown this once.")
            .takes::<NewToken>()
            .makes::<tokens::Made>(),
        Route::delete("/api/v1/tokens/{name}", tokens::revoke)
            .called("revokeToken", "Ends a token at once."),
        Route::post("/api/v1/login-link", tokens::login_link)
            .called(
                "createLoginLink",
                "Makes a link that lets one browser in, once.",
            )
            .makes::<LoginCode>(),
        Route::get("/login", auth::login).public().page(),
        Route::post("/logout", auth::logout)
            .needs(Scope::Read)
            .page(),
    ]
}

/// The one variable part of a path, decoded: a note's path or another reference, or a name.
pub(crate) struct Named(pub(crate) String);

impl FromRequestParts<ApiState> for Named {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        let path: Result<Path<String>, PathRejection> =
            Path::from_request_parts(parts, state).await;
        match path {
            Ok(Path(name)) => Ok(Self(name)),
            Err(error) => Err(ApiError::new(
                Code::InvalidQuery,
                format!("the path cannot be read: {}", error.body_text()),
            )
            .hint("percent-encode the name as UTF-8")),
        }
    }
}
