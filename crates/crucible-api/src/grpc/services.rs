//! `crucible.v1.Services`, over the functions of `/api/v1/services`.

use axum::Json;
use axum::extract::State;
use tonic::{Request, Response, Status};

use super::proto::services_server::Services;
use super::proto::{ListServicesRequest, ListServicesResponse, ServiceRequest, ServiceStatus};
use crate::error::ApiError;
use crate::routes::{Named, services};
use crate::state::ApiState;

/// Answers calls.
pub(super) struct Desk(pub(super) ApiState);

impl Desk {
    fn asked(&self, request: Request<ServiceRequest>) -> (State<ApiState>, Named) {
        (State(self.0.clone()), Named(request.into_inner().name))
    }
}

#[tonic::async_trait]
impl Services for Desk {
    async fn list(
        &self,
        _request: Request<ListServicesRequest>,
    ) -> Result<Response<ListServicesResponse>, Status> {
        let services = self.0.parts.core.list_services().await;
        let services = services.map_err(ApiError::from)?;
        Ok(Response::new(ListServicesResponse {
            services: services.into_iter().map(Into::into).collect(),
        }))
    }

    async fn get(
        &self,
        request: Request<ServiceRequest>,
    ) -> Result<Response<ServiceStatus>, Status> {
        answer(services::status_of(&self.0, &request.into_inner().name).await)
    }

    async fn start(
        &self,
        request: Request<ServiceRequest>,
    ) -> Result<Response<ServiceStatus>, Status> {
        let (state, name) = self.asked(request);
        answer(services::start(state, name).await)
    }

    async fn stop(
        &self,
        request: Request<ServiceRequest>,
    ) -> Result<Response<ServiceStatus>, Status> {
        let (state, name) = self.asked(request);
        answer(services::stop(state, name).await)
    }

    async fn restart(
        &self,
        request: Request<ServiceRequest>,
    ) -> Result<Response<ServiceStatus>, Status> {
        let (state, name) = self.asked(request);
        answer(services::restart(state, name).await)
    }
}

fn answer(
    status: Result<Json<crucible_core::ServiceStatus>, ApiError>,
) -> Result<Response<ServiceStatus>, Status> {
    let Json(status) = status?;
    Ok(Response::new(status.into()))
}
