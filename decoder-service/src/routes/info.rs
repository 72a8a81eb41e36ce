//! `GET /v1/info`.

use axum::Json;
use axum::extract::{Request, State};
use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use crate::auth::Scope;
use crate::error::ApiError;

/// What this service is and may be asked.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Info {
    /// Name of the program.
    name: &'static str,
    /// Its version.
    version: &'static str,
    /// Threads that decode.
    threads: usize,
    /// Models that serve.
    models: Vec<String>,
    /// Bounds on requests.
    limits: InfoLimits,
    /// How busy it is.
    load: InfoLoad,
}

/// Bounds on requests.
#[derive(Debug, Serialize, ToSchema)]
struct InfoLimits {
    /// Bytes of a body.
    max_body_bytes: usize,
    /// Pixels of a picture.
    max_pixels: u64,
    /// Largest side.
    max_side: u32,
    /// Streams of a request.
    max_batch: usize,
    /// Milliseconds to an answer.
    deadline_ms: u64,
}

/// How busy the decoders are.
#[derive(Debug, Serialize, ToSchema)]
struct InfoLoad {
    /// Streams that wait.
    waiting: usize,
    /// Streams that may wait.
    capacity: usize,
    /// Streams in work.
    busy: usize,
    /// Milliseconds that one more would wait, by estimate.
    wait_ms: f64,
}

/// What the service is, what it serves, what it allows.
#[utoipa::path(get, path = "/v1/info", tag = "operation", security(("token" = ["read"])),
    responses((status = 200, description = "the service", body = Info)))]
pub(super) async fn info(State(app): State<App>, request: Request) -> Result<Json<Info>, ApiError> {
    app.admit(request.headers(), request.extensions(), Scope::Read)?;
    let limits = &app.config().limits;
    let load = app.fleet().load();
    Ok(Json(Info {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        threads: app.config().threads(),
        models: app.fleet().table().keys().cloned().collect(),
        limits: InfoLimits {
            max_body_bytes: limits.max_body_bytes,
            max_pixels: limits.max_pixels,
            max_side: limits.max_side,
            max_batch: limits.max_batch,
            deadline_ms: limits.deadline_ms,
        },
        load: InfoLoad {
            waiting: load.waiting,
            capacity: load.capacity,
            busy: load.ready + load.decoding + load.drawing,
            wait_ms: 1e3 * app.fleet().wait().as_secs_f64(),
        },
    }))
}
