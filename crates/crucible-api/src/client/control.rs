//! Services, health, figures, settings, events, tokens and links of a daemon.

use crucible_core::{CoreMetrics, HealthRecord, MetricsSample, ServiceStatus, SystemHealth};
use crucible_services::configuration::{Changed, Setting, SettingChange};
use crucible_services::events::{DaemonEvent, EventFilter};
use crucible_services::ids::EventId;
use hyper::Method;
use hyper::header::{HeaderName, HeaderValue};

use super::target::Target;
use super::{Client, Error, EventTail};
use crate::auth::{LoginCode, NewToken, Secret, TokenInfo, TokenMade};
use crate::routes::events::{NewEvent, Published};
use crate::routes::tokens::Made;

impl Client {
    /// Returns what one service is doing.
    ///
    /// # Errors
    /// When there is no such service, or the daemon does not answer.
    pub async fn service(&self, name: &str) -> Result<ServiceStatus, Error> {
        let target = Target::new("/api/v1/services").segment(name);
        self.http.get(&target.text).await
    }

    /// Starts a service; returns what it is doing then.
    ///
    /// # Errors
    /// When it does not start, there is no such service, or the daemon does not answer.
    pub async fn start_service(&self, name: &str) -> Result<ServiceStatus, Error> {
        self.switch(name, "start").await
    }

    /// Stops a service; returns what it is doing then.
    ///
    /// # Errors
    /// When others need it, there is no such service, or the daemon does not answer.
    pub async fn stop_service(&self, name: &str) -> Result<ServiceStatus, Error> {
        self.switch(name, "stop").await
    }

    /// Stops a service and starts it again.
    ///
    /// # Errors
    /// As [`Client::start_service`].
    pub async fn restart_service(&self, name: &str) -> Result<ServiceStatus, Error> {
        self.switch(name, "restart").await
    }

    async fn switch(&self, name: &str, switch: &str) -> Result<ServiceStatus, Error> {
        let target = Target::new("/api/v1/services")
            .segment(name)
            .segment(switch);
        self.http.ask(Method::POST, &target.text).await
    }

    /// Asks every service anew how it is, and returns the health of the whole.
    ///
    /// # Errors
    /// When the daemon does not answer, or with a fault.
    pub async fn check_health(&self) -> Result<SystemHealth, Error> {
        self.http.get("/api/v1/health/now").await
    }

    /// Returns the last health checks, of one service or of all, oldest first.
    ///
    /// # Errors
    /// When there is no such service, or the daemon does not answer.
    pub async fn health_history(
        &self,
        service: Option<&str>,
        limit: usize,
    ) -> Result<Vec<HealthRecord>, Error> {
        let target = Target::new("/api/v1/health/history")
            .with_some("service", service)
            .with("limit", &limit.to_string());
        self.http.get(&target.text).await
    }

    /// Returns the figures of this moment.
    ///
    /// # Errors
    /// When the daemon does not answer, or with a fault.
    pub async fn metrics(&self) -> Result<CoreMetrics, Error> {
        self.http.get("/api/v1/metrics").await
    }

    /// Returns samples of the figures, oldest first.
    ///
    /// # Errors
    /// When the daemon does not answer, or with a fault.
    pub async fn metrics_history(&self, limit: usize) -> Result<Vec<MetricsSample>, Error> {
        let target = Target::new("/api/v1/metrics/history").with("limit", &limit.to_string());
        self.http.get(&target.text).await
    }

    /// Returns every setting in force and where it comes from.
    ///
    /// # Errors
    /// When the daemon does not answer, or with a fault.
    pub async fn settings(&self) -> Result<Vec<Setting>, Error> {
        self.http.get("/api/v1/config").await
    }

