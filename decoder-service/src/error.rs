//! What clients are told when something cannot be done.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::limits::TooLate;

/// Longest time after which a refused client is asked to come back: estimates of more are worth little.
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// An error as `application/problem+json` (RFC 9457).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// The status, repeated.
    pub status: u16,
    /// What kind of error, for programs: stable words such as `queue_full`.
    pub code: &'static str,
    /// What kind of error, for people.
    pub title: &'static str,
    /// This one, for people.
    pub detail: String,
}

/// An error on its way to a client.
#[derive(Clone, Debug)]
pub struct ApiError {
    kind: Kind,
    detail: String,
    retry_after: Option<Duration>,
}

/// Kinds of errors; each has one status, one code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Parameters or headers that make no sense.
    BadRequest,
    /// No token, or one that is not known.
    Unauthorized,
    /// The token's scopes do not include this.
    Forbidden,
    /// No such model, version or page.
    NotFound,
    /// Nothing here that the client accepts.
    NotAcceptable,
    /// The body did not arrive in time.
    Timeout,
    /// The state does not allow this now.
    Conflict,
    /// The body is larger than allowed.
    TooLarge,
    /// The picture has more pixels than allowed.
    TooManyPixels,
    /// The body is of a type that is not read here.
    UnsupportedType,
    /// The body is damaged, or not what it says.
    Invalid,
    /// The stream belongs to another latent space.
    WrongModel,
    /// The client sends more than its share.
    RateLimited,
    /// All workers are busy and the queue is full.
    QueueFull,
    /// So much waits already that this would wait too long.
    Overloaded,
    /// A fault of this service.
    Internal,
    /// The answer would have come too late.
    Deadline,
    /// The service is starting, stopping or out of memory for bodies.
    Unavailable,
    /// The model repository does not answer.
    Repository,
}

impl Kind {
    /// Status, code, title.
    pub fn words(self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Kind::BadRequest => (S::BAD_REQUEST, "bad_request", "bad request"),
            Kind::Unauthorized => (S::UNAUTHORIZED, "unauthorized", "a valid token is needed"),
            Kind::Forbidden => (S::FORBIDDEN, "forbidden", "the token does not allow this"),
            Kind::NotFound => (S::NOT_FOUND, "not_found", "not found"),
            Kind::NotAcceptable => (S::NOT_ACCEPTABLE, "not_acceptable", "no acceptable format"),
            Kind::Timeout => (S::REQUEST_TIMEOUT, "timeout", "the body did not arrive in time"),
            Kind::Conflict => (S::CONFLICT, "conflict", "not possible in this state"),
            Kind::TooLarge => (S::PAYLOAD_TOO_LARGE, "too_large", "the body is too large"),
            Kind::TooManyPixels => {
                (S::PAYLOAD_TOO_LARGE, "too_many_pixels", "the picture is too large")
            }
            Kind::UnsupportedType => {
                (S::UNSUPPORTED_MEDIA_TYPE, "unsupported_type", "unsupported media type")
            }
            Kind::Invalid => (S::UNPROCESSABLE_ENTITY, "invalid", "the body cannot be used"),
            Kind::WrongModel => {
                (S::UNPROCESSABLE_ENTITY, "wrong_model", "made for another latent space")
            }
            Kind::RateLimited => (S::TOO_MANY_REQUESTS, "rate_limited", "too many requests"),
            Kind::QueueFull => (S::TOO_MANY_REQUESTS, "queue_full", "all workers are busy"),
            Kind::Overloaded => (S::SERVICE_UNAVAILABLE, "overloaded", "too much waits already"),
            Kind::Internal => (S::INTERNAL_SERVER_ERROR, "internal", "a fault of the service"),
            Kind::Deadline => (S::SERVICE_UNAVAILABLE, "deadline", "too late to be of use"),
            Kind::Unavailable => (S::SERVICE_UNAVAILABLE, "unavailable", "not available now"),
            Kind::Repository => {
                (S::SERVICE_UNAVAILABLE, "repository", "the model repository does not answer")
            }
        }
    }
}

impl ApiError {
    /// An error with its own words.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let retry_after = match kind {
            Kind::QueueFull
            | Kind::Overloaded
            | Kind::Deadline
            | Kind::Unavailable
            | Kind::Repository => Some(Duration::from_secs(1)),
            _ => None,
        };
        ApiError { kind, detail: detail.into(), retry_after }
    }

    /// Says when to try again.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// The kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The words.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.kind.words().0
    }

    /// What the client reads.
    pub fn problem(&self) -> Problem {
        let (status, code, title) = self.kind.words();
        Problem { status: status.as_u16(), code, title, detail: self.detail.clone() }
    }
}

impl From<TooLate> for ApiError {
    fn from(late: TooLate) -> Self {
        let TooLate { wait, allowed } = late;
        let (ms, most) = (wait.as_millis(), allowed.as_millis());
        let detail = format!("it would wait for about {ms} ms; at most {most} ms are allowed");
        // What is too much now is done by then; nobody should be sent away for longer than that.
        let after = wait.saturating_sub(allowed).clamp(Duration::from_secs(1), LONGEST_RETRY);
        ApiError::new(Kind::Overloaded, detail).retry_after(after)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.problem()).unwrap_or_default();
        let mut response = (self.status(), body).into_response();
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, json);
        if let Some(after) = self.retry_after {
            // Whole seconds, rounded up: the header knows no others.
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if self.kind == Kind::Unauthorized {
            let scheme = HeaderValue::from_static("Bearer");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        response.extensions_mut().insert(self.kind);
        response
    }
}
