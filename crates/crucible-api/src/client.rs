//! Asks a daemon that runs elsewhere: the other end of `routes`, as a [`DataStore`].
//!
//! Errors come back as the store gave them; when nobody answers, or not in time, that is
//! [`data_store::Error::Unavailable`] with the cause and the cure. What a daemon can be told beside
//! that is in `control`, `writing` and `scripts`, whose errors are [`Error`] and those of
//! [`NoteWriter`](crucible_services::service_traits::NoteWriter).

mod control;
mod error;
mod http;
mod scripts;
mod tail;
mod target;
mod writing;

use std::net::SocketAddr;

use async_trait::async_trait;
use crucible_core::{ServiceStatus, SystemHealth};
use crucible_services::data_store::{
    self, DataStore, ListRequest, Note, NoteLinks, NotePage, Problem, SearchMode, SearchRequest,
    SearchResponse, StoreStats,
};

use crate::auth::Secret;
use crate::config::VaultInfo;
use crate::percent;
use crate::routes::problems;
use http::Http;
use target::Target;

pub use error::Error;
pub use tail::{EventTail, Told};

/// Asks the daemon at one address. Cheap to clone; connections are kept and shared.
#[derive(Clone, Debug)]
pub struct Client {
    http: Http,
}

impl Client {
    /// Creates a client of the daemon at `address`; nothing is sent yet.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self {
            http: Http::new(address),
        }
    }

    /// Sends this token with every request from now on.
    #[must_use]
    pub fn with_token(self, token: Secret) -> Self {
        Self {
            http: self.http.with_token(token),
        }
    }

    /// Asks whether the daemon answers at all.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when it does not.
    pub async fn alive(&self) -> Result<(), Error> {
        let _: serde::de::IgnoredAny = self.http.get("/api/v1/health/live").await?;
        Ok(())
    }

    /// Returns the health of the whole and of each service.
    ///
    /// # Errors
    /// When the daemon does not answer, or with a fault.
    pub async fn health(&self) -> Result<SystemHealth, Error> {
        self.http.get("/api/v1/health").await
    }

    /// Returns what every service is doing.
    ///
    /// # Errors
    /// When the daemon does not answer, or with a fault.
    pub async fn services(&self) -> Result<Vec<ServiceStatus>, Error> {
        self.http.get("/api/v1/services").await
    }

    /// Returns which vault the daemon serves.
    ///
    /// # Errors
    /// When the daemon does not answer, or with a fault.
    pub async fn vault(&self) -> Result<VaultInfo, Error> {
        self.http.get("/api/v1/vault").await
    }
}

#[async_trait]
impl DataStore for Client {
    async fn search(&self, request: SearchRequest) -> Result<SearchResponse, data_store::Error> {
        let mut target = Target::new("/api/v1/search").with("q", &request.query);
        target = target.with("limit", &request.limit.to_string());
        target = target.with_some("folder", request.folder.as_deref());
        for tag in &request.tags {
            target = target.with("tag", tag);
        }
        target = target.with_some("mode", mode(request.mode));
        Ok(self.http.get(&target.text).await?)
    }

    async fn note(&self, reference: &str) -> Result<Note, data_store::Error> {
        let target = named("/api/v1/notes/", reference)?;
        Ok(self.http.get(&target).await?)
    }

    async fn list_notes(&self, request: ListRequest) -> Result<NotePage, data_store::Error> {
        let mut target = Target::new("/api/v1/notes")
            .with_some("folder", request.folder.as_deref())
            .with_some("tag", request.tag.as_deref())
            .with_some("cursor", request.cursor.as_deref());
        if request.limit > 0 {
            let limit = request.limit.min(ListRequest::LIMIT_MAX);
            target = target.with("limit", &limit.to_string());
        }
        Ok(self.http.get(&target.text).await?)
    }

    async fn links(&self, reference: &str) -> Result<NoteLinks, data_store::Error> {
        let target = named("/api/v1/links/", reference)?;
        Ok(self.http.get(&target).await?)
    }

    async fn stats(&self) -> Result<StoreStats, data_store::Error> {
        Ok(self.http.get("/api/v1/stats").await?)
    }

    async fn problems(&self, limit: usize) -> Result<Vec<Problem>, data_store::Error> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let limit = limit.min(problems::LIMIT_MAX).to_string();
        let target = Target::new("/api/v1/problems").with("limit", &limit);
        Ok(self.http.get(&target.text).await?)
    }
}

/// Returns the address of the resource with this name; the empty name has none.
fn named(below: &str, reference: &str) -> Result<String, data_store::Error> {
    if reference.is_empty() {
        return Err(data_store::Error::NotFound {
            reference: String::new(),
            candidates: Vec::new(),
        });
    }
    let mut target = below.to_owned();
    percent::push(&mut target, reference);
    Ok(target)
}

/// Returns the name of a mode; none for the one that needs not be said.
const fn mode(mode: SearchMode) -> Option<&'static str> {
    match mode {
        SearchMode::Auto => None,
        SearchMode::Lexical => Some("lexical"),
        SearchMode::Semantic => Some("semantic"),
        SearchMode::Hybrid => Some("hybrid"),
    }
}
