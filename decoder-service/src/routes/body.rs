//! Request bodies: bounded in bytes, in memory together, and in time.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

use crate::config::Limits;
use crate::error::{ApiError, Kind};
use crate::limits::{Budget, Share};

/// Reads a whole body. Its memory is taken out of the budget as it arrives, and given back with the [`Share`].
///
/// # Errors
/// [`Kind::TooLarge`] (before anything is read, if the length is announced), [`Kind::Timeout`], [`Kind::Unavailable`] if
/// the budget is exhausted, [`Kind::BadRequest`] if the client breaks off.
pub(super) async fn read(
    headers: &HeaderMap,
    mut body: Body,
    limits: &Limits,
    budget: &Budget,
) -> Result<(Bytes, Share), ApiError> {
    let too_large = || {
        let detail = format!("at most {} bytes", limits.max_body_bytes);
        ApiError::new(Kind::TooLarge, detail)
    };
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > limits.max_body_bytes as u64) {
        // A client that asked first has not begun to send.
        if !headers.contains_key(header::EXPECT) {
            discard(&mut body).await;
        }
        return Err(too_large());
    }
    let mut share = budget.take(0)?;
    let mut bytes = BytesMut::new();
    let whole = async {
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|e| {
                ApiError::new(Kind::BadRequest, format!("the body ended early: {e}"))
            })?;
            let Ok(data) = frame.into_data() else { continue };
            if bytes.len() + data.len() > limits.max_body_bytes {
                return Err(too_large());
            }
            budget.grow(&mut share, bytes.len() + data.len())?;
            bytes.extend_from_slice(&data);
        }
        Ok(())
    };
    let time = Duration::from_millis(limits.body_timeout_ms);
    let timeout = || {
        let detail = format!("the body took more than {} ms", limits.body_timeout_ms);
        ApiError::new(Kind::Timeout, detail)
    };
    let read = tokio::time::timeout(time, whole).await.map_err(|_| timeout())?;
    if let Err(error) = read {
        discard(&mut body).await;
        return Err(error);
    }
    Ok((bytes.freeze(), share))
}

/// Bytes of a refused body that are read and forgotten, and for how long.
const DISCARDED: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_millis(500);

/// Takes a little of what a refused client is still sending: one that writes into a closed connection never reads the
/// answer.
async fn discard(body: &mut Body) {
    let some = async {
        let mut seen = 0;
        while seen < DISCARDED {
            let Some(Ok(frame)) = body.frame().await else { return };
            seen += frame.data_ref().map_or(0, Bytes::len);
        }
    };
    let _ = tokio::time::timeout(PATIENCE, some).await;
}
