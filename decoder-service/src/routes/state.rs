//! What all handlers share.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::ConnectInfo;
use axum::http::Extensions;
use axum::http::HeaderMap;
use tokio::sync::Semaphore;

use crate::auth::{Caller, Scope, Tokens};
use crate::config::Config;
use crate::error::ApiError;
use crate::fleet::Fleet;
use crate::limits::{Admission, Budget, RateLimit};
use crate::telemetry::Metrics;

/// The service's state; clones share it.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    fleet: Arc<Fleet>,
    metrics: Arc<Metrics>,
    tokens: Tokens,
    rate: RateLimit,
    budget: Budget,
    /// One permit for each picture being encoded, and one for each that is or waits to be.
    encoding: Arc<Semaphore>,
    encode_places: Arc<Semaphore>,
    /// Encodes that were accepted, and how fast they go.
    encodes: Arc<Admission<(), 1>>,
    leaving: AtomicBool,
}

impl App {
    /// The state around a fleet.
    ///
    /// # Errors
    /// Tokens that cannot be read.
    pub fn new(fleet: Arc<Fleet>, metrics: Arc<Metrics>) -> Result<Self, String> {
        let config = fleet.config();
        let limits = &config.limits;
        let threads = config.threads();
        Ok(App(Arc::new(Inner {
            tokens: Tokens::new(&config.tokens)?,
            rate: RateLimit::new(limits.rate_per_second, limits.rate_burst),
            budget: Budget::new(limits.body_budget_bytes),
            encoding: Arc::new(Semaphore::new(threads)),
            encode_places: Arc::new(Semaphore::new(threads + limits.encode_queue)),
            encodes: Admission::new([threads]),
            leaving: AtomicBool::new(false),
            fleet,
            metrics,
        })))
    }

    /// The models.
    pub fn fleet(&self) -> &Arc<Fleet> {
        &self.0.fleet
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        self.0.fleet.config()
    }

    /// What is counted.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Memory for bodies.
    pub(super) fn budget(&self) -> &Budget {
        &self.0.budget
    }

    /// Permits to encode, and to wait for that.
    pub(super) fn encoding(&self) -> (&Arc<Semaphore>, &Arc<Semaphore>) {
        (&self.0.encoding, &self.0.encode_places)
    }

    /// The time for encodes.
    pub(super) fn encodes(&self) -> &Arc<Admission<(), 1>> {
        &self.0.encodes
    }

    /// From now on the service is not ready: load balancers should look elsewhere.
    pub fn leave(&self) {
        self.0.leaving.store(true, Ordering::Relaxed);
    }

    /// Whether new requests are welcome.
    pub fn ready(&self) -> bool {
        !self.0.leaving.load(Ordering::Relaxed) && self.0.fleet.ready()
    }

    /// Who sent this, if it may do this now.
    ///
    /// # Errors
    /// 401, 403, 429.
    pub(super) fn admit(
        &self,
        headers: &HeaderMap,
        extensions: &Extensions,
        scope: Scope,
    ) -> Result<Caller, ApiError> {
        let peer = extensions.get::<ConnectInfo<SocketAddr>>();
        // Ports differ from connection to connection: the address is the caller.
        let peer = peer.map_or_else(|| "unknown".to_owned(), |peer| peer.0.ip().to_string());
        let caller = self.0.tokens.check(headers, scope, &peer)?;
        if matches!(scope, Scope::Decode | Scope::Encode) {
            self.0.rate.check(&caller.name)?;
        }
        Ok(caller)
    }
}
