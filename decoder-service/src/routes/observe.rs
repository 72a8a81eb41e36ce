//! Around every request: an identifier, a span, a log line, counters.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tracing::{Instrument, info, info_span};

use super::App;
use crate::error::Kind;
use crate::telemetry::{RejectLabels, RouteLabels, RouteOnly};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest identifier that is taken over from a client.
const ID_BYTES: usize = 64;

pub(super) async fn observe(State(app): State<App>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or("other", MatchedPath::as_str).to_owned();
    let method = request.method().clone();
    let id = identifier(&request);
    // Declared empty, filled by handlers: every trace tells model and version.
    let span = info_span!(
        "request",
        otel.name = format!("{method} {route}"),
        id = id.to_str().unwrap_or_default(),
        route,
        status = tracing::field::Empty,
        caller = tracing::field::Empty,
        model = tracing::field::Empty,
        version = tracing::field::Empty,
    );
    #[cfg(feature = "otlp")]
    crate::telemetry::follow(&span, request.headers());
    let mut response = next.run(request).instrument(span.clone()).await;
    let status = response.status().as_u16();
    let seconds = start.elapsed().as_secs_f64();
    span.record("status", status);
    let metrics = app.metrics();
    let labels = RouteLabels { route: route.clone(), method: method.to_string(), status };
    metrics.requests.get_or_create(&labels).inc();
    metrics.request_seconds.get_or_create(&RouteOnly { route: route.clone() }).observe(seconds);
    if let Some(kind) = response.extensions().get::<Kind>() {
        metrics.rejects.get_or_create(&RejectLabels { code: kind.words().1 }).inc();
    }
    // Probes and scrapes come all the time and say nothing.
    if !matches!(&*route, "/healthz" | "/readyz" | "/metrics") {
        span.in_scope(|| info!(%method, route, status, ms = 1e3 * seconds, "request"));
    }
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

/// The client's identifier if it is decent, or one of our own.
fn identifier(request: &Request) -> HeaderValue {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    static START: OnceLock<u64> = OnceLock::new();
    let given = request.headers().get(REQUEST_ID);
    let decent = |value: &&HeaderValue| {
        let bytes = value.as_bytes();
        !bytes.is_empty() && bytes.len() <= ID_BYTES && bytes.iter().all(u8::is_ascii_graphic)
    };
    if let Some(given) = given.filter(decent) {
        return given.clone();
    }
    // Process and start tell processes apart, the number their requests.
    let start = *START.get_or_init(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.unwrap_or_default().as_nanos() as u64 ^ u64::from(std::process::id()) << 40
    });
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    HeaderValue::from_str(&format!("{start:016x}-{number:x}"))
        .unwrap_or_else(|_| HeaderValue::from_static("none"))
}
