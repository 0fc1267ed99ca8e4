//! `grpc.health.v1.Health`, from what the core knows of the whole and of each service.

use std::collections::BTreeMap;

use crucible_services::events::{EventCategory, EventFilter};
use crucible_services::health::HealthStatus;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use tonic::{Request, Response, Status};

use super::proto::health::health_check_response::ServingStatus;
use super::proto::health::health_server::Health;
use super::proto::health::{
    HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse,
};
use super::status::closed;
use crate::error::ApiError;
use crate::routes::events::Feed;
use crate::state::ApiState;

/// The name of the daemon as a whole.
const WHOLE: &str = "";

/// Answers calls.
pub(super) struct Desk(pub(super) ApiState);

#[tonic::async_trait]
impl Health for Desk {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let name = request.into_inner().service;
        match serving(&self.0).await?.get(&name) {
            Some(status) => Ok(Response::new(told(*status))),
            None => {
                // Makes the core name those that may have been meant.
                let core = &self.0.parts.core;
                core.get_service(&name).await.map_err(ApiError::from)?;
                Err(Status::not_found(format!("the service {name:?} has gone")))
            }
        }
    }

    async fn list(
        &self,
        _request: Request<HealthListRequest>,
    ) -> Result<Response<HealthListResponse>, Status> {
        let statuses = serving(&self.0).await?.into_iter();
        Ok(Response::new(HealthListResponse {
            statuses: statuses.map(|(name, is)| (name, told(is))).collect(),
        }))
    }

    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        // Whatever turns a verdict is told as one of these; what it is now is looked up.
        let filter = EventFilter {
            categories: vec![EventCategory::Service, EventCategory::System],
            ..EventFilter::default()
        };
        let watch = Watch {
            feed: Feed::open(&self.0, filter, None)?,
            state: self.0.clone(),
            name: request.into_inner().service,
            last: None,
        };
        let changes = stream::unfold(watch, |mut watch| async {
            let next = watch.next().await?;
            Some((next, watch))
        });
        Ok(Response::new(changes.chain(closed()).boxed()))
    }
}

/// One watcher.
struct Watch {
    state: ApiState,
    name: String,
    feed: Feed,
    /// What it was told last.
    last: Option<ServingStatus>,
}

impl Watch {
    /// Returns what it is told next; `None` when the API closes or the core has stopped.
    async fn next(&mut self) -> Option<Result<HealthCheckResponse, Status>> {
        loop {
            let all = match serving(&self.state).await {
                Ok(all) => all,
                Err(error) => return Some(Err(error.into())),
            };
            let now = all.get(&self.name).copied();
            let now = now.unwrap_or(ServingStatus::ServiceUnknown);
            if self.last != Some(now) {
                self.last = Some(now);
                return Some(Ok(told(now)));
            }
            self.feed.next().await?;
        }
    }
}

/// Returns how all are, by name.
async fn serving(state: &ApiState) -> Result<BTreeMap<String, ServingStatus>, ApiError> {
    let core = &state.parts.core;
    let whole = match core.get_system_health().await?.status {
        HealthStatus::Healthy | HealthStatus::Degraded => ServingStatus::Serving,
        HealthStatus::Unhealthy | HealthStatus::Unknown => ServingStatus::NotServing,
    };
    let services = core.list_services().await?.into_iter().map(|service| {
        let status = if service.ready {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        (service.name, status)
    });
    Ok([(WHOLE.to_owned(), whole)]
        .into_iter()
        .chain(services)
        .collect())
}

fn told(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse {
        status: status.into(),
    }
}