    /// Checks changes of settings without making them.
    ///
    /// # Errors
    /// [`Code::InvalidSettings`](crate::error::Code::InvalidSettings) with every fault.
    pub async fn validate_settings(&self, changes: &[SettingChange]) -> Result<(), Error> {
        let target = "/api/v1/config/validate";
        self.http.tell(Method::POST, target, &changes).await
    }

    /// Makes all changes of settings, or none.
    ///
    /// # Errors
    /// As [`Client::validate_settings`]; or when a service refuses.
    pub async fn change_settings(&self, changes: &[SettingChange]) -> Result<Changed, Error> {
        self.http
            .tell(Method::PATCH, "/api/v1/config", &changes)
            .await
    }

    /// Tells an event; returns who took it.
    ///
    /// # Errors
    /// When the event is not valid, or the daemon does not answer.
    pub async fn publish(&self, event: &NewEvent) -> Result<Published, Error> {
        self.http.tell(Method::POST, "/api/v1/events", event).await
    }

    /// Returns the last events that `filter` wants, oldest first; priorities are not looked at.
    ///
    /// # Errors
    /// When the daemon does not answer, or with a fault.
    pub async fn recent_events(
        &self,
        filter: &EventFilter,
        limit: usize,
    ) -> Result<Vec<DaemonEvent>, Error> {
        let target = filtered("/api/v1/events/recent", filter).with("limit", &limit.to_string());
        self.http.get(&target.text).await
    }

    /// Follows the events that `filter` wants, from now on or from after the one called `after`.
    ///
    /// # Errors
    /// When the daemon does not answer, or has too many listeners.
    pub async fn tail_events(
        &self,
        filter: &EventFilter,
        after: Option<EventId>,
    ) -> Result<EventTail, Error> {
        let target = filtered("/api/v1/events", filter).with("named", "false");
        let seen = after
            .and_then(|id| HeaderValue::from_str(&id.to_string()).ok())
            .map(|id| (HeaderName::from_static("last-event-id"), id));
        let body = self.http.open(&target.text, seen).await?;
        Ok(EventTail::new(body, self.http.clone()))
    }

    /// Returns what is known of every token.
    ///
    /// # Errors
    /// When the daemon does not answer, or with a fault.
    pub async fn tokens(&self) -> Result<Vec<TokenInfo>, Error> {
        self.http.get("/api/v1/tokens").await
    }

    /// Makes a token.
    ///
    /// # Errors
    /// When there is one of that name, or it cannot be made.
    pub async fn create_token(&self, token: &NewToken) -> Result<TokenMade, Error> {
        let made: Made = self
            .http
            .tell(Method::POST, "/api/v1/tokens", token)
            .await?;
        Ok(TokenMade {
            secret: Secret::new(made.token),
            info: made.info,
        })
    }

    /// Ends a token at once.
    ///
    /// # Errors
    /// When there is none of that name.
    pub async fn revoke_token(&self, name: &str) -> Result<(), Error> {
        let target = Target::new("/api/v1/tokens").segment(name);
        self.http.ask(Method::DELETE, &target.text).await
    }

    /// Makes a link that lets one browser in, once; returns the whole address.
    ///
    /// # Errors
    /// When authentication is switched off, or the daemon does not answer.
    pub async fn login_link(&self) -> Result<String, Error> {
        let code: LoginCode = self.http.ask(Method::POST, "/api/v1/login-link").await?;
        Ok(format!("http://{}{}", self.http.address, code.path))
    }
}

fn filtered(path: &str, filter: &EventFilter) -> Target {
    let name = |value: serde_json::Result<serde_json::Value>| -> Option<String> {
        Some(value.ok()?.as_str()?.to_owned())
    };
    let mut target = Target::new(path);
    for category in &filter.categories {
        target = target.with_some("category", name(serde_json::to_value(category)).as_deref());
    }
    for kind in &filter.types {
        target = target.with("type", kind);
    }
    for source in &filter.sources {
        target = target.with_some("source", name(serde_json::to_value(source)).as_deref());
    }
    target
}
