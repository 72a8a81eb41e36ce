//! What requests may take.

use std::time::Duration;

use serde::Deserialize;

/// Bounds on requests, connections, memory and time.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of a request body.
    pub max_body_bytes: usize,
    /// Bytes of all bodies in memory together.
    pub body_budget_bytes: usize,
    /// Pixels of a picture, decoded or encoded.
    pub max_pixels: u64,
    /// Largest side of a picture.
    pub max_side: u32,
    /// Streams in one request.
    pub max_batch: usize,
    /// Decodes that wait for a worker, for each model version.
    pub queue: usize,
    /// Pictures that wait to be encoded.
    pub encode_queue: usize,
    /// Milliseconds from a request's body to its answer.
    pub deadline_ms: u64,
    /// Milliseconds that a request may wait for its turn, by estimate: it is refused at once if more would be needed.
    pub max_wait_ms: u64,
    /// Milliseconds that a challenger may take before the champion answers instead.
    pub challenger_ms: u64,
    /// Milliseconds for a request's headers, and between requests of a connection.
    pub header_timeout_ms: u64,
    /// Milliseconds for a request's body.
    pub body_timeout_ms: u64,
    /// Milliseconds that a client may take none of its answer.
    pub write_timeout_ms: u64,
    /// Connections at a time; more are told 503 and closed.
    pub connections: usize,
    /// Requests of a caller per second on average; 0 means no limit.
    pub rate_per_second: u32,
    /// Requests of a caller at once.
    pub rate_burst: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_body_bytes: 32 << 20,
            body_budget_bytes: 512 << 20,
            max_pixels: 1 << 25,
            max_side: 1 << 14,
            max_batch: 64,
            queue: 64,
            encode_queue: 32,
            deadline_ms: 10_000,
            max_wait_ms: 5_000,
            challenger_ms: 2_000,
            header_timeout_ms: 10_000,
            body_timeout_ms: 30_000,
            write_timeout_ms: 30_000,
            connections: 1024,
            rate_per_second: 0,
            rate_burst: 100,
        }
    }
}

impl Limits {
    pub(super) fn check(&self) -> Result<(), String> {
        let positive = [
            ("max_body_bytes", self.max_body_bytes as u64),
            ("max_pixels", self.max_pixels),
            ("max_side", self.max_side.into()),
            ("max_batch", self.max_batch as u64),
            ("queue", self.queue as u64),
            ("encode_queue", self.encode_queue as u64),
            ("deadline_ms", self.deadline_ms),
            ("max_wait_ms", self.max_wait_ms),
            ("challenger_ms", self.challenger_ms),
            ("header_timeout_ms", self.header_timeout_ms),
            ("body_timeout_ms", self.body_timeout_ms),
            ("write_timeout_ms", self.write_timeout_ms),
            ("connections", self.connections as u64),
        ];
        if let Some((name, _)) = positive.iter().find(|(_, value)| *value == 0) {
            return Err(format!("limits.{name} must be at least 1"));
        }
        if self.body_budget_bytes < self.max_body_bytes {
            return Err("limits.body_budget_bytes is less than max_body_bytes".to_owned());
        }
        Ok(())
    }

    /// From a request's body to its answer.
    pub fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }

    /// For a request's turn to come: no longer than until the deadline, which is this far away.
    pub fn max_wait(&self, until_deadline: Duration) -> Duration {
        Duration::from_millis(self.max_wait_ms).min(until_deadline)
    }

    /// For a challenger.
    pub fn challenger(&self) -> Duration {
        Duration::from_millis(self.challenger_ms)
    }
}
