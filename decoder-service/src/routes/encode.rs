//! `POST /v1/encode`.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use pinhole::format::MetadataKind;
use pinhole::{Effort, EncodeError, EncodeOptions, Picture, PixelFormat, Target, Tune};
use serde::Deserialize;
use tracing::Span;
use utoipa::IntoParams;

use super::{App, body};
use crate::auth::Scope;
use crate::error::{ApiError, Kind};
use crate::fleet::Running;
use crate::picture::{Carried, InputLimits, read};
use crate::telemetry::OutcomeLabels;

/// What a client may say about an encode.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct EncodeQuery {
    /// Name of the model; needed if several serve.
    pub model: Option<String>,
    /// A version that serves, by number.
    pub version: Option<u64>,
    /// 0 (smallest) to 100 (best). Default 50.
    pub quality: Option<f32>,
    /// The best quality whose stream is at most this many bytes, instead of a quality.
    pub target_bytes: Option<u64>,
    /// fast, default or best.
    pub effort: Option<String>,
    /// perceptual (for eyes) or psnr (for the least squared error). Default perceptual.
    pub tune: Option<String>,
    /// Rows of picture in each independent chunk, a multiple of 64.
    pub chunk_rows: Option<u32>,
    /// Pixels per row, for samples without a format.
    pub width: Option<u32>,
    /// Rows, for samples without a format.
    pub height: Option<u32>,
}

/// Encode a picture.
///
/// The body is a PNG, JPEG or WebP file, or (with `width` and `height`) `application/octet-stream`: rows without gaps of
/// 1, 2, 3 or 4 samples a pixel (grey, grey and alpha, RGB, RGBA).
#[utoipa::path(post, path = "/v1/encode", tag = "codec", params(EncodeQuery),
    request_body(content = Vec<u8>, content_type = "image/png"),
    security(("token" = ["encode"])),
    responses(
        (status = 200, description = "the stream", content_type = "image/x-pinhole", body = Vec<u8>),
        (status = 400, description = "bad_request", body = crate::error::Problem),
        (status = 413, description = "too_large, too_many_pixels", body = crate::error::Problem),
        (status = 415, description = "unsupported_type", body = crate::error::Problem),
        (status = 422, description = "invalid", body = crate::error::Problem),
        (status = 429, description = "rate_limited, queue_full", body = crate::error::Problem),
        (status = 503, description = "overloaded, deadline, unavailable", body = crate::error::Problem),
    ))]
pub(super) async fn encode(State(app): State<App>, request: Request) -> Result<Response, ApiError> {
    let caller = app.admit(request.headers(), request.extensions(), Scope::Encode)?;
    Span::current().record("caller", &caller.name);
    let bad = |words: String| ApiError::new(Kind::BadRequest, words);
    let Query(query) =
        Query::<EncodeQuery>::try_from_uri(request.uri()).map_err(|e| bad(e.body_text()))?;
    let pair = app.fleet().pair(query.model.as_deref())?;
    let running = match query.version {
        None => &pair.champion,
        Some(version) => pair.version(version).ok_or_else(|| {
            ApiError::new(Kind::NotFound, format!("version {version} does not serve"))
        })?,
    };
    let running = Arc::clone(running);
    Span::current().record("model", running.name());
    Span::current().record("version", running.version());
    let (parts, content) = request.into_parts();
    // A place before a body: what cannot be encoded soon should not be sent.
    let (encoding, places) = app.encoding();
    let place = Arc::clone(places)
        .try_acquire_owned()
        .map_err(|_| ApiError::new(Kind::QueueFull, "too many pictures wait to be encoded"))?;
    let limits = &app.config().limits;
    // How many pixels there are only the body tells: all pictures count the same.
    let mut turn = app.encodes().enter((), 1, limits.max_wait(limits.deadline()))?;
    let (bytes, share) =
        body::read(&parts.headers, content, &app.config().limits, app.budget()).await?;
    let deadline = tokio::time::Instant::now() + app.config().limits.deadline();
    let permit = tokio::time::timeout_at(deadline, Arc::clone(encoding).acquire_owned())
        .await
        .map_err(|_| ApiError::new(Kind::Deadline, "no encoder was free in time"))?
        .map_err(|_| ApiError::new(Kind::Unavailable, "the service is stopping"))?;
    let limits = InputLimits {
        max_pixels: app.config().limits.max_pixels,
        max_side: app.config().limits.max_side,
    };
    let raw = is_raw(&parts.headers);
    let worker = Arc::clone(&running);
    let work = move || {
        // Held until the work is done, whether or not anybody still waits for it.
        let _held = (permit, place, share);
        let start = Instant::now();
        let (picture, carried) = if raw {
            (samples(&bytes, &query, &limits)?, Carried::default())
        } else {
            read(&bytes, &limits)?
        };
        let stream = stream(&worker, &picture, &carried, &query)?;
        turn.passed(start.elapsed());
        Ok(stream)
    };
    let result = tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        tracing::error!(%error, "an encode failed");
        Err(ApiError::new(Kind::Internal, "the encoder failed"))
    });
    let labels = OutcomeLabels {
        model: running.name().to_owned(),
        version: running.version(),
        outcome: match &result {
            Ok(_) => "ok",
            Err(error) if error.status().is_client_error() => "client_error",
            Err(_) => "model_error",
        },
    };
    app.metrics().encodes.get_or_create(&labels).inc();
    let mut response = result?.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("image/x-pinhole"));
    if let Ok(name) = HeaderValue::from_str(running.name()) {
        headers.insert(HeaderName::from_static("x-pinhole-model"), name);
    }
    headers.insert(HeaderName::from_static("x-pinhole-version"), running.version().into());
    Ok(response)
}

