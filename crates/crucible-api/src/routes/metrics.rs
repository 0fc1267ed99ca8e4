//! The figures of the coordinator and of the store: as JSON, over time, and for Prometheus.

mod prometheus;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use crucible_core::{CoreMetrics, MetricsSample};

use crate::error::ApiError;
use crate::params::Params;
use crate::state::ApiState;

pub(super) use prometheus::MEDIA_TYPE;

/// How many samples the history holds when the request does not say: an hour at the usual interval.
const HISTORY_DEFAULT: usize = 60;
/// The most samples that there can be.
const HISTORY_MAX: usize = 1_440;

/// `GET /api/v1/metrics`
pub(super) async fn metrics(
    State(state): State<ApiState>,
    uri: Uri,
) -> Result<Json<CoreMetrics>, ApiError> {
    Params::read(&uri, &[])?;
    Ok(Json(state.parts.core.get_metrics().await?))
}

/// `GET /api/v1/metrics/history?limit=`: the last samples, oldest first.
pub(super) async fn history(
    State(state): State<ApiState>,
    uri: Uri,
) -> Result<Json<Vec<MetricsSample>>, ApiError> {
    let params = Params::read(&uri, &["limit"])?;
    let limit = params.number("limit", 1..=HISTORY_MAX, HISTORY_DEFAULT)?;
    let mut samples = state.parts.core.get_metrics_history().await;
    let begin = samples.len().saturating_sub(limit);
    Ok(Json(samples.split_off(begin)))
}

/// `GET /metrics`: in the text format of Prometheus.
pub(super) async fn text(State(state): State<ApiState>) -> Result<Response, ApiError> {
    let parts = &state.parts;
    let metrics = parts.core.get_metrics().await?;
    // A store that cannot answer now takes only its own figures away.
    let stats = parts.store.stats().await.ok();
    let body = prometheus::write(&metrics, stats.as_ref());
    Ok(([(CONTENT_TYPE, MEDIA_TYPE)], body).into_response())
}
