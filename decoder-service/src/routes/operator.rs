//! The operator page and its data.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use super::models::{Model, all};
use crate::auth::Scope;
use crate::drift::Drift;
use crate::error::ApiError;
use crate::fleet::{Recent, Sample};
use crate::rollout::Report;

const PAGE: &str = include_str!("../../assets/operator.html");
/// Nothing but what the page itself holds, and requests to this service.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
    connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// All that the page shows.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Operator {
    /// Models and stages.
    models: Vec<Model>,
    /// Trials, those that run first.
    reports: Vec<Report>,
    /// Latency and quality curves, one point in ten seconds.
    samples: Vec<Sample>,
    /// The latest decodes.
    recent: Vec<Recent>,
    /// Drift of every champion.
    drift: Vec<ModelDrift>,
    /// Streams that wait, and that may.
    queue: (usize, usize),
}

/// Drift of a model's champion.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ModelDrift {
    /// The model.
    model: String,
    /// Its champion.
    version: u64,
    /// The window.
    #[serde(flatten)]
    drift: Drift,
}

/// The page.
pub(super) async fn page() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, PAGE).into_response()
}

/// All that the operator page shows, in one piece.
#[utoipa::path(get, path = "/v1/operator", tag = "operation", security(("token" = ["read"])),
    responses((status = 200, description = "models, trials, curves, decodes", body = Operator)))]
pub(super) async fn data(
    State(app): State<App>,
    request: Request,
) -> Result<Json<Operator>, ApiError> {
    app.admit(request.headers(), request.extensions(), Scope::Read)?;
    let fleet = app.fleet();
    let load = fleet.load();
    let table = fleet.table();
    let drift = table.values().map(|pair| ModelDrift {
        model: pair.champion.name().to_owned(),
        version: pair.champion.version(),
        drift: pair.champion.drift(),
    });
    Ok(Json(Operator {
        drift: drift.collect(),
        models: all(&app).await,
        reports: fleet.reports(),
        samples: fleet.samples(),
        recent: fleet.recent(),
        queue: (load.waiting, load.capacity),
    }))
}
