//! The HTTP interface.
mod body;
mod decode;
mod encode;
mod health;
mod info;
mod models;
mod observe;
mod openapi;
mod operator;
mod state;

use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::error::{ApiError, Kind};

pub use openapi::document;
pub use state::App;

/// All routes, with what surrounds each request.
pub fn router(app: App) -> Router {
    let cors = cors(&app.config().cors_origins);
    let observed = middleware::from_fn_with_state(app.clone(), observe::observe);
    let router = Router::new()
        .route("/v1/decode", post(decode::decode))
        .route("/v1/encode", post(encode::encode))
        .route("/v1/info", get(info::info))
        .route("/v1/models", get(models::list))
        .route("/v1/models/{model}", get(models::one))
        .route("/v1/models/{model}/promote", post(models::promote))
        .route("/v1/models/{model}/rollback", post(models::rollback))
        .route("/v1/models/{model}/rollout", post(models::rollout))
        .route("/v1/models/{model}/report", get(models::report))
        .route("/v1/models/{model}/drift", get(models::drift))
        .route("/v1/operator", get(operator::data))
        .route("/operator", get(operator::page))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .merge(openapi::pages())
        .fallback(missing)
        .method_not_allowed_fallback(missing)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(observed)
        .with_state(app);
    match cors {
        Some(cors) => router.layer(cors),
        None => router,
    }
}

/// Cross-origin requests from these pages alone.
fn cors(origins: &[String]) -> Option<CorsLayer> {
    let origins: Vec<HeaderValue> = origins.iter().filter_map(|o| o.parse().ok()).collect();
    let exposed = ["x-pinhole-model", "x-pinhole-version", "x-pinhole-width", "x-pinhole-height"];
    let layer = CorsLayer::new()
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, header::ACCEPT])
        .expose_headers(exposed.map(HeaderName::from_static))
        .max_age(Duration::from_secs(3600));
    (!origins.is_empty()).then(|| layer.allow_origin(AllowOrigin::list(origins)))
}

async fn missing(request: Request) -> ApiError {
    let detail = format!("nothing answers {} {}", request.method(), request.uri().path());
    ApiError::new(Kind::NotFound, detail)
}

/// A bug: it costs this request and no other.
fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    tracing::error!(panic = text, "a request handler panicked");
    ApiError::new(Kind::Internal, "the request could not be handled").into_response()
}
