//! `POST /v1/decode`.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::Body;
use axum::extract::{ConnectInfo, FromRequest, Multipart, Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::stream::{self, StreamExt};
use http_body_util::Full;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use pinhole::Scale;
use pinhole::format::Header;
use pinhole_decoder::DecoderKind;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tracing::Span;
use utoipa::IntoParams;

use super::App;
use super::body;
use crate::auth::Scope;
use crate::error::{ApiError, Kind};
use crate::fleet::{Job, Pair, Served};
use crate::limits::Share;
use crate::picture::OutputFormat;
use crate::rollout::key_of;

/// What a client may say about a decode.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct DecodeQuery {
    /// Name of the model; needed if several serve.
    pub model: Option<String>,
    /// A version that serves, by number, instead of the one whose turn it is.
    pub version: Option<u64>,
    /// standard, lite, hq or gan; the model's default otherwise.
    pub decoder: Option<String>,
    /// 1, 1/2, 1/4 or 1/8 of the encoded size.
    pub scale: Option<String>,
    /// Fill in what is damaged instead of failing.
    pub conceal: bool,
    /// Share of `gan` in a blend of `hq` and `gan`, 0 to 1.
    pub realism: Option<f32>,
}

/// Decides, if sent, which requests the same version answers; the stream itself otherwise.
const KEY: &str = "x-pinhole-key";
/// Between the parts of an answer to many streams.
const BOUNDARY: &str = "pinhole-3f9a1c57e2d84b60";

/// What is the same for all streams of a request.
struct Wish {
    pair: Arc<Pair>,
    query: DecodeQuery,
    decoder: Option<DecoderKind>,
    scale: Scale,
    format: OutputFormat,
    key: Option<Vec<u8>>,
}

/// Decode one stream, or many.
///
/// The body is one stream, or `multipart/form-data` with a stream in each part. `Accept` chooses the format:
/// `image/png` (default), `image/webp`, `image/jpeg`, `image/avif` where built in, or `application/octet-stream` for
/// samples alone. Many streams are answered with `multipart/mixed` in their order, a problem in place of each that failed.
#[utoipa::path(post, path = "/v1/decode", tag = "codec", params(DecodeQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    security(("token" = ["decode"])),
    responses(
        (status = 200, description = "the picture", content_type = "image/png", body = Vec<u8>),
        (status = 304, description = "If-None-Match names this very answer"),
        (status = 400, description = "bad_request", body = crate::error::Problem),
        (status = 401, description = "unauthorized", body = crate::error::Problem),
        (status = 403, description = "forbidden", body = crate::error::Problem),
        (status = 404, description = "not_found", body = crate::error::Problem),
        (status = 406, description = "not_acceptable", body = crate::error::Problem),
        (status = 408, description = "timeout", body = crate::error::Problem),
        (status = 413, description = "too_large, too_many_pixels", body = crate::error::Problem),
        (status = 422, description = "invalid, wrong_model", body = crate::error::Problem),
        (status = 429, description = "rate_limited, queue_full", body = crate::error::Problem),
        (status = 503, description = "overloaded, deadline, unavailable", body = crate::error::Problem),
    ))]
