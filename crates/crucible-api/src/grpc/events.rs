//! `crucible.v1.Events`, over the functions of `/api/v1/events`.

use crucible_services::access::Principal;
use crucible_services::events::EventFilter;
use crucible_services::ids::EventId;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use tonic::{Request, Response, Status};

use super::events_convert::{filter, new_event};
use super::proto::events_server::Events;
use super::proto::subscribe_response::Told as Which;
use super::proto::{
    Missed, PublishRequest, PublishResponse, RecentRequest, RecentResponse, SubscribeRequest,
    SubscribeResponse,
};
use super::status::closed;
use crate::error::ApiError;
use crate::params::invalid;
use crate::routes::events::{self, Feed, RECENT_DEFAULT, RECENT_MAX, Told};
use crate::state::ApiState;

/// Answers calls.
pub(super) struct Desk(pub(super) ApiState);

#[tonic::async_trait]
impl Events for Desk {
    async fn publish(
        &self,
        request: Request<PublishRequest>,
    ) -> Result<Response<PublishResponse>, Status> {
        let principal = request.extensions().get::<Principal>().cloned();
        let principal = principal.ok_or_else(|| Status::unauthenticated("nobody is named"))?;
        let event = new_event(request.into_inner())?;
        let published = events::tell(&self.0, &principal, event).await?;
        Ok(Response::new(published.into()))
    }

    async fn recent(
        &self,
        request: Request<RecentRequest>,
    ) -> Result<Response<RecentResponse>, Status> {
        let request = request.into_inner();
        let limit = limit(request.limit)?;
        let filter = wanted(request.filter)?;
        let past = events::past(&self.0, &filter, request.correlation.as_deref(), limit)?;
        Ok(Response::new(RecentResponse {
            events: past.iter().map(|event| event.as_ref().into()).collect(),
        }))
    }

    type SubscribeStream = BoxStream<'static, Result<SubscribeResponse, Status>>;

    async fn subscribe(
        &self,
        request: Request<SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let request = request.into_inner();
        let last_seen = last_seen(request.last_event_id.as_deref())?;
        let feed = Feed::open(&self.0, wanted(request.filter)?, last_seen)?;
        let told = stream::unfold(feed, |mut feed| async {
            let told = feed.next().await?;
            Some((Ok(told.into()), feed))
        });
        Ok(Response::new(told.chain(closed()).boxed()))
    }
}

impl From<Told> for SubscribeResponse {
    fn from(told: Told) -> Self {
        Self {
            told: Some(match told {
                Told::Event(event) => Which::Event(Box::new(event.as_ref().into())),
                Told::Missed(count) => Which::Missed(Missed { count }),
            }),
        }
    }
}

fn wanted(asked: Option<super::proto::EventFilter>) -> Result<EventFilter, ApiError> {
    asked.map_or_else(|| Ok(EventFilter::all()), filter)
}

fn limit(asked: Option<u32>) -> Result<usize, ApiError> {
    let Some(asked) = asked else {
        return Ok(RECENT_DEFAULT);
    };
    usize::try_from(asked)
        .ok()
        .filter(|limit| (1..=RECENT_MAX).contains(limit))
        .ok_or_else(|| {
            let want = format!("must be a whole number from 1 to {RECENT_MAX}, not {asked}");
            invalid("limit", want)
        })
}

fn last_seen(asked: Option<&str>) -> Result<Option<EventId>, ApiError> {
    asked
        .filter(|text| !text.is_empty())
        .map(EventId::parse)
        .transpose()
        .map_err(|_| invalid("last_event_id", "is not the id of an event"))
}
