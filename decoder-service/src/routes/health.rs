//! Probes and metrics: for machines, without tokens (metrics need one if so configured).

use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::App;
use crate::auth::Scope;
use crate::error::{ApiError, Kind};

/// Whether the process lives.
#[utoipa::path(get, path = "/healthz", tag = "operation",
    responses((status = 200, description = "it does", body = str)))]
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// Whether requests are welcome: a model is loaded, and the service is not stopping.
#[utoipa::path(get, path = "/readyz", tag = "operation",
    responses((status = 200, description = "they are", body = str),
        (status = 503, description = "unavailable", body = crate::error::Problem)))]
pub(super) async fn ready(State(app): State<App>) -> Result<&'static str, ApiError> {
    if app.ready() {
        Ok("ready\n")
    } else {
        Err(ApiError::new(Kind::Unavailable, "no model is loaded, or the service is stopping"))
    }
}

/// Metrics in the OpenMetrics text format.
#[utoipa::path(get, path = "/metrics", tag = "operation",
    responses((status = 200, description = "the metrics", body = str)))]
pub(super) async fn metrics(
    State(app): State<App>,
    request: Request,
) -> Result<Response, ApiError> {
    if app.config().telemetry.protect_metrics {
        app.admit(request.headers(), request.extensions(), Scope::Metrics)?;
    }
    app.fleet().measure();
    app.metrics().body_bytes.set(i64::try_from(app.budget().used()).unwrap_or(i64::MAX));
    let text = app.metrics().text();
    let text = text.map_err(|e| ApiError::new(Kind::Internal, e.to_string()))?;
    let media = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, media)], text).into_response())
}