pub(super) async fn decode(State(app): State<App>, request: Request) -> Result<Response, ApiError> {
    let caller = app.admit(request.headers(), request.extensions(), Scope::Decode)?;
    Span::current().record("caller", &caller.name);
    let Query(query) = Query::<DecodeQuery>::try_from_uri(request.uri())
        .map_err(|e| ApiError::new(Kind::BadRequest, e.body_text()))?;
    let wish = wish(&app, query, request.headers())?;
    let many = header_text(request.headers(), header::CONTENT_TYPE)
        .is_some_and(|media| media.trim_start().starts_with("multipart/form-data"));
    let (mut parts, content) = request.into_parts();
    let (bytes, share) =
        body::read(&parts.headers, content, &app.config().limits, app.budget()).await?;
    if !many {
        let known = header_text(&parts.headers, header::IF_NONE_MATCH).map(str::to_owned);
        let (served, room) = one(&app, &wish, bytes).await?;
        drop(share);
        if known.is_some_and(|known| known.split(',').any(|tag| tag.trim() == served.etag)) {
            let mut response = StatusCode::NOT_MODIFIED.into_response();
            describe(response.headers_mut(), &wish, &served);
            return Ok(response);
        }
        let content = Held { bytes: Full::new(served.answer.body.clone()), _room: room };
        let mut response = Response::new(Body::new(content));
        describe(response.headers_mut(), &wish, &served);
        let media = HeaderValue::from_static(wish.format.media_type());
        response.headers_mut().insert(header::CONTENT_TYPE, media);
        return Ok(response);
    }
    // The body is in memory already: the extractor only finds the parts.
    parts.extensions.remove::<ConnectInfo<SocketAddr>>();
    let request = Request::from_parts(parts, Body::from(bytes));
    let streams = streams(request, app.config().limits.max_batch).await?;
    let at_once = app.config().threads() + 1;
    let answers: Vec<_> = stream::iter(streams)
        .map(|bytes| one(&app, &wish, bytes))
        .buffered(at_once)
        .collect()
        .await;
    drop(share);
    Ok(mixed(&wish, answers))
}

fn wish(app: &App, query: DecodeQuery, headers: &HeaderMap) -> Result<Wish, ApiError> {
    let bad = |words: String| ApiError::new(Kind::BadRequest, words);
    let pair = app.fleet().pair(query.model.as_deref())?;
    let decoder = match &query.decoder {
        Some(name) => Some(name.parse::<DecoderKind>().map_err(|e| bad(e.to_string()))?),
        None => None,
    };
    let scale = match query.scale.as_deref() {
        None => Scale::Full,
        Some(text) => {
            let factor = text.strip_prefix("1/").unwrap_or(text).parse().ok();
            factor
                .and_then(Scale::from_factor)
                .ok_or_else(|| bad(format!("scale '{text}': must be 1, 1/2, 1/4 or 1/8")))?
        }
    };
    if query.realism.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
        return Err(bad("realism must be within 0 and 1".to_owned()));
    }
    let format = OutputFormat::negotiate(header_text(headers, header::ACCEPT))?;
    let key = headers.get(KEY).map(|key| key.as_bytes().to_vec());
    Ok(Wish { pair, query, decoder, scale, format, key })
}

fn header_text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// Decodes one stream; memory for its picture is taken first.
async fn one(app: &App, wish: &Wish, bytes: Bytes) -> Result<(Served, Share), ApiError> {
    let limits = &app.config().limits;
    let parsed = Header::parse(&bytes).map_err(|e| ApiError::new(Kind::Invalid, e.to_string()))?;
    let (width, height) = (parsed.header.width, parsed.header.height);
    if parsed.header.pixels() > limits.max_pixels || width.max(height) > limits.max_side {
        let detail = format!(
            "{width}x{height} pixels; at most {} and {} a side",
            limits.max_pixels, limits.max_side
        );
        return Err(ApiError::new(Kind::TooManyPixels, detail));
    }
    let scaled = u64::from(wish.scale.side(width)) * u64::from(wish.scale.side(height));
    let room = app.budget().take(usize::try_from(4 * scaled).unwrap_or(usize::MAX))?;
    let digest: [u8; 32] = Sha256::digest(&bytes).into();
    let name = wish.pair.champion.name();
    let key = wish.key.as_deref().unwrap_or(&digest);
    let job = Job {
        stream: bytes,
        digest,
        pixels: parsed.header.pixels(),
        decoder: wish.decoder,
        scale: wish.scale,
        conceal: wish.query.conceal,
        realism: wish.query.realism,
        format: wish.format,
        place: key_of(name, key),
        version: wish.query.version,
        deadline: Instant::now() + limits.deadline(),
    };
    let served = app.fleet().decode(&wish.pair, job).await?;
    let span = Span::current();
    span.record("model", name);
    span.record("version", served.version);
    Ok((served, room))
}