fn is_raw(headers: &HeaderMap) -> bool {
    let media = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    media.is_some_and(|media| media.trim().eq_ignore_ascii_case("application/octet-stream"))
}

/// Samples without a format: their number tells the channels.
fn samples(bytes: &[u8], query: &EncodeQuery, limits: &InputLimits) -> Result<Picture, ApiError> {
    let bad = |words: &str| ApiError::new(Kind::BadRequest, words);
    let (Some(width), Some(height)) = (query.width, query.height) else {
        return Err(bad("samples without a format need ?width= and ?height="));
    };
    let pixels = u64::from(width) * u64::from(height);
    if pixels > limits.max_pixels || width.max(height) > limits.max_side {
        return Err(ApiError::new(Kind::TooManyPixels, format!("{width}x{height} pixels")));
    }
    let all = [PixelFormat::Gray8, PixelFormat::GrayA8, PixelFormat::Rgb8, PixelFormat::Rgba8];
    let fits = |format: &PixelFormat| format.channels() as u64 * pixels == bytes.len() as u64;
    let format = all.into_iter().find(fits).filter(|_| pixels > 0).ok_or_else(|| {
        let detail = format!("{} bytes are not 1 to 4 samples for {pixels} pixels", bytes.len());
        ApiError::new(Kind::Invalid, detail)
    })?;
    Picture::new(width, height, format, bytes.to_vec())
        .map_err(|e| ApiError::new(Kind::Invalid, e.to_string()))
}

fn stream(
    running: &Running,
    picture: &Picture,
    carried: &Carried,
    query: &EncodeQuery,
) -> Result<Vec<u8>, ApiError> {
    let bad = |words: String| ApiError::new(Kind::BadRequest, words);
    let mut options = EncodeOptions::default();
    if let Some(quality) = query.quality {
        options.quality = quality;
    }
    options.target = query.target_bytes.map(Target::Bytes);
    if let Some(rows) = query.chunk_rows {
        options.chunk_rows = rows;
    }
    if let Some(name) = &query.effort {
        options.effort = Effort::from_name(name)
            .ok_or_else(|| bad(format!("effort '{name}': must be fast, default or best")))?;
    }
    if let Some(name) = &query.tune {
        options.tune = Tune::from_name(name)
            .ok_or_else(|| bad(format!("tune '{name}': must be perceptual or psnr")))?;
    }
    for (kind, data) in [(MetadataKind::Icc, &carried.icc), (MetadataKind::Exif, &carried.exif)] {
        if let Some(data) = data {
            options.metadata.push(kind, data).map_err(|e| bad(e.to_string()))?;
        }
    }
    running.encode(|encoder| encoder.encode(picture, &options)).map_err(|error| {
        let words = error.to_string();
        match error {
            EncodeError::Quality(_) | EncodeError::ChunkRows(_) | EncodeError::Bundle(_) => {
                bad(words)
            }
            EncodeError::Dimensions { .. } | EncodeError::TargetTooSmall { .. } => {
                ApiError::new(Kind::Invalid, words)
            }
            _ => {
                tracing::error!(error = words, "an encode failed");
                ApiError::new(Kind::Internal, "the encoder failed")
            }
        }
    })
}
