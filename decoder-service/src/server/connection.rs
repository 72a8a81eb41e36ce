//! The accept loop.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use crate::config::{Config, Limits};
use crate::telemetry::Metrics;

/// Largest head of a request.
const HEAD_BYTES: usize = 64 << 10;
/// After an accept that failed (no file descriptors left, mostly) the loop rests this long.
const REST: Duration = Duration::from_millis(50);

/// What connections beyond the limit are told.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\n\
    retry-after: 1\r\nconnection: close\r\ncontent-length: 111\r\n\r\n\
    {\"status\":503,\"code\":\"unavailable\",\"title\":\"not available now\",\"detail\":\"too many connections, try again soon\"}";

/// Asks the accept loop to end.
#[derive(Clone, Debug)]
pub struct Stop(watch::Sender<bool>);

impl Stop {
    /// A stop that has not been asked for.
    pub fn new() -> Self {
        Stop(watch::Sender::new(false))
    }

    /// Asks.
    pub fn now(&self) {
        self.0.send_replace(true);
    }

    /// Waits until it is asked for.
    pub async fn asked(&self) {
        // The sender is this value's own: it cannot be gone.
        let _ = self.0.subscribe().wait_for(|&asked| asked).await;
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}

/// A bound port.
pub struct Listener {
    tcp: TcpListener,
    tls: Option<TlsAcceptor>,
    limits: Limits,
    drain: Duration,
    metrics: Arc<Metrics>,
}

impl Listener {
    /// Binds the configured address; port 0 takes a free one.
    ///
    /// # Errors
    /// An address in use, or unusable TLS files.
    pub async fn bind(config: &Config, metrics: Arc<Metrics>) -> Result<Self, String> {
        let tls = config.tls.as_ref().map(super::tls::acceptor).transpose()?;
        let tcp = TcpListener::bind(config.listen)
            .await
            .map_err(|e| format!("{}: {e}", config.listen))?;
        let drain = Duration::from_secs(config.drain_seconds);
        Ok(Listener { tcp, tls, limits: config.limits.clone(), drain, metrics })
    }

    /// Address and port.
    ///
    /// # Errors
    /// The system's.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// Answers requests until `stop`; then finishes those that were accepted, for as long as the drain time. Whether all
    /// of them were finished.
    pub async fn serve(self, app: Router, stop: Stop) -> bool {
        let graceful = GracefulShutdown::new();
        let slots = Arc::new(Semaphore::new(self.limits.connections));
        let mut stopped = std::pin::pin!(stop.asked());
        loop {
            let accepted = tokio::select! {
                () = &mut stopped => break,
                accepted = self.tcp.accept() => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept");
                    tokio::time::sleep(REST).await;
                    continue;
                }
            };
            let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
                tokio::spawn(refuse(stream));
                continue;
            };
            // Answers are written in one piece: waiting for more would only delay them.
            let _ = stream.set_nodelay(true);
            let watcher = graceful.watcher();
            let (app, limits, tls) = (app.clone(), self.limits.clone(), self.tls.clone());
            let metrics = Arc::clone(&self.metrics);
            tokio::spawn(async move {
                metrics.connections.inc();
                let timeout = Duration::from_millis(limits.header_timeout_ms);
                match tls {
                    None => talk(stream, peer, app, &limits, watcher).await,
                    Some(tls) => match tokio::time::timeout(timeout, tls.accept(stream)).await {
                        Ok(Ok(stream)) => talk(stream, peer, app, &limits, watcher).await,
                        Ok(Err(error)) => tracing::debug!(%peer, %error, "TLS handshake failed"),
                        Err(_) => tracing::debug!(%peer, "TLS handshake took too long"),
                    },
                }
                metrics.connections.dec();
                drop(slot);
            });
        }
        drop(self.tcp);
        tokio::time::timeout(self.drain, graceful.shutdown()).await.is_ok()
    }
}

/// Serves one connection to its end.
async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    app: Router,
    limits: &Limits,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(Duration::from_millis(limits.write_timeout_ms)));
    let service = hyper::service::service_fn(move |mut request: Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        app.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(limits.header_timeout_ms))
        .max_buf_size(HEAD_BYTES)
        // A client that has sent all it will send still wants its answer.
        .half_close(true)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%peer, %error, "connection ended");
    }
}

/// Tells a client that there is no room, without spending more than a second on it.
async fn refuse(mut stream: TcpStream) {
    let _ = tokio::time::timeout(Duration::from_secs(1), async {
        let _ = stream.write_all(FULL).await;
        let _ = stream.shutdown().await;
        // Closing with unread input would reset the connection before the answer is read.
        let mut rest = [0; 4096];
        for _ in 0..16 {
            match tokio::io::AsyncReadExt::read(&mut stream, &mut rest).await {
                Ok(n) if n > 0 => {}
                _ => break,
            }
        }
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::FULL;

    #[test]
    fn the_refusal_says_its_own_length() {
        let text = std::str::from_utf8(FULL).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())), "{}", body.len());
        assert!(serde_json::from_str::<serde_json::Value>(body).is_ok());
    }
}