/// Headers that tell about an answer.
fn describe(headers: &mut HeaderMap, wish: &Wish, served: &Served) {
    let answer = &served.answer;
    let (width, height, channels) = answer.shape;
    let mut put = |name: &'static str, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    put("x-pinhole-model", wish.pair.champion.name().to_owned());
    put("x-pinhole-version", served.version.to_string());
    put("x-pinhole-role", if served.challenger { "challenger" } else { "champion" }.to_owned());
    put("x-pinhole-cache", if served.cached { "hit" } else { "miss" }.to_owned());
    put("x-pinhole-width", width.to_string());
    put("x-pinhole-height", height.to_string());
    put("x-pinhole-channels", channels.to_string());
    if let Some(score) = answer.anomaly {
        put("x-pinhole-anomaly", format!("{score:.2}"));
    }
    if answer.damaged > 0 {
        put("x-pinhole-damaged", answer.damaged.to_string());
    }
    put("etag", served.etag.clone());
    put("vary", "accept".to_owned());
}

/// The parts of a multipart body.
async fn streams(request: Request, most: usize) -> Result<Vec<Bytes>, ApiError> {
    let bad = |words: String| ApiError::new(Kind::BadRequest, words);
    let mut parts = Multipart::from_request(request, &()).await.map_err(|e| bad(e.body_text()))?;
    let mut streams = Vec::new();
    while let Some(part) = parts.next_field().await.map_err(|e| bad(e.body_text()))? {
        if streams.len() == most {
            return Err(ApiError::new(Kind::TooLarge, format!("at most {most} streams")));
        }
        streams.push(part.bytes().await.map_err(|e| bad(e.body_text()))?);
    }
    if streams.is_empty() {
        return Err(bad("the body has no parts".to_owned()));
    }
    Ok(streams)
}

/// All answers in one body.
fn mixed(wish: &Wish, answers: Vec<Result<(Served, Share), ApiError>>) -> Response {
    let mut out = BytesMut::new();
    let mut rooms = Vec::new();
    for answer in answers {
        out.put_slice(format!("--{BOUNDARY}\r\n").as_bytes());
        let (headers, content) = match answer {
            Ok((served, room)) => {
                rooms.push(room);
                let mut headers = HeaderMap::new();
                describe(&mut headers, wish, &served);
                let media = HeaderValue::from_static(wish.format.media_type());
                headers.insert(header::CONTENT_TYPE, media);
                (headers, served.answer.body)
            }
            Err(error) => {
                let mut headers = HeaderMap::new();
                let media = HeaderValue::from_static("application/problem+json");
                headers.insert(header::CONTENT_TYPE, media);
                (headers, serde_json::to_vec(&error.problem()).unwrap_or_default().into())
            }
        };
        for (name, value) in &headers {
            out.put_slice(name.as_str().as_bytes());
            out.put_slice(b": ");
            out.put_slice(value.as_bytes());
            out.put_slice(b"\r\n");
        }
        out.put_slice(format!("content-length: {}\r\n\r\n", content.len()).as_bytes());
        out.put_slice(&content);
        out.put_slice(b"\r\n");
    }
    out.put_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    let content = Held { bytes: Full::new(out.freeze()), _room: rooms };
    let mut response = Response::new(Body::new(content));
    if let Ok(media) = HeaderValue::from_str(&format!("multipart/mixed; boundary={BOUNDARY}")) {
        response.headers_mut().insert(header::CONTENT_TYPE, media);
    }
    response
}

/// A body that gives its share of memory back when it has been sent, however slow the client is.
struct Held<S> {
    bytes: Full<Bytes>,
    _room: S,
}

impl<S: Unpin> HttpBody for Held<S> {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.bytes).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.bytes.size_hint()
    }
}
